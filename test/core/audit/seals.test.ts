// Seals on a real etcd: every entry gets one seal, whatever happens to the sealers, and every kind of change is found by
// its key.
import { expect, it } from 'vitest'
import { nextSeal, sealHash } from '../../../src/core/audit/seal.ts'
import { type Seal, sealSchema } from '../../../src/core/coordination.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { decode } from '../../../src/core/records.ts'
import { type AuditWorld, auditWorld, production } from './world.ts'

const sealsOf = async ({ kv, keys }: AuditWorld, environment = production): Promise<Seal[]> =>
  (await kv.list(keys.sealsIn(environment))).entries.map(entry => decode(sealSchema, entry).value)

/** Every entry is in exactly one seal, in the order of creation. */
async function isWhole(world: AuditWorld): Promise<void> {
  const seals = await sealsOf(world)
  const sealed = seals.flatMap(({ entries }) => entries ?? [])
  const there = (await world.entries()).toSorted(
    (a, b) => Number(a.createRevision) - Number(b.createRevision),
  )
  expect(sealed.map(([id]) => id).toSorted()).toEqual(
    there.map(({ key }) => key.split('/').at(-1)).toSorted(),
  )
  expect(sealed.map(([, revision]) => revision)).toEqual(there.map(({ createRevision }) => createRevision))
}

it('what was there and what comes is sealed, in each environment for itself', async () => {
  const world = await auditWorld()
  await world.write(5)
  await world.write(3, { environment: '-' })
  const sealer = await world.sealer()
  expect(await world.sealed()).toMatchObject({ sealed: 5, seals: 1, breaks: [], gone: null })
  expect(await world.sealed('-')).toMatchObject({ sealed: 3, seals: 1, breaks: [] })
  await world.write(7)
  expect(await world.sealed()).toMatchObject({ sealed: 12, breaks: [] })
  expect(await world.sealed('-')).toMatchObject({ sealed: 3, seals: 1 })
  await isWhole(world)
  expect(sealer.state()).toMatchObject({ elected: true, unsealed: 0, entries: 15 })
})

it('what one transaction wrote is never split, and a long backlog becomes seals of bounded size', async () => {
  const world = await auditWorld()
  await world.write(60)
  await world.write(60, { together: 60 })
  await world.write(250, { together: 50 })
  await world.sealer()
  expect(await world.sealed()).toMatchObject({ sealed: 370, breaks: [] })
  await isWhole(world)
  const seals = await sealsOf(world)
  expect(seals.map(({ count }) => count)).toEqual([60, 60, 100, 100, 50])
})

it('a backlog larger than what is kept in mind is sealed all the same', async () => {
  const world = await auditWorld()
  await world.write(700, { together: 7 })
  await world.sealer({ mostWaiting: 150 })
  expect(await world.sealed()).toMatchObject({ sealed: 700, breaks: [] })
  await world.write(30)
  expect(await world.sealed()).toMatchObject({ sealed: 730, breaks: [] })
  await isWhole(world)
})

it('costs nothing while nothing happens', async () => {
  const world = await auditWorld()
  await world.write(3)
  let calls = 0
  const counting = (kv: Kv): Kv =>
    new Proxy(kv, {
      get(target, name: keyof Kv) {
        if (name !== 'subscribe' && name !== 'lease') calls++
        return target[name]
      },
    })
  await world.sealer({ through: counting })
  await world.sealed()
  const before = calls
  // Ten times as long as new entries would wait for their seal.
  await new Promise(resolve => setTimeout(resolve, 200))
  expect(calls).toBe(before)
  await world.write(10)
  await world.sealed()
  // What the feed told needs no reading: a seal is one transaction.
  expect(calls - before).toBeLessThanOrEqual((await sealsOf(world)).length)
})

it('two sealers for a moment make one chain', async () => {
  const world = await auditWorld()
  // The second one is elected although the first holds the role: what counts is the swap of the last seal.
  const unfenced = (kv: Kv): Kv => ({
    ...kv,
    commit: commit => {
      const isLeader = (key: string) => key === world.keys.leader('sealer')
      if (commit.writes.some(write => isLeader(write.key)))
        return Promise.resolve({ committed: true, revision: '1' } as const)
      return kv.commit({ ...commit, compares: commit.compares.filter(one => !isLeader(one.key)) })
    },
  })
  const sealers = [await world.sealer({ through: unfenced }), await world.sealer({ through: unfenced })]
  for (let n = 0; n < 40; n++) {
    await world.write(5)
    if (n % 4 === 0) await new Promise(resolve => setTimeout(resolve, 15))
  }
  expect(await world.sealed()).toMatchObject({ sealed: 200, breaks: [] })
  await isWhole(world)
  const made = sealers.map(one => one.state().seals)
  expect(made[0] ?? 0).toBeGreaterThan(0)
  expect(made[1] ?? 0).toBeGreaterThan(0)
})

