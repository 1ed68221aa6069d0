// 100 deploys at once in one channel, with Slack's real tiers and the messages as people see them: nothing is answered
// with 429, every end is visible within 180 s, and what matters most comes first. Prints its figures.
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Deploy } from '../../src/core/deploy.ts'
import { slackRenderer } from '../../src/surfaces/slack/messages/renderer.ts'
import { diagnosis, ended, staging, startWorld } from '../core/notifier/world.ts'
import { runningOf } from '../core/sample.ts'

const count = 100
const failures = 10

test('100 deploys at once in one channel', { timeout: 400_000 }, async () => {
  const world = await startWorld({ rates: 'real' })
  const renderer = slackRenderer({
    links: { compare: null },
    mention: actor => actor.name,
    command: '/gkube',
  })
  await world.replica({
    renderer,
    speed: 1,
    timeoutMs: 10_000,
    times: { betweenUpdates: 3_000, unclear: 15_000 },
  })
  const began = Date.now()
  const { control } = world.slack

  const seen = new Map<string, number>()
  const isEnd = /: (live|failed)/
  control.onChange(({ what, channel }) => {
    if (what !== 'message' || channel !== staging) return
    for (const { text, thread_ts: thread, ts } of control.messages(staging))
      if ((!thread || thread === ts) && isEnd.test(text) && !seen.has(ts)) seen.set(ts, Date.now())
  })

  async function life(n: number): Promise<number> {
    const app = `app-${String(n).padStart(3, '0')}`
    const asked = await world.request({ app, revision: '1.4.2' })
    await wait(500 + n * 10)
    const over: Partial<Deploy> = {
      ...runningOf(['apply', 'rollout', 'record'], 'rollout'),
      id: asked.id,
      app,
    }
    const running = await world.move(asked, {
      ...over,
      requestedAt: asked.requestedAt,
      startedAt: Date.now(),
    })
    for (let ready = 0; ready < 4; ready++) {
      await wait(2_000 + ((n * 37) % 1_000))
      await world.move(running, {}, { progress: { ready, wanted: 4, message: '', at: Date.now() } })
    }
    const failed = n % (count / failures) === 0
    const cause = failed ? { reason: 'crash_loop' as const, message: 'exit code 1' } : null
    const end = { ...ended(failed ? 'failed' : 'succeeded'), cause, reason: cause?.reason ?? ('ok' as const) }
    await world.move(running, end, failed ? { diagnosis } : {})
    return Date.now()
  }

  const ends = await Promise.all(Array.from({ length: count }, (_, n) => life(n)))
  await world.told(300_000)
  const allTold = Date.now()
  const mains = control.messages(staging).filter(({ thread_ts: thread, ts }) => !thread || thread === ts)
  const last = Math.max(...seen.values())
  const calls = control.calls()
  const limited = calls.filter(({ status }) => status === 429)
  const perMethod = Object.groupBy(calls, ({ method }) => method)
  const figures = {
    messages: mains.length,
    'last end happened after (s)': (Math.max(...ends) - began) / 1000,
    'last end visible after (s)': (last - began) / 1000,
    'all threads and files after (s)': (allTold - began) / 1000,
    'answers 429': limited.length,
    ...Object.fromEntries(Object.entries(perMethod).map(([method, all]) => [method, all?.length ?? 0])),
  }
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)

  expect(mains).toHaveLength(count)
  expect(mains.filter(({ text }) => isEnd.test(text))).toHaveLength(count)
  expect(limited).toEqual([])
  expect(last - Math.min(...ends)).toBeLessThan(180_000)
  // No end is kept waiting by what only explains one: what follows comes when all are visible, but for each eighth turn.
  const causes = control
    .messages(staging)
    .filter(({ subtype }) => subtype === 'thread_broadcast')
    .map(({ ts }) => Number(ts) * 1000)
  expect(causes).toHaveLength(failures)
  expect(causes.filter(at => at < last).length).toBeLessThanOrEqual(failures / 2)
})
