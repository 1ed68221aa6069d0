// Pure: times as people say them, in words of the core: how long ago, until when. Surfaces that know the reader's
// time zone say it their way (Slack dates, the command line's words.ts).

import { UserError } from '../errors.ts'
import { seconds } from './units.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const mostDays = 366

/** When something that was asked for by a duration ends; UserError where that is more than a year away. */
export function endOf(now: number, duration: string): number {
  const ms = seconds(duration) * 1000
  if (ms <= mostDays * day) return now + ms
  throw new UserError(
    'bad_input',
    `${duration.slice(0, 40)} is too long: a year (${mostDays * 24}h) at most.`,
  )
}

/** `a moment ago`, `a minute ago`, `12 minutes ago`, `3 hours ago`, `2 days ago`; clocks differ, so the future is now. */
export function ago(at: number, now: number): string {
  const ms = now - at
  if (ms < 45_000) return 'a moment ago'
  if (ms < 59.5 * minute) return count(Math.max(1, Math.round(ms / minute)), 'minute')
  if (ms < 23.5 * hour) return count(Math.max(1, Math.round(ms / hour)), 'hour')
  return count(Math.max(1, Math.round(ms / day)), 'day')
}

const count = (n: number, unit: string): string => {
  if (n === 1) return `${unit === 'hour' ? 'an' : 'a'} ${unit} ago`
  return `${n} ${unit}s ago`
}

/**
 * `Mon 08:00 UTC`; from six days on with the date, so that no weekday is ambiguous: `Mon 2026-11-30 08:00 UTC`. Where
 * those who wrote the time said in which zone: `Mon 08:00 (Europe/Berlin)`.
 */
export function until(at: number, now: number, timeZone?: string): string {
  if (timeZone !== undefined && timeZone !== 'UTC') return untilThere(at, now, timeZone)
  const iso = new Date(at).toISOString()
  const weekday = weekdays[new Date(at).getUTCDay()]
  const date = at - now >= 6 * day ? `${iso.slice(0, 10)} ` : ''
  return `${weekday} ${date}${iso.slice(11, 16)} UTC`
}

function untilThere(at: number, now: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find(one => one.type === type)?.value ?? ''
  const date = at - now >= 6 * day ? `${part('year')}-${part('month')}-${part('day')} ` : ''
  return `${part('weekday').slice(0, 3)} ${date}${part('hour')}:${part('minute')} (${timeZone})`
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const
