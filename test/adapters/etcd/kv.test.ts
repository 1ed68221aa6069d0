// Reads, commits and limits against a real etcd.
import { beforeEach, describe, expect, test } from 'vitest'
import type { Commit, Compare } from '../../../src/core/kv.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'

let kv: TestKv
beforeEach(async () => {
  kv = await testKv()
})

const put = (key: string, value = 'x') => ({ kind: 'put', key, value }) as const
const create = (key: string, value = 'x'): Commit => ({
  compares: [{ kind: 'absent', key }],
  writes: [put(key, value)],
})

async function fill(names: readonly string[]): Promise<string> {
  let revision = ''
  for (let n = 0; n < names.length; n += 100) {
    const keys = names.slice(n, n + 100).map(name => kv.root + name)
    revision = (
      await kv.commit({
        compares: keys.map(key => ({ kind: 'absent', key })),
        writes: keys.map(key => put(key, `value of ${key}`)),
      })
    ).revision
  }
  return revision
}

describe('commit', () => {
  test('writes when the compares hold, and tells the revision', async () => {
    const key = `${kv.root}apps/web`
    const { committed, revision } = await kv.commit(create(key, 'Grüße'))
    expect(committed).toBe(true)
    expect(await kv.get(key)).toEqual({
      key,
      value: 'Grüße',
      createRevision: revision,
      modRevision: revision,
    })
  })

  test('writes nothing when one does not, and shows the compared keys as they are', async () => {
    const [a, b] = [`${kv.root}a`, `${kv.root}b`]
    const { revision } = await kv.commit(create(a, 'first'))
    const result = await kv.commit({
      compares: [
        { kind: 'absent', key: a },
        { kind: 'absent', key: b },
      ],
      writes: [put(a, 'second'), put(b)],
    })
    expect(result).toEqual({
      committed: false,
      revision,
      seen: new Map([[a, { key: a, value: 'first', createRevision: revision, modRevision: revision }]]),
    })
    expect(await kv.get(b)).toBeNull()
  })

  test('each kind of compare holds and fails as it says', async () => {
    const [there, gone] = [`${kv.root}there`, `${kv.root}gone`]
    const created = (await kv.commit(create(there, '1'))).revision
    const modified = (
      await kv.commit({
        compares: [{ kind: 'unchanged', key: there, modRevision: created }],
        writes: [put(there, '2')],
      })
    ).revision
    const cases: [Compare, boolean][] = [
      [{ kind: 'present', key: there }, true],
      [{ kind: 'present', key: gone }, false],
      [{ kind: 'absent', key: gone }, true],
      [{ kind: 'absent', key: there }, false],
      [{ kind: 'unchanged', key: there, modRevision: modified }, true],
      [{ kind: 'unchanged', key: there, modRevision: created }, false],
      [{ kind: 'created', key: there, createRevision: created }, true],
      [{ kind: 'created', key: there, createRevision: modified }, false],
    ]
    for (const [n, [compare, holds]] of cases.entries()) {
      const { compares, writes } = create(`${kv.root}case/${n}`)
      expect([compare, (await kv.commit({ compares: [compare, ...compares], writes })).committed]).toEqual([
        compare,
        holds,
      ])
    }
  })

  test('deletes', async () => {
    const key = `${kv.root}a`
    const { revision } = await kv.commit(create(key))
    const writes = [{ kind: 'delete', key } as const]
    expect(
      await kv.commit({ compares: [{ kind: 'unchanged', key, modRevision: revision }], writes }),
    ).toMatchObject({ committed: true })
    expect(await kv.get(key)).toBeNull()
  })

  test('128 operations fit, 129 are refused before anything is sent', async () => {
    const keys = Array.from({ length: 129 }, (_, n) => `${kv.root}${n}`)
    const commit = (some: string[]): Commit => ({
      compares: some.map(key => ({ kind: 'absent', key })),
      writes: some.map(key => put(key)),
    })
    expect(await kv.commit(commit(keys.slice(0, 128)))).toMatchObject({ committed: true })
    const { transactions } = kv.counts()
    await expect(kv.commit(commit(keys))).rejects.toMatchObject({
      kind: 'too_large',
      message: 'This change needs 129 operations in one etcd transaction; at most 128 are allowed. Split it.',
    })
    expect(kv.counts().transactions).toBe(transactions)
  })

  test('just under 1.5 MB fits, more is refused before anything is sent', async () => {
    expect(await kv.commit(create(`${kv.root}a`, 'x'.repeat(1_499_000)))).toMatchObject({ committed: true })
    const { transactions } = kv.counts()
    await expect(kv.commit(create(`${kv.root}b`, 'ü'.repeat(760_000)))).rejects.toMatchObject({
      kind: 'too_large',
      message: expect.stringMatching(/^This change has 15\d+ bytes; at most 1500000 fit/),
    })
    expect(kv.counts().transactions).toBe(transactions)
  })

  test.each<[string, (key: string) => Commit]>([
    ['no compare', key => ({ compares: [], writes: [put(key)] })],
    [
      'a compare of another key',
      key => ({ compares: [{ kind: 'absent', key: `${key}-x` }], writes: [put(key)] }),
    ],
    [
      'a compare that still holds afterwards',
      key => ({ compares: [{ kind: 'present', key }], writes: [put(key)] }),
    ],
  ])('%s guards nothing against a repeat: refused', async (_, commit) => {
    await expect(kv.commit(commit(`${kv.root}a`))).rejects.toThrow('no compare guards a written key')
  })

  test('a repeatable one needs no guard', async () => {
    const key = `${kv.root}progress/1`
    for (const value of ['1', '2'])
      expect(await kv.commit({ compares: [], writes: [put(key, value)], repeatable: true })).toMatchObject({
        committed: true,
      })
    expect(await kv.get(key)).toMatchObject({ value: '2' })
  })

  test('counts what it sends, and commits by the family of their first key', async () => {
    await kv.commit(create(`${kv.root}deploys/1`))
    await kv.commit(create(`${kv.root}deploys/1`))
    await kv.commit(create(`${kv.root}progress/1`))
    await kv.get(`${kv.root}progress/1`)
    expect(kv.counts()).toMatchObject({ transactions: 3, ranges: 1, committed: { deploys: 1, progress: 1 } })
  })
})

