// Pure: how a finished build compares with the one before it, which decides how loud it is told, and what is kept of
// the job for the next one. Builds that finish after a later one are never loud: what they say is old news.
import type { Build, JobState } from './build.ts'
import type { Result } from './event.ts'

type Ended = Pick<Build, 'number' | 'result' | 'startedAt'>
type Turn = {
  readonly turn: Build['turn']
  readonly failingSince: number | null
  /** What `jenkins/jobs/<job>` becomes; null: it stays. */
  readonly state: JobState | null
}

const isGood = (result: Result): boolean => result === 'SUCCESS'
/** Neither good nor bad: somebody stopped it, or nothing was built. */
const saysNothing = (result: Result): boolean => result === 'ABORTED' || result === 'NOT_BUILT'

export function turnOf(build: Ended, before: JobState | null): Turn {
  const { number, result, startedAt } = build
  if (number === null || result === null) return { turn: null, failingSince: null, state: null }
  const since = before?.failingSince ?? null
  if (saysNothing(result)) return { turn: 'aborted', failingSince: since, state: null }
  const kept = (failingSince: number | null): JobState => ({
    schema: 1,
    number,
    result,
    failingSince,
    startedAt,
  })
  if (before && !isLater(build, before))
    return {
      turn: isGood(result) ? 'passed' : 'still_failing',
      failingSince: earlier(since, number),
      state: null,
    }
  if (isGood(result)) {
    const turn = !before ? 'first' : since === null ? 'passed' : 'back_to_normal'
    // Said with the end of the trouble: since when it was there.
    return { turn, failingSince: since, state: kept(null) }
  }
  if (since === null) return { turn: 'first_failure', failingSince: number, state: kept(number) }
  return { turn: 'still_failing', failingSince: since, state: kept(since) }
}

/** By Jenkins' clock where it is known. */
function isLater({ number, startedAt }: Ended, before: JobState): boolean {
  if (startedAt !== null && before.startedAt !== null && startedAt !== before.startedAt)
    return startedAt > before.startedAt
  return (number ?? 0) > before.number
}

const earlier = (since: number | null, number: number): number | null =>
  since !== null && since <= number ? since : null
