// What the sealer and the check of the chain meet while something else moves: a feed that lags or has a gap, an entry
// that is written anew before its seal, retention that runs while somebody verifies. None of it may look like a change,
// and none of it may hide one.
import { expect, it } from 'vitest'
import { retain } from '../../../src/core/audit/retention.ts'
import { verifyEnvironment } from '../../../src/core/audit/verify.ts'
import type { Change, FeedListener, Kv } from '../../../src/core/kv.ts'
import { type AuditWorld, auditWorld, production } from './world.ts'

const isSeal = ({ keys }: AuditWorld, commit: Parameters<Kv['commit']>[0]) =>
  commit.writes.some(write => write.key.startsWith(keys.seals))

/** The feed of the audit in the hands of a test. */
function feedOf({ keys, kv }: AuditWorld, options: { from?: string } = {}) {
  const heard: Change[] = []
  let listener: FeedListener | null = null
  let mode: 'open' | 'late' | 'deaf' = 'open'
  const subscribe: Kv['subscribe'] = (prefix, to) => {
    if (prefix !== keys.audits) return kv.subscribe(prefix, to)
    listener = to
    const change = (one: Change) => {
      if (mode === 'open') return to.change(one)
      heard.push(one)
    }
    return kv.subscribe(prefix, { ...to, change }, options)
  }
  return {
    subscribe,
    heard,
    is: (next: typeof mode) => {
      mode = next
    },
    tellLate() {
      mode = 'open'
      for (const change of heard.splice(0)) listener?.change(change)
    },
    reset: () => listener?.reset?.('0'),
  }
}

it('a feed that tells late of what is sealed already does not seal it again', async () => {
  const world = await auditWorld()
  const { revision: from } = await world.kv.list(world.keys.audits)
  await world.write(5)
  const feed = feedOf(world, { from })
  feed.is('late')
  await world.sealer({ through: kv => ({ ...kv, subscribe: feed.subscribe }) })
  await world.sealed()
  await expect.poll(() => feed.heard.length).toBe(5)
  feed.tellLate()
  await world.write(1)
  expect(await world.sealed()).toMatchObject({ sealed: 6, breaks: [] })
})

it('what was missed by the feed while a seal was written is not left out of the chain', async () => {
  const world = await auditWorld()
  const feed = feedOf(world)
  let gaps = 0
  let unsealed = () => 0
  const gap = async (): Promise<void> => {
    if (gaps++ > 0) return
    feed.is('deaf')
    await world.write(1)
    await expect.poll(() => feed.heard.length).toBe(1)
    feed.is('open')
    feed.reset()
    await world.write(1)
    await expect.poll(() => unsealed()).toBe(3)
  }
  // Two environments: `-` is sealed first, and meanwhile the other one moves.
  await world.write(1, { environment: '-' })
  await world.write(1)
  const sealer = await world.sealer({
    through: kv => ({
      ...kv,
      subscribe: feed.subscribe,
      commit: async commit => {
        if (isSeal(world, commit)) await gap()
        return kv.commit(commit)
      },
    }),
  })
  unsealed = () => sealer.state().unsealed
  expect(await world.sealed()).toMatchObject({ sealed: 3, breaks: [] })
})

it('an entry that is deleted and written anew before its seal is found', async () => {
  const world = await auditWorld()
  let hold = true
  const sealer = await world.sealer({
    through: kv => ({
      ...kv,
      commit: async commit => {
        while (isSeal(world, commit) && hold) await new Promise(resolve => setTimeout(resolve, 10))
        return kv.commit(commit)
      },
    }),
  })
  await expect.poll(() => sealer.state().elected).toBe(true)
  await world.write(1)
  await expect.poll(() => sealer.state().unsealed).toBe(1)
  await world.write(2)
  await expect.poll(() => sealer.state().unsealed).toBe(3)
  const [, same, other] = (await world.entries()).toSorted(
    (a, b) => Number(a.createRevision) - Number(b.createRevision),
  )
  for (const [entry, value] of [
    [same, same?.value],
    [other, '{}'],
  ] as const) {
    await world.drop(entry?.key ?? '')
    await world.set(entry?.key ?? '', value ?? '')
  }
  await expect.poll(() => sealer.state().unsealed).toBe(5)
  hold = false
  expect((await world.sealed()).breaks.slice(0, 2)).toMatchObject([
    { what: 'reordered', key: same?.key },
    { what: 'changed', key: other?.key },
  ])
})

it('retention that runs while the chain is checked is no change of it', async () => {
  const world = await auditWorld()
  const { kv, keys, clock } = world
  await world.write(500, { together: 50 })
  const sealer = await world.sealer()
  expect(await world.sealed()).toMatchObject({ sealed: 500, seals: 5 })
  await sealer.stop()
  const term = { fence: { kind: 'absent', key: keys.leader('x') }, held: () => true } as const
  const keepMs = 1_000
  world.later(keepMs * 2)
  let read = 0
  const between: Pick<Kv, 'get' | 'getMany' | 'list'> = {
    ...kv,
    getMany: async wanted => {
      // After two seals were found whole.
      if (++read === 3)
        await retain({ kv, keys, clock, keepMs }, production, {
          ...term,
          ended: new AbortController().signal,
        })
      return kv.getMany(wanted)
    },
  }
  const signal = new AbortController().signal
  const report = await verifyEnvironment({ kv: between, keys }, production, { signal })
  expect(report.gone).toMatchObject({ seals: 5 })
  expect(report.breaks).toEqual([])
  expect((await world.verify()).breaks).toEqual([])
})

it('seals of one environment that cannot be read do not keep what is too old of another one', async () => {
  const world = await auditWorld()
  const keepMs = 10 * 86_400_000
  await world.write(1, { environment: '-' })
  await world.write(3)
  const first = await world.sealer({ keepMs })
  await world.sealed('-')
  await world.sealed()
  await first.stop()
  await world.set(world.keys.seal('-', 1), JSON.stringify({ schema: 2 }))
  world.later(keepMs * 1.02)
  await world.sealer({ keepMs })
  await expect.poll(async () => (await world.verify()).gone).toMatchObject({ seals: 1, entries: 3 })
})
