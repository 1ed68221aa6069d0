// The feed against a real etcd behind a cutting proxy: nothing lost, nothing twice, always in order.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { etcdClient } from '../../../src/adapters/etcd/client.ts'
import { etcdFeed } from '../../../src/adapters/etcd/feed.ts'
import { type Change, type FeedListener, newer } from '../../../src/core/kv.ts'
import { startTestEtcd, type TestEtcd, type TestKv, testEtcd } from '../../support/etcd.ts'
import { type CuttingProxy, startProxy } from '../../support/proxy.ts'

let etcd: TestEtcd
let proxy: CuttingProxy
/** Through the proxy, and the same keys without it. */
let kv: TestKv
let direct: TestKv

beforeAll(async () => {
  etcd = await testEtcd()
  proxy = await startProxy(etcd.port)
  return () => proxy.close()
})
beforeEach(() => {
  kv = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
  direct = etcd.kv({ root: kv.root })
})
afterEach(() => {
  proxy.resume()
  return kv.close()
})

let number = 0
async function put(name: string, store = direct): Promise<string> {
  const key = store.root + name
  const entry = await store.get(key)
  const { revision } = await store.commit({
    compares: [entry ? { kind: 'unchanged', key, modRevision: entry.modRevision } : { kind: 'absent', key }],
    writes: [{ kind: 'put', key, value: `${++number}` }],
  })
  return revision
}
/** In one transaction; the revision of each. */
async function putMany(name: string, count: number, store = direct): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, n) => `${store.root}${name}/${n}`)
  const { revision } = await store.commit({
    compares: keys.map(key => ({ kind: 'absent', key })),
    writes: keys.map(key => ({ kind: 'put', key, value: 'x' })),
  })
  return keys.map(() => revision)
}
async function remove(name: string): Promise<string> {
  const key = direct.root + name
  const { revision } = await direct.commit({
    compares: [{ kind: 'present', key }],
    writes: [{ kind: 'delete', key }],
  })
  return revision
}

function recorder() {
  const changes: Change[] = []
  const resets: string[] = []
  const listener: FeedListener = {
    change: change => void changes.push(change),
    reset: revision => void resets.push(revision),
  }
  const revisions = () =>
    changes.map(change => (change.kind === 'put' ? change.entry.modRevision : change.modRevision))
  return { listener, changes, resets, revisions }
}

describe('what a listener hears', () => {
  test('puts and deletes below its prefix only, in order, from the moment it subscribed', async () => {
    const seen = recorder()
    kv.subscribe(`${kv.root}apps/`, seen.listener)
    const first = await put('apps/web', kv)
    await put('apps-2/web')
    const last = await remove('apps/web')
    await expect.poll(() => seen.changes.length).toBe(2)
    expect(seen.changes).toEqual([
      {
        kind: 'put',
        entry: {
          key: `${kv.root}apps/web`,
          value: `${number - 1}`,
          createRevision: first,
          modRevision: first,
        },
      },
      { kind: 'delete', key: `${kv.root}apps/web`, modRevision: last },
    ])
  })

  test('every key of one transaction', async () => {
    const seen = recorder()
    kv.subscribe(kv.root, seen.listener)
    const keys = ['a', 'b', 'c'].map(name => kv.root + name)
    await kv.commit({
      compares: keys.map(key => ({ kind: 'absent', key })),
      writes: keys.map(key => ({ kind: 'put', key, value: 'x' })),
    })
    await expect.poll(() => seen.changes.length).toBe(3)
    expect(new Set(seen.revisions()).size).toBe(1)
  })

  test('nothing more once it has unsubscribed; the others go on', async () => {
    const [gone, stays] = [recorder(), recorder()]
    const unsubscribe = kv.subscribe(kv.root, gone.listener)
    kv.subscribe(kv.root, stays.listener)
    await put('a', kv)
    await expect.poll(() => stays.changes.length).toBe(1)
    unsubscribe()
    await put('b')
    await expect.poll(() => stays.changes.length).toBe(2)
    expect(gone.changes.length).toBe(1)
  })

  test('all of it although another listener throws', async () => {
    const seen = recorder()
    kv.subscribe(kv.root, {
      change: () => {
        throw new Error('a broken listener')
      },
    })
    kv.subscribe(kv.root, seen.listener)
    await put('a', kv)
    await put('b')
    await expect.poll(() => seen.changes.length).toBe(2)
  })

  test('a prefix outside of the root or without its / is refused', () => {
    expect(() => kv.subscribe('/elsewhere/', { change: () => undefined })).toThrow('ends in /')
    expect(() => kv.subscribe(`${kv.root}apps`, { change: () => undefined })).toThrow('ends in /')
  })

  test('200 listeners share one etcd watch', async () => {
    const seen = Array.from({ length: 200 }, recorder)
    for (const { listener } of seen) kv.subscribe(kv.root, listener)
    await put('a', kv)
    await expect.poll(() => seen.every(({ changes }) => changes.length === 1)).toBe(true)
    expect(kv.counts().watches).toBe(1)
  })
})