it('another one goes on where a sealer died between two seals', async () => {
  const world = await auditWorld()
  await world.write(450, { together: 50 })
  let left = 2
  /** Dies with its third seal: nothing of it reaches etcd any more. */
  const dying = (kv: Kv): Kv => ({
    ...kv,
    commit: commit => {
      const isSeal = commit.writes.some(write => write.key.startsWith(world.keys.seals))
      if (isSeal && left-- <= 0) return new Promise(() => undefined)
      return kv.commit(commit)
    },
  })
  await world.sealer({ through: dying, dies: true })
  await expect.poll(() => left, { interval: 10, timeout: 10_000 }).toBeLessThan(0)
  const next = await world.sealer()
  // The lease of the first is kept alive by its process; the process is gone, as far as etcd knows.
  await world.drop(world.keys.leader('sealer'))
  expect(await world.sealed()).toMatchObject({ sealed: 450, breaks: [] })
  expect(next.state().entries).toBeGreaterThan(0)
  await isWhole(world)
})

it('an outcome that is not known neither doubles nor loses a seal', async () => {
  const world = await auditWorld()
  let times = 0
  const shaky = (kv: Kv): Kv => ({
    ...kv,
    commit: async commit => {
      const result = await kv.commit(commit)
      const isSeal = commit.writes.some(write => write.key.startsWith(world.keys.seals))
      if (isSeal && times++ % 2 === 0) throw new Error('the answer was lost')
      return result
    },
  })
  await world.sealer({ through: shaky })
  for (let n = 0; n < 5; n++) {
    await world.write(20)
    await world.sealed()
  }
  await isWhole(world)
  expect(times).toBeGreaterThan(4)
}, 20_000)

type Found = readonly { readonly what: string; readonly key: string }[]
type Tampering = (world: AuditWorld, keys: readonly string[]) => Promise<Found>

const seal = (n: number, world: AuditWorld) => world.keys.seal(production, n)
const changed = (value: string) => value.replace('entry', 'ENTRY')

