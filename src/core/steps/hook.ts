// The steps init, before and after: a Kubernetes Job of the app's own command, waited for on the shared watches. Its result
// is recorded first (`hooklogs/<deploy>`), then the Job is deleted, then the step ends: whoever takes over in between finds
// the Job or its record and never runs it twice. hook-job.ts makes and deletes it, job-end.ts waits for it,
// hook-result.ts reads what came of it.
import type { HookResult, HookStep } from '../deploy.ts'
import { hookJob } from '../objects/jobs.ts'
import type { Workload } from '../workload.ts'
import { attempt, dropJob, jobRef, makeRoom, removeJob, startJob } from './hook-job.ts'
import { resultOf } from './hook-result.ts'
import { waitForEnd } from './job-end.ts'
import { done, failed, type StepBody, type StepContext, type StepOutcome } from './step.ts'

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
    const started = await startJob(context, {
      pods: room.pods,
      render: input => hookJob({ ...input, step, hook: wanted, attempt }),
    })
    const { workload } = started
    if (started.kind === 'refused') return { ...failed(started.reason, started.message), workload }
    const end = await waitForEnd(context, { step, timeout: wanted.timeout, uid: started.uid })
    if (end === 'cancelled') return { ...(await cancelled(context, step)), workload }
    const { name, timeout } = wanted
    const { result, diagnosis } = await resultOf(context, { step, name, timeout, end })
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
