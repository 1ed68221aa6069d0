// The rollout step: waits on the shared watch until the new pods serve, or says why they will not. Also the wait
// of an automatic rollback (`recover`). Judging is pure (rollout.ts); this file only waits and gathers.
import type { Observed } from '../cluster.ts'
import { gatherDiagnosis } from '../diagnose.ts'
import { mainOf } from '../inventory.ts'
import { Fenced } from '../replica.ts'
import { expectationFor } from '../rollout/expectation.ts'
import { type Expectation, judge, type Verdict } from '../rollout.ts'
import { prune } from './record.ts'
import { done, failed, type StepBody, type StepContext } from './step.ts'

/** Facts may be missing at most this long before the cluster counts as unreachable. */
const blindMs = 120_000

export const rollout: StepBody = context => wait(context)

/** After the known-good snapshot serves again, what only the failed one rendered is deleted. */
export const recover: StepBody = async context => {
  const outcome = await wait(context)
  if (outcome.kind !== 'done') return outcome
  const { workload } = await prune(context)
  return { ...outcome, workload: { ...workload, state: 'ready' } }
}

async function wait(context: StepContext): ReturnType<StepBody> {
  const { cluster, workload } = context
  const ref = mainOf(workload)
  if (!ref) return done('nothing to wait for')
  let wake = new AbortController()
  const scope = { namespace: workload.namespace, app: workload.app, workload: ref }
  const observer = cluster.observe(scope, () => wake.abort())
  try {
    const { frozen, startedAt } = context
    const { inventory } = workload
    let expected = expectationFor({ frozen, workload: ref, startedAt, inventory })
    for (;;) {
      if (context.cancelled.aborted) return { kind: 'cancelled' }
      if (context.stopped.aborted) throw new Fenced('it is shutting down')
      const observed = observer.current()
      const verdict = judge(observed, expected, context.now())
      expected = { ...expected, memo: verdict.memo }
      context.progress({ ready: verdict.ready, wanted: verdict.wanted, message: verdict.message })
      if (verdict.status === 'ready') return done(verdict.message)
      if (verdict.status === 'failed') return await whyFailed(context, observed, verdict, expected)
      if (!observed && context.now() - context.startedAt > blindMs) {
        const why = observer.problem() ?? 'no answer'
        return failed('cluster_unavailable', `Nothing is known of the new pods (${why}).`)
      }
      const until = verdict.nextCheckAt ?? Number.POSITIVE_INFINITY
      await context.sleep(Math.max(20, Math.min(5_000, until - context.now())), wake.signal)
      wake = new AbortController()
    }
  } finally {
    observer.stop()
  }
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
