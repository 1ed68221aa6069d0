// The rollout step: waits on the shared watch until the new pods serve, or says why they will not. Also the wait
// of an automatic rollback (`recover`). Judging is pure (rollout.ts); this file only waits and gathers.
import type { Observed } from '../cluster.ts'
import { gatherDiagnosis } from '../diagnose.ts'
import { watchedOf } from '../inventory.ts'
import { Fenced } from '../replica.ts'
import { expectationFor } from '../rollout/expectation.ts'
import { type Expectation, judge, type Verdict } from '../rollout.ts'
import { prune } from './record.ts'
import { done, failed, type StepBody, type StepContext, type StepOutcome } from './step.ts'

/** Facts may be missing at most this long before the cluster counts as unreachable. */
const blindMs = 120_000
const lookAgainMs = 5_000

type Holds = (observed: Observed) => boolean
const always: Holds = () => true

export const rollout: StepBody = context => wait(context)

/** After the known-good snapshot serves again, what only the failed one rendered is deleted. */
export const recover: StepBody = async context => {
  const outcome = await wait(context)
  if (outcome.kind !== 'done') return outcome
  const { workload } = await prune(context)
  return { ...outcome, workload: { ...workload, state: 'ready' } }
}

/** Waits until all is as it should be, and `holds` says so too; a failure with its diagnosis otherwise. */
export async function wait(
  context: StepContext,
  { startedAt = context.startedAt, holds = always }: { startedAt?: number; holds?: Holds } = {},
): ReturnType<StepBody> {
  const { cluster, frozen, workload } = context
  const scope = watchedOf(workload, frozen)
  if (!scope) return done('nothing to wait for')
  let wake = new AbortController()
  const observer = cluster.observe(scope, () => wake.abort())
  try {
    const { inventory } = workload
    let expected = expectationFor({ frozen, workload: scope.workload, startedAt, inventory })
    for (;;) {
      if (context.cancelled.aborted) return { kind: 'cancelled' }
      if (context.stopped.aborted) throw new Fenced('it is shutting down')
      const observed = observer.current()
      const verdict = judge(observed, expected, context.now())
      expected = { ...expected, memo: verdict.memo }
      context.progress({ ready: verdict.ready, wanted: verdict.wanted, message: verdict.message })
      const ended = await ending(context, { observed, verdict, expected, holds })
      if (ended) return ended
      if (!observed && context.now() - context.startedAt > blindMs) {
        const why = observer.problem() ?? 'no answer'
        return failed('cluster_unavailable', `Nothing is known of the new pods (${why}).`)
      }
      const until = verdict.nextCheckAt ?? Number.POSITIVE_INFINITY
      await context.sleep(Math.max(20, Math.min(lookAgainMs, until - context.now())), wake.signal)
      wake = new AbortController()
    }
  } finally {
    observer.stop()
  }
}

type Look = {
  readonly observed: Observed | null
  readonly verdict: Verdict
  readonly expected: Expectation
  readonly holds: Holds
}

/** What this look comes to; null where it goes on. */
async function ending(context: StepContext, look: Look): Promise<StepOutcome | null> {
  const { observed, verdict, expected, holds } = look
  if (verdict.status === 'failed') return whyFailed(context, observed, verdict, expected)
  if (verdict.status !== 'ready' || !observed) return null
  if (holds(observed)) return done(verdict.message)
  const late = context.now() - expected.startedAt > expected.limitSeconds * 1000
  return late ? failed('deadline', `Not done after ${expected.limitSeconds} s. ${verdict.message}.`) : null
}

async function whyFailed(
  context: StepContext,
  observed: Observed | null,
  verdict: Verdict,
  expected: Expectation,
): ReturnType<StepBody> {
  const { cluster, workload } = context
  const place = { namespace: workload.namespace, app: workload.app }
  const diagnosis = await gatherDiagnosis({ cluster, ...place, observed, verdict, expected }, context.now())
  return failed(diagnosis.cause.reason, diagnosis.cause.message, { diagnosis })
}