describe('resuming from a revision', () => {
  test.each([
    { name: 'as the first listener', others: false, writes: 2 },
    { name: 'beside a listener, from memory', others: true, writes: 2 },
    { name: 'beside a listener, further back than memory', others: true, writes: 6 },
  ])('$name: everything after it, once, and nobody else hears it again', async ({ others, writes }) => {
    const other = recorder()
    const from = await put('a')
    await kv.get('x')
    if (others) kv.subscribe(kv.root, other.listener)
    const revisions: string[] = []
    for (let n = 0; n < writes; n++) revisions.push(...(await putMany(`b-${n}`, 100)))
    if (others) await expect.poll(() => other.revisions().at(-1)).toBe(revisions.at(-1))
    const before = other.changes.length

    const seen = recorder()
    kv.subscribe(kv.root, seen.listener, { from })
    const live = await put('c', kv)
    await expect.poll(() => seen.revisions().at(-1), { timeout: 3000 }).toBe(live)
    expect(seen.revisions()).toEqual([...revisions, live])
    if (others) {
      await expect.poll(() => other.changes.length).toBe(before + 1)
      expect(other.revisions()).toEqual([...revisions, live])
    }
    expect(seen.resets).toEqual([])
  })

  test('from a revision that is compacted: reset for that one, and on from there', async () => {
    const own = await startTestEtcd()
    const store = own.kv()
    const healthy = recorder()
    store.subscribe(store.root, healthy.listener)
    const from = await put('a', store)
    const revisions: string[] = []
    for (let n = 0; n < 6; n++) revisions.push(...(await putMany(`b-${n}`, 100, store)))
    await expect.poll(() => healthy.changes.length).toBe(601)
    await compact(own, revisions.at(-1) ?? '')
    const seen = recorder()
    store.subscribe(store.root, seen.listener, { from })
    await expect.poll(() => seen.resets.length).toBe(1)
    const live = await put('c', store)
    await expect.poll(() => seen.revisions()).toEqual([live])
    await expect.poll(() => healthy.revisions().at(-1)).toBe(live)
    expect(healthy.resets).toEqual([])
    expect(newer(live, seen.resets[0] ?? '')).toBe(true)
  })
})

async function compact(on: TestEtcd, revision: string): Promise<void> {
  const client = etcdClient({ endpoints: [on.endpoint] }, () => performance.now())
  await client.etcd.kv.compact({ revision, physical: true })
  client.etcd.close()
}

