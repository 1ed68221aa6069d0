// The steps init, before and after: a Kubernetes Job of the app's own command, waited for on the shared watches. Its result
// is recorded first (`hooklogs/<deploy>`), then the Job is deleted, then the step ends: whoever takes over in between finds
// the Job or its record and never runs it twice. hook-job.ts makes and deletes it, hook-result.ts reads what came of it.
import type { Hook } from '../app.ts'
import type { Observed } from '../cluster.ts'
import type { HookResult, HookStep } from '../deploy.ts'
import { Fenced } from '../replica.ts'
import { type Expectation, judge, type Verdict } from '../rollout.ts'
import { seconds } from '../units.ts'
import type { Workload } from '../workload.ts'
import { dropJob, jobRef, makeRoom, removeJob, startJob } from './hook-job.ts'
import { type HookEnd, resultOf } from './hook-result.ts'
import { done, failed, type StepBody, type StepContext, type StepOutcome } from './step.ts'

const lookAgainMs = 5_000
/** After a take-over its time may be over: this long is left to see that it ended well. */
const afterwardsMs = 10_000
/** The watch of the pods may be behind the one of the Jobs. */
const settleMs = 2_000

/** The body of one hook's step. */
export const hook =
  (step: HookStep): StepBody =>
  async context => {
    const wanted = context.frozen.spec.hooks[step]
    if (!wanted) return done('the app has none')
    if (context.cancelled.aborted) return cancelled(context, step)
    const known = (await context.hooks.read()).find(one => one.step === step)
    if (known) return conclude(context, known)
    const room = await makeRoom(context, step)
    if (room === 'cancelled') return cancelled(context, step)
    if (room.kind === 'refused') return failed(room.reason, room.message)
    const started = await startJob(context, { step, hook: wanted, pods: room.pods })
    const { workload } = started
    if (started.kind === 'refused') return { ...failed(started.reason, started.message), workload }
    const end = await waitForEnd(context, { step, hook: wanted, uid: started.uid })
    if (end === 'cancelled') return { ...(await cancelled(context, step)), workload }
    const { result, diagnosis } = await resultOf(context, { step, hook: wanted, end })
    await context.hooks.write(result, diagnosis)
    return conclude(context, result, workload)
  }

/** What a recorded result comes to; its Job is not needed any more. */
async function conclude(context: StepContext, result: HookResult, written?: Workload): Promise<StepOutcome> {
  const left = await removeJob(context, jobRef(context, result.step))
  const { cause } = result
  if (cause) return { ...failed(cause.reason, cause.message), workload: written }
  if (result.step !== 'init') return done(left, written)
  return done(left, { ...(written ?? context.workload), initialisedAt: result.endedAt })
}

async function cancelled(
  context: StepContext,
  step: HookStep,
): Promise<Extract<StepOutcome, { kind: 'cancelled' }>> {
  await dropJob(context, jobRef(context, step))
  return { kind: 'cancelled' }
}

type Waited = { readonly step: HookStep; readonly hook: Hook; readonly uid: string }

async function waitForEnd(context: StepContext, waited: Waited): Promise<HookEnd | 'cancelled'> {
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
function expectationOf(context: StepContext, { step, hook }: Waited): Expectation {
  const { startedAt } = context
  const ends = Math.max(startedAt + seconds(hook.timeout) * 1000, context.now() + afterwardsMs)
  const limitSeconds = context.takenOver ? (ends - startedAt) / 1000 : seconds(hook.timeout)
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
  return containers.some(({ init, exit }) => !init && exit !== null)
}

/** What is in its way. Not after the rollout: its count of pods is what the message of the deploy ends with. */
function say(context: StepContext, step: HookStep, observed: Observed | null, verdict: Verdict): void {
  if (step === 'after') return
  const trouble = verdict.probable?.reason === 'not_ready' ? undefined : verdict.probable?.message
  const runs = observed?.pods.some(pod => pod.containers.some(one => !one.init && one.state === 'running'))
  context.progress({
    ready: 0,
    wanted: 0,
    message: trouble ?? (runs ? '' : `waiting for the Job of ${step} to start`),
  })
}
