// Jobs: pods until enough have succeeded, retries up to the backoff limit with growing pauses, deadline,
// suspension, time to live. Outcomes are decided in play.ts by image and command.
import { kindNamed } from '../kinds.ts'
import { type Json, type KubeObject, timestamp } from '../object.ts'
import { StatusError } from '../status-error.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import {
  childrenOf,
  conditionOf,
  createPod,
  isActive,
  isReady,
  ownerKey,
  podKind,
  setCondition,
} from './pods.ts'

const jobKind = kindNamed('Job')
const manager = 'kube-controller-manager'
const from = 'job-controller'
const indexKey = 'batch.kubernetes.io/job-completion-index'
// The real one begins with 10 s.
const retryPause = (failed: number) => Math.min(1000 * 2 ** (failed - 1), 360_000)

export const isFinished = (job: KubeObject): boolean =>
  ['Complete', 'Failed'].some(type => conditionOf(job, type)?.status === 'True')

type Verdict = { readonly type: 'Complete' | 'Failed'; readonly reason: string; readonly message: string }
type Counts = {
  readonly active: KubeObject[]
  readonly succeeded: number
  readonly failed: number
  readonly restarts: number
}

export function jobs(context: Context): Controller {
  const { store, registry, record, speed } = context
  // Finer than the seconds in status: when a job began, and when its last pod failed.
  const began = new Map<string, number>()
  const failedAt = new Map<string, { failed: number; at: number }>()

  function count(job: KubeObject, pods: readonly KubeObject[]): Counts {
    const phase = (name: string) => pods.filter(pod => pod.status?.phase === name).length
    const restarts = pods
      .flatMap(pod => (pod.status?.containerStatuses ?? []) as Json[])
      .reduce((sum, one) => sum + one.restartCount, 0)
    return {
      active: pods.filter(isActive),
      succeeded: Math.max(job.status?.succeeded ?? 0, phase('Succeeded')),
      failed: Math.max(job.status?.failed ?? 0, phase('Failed')),
      restarts,
    }
  }

  function verdict(job: KubeObject, { succeeded, failed, restarts, active }: Counts): Verdict | undefined {
    const { completions, backoffLimit, activeDeadlineSeconds, template } = job.spec
    const deadline = deadlineOf(job)
    const retried = template.spec.restartPolicy === 'OnFailure' ? failed + restarts : failed
    if (completions === undefined ? succeeded > 0 && active.length === 0 : succeeded >= completions) {
      return {
        type: 'Complete',
        reason: 'CompletionsReached',
        message: 'Reached expected number of succeeded pods',
      }
    }
    if (retried > backoffLimit) {
      return {
        type: 'Failed',
        reason: 'BackoffLimitExceeded',
        message: 'Job has reached the specified backoff limit',
      }
    }
    if (activeDeadlineSeconds !== undefined && Date.now() >= deadline) {
      return {
        type: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Job was active longer than specified deadline',
      }
    }
    return undefined
  }

  function deadlineOf(job: KubeObject): number {
    const { uid } = job.metadata
    const start = began.get(uid) ?? (job.status?.startTime ? Date.parse(job.status.startTime) : Date.now())
    began.set(uid, start)
    return start + ((job.spec.activeDeadlineSeconds ?? 0) * 1000) / speed
  }

  async function makePods(
    job: KubeObject,
    pods: readonly KubeObject[],
    missing: number,
  ): Promise<KubeObject[]> {
    const made: KubeObject[] = []
    const indexed = job.spec.completionMode === 'Indexed'
    const taken = pods
      .filter(pod => isActive(pod) || pod.status?.phase === 'Succeeded')
      .map(pod => Number(pod.metadata.annotations?.[indexKey]))
    const free = Array.from({ length: indexed ? job.spec.completions : missing }, (_, i) => i).filter(
      i => !indexed || !taken.includes(i),
    )
    for (const index of free.slice(0, missing)) {
      const pod = await createPod(context, job, {
        template: job.spec.template,
        change: draft => {
          if (!indexed) return
          draft.metadata.generateName = `${job.metadata.name}-${index}-`
          draft.metadata.annotations = { ...draft.metadata.annotations, [indexKey]: String(index) }
          for (const container of draft.spec.containers)
            container.env = [...(container.env ?? []), { name: 'JOB_COMPLETION_INDEX', value: String(index) }]
        },
      }).catch(error => {
        if (error instanceof StatusError)
          record(job, {
            reason: 'FailedCreate',
            message: `Error creating: ${error.message}`,
            warning: true,
            from,
          })
        throw error
      })
      record(job, { reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}`, from })
      made.push(pod)
    }
    return made
  }

  async function removePods(job: KubeObject, pods: readonly KubeObject[]) {
    for (const { metadata } of pods) {
      await registry.remove(
        { kind: podKind, namespace: metadata.namespace, name: metadata.name },
        { preconditions: { uid: metadata.uid } },
      )
      record(job, { reason: 'SuccessfulDelete', message: `Deleted pod: ${metadata.name}`, from })
    }
  }

  const write = (job: KubeObject, change: (status: Json) => void) =>
    registry.mutate(
      { kind: jobKind, namespace: job.metadata.namespace, name: job.metadata.name },
      draft => {
        draft.status = { ...draft.status }
        change(draft.status)
      },
      { manager, subresource: 'status' },
    )

  const counted = (status: Json, counts: Counts, pods: readonly KubeObject[]) => {
    const values = {
      active: pods.length,
      ready: pods.filter(isReady).length,
      succeeded: counts.succeeded,
      failed: counts.failed,
    }
    for (const [field, value] of Object.entries(values)) {
      if (value > 0 || field === 'ready') status[field] = value
      else delete status[field]
    }
    status.terminating = 0
    status.uncountedTerminatedPods = {}
  }

  async function finish(job: KubeObject, counts: Counts, end: Verdict): Promise<undefined> {
    if (end.type === 'Failed') await removePods(job, counts.active)
    await write(job, status => {
      counted(status, counts, [])
      const before = end.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget'
      for (const type of [before, end.type]) {
        status.conditions = setCondition(status.conditions, {
          type,
          status: 'True',
          reason: end.reason,
          message: end.message,
        })
      }
      if (end.type === 'Complete') status.completionTime = timestamp()
    })
    const warning = end.type === 'Failed'
    record(job, {
      reason: warning ? end.reason : 'Completed',
      message: warning ? end.message : 'Job completed',
      warning,
      from,
    })
    return undefined
  }

  async function suspend(job: KubeObject, counts: Counts): Promise<undefined> {
    await removePods(job, counts.active)
    began.delete(job.metadata.uid)
    await write(job, status => {
      counted(status, counts, [])
      delete status.startTime
      status.conditions = setCondition(status.conditions, {
        type: 'Suspended',
        status: 'True',
        reason: 'JobSuspended',
        message: 'Job suspended',
      })
    })
    return undefined
  }

  async function expire(job: KubeObject): Promise<number | undefined> {
    const ttl = job.spec.ttlSecondsAfterFinished
    if (ttl === undefined || job.metadata.deletionTimestamp) return undefined
    const ended = Date.parse(
      conditionOf(job, 'Complete')?.lastTransitionTime ?? conditionOf(job, 'Failed')?.lastTransitionTime,
    )
    const left = ended + (ttl * 1000) / speed - Date.now()
    if (left > 0) return Math.min(left, 3_600_000)
    const { namespace, name, uid } = job.metadata
    await registry.remove(
      { kind: jobKind, namespace, name },
      { propagationPolicy: 'Foreground', preconditions: { uid } },
    )
    return undefined
  }

  /** How long to wait until another pod is tried after a failure. */
  function pause(job: KubeObject, failed: number): number {
    if (failed === 0) return 0
    const known = failedAt.get(job.metadata.uid)
    const at = known?.failed === failed ? known.at : Date.now()
    failedAt.set(job.metadata.uid, { failed, at })
    return at + retryPause(failed) / speed - Date.now()
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key)
    const job = store.get(jobKind, namespace, name)
    if (!job) return undefined
    if (isFinished(job)) return expire(job)
    if (job.metadata.deletionTimestamp) return undefined
    const pods = await childrenOf(context, job, podKind)
    const counts = count(job, pods)
    if (job.spec.suspend) return suspend(job, counts)
    if (!job.status?.startTime) await begin(job)
    const end = verdict(job, counts)
    if (end) return finish(job, counts, end)
    return proceed(job, pods, counts)
  }

  async function begin(job: KubeObject) {
    const resumed = { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' }
    began.set(job.metadata.uid, Date.now())
    await write(job, status => {
      status.startTime = timestamp()
      if (status.conditions) status.conditions = setCondition(status.conditions, resumed)
    })
  }

  /** Makes or removes pods until as many run as are wanted. */
  async function proceed(
    job: KubeObject,
    pods: readonly KubeObject[],
    counts: Counts,
  ): Promise<number | undefined> {
    const { parallelism, completions, activeDeadlineSeconds } = job.spec
    const open =
      completions === undefined ? (counts.succeeded > 0 ? 0 : parallelism) : completions - counts.succeeded
    const missing = Math.min(parallelism, open) - counts.active.length
    const wait = missing > 0 ? pause(job, counts.failed) : 0
    const made = missing > 0 && wait <= 0 ? await makePods(job, pods, missing) : []
    if (missing < 0) await removePods(job, counts.active.slice(missing))
    await write(job, status => counted(status, counts, [...counts.active, ...made]))
    // It may have passed while this was written: then it is seen by the next look.
    const deadline = activeDeadlineSeconds === undefined ? 0 : Math.max(1, deadlineOf(job) - Date.now())
    const left = [wait, deadline].filter(ms => ms > 0)
    return left.length > 0 ? Math.min(...left) : undefined
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === jobKind) {
        if (type !== 'DELETED') return [keyOf(object)]
        began.delete(object.metadata.uid)
        failedAt.delete(object.metadata.uid)
      }
      return kind === podKind ? ownerKey(object, 'Job') : []
    },
    reconcile,
  }
}
