// Deployments: a ReplicaSet a template, rolled over within maxSurge and maxUnavailable or recreated, with
// revisions, history, pause and the real conditions. Scaling while several ReplicaSets are alive goes to
// the newest first, not in proportion. What the status says is in deployment-status.ts.
import { kindNamed } from '../kinds.ts'
import { clone, type Json, type KubeObject, ownedBy, same, shortHash } from '../object.ts'
import { StatusError } from '../status-error.ts'
import { deploymentStatus, isComplete } from './deployment-status.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { adopterKeys, childrenOf, ownerKey, podKind, share } from './pods.ts'

const deploymentKind = kindNamed('Deployment')
const setKind = kindNamed('ReplicaSet')
const manager = 'kube-controller-manager'
const from = 'deployment-controller'
const hashLabel = 'pod-template-hash'
const revisionKey = 'deployment.kubernetes.io/revision'
const desiredKey = 'deployment.kubernetes.io/desired-replicas'
const maxKey = 'deployment.kubernetes.io/max-replicas'
const notCopied = [
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionKey,
  desiredKey,
  maxKey,
  'deprecated.deployment.rollback.to',
]

export function deployments(context: Context): Controller {
  const { store, registry, record, speed } = context
  // When a deployment last made progress, finer than the seconds in its status.
  const progressed = new Map<string, number>()

  const revisionOf = (object: KubeObject) => Number(object.metadata.annotations?.[revisionKey] ?? 0)
  const sum = (sets: readonly KubeObject[], of: (set: KubeObject) => number | undefined) =>
    sets.reduce((total, set) => total + (of(set) ?? 0), 0)

  async function scale(deployment: KubeObject, set: KubeObject, replicas: number): Promise<KubeObject> {
    const before = set.spec.replicas
    const target = { kind: setKind, namespace: set.metadata.namespace, name: set.metadata.name }
    const next = await registry.mutate(
      target,
      draft => {
        draft.spec.replicas = replicas
        draft.metadata.annotations = { ...draft.metadata.annotations, ...sizes(deployment) }
      },
      { manager },
    )
    if (before !== replicas) {
      const message = `Scaled ${replicas > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${replicas}`
      record(deployment, { reason: 'ScalingReplicaSet', message, from })
    }
    return next ?? set
  }

  const sizes = ({ spec }: KubeObject) => ({
    [desiredKey]: String(spec.replicas),
    [maxKey]: String(spec.replicas + limits(spec).surge),
  })

  /** The ReplicaSet of the present template; made when it is missing, its revision raised when it is reused. */
  async function currentSet(
    deployment: KubeObject,
    sets: readonly KubeObject[],
    create: boolean,
  ): Promise<KubeObject | undefined> {
    const { spec, metadata } = deployment
    const found = sets.find(set => same(templateOf(set), spec.template))
    const latest = Math.max(0, ...sets.filter(set => set !== found).map(revisionOf))
    if (!found && !create) return undefined
    const revision = String(found && revisionOf(found) > latest ? revisionOf(found) : latest + 1)
    const copied = Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([key]) => !notCopied.includes(key)),
    )
    const annotations = { ...copied, [revisionKey]: revision, ...sizes(deployment) }
    let set = found
    if (found) {
      const target = { kind: setKind, namespace: metadata.namespace, name: found.metadata.name }
      const change = (draft: KubeObject) => {
        draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations }
        if (spec.minReadySeconds !== undefined) draft.spec.minReadySeconds = spec.minReadySeconds
      }
      set = (await registry.mutate(target, change, { manager })) ?? found
    } else {
      set = await makeSet(deployment, annotations)
    }
    if (metadata.annotations?.[revisionKey] !== revision) {
      const target = { kind: deploymentKind, namespace: metadata.namespace, name: metadata.name }
      await registry.mutate(
        target,
        draft => {
          draft.metadata.annotations = { ...draft.metadata.annotations, [revisionKey]: revision }
        },
        { manager },
      )
    }
    return set
  }

  async function makeSet(deployment: KubeObject, annotations: Record<string, string>): Promise<KubeObject> {
    const { spec, metadata } = deployment
    const hash = shortHash([spec.template, deployment.status?.collisionCount ?? 0])
    const name = `${metadata.name}-${hash}`
    const template = clone(spec.template)
    template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } }
    const selector = { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [hashLabel]: hash } }
    try {
      return await registry.create(
        setKind,
        {
          metadata: {
            name,
            labels: template.metadata.labels,
            annotations,
            ownerReferences: [ownedBy(deployment)],
          },
          spec: { replicas: 0, minReadySeconds: spec.minReadySeconds, selector, template },
        },
        { manager, namespace: metadata.namespace },
      )
    } catch (error) {
      if (error instanceof StatusError && error.reason === 'AlreadyExists') {
        const target = { kind: deploymentKind, namespace: metadata.namespace, name: metadata.name }
        const change = (draft: KubeObject) => {
          draft.status = { ...draft.status, collisionCount: (draft.status?.collisionCount ?? 0) + 1 }
        }
        await registry.mutate(target, change, { manager, subresource: 'status' })
      }
      throw error
    }
  }

  async function rollingUpdate(deployment: KubeObject, current: KubeObject, old: readonly KubeObject[]) {
    const { replicas: wanted } = deployment.spec
    const { surge, unavailable } = limits(deployment.spec)
    const total = sum([current, ...old], set => set.spec.replicas)
    if (current.spec.replicas > wanted) return scale(deployment, current, wanted)
    const room = wanted + surge - total
    if (current.spec.replicas < wanted && room > 0)
      return scale(
        deployment,
        current,
        current.spec.replicas + Math.min(room, wanted - current.spec.replicas),
      )
    await shrinkOld(deployment, { current, old, minimum: wanted - unavailable, total })
    return scale(deployment, current, current.spec.replicas)
  }

  async function shrinkOld(
    deployment: KubeObject,
    of: { current: KubeObject; old: readonly KubeObject[]; minimum: number; total: number },
  ) {
    const { current, old, minimum, total } = of
    const newUnavailable = current.spec.replicas - (current.status?.availableReplicas ?? 0)
    let spare = total - minimum - newUnavailable
    const sizesNow = new Map(old.map(set => [set, set.spec.replicas as number]))
    const oldest = [...old].sort((a, b) => revisionOf(a) - revisionOf(b))
    // Replicas that do not work go first: they hold up nothing but the rollout.
    for (const set of oldest) {
      const size = sizesNow.get(set) ?? 0
      const broken = Math.min(size - (set.status?.availableReplicas ?? 0), spare)
      if (broken <= 0) continue
      sizesNow.set(set, size - broken)
      spare -= broken
    }
    let removable = sum([current, ...old], set => set.status?.availableReplicas) - minimum
    for (const set of oldest) {
      const size = sizesNow.get(set) ?? 0
      const down = Math.min(size, removable, spare)
      if (down <= 0) continue
      sizesNow.set(set, size - down)
      removable -= down
      spare -= down
    }
    for (const [set, size] of sizesNow) if (size !== set.spec.replicas) await scale(deployment, set, size)
  }

  async function recreate(deployment: KubeObject, sets: readonly KubeObject[]) {
    const current = await currentSet(deployment, sets, false)
    const old = sets.filter(set => set.metadata.uid !== current?.metadata.uid)
    for (const set of old) if (set.spec.replicas > 0) await scale(deployment, set, 0)
    const left = old.some(set =>
      store
        .dependents(set.metadata.uid)
        .some(one => one.kind === podKind && !['Succeeded', 'Failed'].includes(one.object.status?.phase)),
    )
    if (left) return
    const next = await currentSet(deployment, sets, true)
    if (next) await scale(deployment, next, deployment.spec.replicas)
  }

  async function cleanUp(deployment: KubeObject, old: readonly KubeObject[]) {
    const idle = old.filter(
      set => set.spec.replicas === 0 && !set.status?.replicas && !set.metadata.deletionTimestamp,
    )
    const extra = idle.length - (deployment.spec.revisionHistoryLimit ?? 10)
    for (const { metadata } of [...idle]
      .sort((a, b) => revisionOf(a) - revisionOf(b))
      .slice(0, Math.max(0, extra))) {
      await registry.remove(
        { kind: setKind, namespace: metadata.namespace, name: metadata.name },
        { preconditions: { uid: metadata.uid } },
      )
    }
  }

  async function writeStatus(
    deployment: KubeObject,
    sets: readonly KubeObject[],
    created?: string,
  ): Promise<number | undefined> {
    const { uid, namespace, name } = deployment.metadata
    const live = store.get(deploymentKind, namespace, name)
    if (!live) return undefined
    const fresh = sets.map(set => store.get(setKind, namespace, set.metadata.name) ?? set)
    const current = fresh.find(set => same(templateOf(set), deployment.spec.template))
    const began =
      progressed.get(uid) ??
      Date.parse(
        live.status?.conditions?.find((one: Json) => one.type === 'Progressing')?.lastUpdateTime ??
          new Date().toISOString(),
      )
    const deadline = began + ((deployment.spec.progressDeadlineSeconds ?? 600) * 1000) / speed
    const { status, progress } = deploymentStatus({
      deployment: live,
      generation: deployment.metadata.generation,
      sets: fresh,
      current,
      created,
      late: Date.now() >= deadline,
    })
    if (progress || !progressed.has(uid)) progressed.set(uid, progress ? Date.now() : began)
    const change = (draft: KubeObject) => {
      draft.status = status
    }
    await registry.mutate({ kind: deploymentKind, namespace, name }, change, {
      manager,
      subresource: 'status',
    })
    const waiting =
      !isComplete(deployment, status) &&
      !deployment.spec.paused &&
      status.conditions.some((one: Json) => one.type === 'Progressing' && one.status === 'True')
    return waiting
      ? Math.max(1, (progress ? Date.now() + deadline - began : deadline) - Date.now())
      : undefined
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key)
    const deployment = store.get(deploymentKind, namespace, name)
    if (!deployment) return undefined
    const before = await childrenOf(context, deployment, setKind)
    if (!deployment.metadata.deletionTimestamp) {
      const { paused, strategy } = deployment.spec
      if (paused) await scalePaused(deployment, before)
      else if (strategy.type === 'Recreate') await recreate(deployment, before)
      else {
        const current = await currentSet(deployment, before, true)
        if (current)
          await rollingUpdate(
            deployment,
            current,
            before.filter(set => set.metadata.uid !== current.metadata.uid),
          )
      }
    }
    const sets = store
      .dependents(deployment.metadata.uid)
      .filter(one => one.kind === setKind)
      .map(one => one.object)
    const created = sets.find(set => !before.some(one => one.metadata.uid === set.metadata.uid))?.metadata
      .name
    const again = await writeStatus(deployment, sets, created)
    const status = store.get(deploymentKind, namespace, name)?.status
    const old = sets.filter(set => !same(templateOf(set), deployment.spec.template))
    if (status && isComplete(deployment, status)) await cleanUp(deployment, old)
    return again
  }

  async function scalePaused(deployment: KubeObject, sets: readonly KubeObject[]) {
    const current = await currentSet(deployment, sets, false)
    const alive = sets.filter(set => set.spec.replicas > 0)
    const only = alive.length <= 1 ? (alive[0] ?? current) : undefined
    if (only && only.spec.replicas !== deployment.spec.replicas)
      await scale(deployment, only, deployment.spec.replicas)
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === deploymentKind) {
        if (type === 'DELETED') progressed.delete(object.metadata.uid)
        return type === 'DELETED' ? [] : [keyOf(object)]
      }
      if (kind === setKind)
        return [...ownerKey(object, 'Deployment'), ...adopterKeys(context, object, deploymentKind)]
      // Recreate waits for the old pods to be gone.
      if (kind === podKind && type === 'DELETED') {
        const [set] = ownerKey(object, 'ReplicaSet').map(splitKey)
        const owner = set && store.get(setKind, set.namespace, set.name)
        return owner ? ownerKey(owner, 'Deployment') : []
      }
      return []
    },
    reconcile,
  }
}

/** The template as its deployment has it, without the hash. */
function templateOf(set: KubeObject): Json {
  const template = set.spec.template
  const { [hashLabel]: _hash, ...labels } = template.metadata?.labels ?? {}
  return { ...template, metadata: { ...template.metadata, labels } }
}

function limits(spec: Json): { surge: number; unavailable: number } {
  if (spec.strategy.type !== 'RollingUpdate') return { surge: 0, unavailable: 0 }
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate
  const surge = share(maxSurge, spec.replicas, 'up')
  const unavailable = share(maxUnavailable, spec.replicas, 'down')
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, spec.replicas) }
}
