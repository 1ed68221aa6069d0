// Turns of work that nobody waits for: at once when nothing is behind, held back while it is and people ask, in order, never for ever.
import { expect, it } from 'vitest'
import { createPace } from '../src/pace.ts'

/** Timers that come when the test says so, as late as it says. */
function world() {
  let now = 1_000
  let timers: { readonly at: number; readonly work: () => void }[] = []
  const pace = createPace({ now: () => now, after: (ms, work) => void timers.push({ at: now + ms, work }) })
  const begun: string[] = []
  return {
    pace,
    begun,
    ask: (name: string, signal?: AbortSignal) => pace.turn(signal).then(() => void begun.push(name)),
    /** Lets timers come for so long, each late by so much. */
    async pass(ms: number, { late = 0, asked = false } = {}): Promise<void> {
      const end = now + ms
      for (;;) {
        const next = timers.toSorted((a, b) => a.at - b.at)[0]
        if (!next || next.at + late > end) break
        timers = timers.filter(timer => timer !== next)
        now = next.at + late
        if (asked) pace.came()
        next.work()
        await settled()
      }
      now = end
    },
    timers: () => timers.length,
  }
}
const settled = () => new Promise(resolve => setImmediate(resolve))

it('lets one begin at once, and keeps no timer for it', async () => {
  const { ask, begun, timers } = world()
  await ask('a')
  expect(begun).toEqual(['a'])
  expect(timers()).toBe(0)
})

it('begins what comes together in order, some at a time while nobody asks', async () => {
  const { ask, begun, pass } = world()
  const names = Array.from({ length: 12 }, (_, n) => `${n}`)
  const all = names.map(name => ask(name))
  await settled()
  expect(begun).toEqual(['0'])
  await pass(2)
  expect(begun).toEqual(names.slice(0, 9))
  await pass(2)
  await Promise.all(all)
  expect(begun).toEqual(names)
})

it('spreads it one by one while people ask, and rests when all have begun', async () => {
  const { ask, begun, pass, pace, timers } = world()
  pace.came()
  const all = ['a', 'b', 'c', 'd'].map(name => ask(name))
  await settled()
  expect(begun).toEqual(['a'])
  expect(pace.waiting()).toBe(3)
  await pass(6, { asked: true })
  expect(begun).toEqual(['a', 'b'])
  await pass(12, { asked: true })
  await Promise.all(all)
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
  expect(timers()).toBe(0)
})

it.each([
  { what: 'the loop is not behind any more', next: { asked: true } },
  { what: 'nobody asks any more', next: { late: 8 } },
])('holds them back while people ask and the loop is behind, until $what', async ({ next }) => {
  const { ask, begun, pass } = world()
  for (const name of ['a', 'b', 'c']) void ask(name)
  await settled()
  await pass(2_000, { late: 8, asked: true })
  expect(begun).toEqual(['a'])
  await pass(300, next)
  expect(begun).toEqual(['a', 'b', 'c'])
})

it('lets everybody begin after a while, however far it is behind', async () => {
  const { ask, begun, pass } = world()
  for (const name of ['a', 'b', 'c']) void ask(name)
  await settled()
  await pass(9_000, { late: 50, asked: true })
  expect(begun).toEqual(['a'])
  await pass(2_000, { late: 50, asked: true })
  expect(begun).toEqual(['a', 'b', 'c'])
})

it('holds nobody back who was told to stop', async () => {
  const { ask, begun, pace } = world()
  const stop = new AbortController()
  const all = ['a', 'b', 'c'].map(name => ask(name, stop.signal))
  await settled()
  stop.abort()
  await Promise.all(all)
  expect(begun).toEqual(['a', 'b', 'c'])
  expect(pace.waiting()).toBe(0)
  await ask('late', stop.signal)
  expect(begun.at(-1)).toBe('late')
})
