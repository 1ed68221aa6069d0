// ReplicaSet and ReplicationController: as many pods as asked for, the least useful ones first to go,
// and ReplicaFailure when the server refuses to make one (quota, pod security).
import { type Kind, kindNamed } from '../kinds.ts'
import { type Json, type KubeObject, same } from '../object.ts'
import { StatusError } from '../status-error.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import {
  adopterKeys,
  childrenOf,
  createPod,
  isActive,
  isReady,
  ownerKey,
  podKind,
  setCondition,
  untilAvailable,
  without,
} from './pods.ts'

const manager = 'kube-controller-manager'

export const replicaSets = (context: Context): Controller =>
  replicator(context, kindNamed('ReplicaSet'), 'replicaset-controller')
export const replicationControllers = (context: Context): Controller =>
  replicator(context, kindNamed('ReplicationController'), 'replication-controller')

function replicator(context: Context, kind: Kind, from: string): Controller {
  const { store, registry, record, speed } = context

  async function scaleUp(set: KubeObject, count: number): Promise<string | undefined> {
    // One after the other until one works, then together: a refusal is not repeated a hundred times.
    for (let made = 0; made < count; ) {
      const batch = made === 0 ? 1 : Math.min(count - made, 8)
      try {
        const pods = await Promise.all(
          Array.from({ length: batch }, () => createPod(context, set, { template: set.spec.template })),
        )
        for (const pod of pods)
          record(set, { reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, from })
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        record(set, {
          reason: 'FailedCreate',
          message: `Error creating: ${error.message}`,
          warning: true,
          from,
        })
        return error.message
      }
      made += batch
    }
    return undefined
  }

  async function scaleDown(set: KubeObject, pods: readonly KubeObject[], count: number) {
    const victims = [...pods].sort((a, b) => usefulness(a) - usefulness(b) || newest(a, b)).slice(0, count)
    await Promise.all(
      victims.map(async ({ metadata }) => {
        await registry.remove(
          { kind: podKind, namespace: metadata.namespace, name: metadata.name },
          { preconditions: { uid: metadata.uid } },
        )
        record(set, { reason: 'SuccessfulDelete', message: `Deleted pod: ${metadata.name}`, from })
      }),
    )
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key)
    const set = store.get(kind, namespace, name)
    if (!set) return undefined
    const pods = (await childrenOf(context, set, podKind)).filter(isActive)
    const missing = set.spec.replicas - pods.length
    let failure: string | undefined
    if (!set.metadata.deletionTimestamp) {
      if (missing > 0) failure = await scaleUp(set, missing)
      else if (missing < 0) await scaleDown(set, pods, -missing)
    }
    const now = store
      .dependents(set.metadata.uid)
      .filter(one => one.kind === podKind && isActive(one.object))
      .map(one => one.object)
    const waits = now.map(pod => untilAvailable(pod, set.spec.minReadySeconds ?? 0, speed))
    const labels = Object.entries<string>(set.spec.template.metadata?.labels ?? {})
    const counts: Json = {
      replicas: now.length,
      fullyLabeledReplicas: now.filter(pod =>
        labels.every(([label, value]) => pod.metadata.labels?.[label] === value),
      ).length,
      readyReplicas: now.filter(isReady).length,
      availableReplicas: waits.filter(wait => wait === 0).length,
    }
    const target = { kind, namespace, name }
    await registry.mutate(
      target,
      draft => {
        const conditions = failure
          ? setCondition(draft.status?.conditions, {
              type: 'ReplicaFailure',
              status: 'True',
              reason: 'FailedCreate',
              message: failure,
            })
          : without(draft.status?.conditions, 'ReplicaFailure')
        const kept = Object.fromEntries(
          Object.entries(counts).filter(([field, value]) => value !== 0 || field === 'replicas'),
        )
        const next = {
          ...kept,
          observedGeneration: set.metadata.generation,
          ...(conditions.length > 0 ? { conditions } : {}),
        }
        if (!same(draft.status, next)) draft.status = next
      },
      { manager, subresource: 'status' },
    )
    if (failure) return 1000
    const pending = waits.filter(wait => wait !== undefined && wait > 0) as number[]
    return pending.length > 0 ? Math.min(...pending) : undefined
  }

  return {
    name: from,
    keys({ kind: of, object, type }) {
      if (of === kind) return type === 'DELETED' ? [] : [keyOf(object)]
      return of === podKind ? [...ownerKey(object, kind.kind), ...adopterKeys(context, object, kind)] : []
    },
    reconcile,
  }
}

// Not scheduled, then not running, then not ready ones go first.
const usefulness = (pod: KubeObject): number =>
  (pod.spec.nodeName ? 4 : 0) + (pod.status?.phase === 'Running' ? 2 : 0) + (isReady(pod) ? 1 : 0)

const newest = (a: KubeObject, b: KubeObject) =>
  b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp)