describe('reads', () => {
  test('getMany: those that exist, of one revision, in one request', async () => {
    const revision = await fill(['a', 'b'])
    const before = kv.counts().transactions
    const found = await kv.getMany([`${kv.root}a`, `${kv.root}none`, `${kv.root}b`, `${kv.root}a`])
    expect([...found.keys()]).toEqual([`${kv.root}a`, `${kv.root}b`])
    expect(found.get(`${kv.root}b`)).toMatchObject({ modRevision: revision })
    expect(kv.counts().transactions).toBe(before + 1)
    expect(await kv.getMany([])).toEqual(new Map())
  })

  test('list: only below the prefix, also of a name that begins alike', async () => {
    const revision = await fill(['apps/web', 'apps/web-2', 'apps-2/web', 'apps', 'b'])
    expect(await kv.list(`${kv.root}apps/`)).toMatchObject({
      entries: [{ key: `${kv.root}apps/web` }, { key: `${kv.root}apps/web-2` }],
      revision,
    })
    await expect(kv.list(`${kv.root}apps`)).rejects.toThrow('ends in /')
    await expect(kv.list(`${kv.root}apps/`, { after: `${kv.root}b` })).rejects.toThrow('not below it')
  })

  test.each([false, true])(
    'list: 1,200 keys come in pages, as of one revision (reverse: %s)',
    async reverse => {
      const names = Array.from({ length: 1200 }, (_, n) => `many/${String(n).padStart(4, '0')}`)
      const revision = await fill(names)
      const wanted = reverse ? names.toReversed() : names
      const before = kv.counts().ranges
      const all = await kv.list(`${kv.root}many/`, { reverse })
      expect(all.revision).toBe(revision)
      expect(all.entries.map(({ key }) => key)).toEqual(wanted.map(name => kv.root + name))
      expect(kv.counts().ranges - before).toBe(3)

      const paged: string[] = []
      for (let after: string | undefined; ; after = paged.at(-1)) {
        const { entries } = await kv.list(`${kv.root}many/`, { limit: 350, reverse, ...(after && { after }) })
        if (entries.length === 0) break
        paged.push(...entries.map(({ key }) => key))
      }
      expect(paged).toEqual(wanted.map(name => kv.root + name))
    },
  )

  test('list: keys only, and nothing', async () => {
    await fill(['a/1'])
    expect((await kv.list(`${kv.root}a/`, { keysOnly: true })).entries).toMatchObject([
      { key: `${kv.root}a/1`, value: '' },
    ])
    expect((await kv.list(`${kv.root}none/`)).entries).toEqual([])
    expect((await kv.list(`${kv.root}a/`, { limit: 0 })).entries).toEqual([])
  })
})

test('ping: the version, the size and the quota of etcd', async () => {
  const { version, dbSize, dbQuota, alarms } = await kv.ping()
  expect(version).toMatch(/^3\.\d+\.\d+/)
  expect(dbSize).toBeGreaterThan(0)
  expect(dbQuota).toBe(2 * 1024 ** 3)
  expect(alarms).toEqual([])
})

test('a closed store says so', async () => {
  await kv.get('x')
  await kv.close()
  await expect(kv.get('x')).rejects.toMatchObject({
    kind: 'unavailable',
    message: 'The connection to etcd was closed.',
  })
})
