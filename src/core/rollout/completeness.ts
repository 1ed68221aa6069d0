// Has the controller done its part? The same questions in the same order as kubectl's rollout status
// (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go), answered with numbers. Pure.
import type { Observed, WorkloadFacts } from '../cluster.ts'
import { newPods } from './new-pods.ts'

export type Completeness = {
  readonly complete: boolean
  /** Pods of the new revision that are ready, of those there should be. */
  readonly ready: number
  readonly wanted: number
  readonly message: string
}

/** `workload` is what `observed.workload` holds; its controller has seen the latest generation. */
export function completeness(workload: WorkloadFacts, observed: Observed): Completeness {
  switch (workload.kind) {
    case 'Deployment':
      return deployment(workload, observed)
    case 'StatefulSet':
      return statefulSet(workload, observed)
    case 'DaemonSet':
      return daemonSet(workload, observed)
    case 'ReplicationController':
      return replicationController(workload)
    case 'CronJob':
      return { complete: true, ready: 0, wanted: 0, message: workload.paused ? 'Suspended' : 'Scheduled' }
    case 'Job':
      return job(workload)
    default:
      return {
        complete: true,
        ready: 0,
        wanted: 0,
        message: `${workload.kind} is there; its health is not judged`,
      }
  }
}

function deployment(workload: WorkloadFacts, observed: Observed): Completeness {
  const { wanted, replicas, updated, available } = workload
  const ready = readyOf(observed)
  const say = sayer(ready, wanted)
  if (workload.paused) return say('the Deployment is paused')
  if (updated < wanted) return say(`${updated} of ${wanted} new pods made`)
  if (replicas > updated) return say(`${count(replicas - updated, 'old pod')} still there`)
  if (available < updated) return say(ready >= wanted ? 'not all ready for long enough yet' : '')
  return { ...say(''), complete: true }
}

function statefulSet(workload: WorkloadFacts, observed: Observed): Completeness {
  const { partition, updated, currentRevision, updateRevision } = workload
  const wanted = Math.max(0, workload.wanted - partition)
  const ready = Math.min(readyOf(observed), wanted)
  const say = sayer(ready, wanted)
  if (workload.onDelete)
    return { ...say('pods are replaced when someone deletes them (OnDelete)'), complete: true }
  if (workload.ready < workload.wanted)
    return say(`${workload.ready} of ${workload.wanted} pods ready in all`)
  if (partition > 0) {
    if (updated < wanted) return say(`${updated} of ${wanted} pods updated, partition ${partition}`)
    return { ...say(`partition ${partition}`), complete: true }
  }
  if (updateRevision !== currentRevision) return say(`${updated} of ${wanted} pods updated`)
  return { ...say(''), complete: true }
}

function daemonSet(workload: WorkloadFacts, observed: Observed): Completeness {
  const { wanted, updated, available } = workload
  const say = sayer(Math.min(readyOf(observed), wanted), wanted)
  if (workload.onDelete)
    return { ...say('pods are replaced when someone deletes them (OnDelete)'), complete: true }
  if (updated < wanted) return say(`${updated} of ${wanted} pods updated`)
  if (available < wanted) return say(`${available} of ${wanted} available`)
  return { ...say(''), complete: true }
}

function replicationController({ wanted, replicas, ready }: WorkloadFacts): Completeness {
  const say = sayer(Math.min(ready, wanted), wanted)
  if (replicas > wanted) return say(`${count(replicas - wanted, 'pod')} too many`)
  if (replicas < wanted) return say(`${replicas} of ${wanted} pods made`)
  if (ready < wanted) return say('')
  return { ...say(''), complete: true }
}

function job(workload: WorkloadFacts): Completeness {
  const { ready, wanted } = workload
  const complete = workload.conditions.some(
    condition => condition.status === 'True' && ['Complete', 'SuccessCriteriaMet'].includes(condition.type),
  )
  return { complete, ready, wanted, message: `Done: ${ready}/${wanted}` }
}

const readyOf = (observed: Observed): number => newPods(observed).filter(pod => pod.ready).length

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

/** `Ready: 1/3` and, where it helps, why not more. */
const sayer = (ready: number, wanted: number) => (more: string) => ({
  complete: false,
  ready,
  wanted,
  message: `Ready: ${ready}/${wanted}${more ? `, ${more}` : ''}`,
})
