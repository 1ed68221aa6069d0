// The budget of outgoing calls with a clock that is moved by hand: how often, who first, and what Slack's 429 does.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limitOf } from '../../../src/adapters/slack/limits.ts'
import {
  createScheduler,
  type Priority,
  priorities,
  type Timers,
} from '../../../src/adapters/slack/scheduler.ts'

/** Time that passes when told; work that is due runs in order, and what awaits it runs in between. */
function playedTime() {
  let now = 0
  let n = 0
  const due = new Map<number, { readonly at: number; readonly work: () => void }>()
  const timers: Timers = {
    now: () => now,
    after(ms, work) {
      const id = ++n
      due.set(id, { at: now + ms, work })
      return () => void due.delete(id)
    },
  }
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
  return {
    timers,
    now: () => now,
    settle,
    async pass(ms: number) {
      const until = now + ms
      await settle()
      for (;;) {
        const [id, next] = [...due].sort(([a, x], [b, y]) => x.at - y.at || a - b)[0] ?? []
        if (id === undefined || !next || next.at > until) break
        due.delete(id)
        now = Math.max(now, next.at)
        next.work()
        await settle()
      }
      now = until
    },
  }
}

const ok = { kind: 'ok' as const }

/** The most calls in any stretch of `ms`. */
const most = (times: readonly number[], ms: number): number =>
  Math.max(0, ...times.map((from, i) => times.slice(i).filter(at => at < from + ms).length))

const tiers = [
  ['chat.update', 50],
  ['conversations.history', 50],
  ['conversations.open', 50],
  ['usergroups.users.list', 20],
  ['views.open', 100],
  ['users.info', 100],
  ['not.known', 20],
] as const

describe('a method', () => {
  test.each(tiers)('%s is never called more than %i times in any minute', async (method, tier) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ after: fc.nat(8_000), calls: fc.integer({ min: 1, max: 40 }) }), {
          maxLength: 20,
        }),
        async waves => {
          const time = playedTime()
          const scheduler = createScheduler(time.timers)
          const calls: number[] = []
          for (const { after, calls: count } of waves) {
            await time.pass(after)
            for (let i = 0; i < count; i++)
              void scheduler.run({ method, priority: 'running' }, async () => {
                calls.push(time.now())
                return ok
              })
          }
          await time.pass(3_600_000)
          expect(most(calls, 60_000)).toBeLessThanOrEqual(tier)
          expect(calls).toHaveLength(waves.reduce((sum, { calls: count }) => sum + count, 0))
        },
      ),
      { numRuns: 8 },
    )
  })

  test('of ours keeps its tier when another replica has just used its own budget up', () => {
    const { burst, everyMs } = limitOf('chat.update')
    expect(2 * burst + 60_000 / everyMs).toBeLessThanOrEqual(50)
  })

  test('chat.postMessage: one a second in each channel, and channels do not wait for each other', async () => {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    const calls: { channel: string; at: number }[] = []
    for (let i = 0; i < 30; i++)
      for (const channel of ['A', 'B', 'C'])
        void scheduler.run({ method: 'chat.postMessage', channel, priority: 'running' }, async () => {
          calls.push({ channel, at: time.now() })
          return ok
        })
    await time.pass(32_000)
    expect(calls).toHaveLength(90)
    for (const channel of ['A', 'B', 'C'])
      expect(
        most(
          calls.filter(call => call.channel === channel).map(({ at }) => at),
          1_000,
        ),
      ).toBe(1)
  })
})

describe('who first', () => {
  /** The order in which calls of these priorities are served after the burst is used up. */
  async function order(wanted: readonly Priority[]) {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    const served: number[] = []
    for (let i = 0; i < limitOf('chat.update').burst; i++)
      void scheduler.run({ method: 'chat.update', priority: 'interactive' }, async () => ok)
    wanted.forEach((priority, i) => {
      void scheduler.run({ method: 'chat.update', priority }, async () => {
        served.push(i)
        return ok
      })
    })
    await time.pass(600_000)
    return served.map(i => wanted[i])
  }

  test('the most important, then the oldest', async () => {
    expect(await order(['running', 'waiting', 'terminal', 'interactive'])).toEqual([...priorities])
  })

  test('nobody waits for ever: of eight turns one goes to the oldest', async () => {
    const served = await order(['running', ...Array<Priority>(20).fill('terminal')])
    expect(served.indexOf('running')).toBeGreaterThan(0)
    expect(served.indexOf('running')).toBeLessThanOrEqual(8)
  })

  test('what becomes important while it waits moves up', async () => {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    const served: string[] = []
    let urgency: Priority = 'running'
    const say = (name: string, priority: Priority | (() => Priority)) =>
      void scheduler.run({ method: 'chat.update', priority }, async () => {
        served.push(name)
        return ok
      })
    for (let i = 0; i < limitOf('chat.update').burst; i++) say('burst', 'terminal')
    for (let i = 0; i < 5; i++) say('progress', 'running')
    say('mine', () => urgency)
    urgency = 'terminal'
    await time.pass(60_000)
    expect(served.filter(name => name !== 'burst')[0]).toBe('mine')
  })
})

