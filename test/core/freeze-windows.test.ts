// Recurring freezes: when each holds and until when, across changes of the clocks, joined windows, and what gkube.yaml
// may not say.
import { describe, expect, it } from 'vitest'
import type { Freeze } from '../../src/core/coordination.ts'
import { environmentSchema } from '../../src/core/environment.ts'
import {
  type FreezeWindow,
  freezeAt,
  freezeWindowSchema,
  nextStart,
  recurringFreeze,
} from '../../src/core/freeze-windows.ts'

const window = (over: Partial<FreezeWindow> = {}): FreezeWindow =>
  freezeWindowSchema.parse({
    cron: '0 18 * * 5',
    for: '62h',
    timeZone: 'Europe/Berlin',
    reason: 'weekend',
    ...over,
  })

const at = (text: string) => Date.parse(text)
const seen = (windows: readonly FreezeWindow[], now: string) => {
  const found = recurringFreeze({ name: 'production', freezes: windows }, at(now))
  return found && `${found.reason} until ${new Date(found.endsAt).toISOString().slice(0, 16)}`
}

describe('whether one holds', () => {
  it.each([
    ['a second before it begins', '2026-11-27T16:59:59Z', null],
    ['when it begins', '2026-11-27T17:00:00Z', 'weekend until 2026-11-30T07:00'],
    ['in the middle', '2026-11-29T12:34:56.789Z', 'weekend until 2026-11-30T07:00'],
    ['a millisecond before it ends', '2026-11-30T06:59:59.999Z', 'weekend until 2026-11-30T07:00'],
    ['when it ends', '2026-11-30T07:00:00Z', null],
    // 29 March 2026, 2:00 becomes 3:00: it begins at 18:00 there, and holds for 62 hours that pass.
    ['before the clocks go forward', '2026-03-27T16:59:59Z', null],
    ['as they go forward', '2026-03-27T17:00:00Z', 'weekend until 2026-03-30T07:00'],
    ['the Friday after, an hour earlier in UTC', '2026-04-03T16:00:00Z', 'weekend until 2026-04-06T06:00'],
    // 25 October 2026, 3:00 becomes 2:00.
    ['as they go back', '2026-10-23T16:00:00Z', 'weekend until 2026-10-26T06:00'],
  ])('%s', (_, now, expected) => {
    expect(seen([window()], now)).toBe(expected)
  })

  it.each([
    // 2:30 does not exist that night: it begins when the clocks jump, and is not left out.
    ['at a time that is left out', '30 2 * * *', '1h', '2026-03-29T01:45:00Z', '2026-03-29T02:00'],
    ['the night before', '30 2 * * *', '1h', '2026-03-28T01:45:00Z', '2026-03-28T02:30'],
  ])('%s', (_, cron, long, now, ends) => {
    expect(seen([window({ cron, for: long })], now)).toBe(`weekend until ${ends}`)
  })

  it('at a time that comes twice, once: an hour is an hour', () => {
    const twice = [window({ cron: '30 2 * * *', for: '30m' })]
    const held = ['00:30', '00:59', '01:00', '01:30', '01:59'].filter(time =>
      seen(twice, `2026-10-25T${time}:00Z`),
    )
    expect([
      ['00:30', '00:59'],
      ['01:30', '01:59'],
    ]).toContainEqual(held)
  })

  it('windows without a gap are one, of one schedule or of two', () => {
    const days = window({ cron: '0 0 * * 6,0', for: '24h', timeZone: 'UTC' })
    expect(seen([days], '2026-11-28T10:00:00Z')).toBe('weekend until 2026-11-30T00:00')
    const monday = window({ cron: '0 0 * * 1', for: '8h', timeZone: 'UTC', reason: 'early' })
    expect(seen([monday, days], '2026-11-28T10:00:00Z')).toBe('weekend until 2026-11-30T08:00')
    expect(seen([monday, days], '2026-11-30T01:00:00Z')).toBe('early until 2026-11-30T08:00')
  })

  it('is the same whatever was asked before: also when a clock goes back', () => {
    const windows = [window()]
    const times = [
      '2026-11-27T17:30:00Z',
      '2026-11-24T00:00:00Z',
      '2026-11-30T08:00:00Z',
      '2026-11-27T17:30:00Z',
    ]
    const alone = times.map(time => seen([window()], time))
    expect(times.map(time => seen(windows, time))).toEqual(alone)
  })

  it('costs nothing worth measuring at each look at a queue', () => {
    const windows = [window({ cron: '* * * * *', for: '30s' }), window()]
    const start = performance.now()
    for (let n = 0; n < 20_000; n++)
      recurringFreeze({ name: 'production', freezes: windows }, at('2026-11-27T17:30:00Z') + n)
    expect(performance.now() - start).toBeLessThan(500)
  })
})

