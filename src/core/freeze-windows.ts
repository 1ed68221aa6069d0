// Pure: the recurring freezes of an environment as gkube.yaml has them (cron, how long, time zone). Whether one holds is
// a function of the time alone: nothing is written when it begins, so nothing is left when it ends. A freeze by a person
// is a record (use-cases/freezes.ts); `freezeAt` joins the two. How long is time that passes: across a change of the
// clocks it ends an hour earlier or later by the wall.
import { Cron } from 'croner'
import { z } from 'zod'
import type { Freeze } from './coordination.ts'
import { duration, seconds } from './units.ts'

/** Windows that follow each other without a gap are one; a day of minutes is the most that is looked at. */
const mostJoined = 1_500

const cronOf = (cron: string, timeZone: string): Cron =>
  new Cron(cron, { timezone: timeZone, mode: '5-part' })

export const freezeWindowSchema = z
  .strictObject({
    cron: z.string().min(9).max(100).describe('when it begins: minute, hour, day, month, weekday'),
    for: duration.describe('how long it holds'),
    timeZone: z.string().max(60).default('UTC').describe('of `cron`: a name such as Europe/Berlin'),
    reason: z.string().trim().min(1).max(500).describe('told to everyone whose deploy waits for it'),
  })
  .superRefine((window, context) => {
    const [key, message] = problemOf(window) ?? []
    if (key !== undefined) context.addIssue({ code: 'custom', path: [key], message: message ?? '' })
  })
export type FreezeWindow = z.output<typeof freezeWindowSchema>

function problemOf({ cron, for: long, timeZone }: Omit<FreezeWindow, 'reason'>): [string, string] | null {
  if (seconds(long) === 0) return ['for', 'must be longer than 0s, for example 62h']
  try {
    new Intl.DateTimeFormat('en', { timeZone })
  } catch {
    return ['timeZone', `${JSON.stringify(timeZone)} is not a time zone; for example Europe/Berlin`]
  }
  let first: Date | null
  try {
    first = cronOf(cron, timeZone).nextRun(new Date(0))
  } catch {
    return [
      'cron',
      `${JSON.stringify(cron)} is not a schedule; for example "0 18 * * 5" (minute hour day month weekday)`,
    ]
  }
  if (!first) return ['cron', `${JSON.stringify(cron)} never comes`]
  // In UTC: an hour between two windows once a year, when the clocks go back, is no end.
  const always = spanFrom(cronOf(cron, 'UTC'), first, seconds(long) * 1000).joined >= mostJoined
  return always ? ['for', `${long} is as long as from one window to the next: it would never end`] : null
}

/** From a beginning to the first moment that no window of the same schedule covers. */
function spanFrom(cron: Cron, start: Date, ms: number): { endsAt: number; joined: number } {
  let endsAt = start.getTime() + ms
  let joined = 0
  for (let next = cron.nextRun(start); next && joined < mostJoined; next = cron.nextRun(next)) {
    if (next.getTime() > endsAt) break
    endsAt = next.getTime() + ms
    joined++
  }
  return { endsAt, joined }
}

type Span = { readonly window: FreezeWindow; readonly startsAt: number; readonly endsAt: number }

/** The span of one schedule that holds at a time; else when the next one begins. */
function spanAt(window: FreezeWindow, now: number): Span | { readonly next: number } {
  const cron = cronOf(window.cron, window.timeZone)
  const ms = seconds(window.for) * 1000
  // The first beginning whose end is still to come.
  const start = cron.nextRun(new Date(now - ms))
  if (!start) return { next: Number.POSITIVE_INFINITY }
  if (start.getTime() > now) return { next: start.getTime() }
  return { window, startsAt: start.getTime(), endsAt: spanFrom(cron, start, ms).endsAt }
}

type Known = { readonly from: number; readonly until: number; readonly span: Span | null }
/** What was found holds until it ends or the next one begins: schedules are not walked for each look at a queue. */
const known = new WeakMap<readonly FreezeWindow[], Known>()

/** The recurring freeze that holds, up to when the last of those that join it ends. */
function recurringAt(windows: readonly FreezeWindow[], now: number): Span | null {
  if (windows.length === 0) return null
  const before = known.get(windows)
  if (before && before.from <= now && now < before.until) return before.span
  const found = windows.map(window => spanAt(window, now))
  const spans = found.flatMap(one => ('window' in one ? [one] : []))
  const [first] = spans.toSorted((a, b) => b.endsAt - a.endsAt)
  const span = first ? { ...first, endsAt: joinedEnd(windows, first.endsAt) } : null
  const until = span ? span.endsAt : Math.min(...found.map(one => ('next' in one ? one.next : now)))
  known.set(windows, { from: now, until, span })
  return span
}

/** Where one schedule's window ends, another's may hold or begin. */
function joinedEnd(
  windows: readonly FreezeWindow[],
  end: number,
  { most, before = Number.POSITIVE_INFINITY }: { most: number; before?: number } = { most: 50 },
): number {
  let last = end
  for (let joined = 0; joined < most && last < before; joined++) {
    const more = windows.map(window => spanAt(window, last)).find(one => 'window' in one)
    if (!more || !('window' in more)) return last
    last = more.endsAt
  }
  return last
}

/** Whether there is no gap between several, for a year or for as many windows as are looked at. */
export function neverEnds(windows: readonly FreezeWindow[]): boolean {
  const [first] = windows
  const start = first && cronOf(first.cron, first.timeZone).nextRun(new Date(0))?.getTime()
  if (!start || windows.length < 2) return false
  const before = start + 366 * 86_400_000
  const end = joinedEnd(windows, start, { most: mostJoined, before })
  return end >= before || windows.some(window => 'window' in spanAt(window, end))
}

/** Who has frozen what recurs: nobody can end it but the operators, in their file. */
export const operatorsFile = { id: 'gkube.yaml', name: 'gkube.yaml', via: 'gkube' } as const

type Frozen = { readonly name: string; readonly freezes: readonly FreezeWindow[] }

/** The recurring freeze of an environment that holds, as one by a person would be recorded. */
export function recurringFreeze({ name, freezes }: Frozen, now: number): Freeze | null {
  const span = recurringAt(freezes, now)
  if (!span) return null
  const { cron, for: long, timeZone, reason } = span.window
  return {
    schema: 1,
    environment: name,
    by: operatorsFile,
    reason,
    at: span.startsAt,
    endsAt: span.endsAt,
    recurring: { cron, for: long, timeZone },
  }
}

/** What freezes an environment: a person's record or what recurs, whichever ends later. */
export function freezeAt(
  record: Freeze | null | undefined,
  environment: Frozen | undefined,
  now: number,
): Freeze | null {
  const own = record && record.endsAt > now ? record : null
  const recurring = environment ? recurringFreeze(environment, now) : null
  if (!own || !recurring) return own ?? recurring
  return own.endsAt >= recurring.endsAt ? own : recurring
}

/** When one schedule begins again, after the one that may hold now; null: never. */
export function nextStart(window: FreezeWindow, now: number): number | null {
  const at = spanAt(window, now)
  const next =
    'next' in at ? at.next : cronOf(window.cron, window.timeZone).nextRun(new Date(at.endsAt))?.getTime()
  return next !== undefined && Number.isFinite(next) ? next : null
}