const tamperings: readonly (readonly [string, Tampering])[] = [
  [
    'an entry has other content',
    async (world, keys) => {
      const key = keys[3] ?? ''
      await world.set(key, changed((await world.kv.get(key))?.value ?? ''))
      return [{ what: 'changed', key }]
    },
  ],
  [
    'an entry has one blank more',
    async (world, keys) => {
      const key = keys[120] ?? ''
      await world.set(key, `${(await world.kv.get(key))?.value} `)
      return [{ what: 'changed', key }]
    },
  ],
  [
    'an entry is gone',
    async (world, keys) => {
      await world.drop(keys[7] ?? '')
      return [{ what: 'missing', key: keys[7] ?? '' }]
    },
  ],
  [
    'an entry was taken out and put back later',
    async (world, keys) => {
      const key = keys[8] ?? ''
      const value = (await world.kv.get(key))?.value ?? ''
      await world.drop(key)
      await world.set(key, value)
      await world.sealed()
      return [{ what: 'reordered', key }]
    },
  ],
  [
    'an entry was replaced by another one',
    async (world, keys) => {
      const key = keys[9] ?? ''
      const value = (await world.kv.get(key))?.value ?? ''
      await world.drop(key)
      await world.set(key, changed(value))
      return [{ what: 'changed', key }]
    },
  ],
  [
    'two entries changed places',
    async (world, [one = '', other = '']) => {
      const values = await world.kv.getMany([one, other])
      await world.set(one, values.get(other)?.value ?? '')
      await world.set(other, values.get(one)?.value ?? '')
      return [
        { what: 'changed', key: one },
        { what: 'changed', key: other },
      ]
    },
  ],
  [
    'a whole range is gone',
    async (world, keys) => {
      for (const key of keys.slice(0, 100)) await world.drop(key)
      return keys.slice(0, 10).map(key => ({ what: 'missing', key }))
    },
  ],
  [
    'a whole range is gone, and its seal says that retention took it',
    async (world, keys) => {
      for (const key of keys.slice(0, 100)) await world.drop(key)
      const [first] = await sealsOf(world)
      await world.set(seal(1, world), JSON.stringify({ ...first, entries: null }))
      return [{ what: 'missing', key: seal(1, world) }]
    },
  ],
  [
    'a seal names one entry less',
    async (world, keys) => {
      await world.drop(keys[5] ?? '')
      const [first] = await sealsOf(world)
      const entries = first?.entries?.filter(([id]) => !keys[5]?.endsWith(id))
      await world.set(seal(1, world), JSON.stringify({ ...first, entries }))
      return [{ what: 'forged', key: seal(1, world) }]
    },
  ],
  [
    'a seal was made anew over other entries',
    async (world, keys) => {
      await world.drop(keys[5] ?? '')
      const [first] = await sealsOf(world)
      const leaves = first?.entries?.filter(([id]) => !keys[5]?.endsWith(id)) ?? []
      const forged = nextSeal(production, null, { leaves, now: first?.at ?? 0 })
      await world.set(seal(1, world), JSON.stringify(forged))
      // It fits its own entries, but the next one was made on the other.
      return [{ what: 'forged', key: seal(2, world) }]
    },
  ],
  [
    'a seal has another time',
    async (world, _) => {
      const [, second] = await sealsOf(world)
      await world.set(seal(2, world), JSON.stringify({ ...second, at: 5 }))
      return [{ what: 'forged', key: seal(2, world) }]
    },
  ],
  [
    'a seal has another time and a new hash',
    async (world, _) => {
      const [first] = await sealsOf(world)
      if (!first) throw new Error('there is no seal')
      const other = { ...first, at: 5 }
      await world.set(seal(1, world), JSON.stringify({ ...other, hash: sealHash(other) }))
      return [{ what: 'forged', key: seal(2, world) }]
    },
  ],
  [
    'a seal is gone',
    async (world, _) => {
      await world.drop(seal(2, world))
      return [{ what: 'missing', key: seal(2, world) }]
    },
  ],
  [
    'the chain was made anew without an entry, and its hash was kept elsewhere',
    async (world, keys) => {
      const head = (await world.verify()).head?.hash
      await world.drop(keys[50] ?? '')
      let before: Seal | null = null
      for (const one of await sealsOf(world)) {
        const leaves = one.entries?.filter(([id]) => !keys[50]?.endsWith(id)) ?? []
        before = nextSeal(production, before, { leaves, now: one.at })
        await world.set(seal(one.n, world), JSON.stringify(before))
      }
      // Nothing in this etcd tells it any more.
      expect((await world.verify()).breaks).toEqual([])
      expect((await world.verify(head)).breaks).toMatchObject([
        { what: 'forged', key: world.keys.sealsIn(production) },
      ])
      return []
    },
  ],
]

it.each(tamperings)('%s: it is found by its key', async (_, tampering) => {
  const world = await auditWorld()
  await world.write(250, { together: 10 })
  const sealer = await world.sealer()
  const before = await world.sealed()
  expect(before).toMatchObject({ sealed: 250, seals: 3, breaks: [] })
  expect((await world.verify(before.head?.hash)).anchor).toBe(3)
  const order = (await world.entries()).map(({ key }) => key)
  const sealed = (await sealsOf(world)).flatMap(one => one.entries ?? [])
  const keys = sealed.map(([id]) => world.keys.audit(production, id))
  expect(keys.toSorted()).toEqual(order)
  const found = await tampering(world, keys)
  const { breaks } = await world.verify()
  expect(breaks.slice(0, found.length).map(({ what, key }) => ({ what, key }))).toEqual(found)
  if (found.length > 0) expect(breaks.length).toBeGreaterThan(0)
  await sealer.stop()
})

it('an entry that no seal holds is found where a later one is sealed', async () => {
  const world = await auditWorld()
  await world.write(10)
  const all = (await world.entries()).toSorted((a, b) => Number(a.createRevision) - Number(b.createRevision))
  const sealer = await world.sealer()
  await world.sealed()
  await sealer.stop()
  // A sealer that was made to look away.
  const [one] = await sealsOf(world)
  const leaves = one?.entries?.filter(([id]) => !all[4]?.key.endsWith(id)) ?? []
  await world.set(seal(1, world), JSON.stringify(nextSeal(production, null, { leaves, now: 1 })))
  expect((await world.verify()).breaks).toMatchObject([{ what: 'added', key: all[4]?.key }])
})

