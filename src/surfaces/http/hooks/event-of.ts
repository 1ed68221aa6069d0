// From what a hook's format has to one BuildEvent: cut to size, without secrets, and nothing that the format does not
// say. The formats are notification-plugin.ts, cloud-events.ts and plain-hook.ts; which one it is, told.ts.
import { z } from 'zod'
import { type BuildEvent, buildEventSchema, results } from '../../../core/builds/event.ts'
import { hidden, looksSecret } from '../../../core/mask.ts'
import { parseInput } from '../input.ts'

export const buildNumber = z.int().min(1)
export const result = z.enum(results)

/** What is not needed to know which build it is: where it is of another form, it is taken as not said. */
export const detail = <S extends z.ZodType>(schema: S) => schema.nullable().default(null).catch(null)

export const text = z.string()
export const count = z.int().nonnegative()
/** Values that are no texts are shown as they stand. */
export const parameterMap = z.record(z.string(), z.unknown())

type Parts = {
  readonly job: string
  readonly number: number
  readonly phase: BuildEvent['phase']
  readonly result: BuildEvent['result']
  readonly queueId?: number | null
  /** Milliseconds since the epoch: when what it tells happened. */
  readonly at?: number | null
  readonly durationMs?: number | null
  readonly commit?: string | null
  readonly branch?: string | null
  readonly parameters?: Readonly<Record<string, unknown>> | null
  readonly tests?: {
    readonly total: number
    readonly failed: number
    readonly skipped: number
    readonly names: readonly string[] | null
  } | null
}

/** UserError `bad_input` where the parts make no event. */
export function eventOf(parts: Parts): BuildEvent {
  const duration = parts.durationMs || null
  const { tests } = parts
  const commit = parts.commit?.toLowerCase() ?? ''
  const event: BuildEvent = {
    job: parts.job,
    number: parts.number,
    queueId: parts.queueId || null,
    phase: parts.phase,
    result: parts.result,
    startedAt: startOf(parts.phase, parts.at ?? 0, duration),
    durationMs: duration,
    commit: buildEventSchema.shape.commit.safeParse(commit).data ?? null,
    branch: cut(parts.branch ?? '', 500) || null,
    parameters: shownParameters(parts.parameters ?? {}),
    tests: tests ? { ...tests, names: (tests.names ?? []).slice(0, 20).map(name => cut(name, 300)) } : null,
  }
  // What is kept must be readable again, whatever slipped through.
  return parseInput(buildEventSchema, { data: event }, 'build')
}

/** The plugins' `timestamp` is the start, then the end; later it is only when they sent it. */
function startOf(phase: BuildEvent['phase'], at: number, duration: number | null): number | null {
  if (at <= 0) return null
  if (phase === 'started') return at
  return phase === 'finished' && duration !== null && duration < at ? at - duration : null
}

const mostParameters = 50

function shownParameters(given: Readonly<Record<string, unknown>>): Record<string, string> {
  const shown = Object.entries(given)
    .filter(([name, value]) => name !== '__proto__' && value !== null && typeof value !== 'object')
    .slice(0, mostParameters)
    .map(([name, value]) => {
      const words = String(value)
      return [cut(name, 200), looksSecret(name, words) ? hidden : cut(words, 500)]
    })
  return Object.fromEntries(shown)
}

/** Half a character at the cut would be none. */
const cut = (words: string, most: number): string => words.slice(0, most).toWellFormed()
