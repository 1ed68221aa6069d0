// The words of every surface for a build: what it is called, how it stands, its last line. Pure; it loads nothing, so
// that the command line starts fast.
import { took } from '../words.ts'
import type { Build, BuildPhase } from './build.ts'
import type { Result } from './event.ts'

/** `shop/web #214`; without a number while it has none. */
export const buildTitle = ({ job, number }: Pick<Build, 'job' | 'number'>): string =>
  number === null ? job : `${job} #${number}`

const over: readonly BuildPhase[] = ['finished', 'cancelled', 'not_started', 'lost']
/** As build.ts has it; repeated here because that file would load zod. A test compares the two. */
export const isBuildOver = (phase: BuildPhase): boolean => over.includes(phase)

const phases: Readonly<Record<BuildPhase, string>> = {
  asked: 'about to start',
  queued: 'in the queue',
  running: 'running',
  finishing: 'finishing',
  finished: 'finished',
  cancelled: 'cancelled',
  not_started: 'not started',
  lost: 'lost',
}
const results: Readonly<Record<Result, string>> = {
  SUCCESS: 'passed',
  UNSTABLE: 'unstable',
  FAILURE: 'failed',
  NOT_BUILT: 'not built',
  ABORTED: 'aborted',
}

/** `passed`, `running`, `waits for an answer`, `in the queue`. */
export function buildState(
  build: Pick<Build, 'phase' | 'result' | 'inputs'> & Partial<Pick<Build, 'verified' | 'toldAt'>>,
): string {
  const { phase, result, inputs } = build
  if (result && (phase === 'finished' || phase === 'finishing')) return `${results[result]}${doubtOf(build)}`
  const waits = phase === 'running' && inputs.some(one => !one.over && one.answer === null)
  return waits ? 'waits for an answer' : (phases[phase] ?? phase)
}

/** What only a hook told of is never claimed. */
function doubtOf({ phase, verified, toldAt }: Pick<Build, 'phase'> & Partial<Build>): string {
  if (phase === 'finishing') return verified === false ? ', not confirmed yet' : ''
  return toldAt === null || toldAt === undefined ? '' : ', never confirmed'
}

/** How long it ran, until now where it still does; null: it has not started. */
export function buildLasted(
  { startedAt, durationMs, endedAt }: Pick<Build, 'startedAt' | 'durationMs' | 'endedAt'>,
  now: number,
): number | null {
  if (durationMs !== null && durationMs > 0) return durationMs
  return startedAt === null ? null : Math.max(0, (endedAt ?? now) - startedAt)
}

/** `3 m 10 s`, or a dash. */
export function buildTook(build: Pick<Build, 'startedAt' | 'durationMs' | 'endedAt'>, now: number): string {
  const ms = buildLasted(build, now)
  return ms === null ? '-' : took(ms)
}

/** Who it is of: who asked for it here, else who started it in Jenkins. */
export const buildBy = ({ askedBy, startedBy }: Pick<Build, 'askedBy' | 'startedBy'>): string =>
  askedBy?.name ?? startedBy?.name ?? ''

/** The last line: for eyes and for grep. */
export const buildResultLine = (build: Build, now: number): string =>
  `gkube: RESULT ${build.toldAt === null ? (build.result ?? build.phase) : 'unconfirmed'} ${build.job} ${build.number ?? '-'} ${Math.round((buildLasted(build, now) ?? 0) / 1000)}s`
