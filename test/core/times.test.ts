// Times in the words of the core.
import { expect, it } from 'vitest'
import { ago, endOf, until } from '../../src/core/times.ts'

const minute = 60_000
const cases: [string, number, string][] = [
  ['the future, of another clock', -5_000, 'a moment ago'],
  ['now', 0, 'a moment ago'],
  ['half a minute', 30_000, 'a moment ago'],
  ['three quarters', 45_000, 'a minute ago'],
  ['a minute and a half', 90_000, '2 minutes ago'],
  ['59 minutes', 59 * minute, '59 minutes ago'],
  ['an hour', 60 * minute, 'an hour ago'],
  ['five hours', 300 * minute, '5 hours ago'],
  ['a day', 24 * 60 * minute, 'a day ago'],
  ['a week', 7 * 24 * 60 * minute, '7 days ago'],
]
it.each(cases)('%s', (_, ms, words) => {
  expect(ago(1_000_000_000_000 - ms, 1_000_000_000_000)).toBe(words)
})

it('says a weekday while it is one, then the date too', () => {
  const now = Date.UTC(2026, 10, 23, 20, 50)
  expect(until(Date.UTC(2026, 10, 24, 8), now)).toBe('Tue 08:00 UTC')
  expect(until(Date.UTC(2026, 10, 30, 8), now)).toBe('Mon 2026-11-30 08:00 UTC')
})

it('says a time in the zone of those who wrote it', () => {
  const now = Date.UTC(2026, 10, 27, 20)
  expect(until(Date.UTC(2026, 10, 30, 7), now, 'Europe/Berlin')).toBe('Mon 08:00 (Europe/Berlin)')
  expect(until(Date.UTC(2026, 10, 27, 23), now, 'Asia/Tokyo')).toBe('Sat 08:00 (Asia/Tokyo)')
  expect(until(Date.UTC(2026, 11, 4, 23), now, 'Europe/Berlin')).toBe('Sat 2026-12-05 00:00 (Europe/Berlin)')
  expect(until(Date.UTC(2026, 10, 30, 7), now, 'UTC')).toBe('Mon 07:00 UTC')
})

it.each(['8785h', '9999999999h', `${'9'.repeat(400)}h`])('nothing lasts for %s', duration => {
  expect(() => endOf(0, duration)).toThrow(/too long: a year \(8784h\) at most/)
})

it('a year is fine', () => {
  expect(endOf(1, '8784h')).toBe(1 + 366 * 24 * 3_600_000)
})