it('begins again, after the one that holds', () => {
  expect(nextStart(window(), at('2026-11-24T00:00:00Z'))).toBe(at('2026-11-27T17:00:00Z'))
  expect(nextStart(window(), at('2026-11-28T00:00:00Z'))).toBe(at('2026-12-04T17:00:00Z'))
})

it('beside a freeze by a person, the one that ends later is told', () => {
  const own = (ends: string): Freeze => ({
    schema: 1,
    environment: 'production',
    by: { id: 'slack:U1', name: 'cho', via: 'slack' },
    reason: 'moving',
    at: 1,
    endsAt: at(ends),
  })
  const environment = { name: 'production', freezes: [window()] }
  const now = at('2026-11-28T00:00:00Z')
  expect(freezeAt(own('2026-11-29T00:00:00Z'), environment, now)?.reason).toBe('weekend')
  expect(freezeAt(own('2026-12-29T00:00:00Z'), environment, now)?.reason).toBe('moving')
  expect(freezeAt(own('2026-11-27T00:00:00Z'), { ...environment, freezes: [] }, now)).toBeNull()
  expect(freezeAt(null, undefined, now)).toBeNull()
})

it('two schedules that leave no gap between them are refused, as one that never ends is', () => {
  const nights = { cron: '0 20 * * *', for: '12h', reason: 'night' }
  const days = { cron: '0 8 * * *', for: '12h', reason: 'day' }
  const parse = (freezes: object[]) => environmentSchema.safeParse({ freezes }).error?.issues
  expect(parse([nights, days])).toMatchObject([
    { path: ['freezes'], message: expect.stringMatching(/together.*never end/) },
  ])
  expect(parse([nights, { ...days, for: '11h' }])).toBeUndefined()
  expect(parse([nights, { ...days, cron: '0 8 * * 1-5' }])).toBeUndefined()
})

it.each([
  ['no schedule', { cron: 'every friday' }, 'cron', /is not a schedule/],
  ['seconds', { cron: '0 0 18 * * 5' }, 'cron', /is not a schedule/],
  ['a day that never comes', { cron: '0 0 31 2 *' }, 'cron', /never comes/],
  ['no time zone', { timeZone: 'Berlin' }, 'timeZone', /not a time zone/],
  ['no time at all', { for: '0s' }, 'for', /longer than 0s/],
  ['a week each week', { for: '168h' }, 'for', /would never end/],
  ['always', { cron: '* * * * *', for: '1h' }, 'for', /would never end/],
  ['no reason', { reason: ' ' }, 'reason', /./],
])('gkube.yaml may not say %s', (_, over, key, message) => {
  const input = { cron: '0 18 * * 5', for: '62h', timeZone: 'Europe/Berlin', reason: 'weekend', ...over }
  const { error } = freezeWindowSchema.safeParse(input)
  expect(error?.issues.map(issue => [issue.path[0], issue.message])).toEqual([
    [key, expect.stringMatching(message)],
  ])
})
