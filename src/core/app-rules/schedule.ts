// Rules about time: the schedule of a cron app, and clocks that must fit each other.
import type { AppSpec } from '../app.ts'
import type { Problem } from '../problems.ts'
import { seconds } from '../units.ts'
import { when } from './say.ts'

const bounds = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const
const cronNames = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)$/i
const cronWords = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

function isCron(text: string): boolean {
  if (text.startsWith('@')) return cronWords.includes(text)
  const fields = text.trim().split(/\s+/)
  return (
    fields.length === 5 && fields.every((field, i) => field.split(',').every(part => isCronPart(part, i)))
  )
}

function isCronPart(part: string, field: number): boolean {
  const [range = '', step, ...rest] = part.split('/')
  if (rest.length > 0 || (step !== undefined && !(Number(step) >= 1))) return false
  if (range === '*' || range === '?') return true
  const ends = range.split('-')
  const [low, high] = bounds[field] ?? [0, 0]
  const isEnd = (end: string) =>
    (field > 2 && cronNames.test(end)) || (/^\d+$/.test(end) && Number(end) >= low && Number(end) <= high)
  return ends.length <= 2 && ends.every(isEnd) && (ends.length < 2 || !(Number(ends[0]) > Number(ends[1])))
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
