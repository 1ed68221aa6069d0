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
  const { deployment, sets } = facts
  const progress = hasMoved(deployment.status ?? {}, counts) || facts.created !== undefined
  const progressing = progressOf(facts, { moved: progress, complete: isComplete(deployment, counts) })
  let conditions: Json[] = deployment.status?.conditions ?? []
  if (progressing) {
    const [status, reason, message] = progressing
    conditions = setCondition(conditions, { type: 'Progressing', status, reason, message }, true)
  }
  conditions = setCondition(conditions, availability(deployment, counts))
  const failure = sets.map(set => conditionOf(set, 'ReplicaFailure')).find(Boolean)
  if (!failure) return { conditions: without(conditions, 'ReplicaFailure'), progress }
  const { status, reason, message } = failure
  return {
    conditions: setCondition(conditions, { type: 'ReplicaFailure', status, reason, message }),
    progress,
  }
}

type Progress = readonly [status: string, reason: string, message: string]

/** The next Progressing condition, or undefined when it stays as it is. */
function progressOf(facts: Facts, now: { moved: boolean; complete: boolean }): Progress | undefined {
  const { deployment, current, created } = facts
  const known = conditionOf(deployment, 'Progressing')
  const set = `ReplicaSet "${current?.metadata.name ?? deployment.metadata.name}"`
  const done = known?.reason === 'NewReplicaSetAvailable' && known.message?.startsWith(`${set} `)
  const paused = known?.reason === 'DeploymentPaused'
  if (deployment.spec.paused)
    return paused ? undefined : ['Unknown', 'DeploymentPaused', 'Deployment is paused']
  if (paused) return ['Unknown', 'DeploymentResumed', 'Deployment is resumed']
  if (created) return ['True', 'NewReplicaSetCreated', `Created new replica set "${created}"`]
  if (now.complete && current) {
    return done ? undefined : ['True', 'NewReplicaSetAvailable', `${set} has successfully progressed.`]
  }
  if (now.moved) return ['True', 'ReplicaSetUpdated', `${set} is progressing.`]
  if (!known) return ['True', 'FoundNewReplicaSet', set.replace('ReplicaSet', 'Found new replica set')]
  const late = facts.late && !done && known.reason !== 'ProgressDeadlineExceeded'
  return late ? ['False', 'ProgressDeadlineExceeded', `${set} has timed out progressing.`] : undefined
}

function availability({ spec }: KubeObject, counts: Json) {
  const { maxUnavailable } = spec.strategy.rollingUpdate ?? { maxUnavailable: 0 }
  const enough = counts.availableReplicas >= spec.replicas - share(maxUnavailable, spec.replicas, 'down')
  return {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${enough ? 'has' : 'does not have'} minimum availability.`,
  }
}

/** More updated, ready or available ones than before, or fewer old ones. */
function hasMoved(before: Json, now: Json): boolean {
  const old = (of: Json) => (of.replicas ?? 0) - (of.updatedReplicas ?? 0)
  const more = (field: string) => (now[field] ?? 0) > (before[field] ?? 0)
  return (
    more('updatedReplicas') || more('readyReplicas') || more('availableReplicas') || old(now) < old(before)
  )
}
