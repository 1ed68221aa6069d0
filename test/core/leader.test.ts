// Election on a real etcd: one at a time, a new one within the lease's time, and no write of one that was replaced.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import { keysBelow } from '../../src/core/keys.ts'
import { createLeader, type Leader, type Term } from '../../src/core/leader.ts'
import { put } from '../../src/core/records.ts'
import { createReplica } from '../../src/core/replica.ts'
import { type TestKv, testKv } from '../support/etcd.ts'

const patient = { timeout: 10_000 }
let kv: TestKv
beforeAll(async () => {
  kv = await testKv()
})
const stops: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const stop of stops) await stop()
})

const clock: Clock = {
  now: Date.now,
  sleep: async (ms, signal) => {
    if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
  },
}

type Candidate = {
  readonly leader: Leader
  readonly terms: Term[]
  readonly stop: () => Promise<void>
  readonly die: () => Promise<void>
}

async function candidate(role: string, name: string, ttlSeconds = 2): Promise<Candidate> {
  const keys = keysBelow(kv.root)
  const terms: Term[] = []
  const replica = createReplica({
    name,
    kv,
    ttlSeconds,
    clock,
    random: Math.random,
    renewed: () => undefined,
    failed: () => undefined,
  })
  await replica.start()
  const leader = createLeader({
    role,
    kv,
    keys,
    clock,
    random: Math.random,
    replica,
    log: () => undefined,
    async lead(term) {
      terms.push(term)
      if (!term.ended.aborted)
        await new Promise<void>(done => term.ended.addEventListener('abort', () => done(), { once: true }))
    },
  })
  leader.start()
  const stop = async () => {
    await leader.stop()
    await replica.stop()
  }
  stops.push(stop)
  return { leader, terms, stop, die: () => replica.stop() }
}

test('one of several is elected, and the next at once when it resigns', async () => {
  const all = await Promise.all(['a', 'b', 'c'].map(name => candidate('one', name, 60)))
  const elected = () => all.filter(({ leader }) => leader.elected())
  await expect.poll(() => elected().length, patient).toBe(1)
  const [first] = elected()
  const began = performance.now()
  await first?.stop()
  await expect.poll(() => elected().length, { ...patient, interval: 5 }).toBe(1)
  // Not by the lease: that lives a minute.
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(elected()[0]).not.toBe(first)
  expect(first?.terms[0]?.held()).toBe(false)
})

test('a lease that ends ends the term; whoever takes over shuts the old one’s writes out', async () => {
  const first = await candidate('two', 'd')
  await expect.poll(() => first.leader.elected(), patient).toBe(true)
  const second = await candidate('two', 'e')
  const old = first.terms[0]
  await first.die()
  await expect.poll(() => second.leader.elected(), patient).toBe(true)
  expect(old?.ended.aborted).toBe(true)
  expect(old?.held()).toBe(false)
  const key = `${kv.root}messages/x`
  const write = (term: Term | undefined) =>
    term && kv.commit({ compares: [term.fence, { kind: 'absent', key }], writes: [put(key, {})] })
  expect(await write(old)).toMatchObject({ committed: false })
  expect(await write(second.terms[0])).toMatchObject({ committed: true })
})

test('a key that an operator removes ends the term, and somebody is elected again', async () => {
  const only = await candidate('three', 'f')
  await expect.poll(() => only.leader.elected(), patient).toBe(true)
  await kv.commit({
    compares: [],
    writes: [{ kind: 'delete', key: keysBelow(kv.root).leader('three') }],
    repeatable: true,
  })
  await expect.poll(() => only.terms.length, patient).toBe(2)
  expect(only.terms[0]?.ended.aborted).toBe(true)
  await expect.poll(() => only.leader.elected(), patient).toBe(true)
})
