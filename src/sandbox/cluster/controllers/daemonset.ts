// DaemonSets: one pod on every node that it may run on, replaced node by node within maxUnavailable.
// maxSurge is not played. Revisions are in revisions.ts.
import { kindNamed } from '../kinds.ts'
import type { KubeObject } from '../object.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import {
  adopterKeys,
  childrenOf,
  createPod,
  isOver,
  isReady,
  ownerKey,
  podKind,
  share,
  untilAvailable,
} from './pods.ts'
import { currentRevision, pruneRevisions } from './revisions.ts'
import { mayRunOn } from './scheduler.ts'

const setKind = kindNamed('DaemonSet')
const nodeKind = kindNamed('Node')
const from = 'daemonset-controller'
const hashLabel = 'controller-revision-hash'

export function daemonSets(context: Context): Controller {
  const { store, registry, record, speed } = context

  async function remove(set: KubeObject, pod: KubeObject) {
    const { name, namespace, uid } = pod.metadata
    await registry.remove({ kind: podKind, namespace, name }, { preconditions: { uid } })
    record(set, { reason: 'SuccessfulDelete', message: `Deleted pod: ${name}`, from })
  }

  async function rollOver(set: KubeObject, pods: readonly KubeObject[], of: { hash: string; nodes: number }) {
    if (set.spec.updateStrategy.type !== 'RollingUpdate') return
    const works = (pod: KubeObject) => untilAvailable(pod, set.spec.minReadySeconds ?? 0, speed) === 0
    const old = pods.filter(
      pod => pod.metadata.labels?.[hashLabel] !== of.hash && !pod.metadata.deletionTimestamp,
    )
    const broken = old.filter(pod => !works(pod))
    const allowed = share(set.spec.updateStrategy.rollingUpdate?.maxUnavailable ?? 1, of.nodes, 'up')
    const room = Math.max(0, allowed - (of.nodes - pods.filter(works).length))
    for (const pod of [...broken, ...old.filter(works).slice(0, room)]) await remove(set, pod)
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === setKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (kind === nodeKind) return store.list(setKind).map(keyOf)
      return kind === podKind
        ? [...ownerKey(object, 'DaemonSet'), ...adopterKeys(context, object, setKind)]
        : []
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const set = store.get(setKind, namespace, name)
      if (!set || set.metadata.deletionTimestamp) return undefined
      const { update, all } = await currentRevision(context, set)
      const pods = await childrenOf(context, set, podKind)
      const nodes = store.list(nodeKind).filter(node => mayRunOn({ spec: set.spec.template.spec }, node))
      for (const node of nodes) {
        const here = pods.filter(pod => pod.spec.nodeName === node.metadata.name)
        for (const pod of here) if (isOver(pod) && !pod.metadata.deletionTimestamp) await remove(set, pod)
        if (here.length > 0) continue
        const made = await createPod(context, set, {
          template: update.template,
          labels: { [hashLabel]: update.hash },
          change: pod => {
            pod.spec.nodeName = node.metadata.name
          },
        })
        record(set, { reason: 'SuccessfulCreate', message: `Created pod: ${made.metadata.name}`, from })
      }
      await rollOver(set, pods, { hash: update.hash, nodes: nodes.length })
      const now = store
        .dependents(set.metadata.uid)
        .filter(one => one.kind === podKind && !one.object.metadata.deletionTimestamp)
        .map(one => one.object)
      const waits = now.map(pod => untilAvailable(pod, set.spec.minReadySeconds ?? 0, speed))
      const available = waits.filter(wait => wait === 0).length
      const status = {
        currentNumberScheduled: now.length,
        numberMisscheduled: 0,
        desiredNumberScheduled: nodes.length,
        numberReady: now.filter(isReady).length,
        observedGeneration: set.metadata.generation,
        updatedNumberScheduled: now.filter(pod => pod.metadata.labels?.[hashLabel] === update.hash).length,
        numberAvailable: available,
        numberUnavailable: Math.max(0, nodes.length - available),
      }
      await registry.mutate(
        { kind: setKind, namespace, name },
        draft => {
          draft.status = status
        },
        { manager: 'kube-controller-manager', subresource: 'status' },
      )
      const live = new Set([update.name, ...now.map(pod => `${name}-${pod.metadata.labels?.[hashLabel]}`)])
      await pruneRevisions(context, set, { all, live })
      const pending = waits.filter(wait => wait !== undefined && wait > 0) as number[]
      return pending.length > 0 ? Math.min(...pending) : undefined
    },
  }
}
