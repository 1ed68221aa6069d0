// Is a rollout done, still on its way, or failed, and why? Pure: facts, what is expected and `now` in, a verdict
// out, with numbers. The parts are in rollout/; steps/rollout.ts waits and calls this at each change and at
// `nextCheckAt`; diagnosis.ts explains a failure to people.
import type { Observed, WorkloadFacts } from './cluster.ts'
import type { Cause } from './deploy.ts'
import { certainCause, configGraceMs, probableCause, secondPullMs } from './rollout/causes.ts'
import { type Completeness, completeness } from './rollout/completeness.ts'
import { type Memo, remember } from './rollout/memo.ts'
import { isObserved, newPods } from './rollout/new-pods.ts'
import { inWords } from './rollout/words.ts'

/** What must be true before a rollout counts as done, and how long it may take. */
export type Expectation = {
  readonly kind: string
  readonly name: string
  /** metadata.generation that our write gave it: what the watch shows of an older one is not yet ours. */
  readonly generation: number
  readonly servicePorts: readonly { readonly service: string; readonly port: string }[]
  readonly progressSeconds: number
  readonly limitSeconds: number
  readonly stableSeconds: number
  /** This many crashes of one new pod end the rollout. */
  readonly crashes: number
  /** When the wait began, by the caller's clock. */
  readonly startedAt: number
  /** `memo` of the verdict before this one; none at the first look. */
  readonly memo?: Memo
}

export type Verdict = {
  readonly status: 'progressing' | 'ready' | 'failed'
  /** New pods that are ready, of those there should be. */
  readonly ready: number
  readonly wanted: number
  /** One short line for people: `Ready: 1/3, 1 old pod still there`. */
  readonly message: string
  /** Why it failed. */
  readonly cause?: Cause
  /** While it waits, and where a clock ended it: what is probably in the way. */
  readonly probable: Cause | null
  /** Look again at this time at the latest, even if nothing changes. */
  readonly nextCheckAt?: number
  readonly memo: Memo
}

/**
 * A Deployment's controller counts whole seconds from its own last news and looks a second later; it decides, as for
 * kubectl. Our clock is for when it says nothing.
 */
export const controllerGraceMs = 2_000

/** The verdict on what is seen now. Times of pods are compared with each other, never with `now`. */
export function judge(observed: Observed | null, expected: Expectation, now: number): Verdict {
  const memo = remember(expected.memo, observed, { startedAt: expected.startedAt, now })
  const waiting = (message: string) =>
    orLate({ message, ready: 0, wanted: observed?.workload?.wanted ?? 0 }, null, { expected, memo, now })
  if (!observed) return waiting('Waiting for the first facts from the cluster')
  const { workload } = observed
  if (!workload) return waiting(`Waiting for ${expected.kind} ${expected.name} to appear`)
  if (workload.generation < expected.generation) return waiting('Waiting to see the new version')
  if (!isObserved(workload)) return waiting(`Waiting for the cluster to begin with ${expected.name}`)

  const state = completeness(workload, observed)
  const certain =
    jobFailed(workload, observed) ?? certainCause(observed, memo, { crashes: expected.crashes, now })
  // A workload that is not judged (or replaces its pods by hand) is done whatever its pods do.
  if (certain && !isUnjudged(workload)) return failed(state, certain, null, memo)

  const missing = state.complete && state.wanted > 0 ? missingPorts(observed, expected) : []
  if (state.complete && missing.length === 0)
    return stable(state, observed, workload, { expected, memo, now })

  const unserved = missing.length > 0 ? noEndpoints(missing) : null
  const probable = unserved ?? probableCause(observed, memo, { crashes: expected.crashes, now })
  const message = unserved ? `${state.message}, no endpoints for ${missing.join(', ')}` : state.message
  const stuck = deadlineExceeded(workload, expected)
  if (stuck)
    return failed(
      state,
      lateCause(state, probable, expected.progressSeconds * 1000, 'progress'),
      probable,
      memo,
    )
  const graceMs = workload.kind === 'Deployment' && !workload.paused ? controllerGraceMs : 0
  const unsteady = { ...memo, steadySince: null }
  return orLate({ ...state, message }, probable, { expected, memo: unsteady, now, graceMs })
}

type Moment = {
  readonly expected: Expectation
  readonly memo: Memo
  readonly now: number
  /** How long a controller that has begun may be late with its own verdict. */
  readonly graceMs?: number
}
type Numbers = Pick<Completeness, 'ready' | 'wanted' | 'message'>

const failed = (state: Numbers, cause: Cause, probable: Cause | null, memo: Memo): Verdict => ({
  status: 'failed',
  ready: state.ready,
  wanted: state.wanted,
  message: state.message,
  cause,
  probable,
  memo,
})

const isUnjudged = (workload: WorkloadFacts): boolean => workload.kind === 'CronJob' || workload.onDelete