it('the last seal is gone: what it held is found once a later one is made, and the sealer says so at once', async () => {
  const world = await auditWorld()
  await world.sealer()
  await world.write(5)
  await world.sealed()
  const last = (await sealsOf(world)).at(-1)
  const head = (await world.verify()).head?.hash
  await world.drop(seal(last?.n ?? 0, world))
  await world.write(1)
  const report = await world.sealed()
  expect(report.breaks.map(({ key, what }) => [what, key])).toEqual(
    last?.entries?.map(([id]) => ['added', world.keys.audit(production, id)]),
  )
  expect(world.log).toEqual([expect.stringMatching(/the last seal .*is gone/)])
  // Also where nobody is left who knew it.
  expect((await world.verify(head)).breaks.at(-1)).toMatchObject({ what: 'forged' })
})

it('what is changed before its seal is made is found, too: the sealer has seen it as it was written', async () => {
  const world = await auditWorld()
  let hold = true
  const slow = (kv: Kv): Kv => ({
    ...kv,
    commit: async commit => {
      const isSeal = commit.writes.some(write => write.key.startsWith(world.keys.seals))
      while (isSeal && hold) await new Promise(resolve => setTimeout(resolve, 10))
      return kv.commit(commit)
    },
  })
  await world.write(1)
  const sealer = await world.sealer({ through: slow })
  await expect.poll(() => sealer.state().elected).toBe(true)
  await world.write(3)
  await expect.poll(() => sealer.state().unsealed).toBe(4)
  const keys = (await world.entries())
    .toSorted((a, b) => Number(a.createRevision) - Number(b.createRevision))
    .map(({ key }) => key)
  await world.set(keys[2] ?? '', '{}')
  await world.drop(keys[3] ?? '')
  hold = false
  expect((await world.sealed()).breaks).toMatchObject([
    { what: 'changed', key: keys[2] },
    { what: 'missing', key: keys[3] },
  ])
})

it('retention removes whole ranges, keeps the seals, and says so', async () => {
  const world = await auditWorld()
  const keepMs = 10 * 86_400_000
  await world.write(250, { together: 10 })
  const first = await world.sealer({ keepMs })
  await world.sealed()
  const head = (await world.verify()).head?.hash
  await first.stop()
  world.later(keepMs / 2)
  await world.write(20)
  const second = await world.sealer({ keepMs })
  await world.sealed()
  await second.stop()
  world.later(keepMs / 2 + keepMs / 50)
  await world.sealer({ keepMs })
  await expect
    .poll(async () => (await world.verify()).gone, { timeout: 10_000 })
    .toMatchObject({ seals: 3, entries: 250 })
  const report = await world.sealed()
  // Those of the removal itself are sealed as any other.
  expect(report).toMatchObject({ breaks: [], gone: { seals: 3, entries: 250 } })
  expect(report.sealed).toBeGreaterThan(20)
  expect((await world.verify(head)).anchor).toBe(3)
  expect(world.log).toEqual([])
  // Whoever takes more away and calls it retention is found out.
  const seals = await sealsOf(world)
  const fourth = seals[3]
  for (const [id] of fourth?.entries ?? []) await world.drop(world.keys.audit(production, id))
  await world.set(seal(4, world), JSON.stringify({ ...fourth, entries: null }))
  expect((await world.verify()).breaks).toMatchObject([{ what: 'missing', key: seal(4, world) }])
})

it('a seal of a newer version is left alone, and doctor says what is late', async () => {
  const world = await auditWorld()
  await world.write(2)
  await world.set(seal(1, world), JSON.stringify({ schema: 2 }))
  const sealer = await world.sealer()
  await expect.poll(() => world.log.join()).toContain('is not sealed by this replica')
  expect(await sealsOf(world).catch(() => 'unreadable')).toBe('unreadable')
  expect((await world.kv.list(world.keys.sealsIn(production))).entries).toHaveLength(1)
  await world.drop(seal(1, world))
  expect(await sealer.checks()).toMatchObject([{ state: 'ok' }])
  world.later(180_000)
  expect(await sealer.checks()).toMatchObject([
    { state: 'warning', message: expect.stringContaining(production) },
  ])
})
