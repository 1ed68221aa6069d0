// Waits for the Job of a step on the shared watches: until it succeeded, failed, took too long or is gone. hook-job.ts makes
// it, hook-result.ts and publish-result.ts say what came of it.
import type { Observed } from '../cluster.ts'
import type { JobStep } from '../deploy.ts'
import { Fenced } from '../replica.ts'
import { type Expectation, judge, type Verdict } from '../rollout.ts'
import { seconds } from '../units.ts'
import { jobRef } from './hook-job.ts'
import type { StepContext } from './step.ts'

const lookAgainMs = 5_000
/** After a take-over its time may be over: this long is left to see that it ended well. */
const afterwardsMs = 10_000
/** The watch of the pods may be behind the one of the Jobs. */
const settleMs = 2_000

export type JobEnd = {
  /** gone: somebody deleted it. */
  readonly kind: 'over' | 'gone'
  readonly observed: Observed | null
  readonly verdict: Verdict
  readonly expected: Expectation
  /** Why the facts are missing. */
  readonly problem?: string | null
  /** The clock that ended it, where that is not its whole time. */
  readonly startWithin?: string
}

/** `timeout`: such as 10m; `startWithin`: it ends, too, where nothing of it ran by then. */
type Waited = {
  readonly step: JobStep
  readonly timeout: string
  readonly startWithin?: string
  readonly uid: string
}

/** Until it ended, one way or the other, or this deploy is cancelled. */
export async function waitForEnd(context: StepContext, waited: Waited): Promise<JobEnd | 'cancelled'> {
  const { cluster, workload } = context
  const ref = jobRef(context, waited.step)
  let wake = new AbortController()
  const scope = { namespace: workload.namespace, app: workload.app, workload: ref }
  const observer = cluster.observe(scope, () => wake.abort())
  let expected = expectationOf(context, waited)
  let seen = false
  let overSince: number | null = null
  try {
    for (;;) {
      if (context.cancelled.aborted) return 'cancelled'
      if (context.stopped.aborted) throw new Fenced('it is shutting down')
      const now = context.now()
      const observed = ofJob(observer.current(), waited.uid)
      const verdict = judge(observed, expected, now)
      expected = { ...expected, memo: verdict.memo }
      if (observed?.workload) seen = true
      else if (observed && seen && !(await cluster.get(ref)))
        return { kind: 'gone', observed, verdict, expected }
      if (isStuck(context, waited, observed))
        return {
          kind: 'over',
          observed,
          verdict: tooLate(verdict),
          expected,
          startWithin: waited.startWithin,
        }
      say(context, waited.step, observed, verdict)
      const until = verdict.nextCheckAt ?? now + lookAgainMs
      let pause = Math.min(lookAgainMs, until - now)
      if (verdict.status !== 'progressing') {
        overSince ??= now
        if (isTold(observed, verdict) || now - overSince >= settleMs)
          return { kind: 'over', observed, verdict, expected, problem: observer.problem() }
        pause = overSince + settleMs - now
      }
      await context.sleep(Math.max(20, pause), wake.signal)
      wake = new AbortController()
    }
  } finally {
    observer.stop()
  }
}

/** What it mounts is not there, or it has no node: no container began. */
function isStuck(
  { startedAt, now }: StepContext,
  { startWithin }: Waited,
  observed: Observed | null,
): boolean {
  if (startWithin === undefined || !observed || now() < startedAt + seconds(startWithin) * 1000) return false
  return !observed.pods.some(pod => pod.containers.some(one => one.state !== 'waiting' || one.exit !== null))
}

const tooLate = (verdict: Verdict): Verdict => ({
  ...verdict,
  status: 'failed',
  cause: { reason: 'deadline', message: verdict.message },
})

/** Only this Job and its pods: one of the same name may have been there before. */
function ofJob(observed: Observed | null, uid: string): Observed | null {
  if (!observed) return null
  return {
    ...observed,
    workload: observed.workload?.uid === uid ? observed.workload : null,
    pods: observed.pods.filter(pod => pod.owner?.uid === uid),
  }
}

/** A Job's own clock starts when it is made and ends a little later than ours: then its pod is still there to be read. */
function expectationOf(context: StepContext, { step, timeout }: Waited): Expectation {
  const { startedAt } = context
  const ends = Math.max(startedAt + seconds(timeout) * 1000, context.now() + afterwardsMs)
  const limitSeconds = context.takenOver ? (ends - startedAt) / 1000 : seconds(timeout)
  return {
    kind: 'Job',
    name: jobRef(context, step).name,
    generation: 0,
    servicePorts: [],
    progressSeconds: limitSeconds,
    limitSeconds,
    stableSeconds: 0,
    // A Job that runs once has no crash loop: it has failed.
    crashes: Number.POSITIVE_INFINITY,
    startedAt,
  }
}

/** The pods say how it ended, so that there is an exit code and a log to show. */
function isTold(observed: Observed | null, verdict: Verdict): boolean {
  if (verdict.status === 'failed' && verdict.cause?.reason !== 'job_failed') return true
  const containers = observed?.pods.flatMap(pod => pod.containers) ?? []
  return containers.some(({ init, exit }) => exit !== null && (!init || exit.code !== 0))
}

/** What is in its way, or what it does. Not after the rollout: its count of pods is what the message of the deploy ends with. */
function say(context: StepContext, step: JobStep, observed: Observed | null, verdict: Verdict): void {
  if (step === 'after') return
  const trouble = verdict.probable?.reason === 'not_ready' ? undefined : verdict.probable?.message
  const containers = observed?.pods.flatMap(pod => pod.containers) ?? []
  const runs = containers.find(one => one.state === 'running' && (step === 'publish' || !one.init))
  // Between two of its containers none runs.
  const begun = containers.some(one => one.state === 'terminated')
  const doing = step === 'publish' && runs ? runs.name : ''
  context.progress({
    ready: 0,
    wanted: 0,
    message: trouble ?? (runs || begun ? doing : `waiting for the Job of ${step} to start`),
  })
}