/** Complete; ready once it has been so for the stability window, with no restart in it. */
function stable(
  state: Completeness,
  observed: Observed,
  workload: WorkloadFacts,
  { expected, memo, now }: Moment,
): Verdict {
  const { ready, wanted, message } = state
  const steadySince = memo.steadySince === null || memo.restarted ? now : memo.steadySince
  const until = steadySince + expected.stableSeconds * 1000
  const kept = { ...memo, steadySince }
  if (wanted === 0 || now >= until || wasSteadyBefore(observed, workload, expected))
    return { status: 'ready', ready, wanted, message, probable: null, memo: kept }
  return {
    status: 'progressing',
    ready,
    wanted,
    message: `${message}, stable for ${inWords(now - steadySince)} of ${expected.stableSeconds} s`,
    probable: null,
    nextCheckAt: until,
    memo: kept,
  }
}

/** Nothing was replaced: every pod had been ready for the whole window before this apply. Two cluster clocks. */
function wasSteadyBefore(observed: Observed, workload: WorkloadFacts, expected: Expectation): boolean {
  const { appliedAt } = workload
  if (appliedAt === null || workload.kind === 'Job') return workload.kind === 'Job'
  return newPods(observed).every(
    pod => pod.readyAt !== null && pod.readyAt + expected.stableSeconds * 1000 <= appliedAt,
  )
}

/** Progressing, unless one of the two clocks has ended. */
function orLate(state: Numbers, probable: Cause | null, moment: Moment): Verdict {
  const { expected, memo, now, graceMs = 0 } = moment
  const progressEnds = memo.progress.at + expected.progressSeconds * 1000 + graceMs
  const limitEnds = expected.startedAt + expected.limitSeconds * 1000
  if (now >= limitEnds)
    return failed(state, lateCause(state, probable, expected.limitSeconds * 1000, 'limit'), probable, memo)
  if (now >= progressEnds)
    return failed(
      state,
      lateCause(state, probable, expected.progressSeconds * 1000, 'progress'),
      probable,
      memo,
    )
  return {
    status: 'progressing',
    ready: state.ready,
    wanted: state.wanted,
    message: state.message,
    probable,
    nextCheckAt: Math.min(progressEnds, limitEnds, ...graceEnds(memo).filter(end => end > now)),
    memo,
  }
}

/** When a grace ends that turns what is probable into what is certain. */
const graceEnds = (memo: Memo): number[] =>
  [...memo.containers.values()].flatMap(({ misconfiguredSince, notFoundSince }) => [
    ...(misconfiguredSince === null ? [] : [misconfiguredSince + configGraceMs]),
    ...(notFoundSince === null ? [] : [notFoundSince + secondPullMs]),
  ])

function lateCause(state: Numbers, probable: Cause | null, ms: number, clock: 'progress' | 'limit'): Cause {
  const what = clock === 'limit' ? `Not done after ${inWords(ms)}` : `No progress for ${inWords(ms)}`
  return {
    reason: 'deadline',
    message: `${what}. ${state.message}.${probable ? ` ${probable.message}` : ''}`.slice(0, 1000),
  }
}

/**
 * The Deployment's own clock. The controller goes on saying that an earlier rollout was too late, also of a newer
 * generation, until a step forward: only what comes a whole deadline after this apply is about this rollout.
 */
function deadlineExceeded(workload: WorkloadFacts, { progressSeconds }: Expectation): boolean {
  const condition = workload.conditions.find(one => one.type === 'Progressing')
  if (workload.kind !== 'Deployment' || condition?.reason !== 'ProgressDeadlineExceeded') return false
  // Both times are cut to whole seconds.
  return workload.appliedAt === null || condition.since >= workload.appliedAt + (progressSeconds - 1) * 1000
}

function jobFailed(workload: WorkloadFacts, observed: Observed): Cause | null {
  const condition = workload.conditions.find(one => one.type === 'Failed' && one.status === 'True')
  if (workload.kind !== 'Job' || !condition) return null
  const ended = observed.pods
    .flatMap(pod => pod.containers.map(container => ({ pod, exit: container.exit })))
    .find(({ exit }) => exit && exit.code !== 0)
  const how = ended?.exit
    ? `exit code ${ended.exit.code} after ${inWords(ended.exit.finishedAt - ended.exit.startedAt)} (${ended.pod.name})`
    : condition.message || condition.reason
  const late = condition.reason === 'DeadlineExceeded'
  return {
    reason: 'job_failed',
    message: late ? `It ran longer than allowed: ${condition.message}.` : `It failed: ${how}.`,
  }
}

/** `web:http` for each Service port behind which no address is ready. */
const missingPorts = (observed: Observed, { servicePorts }: Expectation): string[] =>
  servicePorts
    .filter(
      wanted =>
        !observed.endpoints.some(
          found => found.service === wanted.service && found.port === wanted.port && found.ready > 0,
        ),
    )
    .map(({ service, port }) => (port ? `${service}:${port}` : service))

const noEndpoints = (missing: readonly string[]): Cause => ({
  reason: 'no_endpoints',
  message: `The pods are ready, but no address is behind ${missing.join(', ')}: does the Service select them?`,
})
