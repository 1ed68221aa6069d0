// Rules about time: the schedule of a cron app, and clocks that must fit each other.
import type { AppSpec } from '../app.ts'
import type { Problem } from '../problems.ts'
import { seconds } from '../units.ts'
import { when } from './say.ts'

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** Kubernetes' own bounds: Sunday is 0, never 7. */
const fields = [
  { low: 0, high: 59, names: [] },
  { low: 0, high: 23, names: [] },
  { low: 1, high: 31, names: [] },
  { low: 1, high: 12, names: months },
  { low: 0, high: 6, names: days },
] as const
type Field = (typeof fields)[number]
const cronWords = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

function isCron(text: string): boolean {
  if (text.startsWith('@')) return cronWords.includes(text)
  const written = text.trim().split(/\s+/)
  return (
    written.length === fields.length &&
    fields.every((field, i) => written[i]?.split(',').every(part => isCronPart(part, field)))
  )
}

/** `*`, `5`, `1-5`, `mon-fri`, each with a step (`*` + `/15`) or without. */
function isCronPart(part: string, field: Field): boolean {
  const [range = '', step, ...rest] = part.split('/')
  if (rest.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false
  if (range === '*' || range === '?') return true
  const [from, to, ...more] = range.split('-').map(end => numberOf(end, field))
  return more.length === 0 && from !== null && to !== null && (to === undefined || Number(from) <= to)
}

function numberOf(text: string, { low, high, names }: Field): number | null {
  const named = (names as readonly string[]).indexOf(text.toLowerCase())
  const value = named >= 0 ? named + low : /^\d+$/.test(text) ? Number(text) : Number.NaN
  return value >= low && value <= high ? value : null
}

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

export function scheduleRules({ schedule }: AppSpec): Problem[] {
  if (!schedule) return []
  return [
    ...when(
      !isCron(schedule.cron),
      ['schedule', 'cron'],
      `${JSON.stringify(schedule.cron)} is not a schedule; for example "0 3 * * *" (minute hour day month weekday)`,
    ),
    ...when(
      schedule.timeZone !== undefined && !isTimeZone(schedule.timeZone),
      ['schedule', 'timeZone'],
      `${JSON.stringify(schedule.timeZone)} is not a time zone; for example Europe/Berlin`,
    ),
  ]
}

export function timeRules({ rollout, hooks }: AppSpec): Problem[] {
  const at = (key: keyof AppSpec['rollout']) => seconds(String(rollout[key]))
  return [
    ...when(
      at('grace') <= at('drain'),
      ['rollout', 'grace'],
      `${rollout.grace} must be longer than drain (${rollout.drain}), or the app is killed while it waits`,
    ),
    ...when(at('progress') < 1, ['rollout', 'progress'], 'must be at least 1s'),
    ...when(
      at('limit') < at('progress'),
      ['rollout', 'limit'],
      `${rollout.limit} must not be shorter than progress (${rollout.progress})`,
    ),
    ...when(
      at('stable') >= at('limit'),
      ['rollout', 'stable'],
      `${rollout.stable} must be shorter than limit (${rollout.limit})`,
    ),
    ...Object.entries(hooks).flatMap(([step, hook]) =>
      when(hook && seconds(hook.timeout) < 1, ['hooks', step, 'timeout'], 'must be at least 1s'),
    ),
  ]
}