describe('through trouble', () => {
  test('2,000 puts while the connection is cut 30 times: each once, in order', async () => {
    const seen = recorder()
    await kv.get('x')
    kv.subscribe(kv.root, seen.listener)
    const revisions: string[] = []
    const writers = Array.from({ length: 20 }, async (_, writer) => {
      for (let n = 0; n < 100; n++) {
        const key = `${direct.root}${writer}/${n}`
        const { revision } = await direct.commit({
          compares: [{ kind: 'absent', key }],
          writes: [{ kind: 'put', key, value: 'x' }],
        })
        revisions.push(revision)
      }
    })
    let cuts = 0
    let heard = 0
    // Cuts whenever something new has come through, so that each cut is in the middle of it.
    const cutting = expect.poll(
      () => {
        if (seen.changes.length > heard && cuts < 30) {
          heard = seen.changes.length
          cuts++
          proxy.cut()
        }
        return cuts === 30 || revisions.length === 2000
      },
      { interval: 5, timeout: 20_000 },
    )
    await Promise.all([...writers, cutting.toBe(true)])
    for (; cuts < 30; cuts++) {
      proxy.cut()
      revisions.push(await put(`late-${cuts}`))
      const last = revisions.at(-1)
      await expect.poll(() => seen.revisions().at(-1), { interval: 5, timeout: 3000 }).toBe(last)
    }
    revisions.sort((a, b) => (newer(a, b) ? 1 : -1))
    await expect.poll(() => seen.changes.length, { timeout: 5000 }).toBe(revisions.length)
    expect(seen.revisions()).toEqual(revisions)
    expect(seen.resets).toEqual([])

    // More than etcd sends at once: one that begins at the beginning gets the same.
    const late = recorder()
    const from = String(BigInt(revisions[0] ?? '') - 1n)
    kv.subscribe(kv.root, late.listener, { from })
    await expect.poll(() => late.changes.length, { timeout: 5000 }).toBe(revisions.length)
    expect(late.revisions()).toEqual(revisions)
  }, 30_000)

  test('compacted while disconnected: reset, and on from there', async () => {
    const own = await startTestEtcd()
    const between = await startProxy(own.port)
    const store = own.kv({ endpoints: [`http://127.0.0.1:${between.port}`] })
    const writer = own.kv({ root: store.root })
    const seen = recorder()
    await store.get('x')
    store.subscribe(store.root, seen.listener)
    await put('a', writer)
    await expect.poll(() => seen.changes.length).toBe(1)
    between.down()
    await put('b', writer)
    const missed = await put('b', writer)
    const last = await put('b', writer)
    await compact(own, last)
    between.resume()
    await expect.poll(() => seen.resets.length).toBe(1)
    expect(newer(missed, seen.resets[0] ?? '')).toBe(false)
    const live = await put('c', writer)
    await expect.poll(() => seen.revisions().at(-1)).toBe(live)
    expect(seen.changes.length).toBe(2)
    await between.close()
  })

  test('etcd killed and started again: goes on without a gap', async () => {
    const own = await startTestEtcd()
    const store = own.kv()
    const seen = recorder()
    store.subscribe(store.root, seen.listener)
    const first = await put('a', store)
    await own.stop()
    await own.start()
    const second = await put('b', own.kv({ root: store.root }))
    await expect.poll(() => seen.revisions(), { timeout: 5000 }).toEqual([first, second])
    expect(seen.resets).toEqual([])
  })

  test('etcd gone and back with other data: reset', async () => {
    const own = await startTestEtcd()
    const store = own.kv()
    const seen = recorder()
    store.subscribe(store.root, seen.listener)
    for (let n = 0; n < 5; n++) await put('a', store)
    await expect.poll(() => seen.changes.length).toBe(5)
    await own.stop()
    own.wipe()
    await own.start()
    await expect.poll(() => seen.resets.length, { timeout: 5000 }).toBe(1)
    const live = await put('b', own.kv({ root: store.root }))
    await expect.poll(() => seen.revisions().at(-1)).toBe(live)
  })

  test.each([
    { name: 'no answer at all', expected: false },
    { name: 'a written change does not arrive', expected: true },
  ])('a connection that died silently is noticed ($name) and replaced', async ({ expected }) => {
    const client = etcdClient({ endpoints: [`http://127.0.0.1:${proxy.port}`] }, () => performance.now())
    const warnings: string[] = []
    const log = { info: () => undefined, warn: (_: object, text: string) => void warnings.push(text) }
    const feed = etcdFeed(client, { root: kv.root, log, checkMs: 100 })
    const seen = recorder()
    feed.subscribe(kv.root, seen.listener)
    await feed.begun()
    await put('a')
    await expect.poll(() => seen.changes.length).toBe(1)
    proxy.freeze()
    const missed = await put('b')
    if (expected) feed.expect(missed)
    await expect.poll(() => seen.revisions().at(-1), { timeout: 3000 }).toBe(missed)
    expect(seen.changes.length).toBe(2)
    feed.close()
    client.etcd.close()
  })

  test('nothing listens yet when it begins: starts when etcd does', async () => {
    proxy.down()
    const hasty = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`], callTimeoutMs: 300 })
    const seen = recorder()
    hasty.subscribe(hasty.root, seen.listener)
    await expect(hasty.get('x')).rejects.toMatchObject({ kind: 'unavailable' })
    proxy.resume()
    await expect.poll(() => put('a', hasty).catch(() => null), { timeout: 3000 }).not.toBeNull()
    await expect.poll(() => seen.changes.length).toBe(1)
  })
})
