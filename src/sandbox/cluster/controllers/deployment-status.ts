// What a Deployment says about itself, from its ReplicaSets: counts and the conditions Available, Progressing
// and ReplicaFailure with the real reasons. Pure; when it is late is decided in deployment.ts.
import type { Json, KubeObject } from '../object.ts'
import { conditionOf, setCondition, share, without } from './pods.ts'

type Facts = {
  readonly deployment: KubeObject
  /** The generation that was worked on. */
  readonly generation: number | undefined
  readonly sets: readonly KubeObject[]
  readonly current: KubeObject | undefined
  /** The name of a ReplicaSet that was just made. */
  readonly created: string | undefined
  /** No progress for longer than its deadline. */
  readonly late: boolean
}

export const isComplete = ({ spec }: KubeObject, status: Json): boolean =>
  (status.updatedReplicas ?? 0) === spec.replicas &&
  (status.replicas ?? 0) === spec.replicas &&
  (status.availableReplicas ?? 0) === spec.replicas

export function deploymentStatus(facts: Facts): { status: Json; progress: boolean } {
  const { deployment, sets, current } = facts
  const before = deployment.status ?? {}
  const sum = (of: (set: KubeObject) => number | undefined) =>
    sets.reduce((total, set) => total + (of(set) ?? 0), 0)
  const available = sum(set => set.status?.availableReplicas)
  const counts = {
    replicas: sum(set => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(set => set.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(set => set.spec.replicas) - available),
  }
  const { conditions, progress } = conditionsOf(facts, counts)
  const status = {
    observedGeneration: facts.generation,
    ...Object.fromEntries(Object.entries(counts).filter(([, value]) => value > 0)),
    ...(before.collisionCount ? { collisionCount: before.collisionCount } : {}),
    conditions,
  }
  return { status, progress }
}

function conditionsOf(facts: Facts, counts: Json): { conditions: Json[]; progress: boolean } {
  const { deployment, sets, current, created } = facts
  const { spec } = deployment
  const moved = hasMoved(deployment.status ?? {}, counts) || created !== undefined
  const complete = isComplete(deployment, counts)
  const named = current?.metadata.name ?? deployment.metadata.name
  const known = conditionOf(deployment, 'Progressing')
  let conditions: Json[] = deployment.status?.conditions ?? []
  const progressing = (status: string, reason: string, message: string, fresh: boolean) => {
    conditions = setCondition(conditions, { type: 'Progressing', status, reason, message }, fresh)
  }
  const wasComplete = known?.reason === 'NewReplicaSetAvailable'
  if (spec.paused) {
    if (known?.reason !== 'DeploymentPaused')
      progressing('Unknown', 'DeploymentPaused', 'Deployment is paused', true)
  } else if (known?.reason === 'DeploymentPaused')
    progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed', true)
  else if (created) progressing('True', 'NewReplicaSetCreated', `Created new replica set "${created}"`, true)
  else if (complete && current) {
    if (!wasComplete || !known?.message?.includes(`"${named}"`))
      progressing(
        'True',
        'NewReplicaSetAvailable',
        `ReplicaSet "${named}" has successfully progressed.`,
        true,
      )
  } else if (moved) progressing('True', 'ReplicaSetUpdated', `ReplicaSet "${named}" is progressing.`, true)
  else if (!known) progressing('True', 'FoundNewReplicaSet', `Found new replica set "${named}"`, true)
  else if (facts.late && !wasComplete && known.reason !== 'ProgressDeadlineExceeded') {
    progressing('False', 'ProgressDeadlineExceeded', `ReplicaSet "${named}" has timed out progressing.`, true)
  }
  const { maxUnavailable } = spec.strategy.rollingUpdate ?? { maxUnavailable: 0 }
  const enough = counts.availableReplicas >= spec.replicas - share(maxUnavailable, spec.replicas, 'down')
  conditions = setCondition(
    conditions,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    false,
  )
  const failure = sets.map(set => conditionOf(set, 'ReplicaFailure')).find(Boolean)
  conditions = failure
    ? setCondition(conditions, {
        type: 'ReplicaFailure',
        status: failure.status,
        reason: failure.reason,
        message: failure.message,
      })
    : without(conditions, 'ReplicaFailure')
  return { conditions, progress: moved }
}

/** More updated, ready or available ones than before, or fewer old ones. */
function hasMoved(before: Json, now: Json): boolean {
  const old = (of: Json) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0)
  const more = (field: string) => (now[field] ?? 0) > (before[field] ?? 0)
  return (
    more('updatedReplicas') || more('readyReplicas') || more('availableReplicas') || old(now) < old(before)
  )
}