test('a later call with the same key replaces one that waits; both hear of it', async () => {
  const time = playedTime()
  const scheduler = createScheduler(time.timers)
  const sent: string[] = []
  const publish = (text: string) =>
    scheduler.run({ method: 'chat.update', priority: 'running', key: 'home U1' }, async () => {
      sent.push(text)
      return { kind: 'ok' as const, text }
    })
  for (let i = 0; i < limitOf('chat.update').burst; i++)
    void scheduler.run({ method: 'chat.update', priority: 'terminal' }, async () => ok)
  const answers = ['one', 'two', 'three'].map(publish)
  await time.pass(10_000)
  expect(sent).toEqual(['three'])
  expect(await Promise.all(answers)).toEqual(Array(3).fill({ kind: 'ok', text: 'three' }))
})

describe('429', () => {
  test('stops the whole method for as long as Slack says, and no other', async () => {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    const calls: { name: string; at: number }[] = []
    let limited = true
    const call = (name: string, method: string) =>
      scheduler.run({ method, priority: 'terminal' }, async () => {
        calls.push({ name, at: time.now() })
        if (name !== 'first' || !limited) return ok
        limited = false
        return { kind: 'limited' as const, afterMs: 30_000 }
      })
    const first = call('first', 'chat.update')
    await time.pass(1)
    void call('second', 'chat.update')
    void call('other', 'views.open')
    await time.pass(29_000)
    expect(calls.map(({ name }) => name)).toEqual(['first', 'other'])
    await time.pass(10_000)
    expect(calls.slice(2).map(({ name }) => name)).toEqual(['first', 'second'])
    expect(calls[2]?.at).toBeGreaterThanOrEqual(30_000)
    expect(await first).toEqual(ok)
    expect(scheduler.counts()['chat.update']).toMatchObject({ calls: 3, limited: 1 })
  })

  test('is answered to who cannot wait that long', async () => {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    const answer = scheduler.run(
      { method: 'views.open', priority: 'interactive', within: 2_000 },
      async () => ({
        kind: 'limited' as const,
        afterMs: 5_000,
      }),
    )
    await time.pass(1)
    expect(await answer).toEqual({ kind: 'limited', afterMs: 5_000 })
  })
})

describe('a call that is not made', () => {
  const busy = async () => {
    const time = playedTime()
    const scheduler = createScheduler(time.timers)
    for (let i = 0; i < limitOf('chat.update').burst; i++)
      void scheduler.run({ method: 'chat.update', priority: 'running' }, async () => ok)
    await time.settle()
    return { time, scheduler }
  }
  const never = () => Promise.reject(new Error('it was made'))

  test('is of no use any more', async () => {
    const { time, scheduler } = await busy()
    const late = scheduler.run({ method: 'chat.update', priority: 'running', within: 100 }, never)
    await time.pass(5_000)
    expect(await late).toEqual({ kind: 'dropped', why: 'late' })
  })

  test('was given up by the caller', async () => {
    const { time, scheduler } = await busy()
    const caller = new AbortController()
    const given = scheduler.run({ method: 'chat.update', priority: 'running', signal: caller.signal }, never)
    caller.abort()
    await time.pass(5_000)
    expect(await given).toEqual({ kind: 'dropped', why: 'aborted' })
  })

  test('waits when all is closed', async () => {
    const { scheduler } = await busy()
    const waiting = scheduler.run({ method: 'chat.update', priority: 'running' }, never)
    scheduler.close()
    expect(await waiting).toEqual({ kind: 'dropped', why: 'aborted' })
    expect(await scheduler.run({ method: 'chat.update', priority: 'running' }, never)).toMatchObject({
      kind: 'dropped',
    })
  })

  test('is the least important of too many', async () => {
    const { scheduler } = await busy()
    const least = scheduler.run({ method: 'chat.update', priority: 'running' }, never)
    for (let i = 0; i < 5_000; i++) void scheduler.run({ method: 'chat.update', priority: 'terminal' }, never)
    expect(await least).toEqual({ kind: 'dropped', why: 'full' })
    scheduler.close()
  })
})

test('what work throws reaches who asked for it, and the next one is served', async () => {
  const time = playedTime()
  const scheduler = createScheduler(time.timers)
  const thrown = scheduler.run({ method: 'chat.update', priority: 'running' }, async () => {
    throw new Error('etcd is down')
  })
  const next = scheduler.run({ method: 'chat.update', priority: 'running' }, async () => ok)
  await expect(thrown).rejects.toThrow('etcd is down')
  expect(await next).toEqual(ok)
})
