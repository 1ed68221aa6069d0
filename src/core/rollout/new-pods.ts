// Which pods a verdict looks at: those of the new ReplicaSet or revision that are meant to live. A crashing pod
// of an old ReplicaSet, one that is being deleted or one that was evicted says nothing about the new revision.
import type { Observed, PodFacts, WorkloadFacts } from '../cluster.ts'

/** The ReplicaSet of the Deployment's current template: both carry the same revision number. */
export function newReplicaSet({ workload, replicaSets }: Observed): WorkloadFacts | null {
  if (!workload) return null
  return replicaSets.find(set => set.revision !== '' && set.revision === workload.revision) ?? null
}

/** True once the controller has seen the latest template; before that nobody knows which pods are new. */
export const isObserved = (workload: WorkloadFacts): boolean =>
  workload.observedGeneration >= workload.generation

/** Every pod of the new revision, also those on their way out. */
function ofNewRevision(observed: Observed): readonly PodFacts[] {
  const { workload, pods } = observed
  if (!workload) return pods
  if (!isObserved(workload)) return []
  switch (workload.kind) {
    case 'Deployment': {
      const set = newReplicaSet(observed)
      return set ? pods.filter(pod => pod.owner?.uid === set.uid) : []
    }
    case 'StatefulSet':
      return pods.filter(pod => pod.templateHash !== '' && pod.templateHash === workload.updateRevision)
    case 'DaemonSet': {
      // A DaemonSet does not name its new revision; its youngest pod has it.
      const [youngest] = [...pods].sort((a, b) => b.createdAt - a.createdAt)
      return workload.updated > 0 ? pods.filter(pod => pod.templateHash === youngest?.templateHash) : []
    }
    case 'CronJob':
      return []
    default:
      return pods
  }
}

const isOver = (pod: PodFacts): boolean => pod.phase === 'Failed' || pod.phase === 'Succeeded'

/** Pods of the new revision that are meant to live. A Job's pods count to their end. */
export function newPods(observed: Observed): readonly PodFacts[] {
  const isJob = observed.workload?.kind === 'Job'
  return ofNewRevision(observed).filter(pod => !pod.terminating && (isJob || !isOver(pod)))
}

/** Pods of the new revision that the kubelet or a node's loss ended; their controller replaces them. */
export const evictedPods = (observed: Observed): readonly PodFacts[] =>
  ofNewRevision(observed).filter(pod => pod.phase === 'Failed' && pod.reason !== '')

/** Living pods that are not of the new revision. */
export function oldPods(observed: Observed): readonly PodFacts[] {
  const fresh = new Set(ofNewRevision(observed).map(pod => pod.uid))
  return observed.pods.filter(pod => !fresh.has(pod.uid) && !pod.terminating && !isOver(pod))
}

/** Created before this rollout's apply, as after a rollback to a ReplicaSet that is still there, or a scale. */
export function isOlderThan(pod: PodFacts, appliedAt: number | null, startedAt: number): boolean {
  // Both times are the API server's, in whole seconds; two servers may differ by a little.
  if (appliedAt !== null) return pod.createdAt < appliedAt - 2_000
  // Another clock than ours: only a clear difference counts.
  return pod.createdAt < startedAt - 60_000
}
