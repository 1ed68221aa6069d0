// StatefulSets: pods by ordinal, one after the other or all at once, each with its own claims; rolling
// updates from the highest ordinal down to the partition. A pod that never gets ready holds up the rest,
// as in the real one.
import { kindNamed } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import { StatusError } from '../status-error.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import {
  adopterKeys,
  childrenOf,
  createPod,
  isOver,
  isReady,
  ownerKey,
  podKind,
  untilAvailable,
} from './pods.ts'
import { currentRevision, pruneRevisions, type Revision, revisionOf } from './revisions.ts'

const setKind = kindNamed('StatefulSet')
const claimKind = kindNamed('PersistentVolumeClaim')
const manager = 'kube-controller-manager'
const from = 'statefulset-controller'
const hashLabel = 'controller-revision-hash'

const ordinalOf = (pod: KubeObject) => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1)
const runs = (pod: KubeObject) => pod.metadata.labels?.[hashLabel]

type Plan = {
  readonly set: KubeObject
  readonly pods: ReadonlyMap<number, KubeObject>
  readonly current: Revision
  readonly update: Revision
}

export function statefulSets(context: Context): Controller {
  const { store, registry, record, speed } = context

  async function makePod({ set, current, update }: Plan, ordinal: number) {
    const { metadata, spec } = set
    const partition = spec.updateStrategy.rollingUpdate?.partition ?? 0
    const old =
      spec.updateStrategy.type === 'RollingUpdate' &&
      (partition > 0 ? ordinal < partition : ordinal < (set.status?.currentReplicas ?? 0))
    const revision = old ? current : update
    const name = `${metadata.name}-${ordinal}`
    const claims: Json[] = spec.volumeClaimTemplates ?? []
    const claimName = (claim: Json) => `${claim.metadata.name}-${name}`
    for (const claim of claims) await makeClaim(set, claim, claimName(claim))
    const labels = {
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
      [hashLabel]: revision.name,
    }
    try {
      await createPod(context, set, {
        template: revision.template,
        name,
        labels,
        change: pod => {
          const own = claims.map(claim => ({
            name: claim.metadata.name,
            persistentVolumeClaim: { claimName: claimName(claim) },
          }))
          const names = own.map(volume => volume.name)
          pod.spec.volumes = [
            ...(pod.spec.volumes ?? []).filter((volume: Json) => !names.includes(volume.name)),
            ...own,
          ]
          pod.spec.hostname = name
          if (spec.serviceName) pod.spec.subdomain = spec.serviceName
        },
      })
      record(set, {
        reason: 'SuccessfulCreate',
        message: `create Pod ${name} in StatefulSet ${metadata.name} successful`,
        from,
      })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      record(set, {
        reason: 'FailedCreate',
        message: `create Pod ${name} in StatefulSet ${metadata.name} failed error: ${error.message}`,
        warning: true,
        from,
      })
      throw error
    }
  }

  async function makeClaim(set: KubeObject, claim: Json, name: string) {
    const { namespace } = set.metadata
    if (store.get(claimKind, namespace, name)) return
    const labels = { ...claim.metadata.labels, ...set.spec.selector.matchLabels }
    await registry.create(
      claimKind,
      {
        metadata: { name, labels, annotations: claim.metadata.annotations },
        spec: structuredClone(claim.spec),
      },
      { manager, namespace },
    )
    const message = `create Claim ${name} Pod ${set.metadata.name} in StatefulSet ${set.metadata.name} success`
    record(set, { reason: 'SuccessfulCreate', message, from })
  }

  async function remove(set: KubeObject, pod: KubeObject) {
    const { name, namespace, uid } = pod.metadata
    await registry.remove({ kind: podKind, namespace, name }, { preconditions: { uid } })
    record(set, {
      reason: 'SuccessfulDelete',
      message: `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      from,
    })
  }

  const healthy = ({ spec }: KubeObject, pod: KubeObject | undefined) =>
    pod !== undefined &&
    !pod.metadata.deletionTimestamp &&
    untilAvailable(pod, spec.minReadySeconds ?? 0, speed) === 0

  /** Makes the next step: missing pods first, then those too many, then those of an old revision. */
  async function step(plan: Plan): Promise<void> {
    const { spec } = plan.set
    const first = spec.ordinals?.start ?? 0
    const wanted = Array.from({ length: spec.replicas }, (_, i) => first + i)
    if (await fill(plan, wanted)) return
    if (await shrink(plan, wanted)) return
    if (spec.updateStrategy.type === 'RollingUpdate') await replaceOld(plan, wanted)
  }

  // Each of these answers true when the rest has to wait for it.
  async function fill(plan: Plan, wanted: readonly number[]): Promise<boolean> {
    const { set, pods } = plan
    const inOrder = set.spec.podManagementPolicy !== 'Parallel'
    for (const ordinal of wanted) {
      const pod = pods.get(ordinal)
      if (pod && isOver(pod) && !pod.metadata.deletionTimestamp) await remove(set, pod)
      else if (!pod) await makePod(plan, ordinal)
      else if (!inOrder || healthy(set, pod)) continue
      if (inOrder) return true
    }
    return false
  }

  async function shrink({ set, pods }: Plan, wanted: readonly number[]): Promise<boolean> {
    const inOrder = set.spec.podManagementPolicy !== 'Parallel'
    const extra = [...pods].filter(([ordinal]) => !wanted.includes(ordinal)).sort(([a], [b]) => b - a)
    for (const [, pod] of inOrder ? extra.slice(0, 1) : extra) {
      if (!pod.metadata.deletionTimestamp) await remove(set, pod)
    }
    return inOrder && extra.length > 0
  }

  async function replaceOld({ set, pods, update }: Plan, wanted: readonly number[]) {
    const partition = set.spec.updateStrategy.rollingUpdate?.partition ?? 0
    for (const ordinal of wanted.filter(one => one >= partition).reverse()) {
      const pod = pods.get(ordinal)
      if (pod && runs(pod) !== update.name && !pod.metadata.deletionTimestamp) return remove(set, pod)
      if (!healthy(set, pod)) return
    }
  }

  async function writeStatus(
    set: KubeObject,
    current: Revision,
    update: Revision,
  ): Promise<number | undefined> {
    const { uid, namespace, name } = set.metadata
    const pods = store
      .dependents(uid)
      .filter(one => one.kind === podKind)
      .map(one => one.object)
    const living = pods.filter(pod => !pod.metadata.deletionTimestamp)
    const waits = living.map(pod => untilAvailable(pod, set.spec.minReadySeconds ?? 0, speed))
    const updated = living.filter(pod => runs(pod) === update.name).length
    const ready = living.filter(isReady).length
    const { replicas, updateStrategy } = set.spec
    const done =
      updateStrategy.type === 'RollingUpdate' &&
      updated === replicas &&
      ready === replicas &&
      pods.length === replicas
    const counts = {
      readyReplicas: ready,
      currentReplicas: done ? updated : living.filter(pod => runs(pod) === current.name).length,
      updatedReplicas: updated,
    }
    const status = {
      observedGeneration: set.metadata.generation,
      replicas: pods.length,
      availableReplicas: waits.filter(wait => wait === 0).length,
      ...Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0)),
      currentRevision: done ? update.name : current.name,
      updateRevision: update.name,
      collisionCount: 0,
    }
    await registry.mutate(
      { kind: setKind, namespace, name },
      draft => {
        draft.status = status
      },
      { manager, subresource: 'status' },
    )
    const pending = waits.filter(wait => wait !== undefined && wait > 0) as number[]
    return pending.length > 0 ? Math.min(...pending) : undefined
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === setKind) return type === 'DELETED' ? [] : [keyOf(object)]
      return kind === podKind
        ? [...ownerKey(object, 'StatefulSet'), ...adopterKeys(context, object, setKind)]
        : []
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const set = store.get(setKind, namespace, name)
      if (!set || set.metadata.deletionTimestamp) return undefined
      const { update, all } = await currentRevision(context, set)
      const known = all.find(one => one.metadata.name === set.status?.currentRevision)
      const current = known ? revisionOf(known) : update
      const pods = new Map((await childrenOf(context, set, podKind)).map(pod => [ordinalOf(pod), pod]))
      try {
        await step({ set, pods, current, update })
      } finally {
        // A refused pod is said in the status too.
        await writeStatus(set, current, update)
      }
      await pruneRevisions(context, set, {
        all,
        live: new Set([current.name, update.name, ...[...pods.values()].map(pod => runs(pod) ?? '')]),
      })
      return writeStatus(set, current, update)
    },
  }
}
