// The rollout step: waits on the shared watch until the new pods serve, or says why they will not. Also the wait
// of an automatic rollback (`recover`). Judging is pure (rollout.ts); this file only waits and gathers.
import type { Observed } from '../cluster.ts'
import { gatherDiagnosis } from '../diagnose.ts'
import { mainOf } from '../inventory.ts'
import { type Expectation, expectationFor, judge } from '../rollout.ts'
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
  const observer = cluster.observe({ namespace: workload.namespace, app: workload.app, workload: ref }, () =>
    wake.abort(),
  )
  try {
    const expected = expectation(context)
    for (;;) {
      if (context.cancelled.aborted) return { kind: 'cancelled', clean: false }
      const observed = observer.current()
      const verdict = judge(observed, expected, context.now())
      context.progress({ ready: verdict.ready, wanted: verdict.wanted, message: verdict.message })
      if (verdict.status === 'ready') return done(verdict.message)
      if (verdict.status === 'failed') return await whyFailed(context, observed, verdict, expected)
      if (!observed && context.now() - context.startedAt > blindMs) {
        return failed(
          'cluster_unavailable',
          'The cluster does not answer, so nothing is known of the new pods.',
        )
      }
      const pause = Math.max(
        50,
        Math.min(5_000, (verdict.nextCheckAt ?? Number.POSITIVE_INFINITY) - context.now()),
      )
      await context.sleep(pause, wake.signal)
      wake = new AbortController()
    }
  } finally {
    observer.stop()
  }
}

function expectation(context: StepContext): Expectation {
  return expectationFor({
    spec: context.frozen.spec,
    startedAt: context.startedAt,
    inventory: context.workload.inventory,
  })
}

async function whyFailed(
  context: StepContext,
  observed: Observed | null,
  verdict: ReturnType<typeof judge>,
  expected: Expectation,
): ReturnType<StepBody> {
  const { cluster, workload } = context
  const diagnosis = await gatherDiagnosis(
    { cluster, namespace: workload.namespace, app: workload.app, observed, verdict, expected },
    context.now(),
  )
  return failed(diagnosis.cause.reason, diagnosis.cause.message, { diagnosis })
}
