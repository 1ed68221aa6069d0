// What the workload controllers share about pods: whose they are, whether they are ready and available,
// how one is made from a template, and conditions that keep their transition time.
import { type Kind, kindNamed } from '../kinds.ts'
import { controllerOf, type Json, type KubeObject, ownedBy, timestamp } from '../object.ts'
import { selects } from '../selectors.ts'
import { type Context, keyOf } from './engine.ts'

export const podKind = kindNamed('Pod')

export const conditionOf = (object: KubeObject, type: string): Json =>
  object.status?.conditions?.find((one: Json) => one.type === type)

export const isReady = (pod: KubeObject): boolean => conditionOf(pod, 'Ready')?.status === 'True'
export const isOver = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(pod.status?.phase)
/** Neither ended nor asked to. */
export const isActive = (pod: KubeObject): boolean => !isOver(pod) && !pod.metadata.deletionTimestamp

/** 0 when it has been ready long enough, ms until then, or undefined when it is not ready. */
export function untilAvailable(pod: KubeObject, minReadySeconds: number, speed: number): number | undefined {
  if (!isReady(pod) || pod.metadata.deletionTimestamp) return undefined
  if (!minReadySeconds) return 0
  const since = Date.parse(conditionOf(pod, 'Ready').lastTransitionTime)
  return Math.max(0, since + (minReadySeconds * 1000) / speed - Date.now())
}

/**
 * The children of a kind that an owner controls. Orphans that its selector matches are taken in, so a
 * workload that was deleted with its pods kept finds them again.
 */
export async function childrenOf(context: Context, owner: KubeObject, kind: Kind): Promise<KubeObject[]> {
  const { store, registry } = context
  const owned = store
    .dependents(owner.metadata.uid)
    .filter(one => one.kind === kind)
    .map(one => one.object)
  const selector =
    owner.spec.selector?.matchLabels || owner.spec.selector?.matchExpressions
      ? owner.spec.selector
      : { matchLabels: owner.spec.selector }
  if (owner.metadata.deletionTimestamp)
    return owned.filter(one => controllerOf(one)?.uid === owner.metadata.uid)
  for (const orphan of store.list(kind, owner.metadata.namespace)) {
    if (
      controllerOf(orphan) ||
      orphan.metadata.deletionTimestamp ||
      !selects(selector, orphan.metadata.labels)
    )
      continue
    const taken = await registry.mutate(
      { kind, namespace: orphan.metadata.namespace, name: orphan.metadata.name },
      draft => {
        draft.metadata.ownerReferences = [...(draft.metadata.ownerReferences ?? []), ownedBy(owner)]
      },
      { manager: 'kube-controller-manager' },
    )
    if (taken) owned.push(taken)
  }
  return owned.filter(one => controllerOf(one)?.uid === owner.metadata.uid)
}

/** The key of the controller of an object, if that is of this kind. */
export function ownerKey(object: KubeObject, kind: string): string[] {
  const owner = controllerOf(object)
  return owner?.kind === kind ? [`${object.metadata.namespace}/${owner.name}`] : []
}

/** Keys of the owners of this kind that might take an orphan in. */
export const adopterKeys = (context: Context, orphan: KubeObject, kind: Kind): string[] =>
  controllerOf(orphan)
    ? []
    : context.store
        .list(kind, orphan.metadata.namespace)
        .filter(owner => selects(owner.spec.selector, orphan.metadata.labels))
        .map(keyOf)

/** Makes a pod from an owner's template. Throws what the server answers. */
export async function createPod(
  context: Context,
  owner: KubeObject,
  make: { template: Json; name?: string; labels?: Record<string, string>; change?: (pod: Json) => void },
): Promise<KubeObject> {
  const { metadata = {}, spec } = make.template
  const draft = {
    metadata: {
      ...(make.name ? { name: make.name } : { generateName: `${owner.metadata.name}-` }),
      labels: { ...metadata.labels, ...make.labels },
      annotations: metadata.annotations,
      finalizers: metadata.finalizers,
      ownerReferences: [ownedBy(owner)],
    },
    spec: structuredClone(spec),
  }
  make.change?.(draft)
  const namespace = owner.metadata.namespace
  return context.registry.create(podKind, draft, { manager: 'kube-controller-manager', namespace })
}

/** Replaces or adds a condition; its transition time only moves with its status. */
export function setCondition(
  conditions: Json[] | undefined,
  next: { type: string; status: string; reason?: string; message?: string },
  updateTime = false,
): Json[] {
  const list = conditions ?? []
  const old = list.find(one => one.type === next.type)
  const now = timestamp()
  const changed =
    !old || old.status !== next.status || old.reason !== next.reason || old.message !== next.message
  if (old && !changed && !updateTime) return list
  const condition = {
    ...next,
    ...(updateTime
      ? { lastUpdateTime: now }
      : old?.lastUpdateTime
        ? { lastUpdateTime: old.lastUpdateTime }
        : {}),
    lastTransitionTime: old?.status === next.status ? old.lastTransitionTime : now,
  }
  return old ? list.map(one => (one === old ? condition : one)) : [...list, condition]
}

export const without = (conditions: Json[] | undefined, type: string): Json[] =>
  (conditions ?? []).filter(one => one.type !== type)

/** `25%` of a number, or the number. */
export function share(value: Json, of: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const part = (Number.parseInt(String(value ?? 0), 10) * of) / 100
  return round === 'up' ? Math.ceil(part) : Math.floor(part)
}
