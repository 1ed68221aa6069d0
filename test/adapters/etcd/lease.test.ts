// Leases against a real etcd that is stopped, cut off and continued: fenced in time, never late.
import { describe, expect, test } from 'vitest'
import { etcdClient } from '../../../src/adapters/etcd/client.ts'
import { rotatingLease } from '../../../src/adapters/etcd/lease.ts'
import type { Lease } from '../../../src/core/kv.ts'
import { startTestEtcd, type TestKv, testEtcd, testKv } from '../../support/etcd.ts'
import { startProxy } from '../../support/proxy.ts'

/** Puts a key under the lease; etcd deletes it when the lease ends. */
async function hold(kv: TestKv, lease: Lease): Promise<string> {
  const key = `${kv.root}owners/${lease.id}`
  await kv.commit({
    compares: [{ kind: 'absent', key }],
    writes: [{ kind: 'put', key, value: lease.id, lease: lease.id }],
  })
  return key
}

const aborted = (signal: AbortSignal) =>
  new Promise<number>(resolve => {
    if (signal.aborted) resolve(performance.now())
    else signal.addEventListener('abort', () => resolve(performance.now()), { once: true })
  })

// These wait most of the time: side by side.
describe.concurrent('a lease', () => {
  test.for(['cut', 'freeze'] as const)('survives when its connection dies (%s)', async (how, { expect }) => {
    const etcd = await testEtcd()
    const proxy = await startProxy(etcd.port)
    const kv = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
    const lease = await kv.lease(2)
    for (let n = 0; n < 2; n++) {
      proxy[how]()
      await expect.poll(() => lease.remaining(), { timeout: 3000 }).toBeLessThan(1400)
      await expect.poll(() => lease.remaining(), { timeout: 3000 }).toBeGreaterThan(1700)
    }
    expect(lease.lost.aborted).toBe(false)
    await kv.close()
    await proxy.close()
  })

  test('is kept alive beyond its time to live, and its keys with it', async ({ expect }) => {
    const kv = await testKv()
    const lease = await kv.lease(1)
    const key = await hold(kv, lease)
    const start = performance.now()
    await expect.poll(() => performance.now() - start, { timeout: 4000 }).toBeGreaterThan(2000)
    expect(lease.lost.aborted).toBe(false)
    expect(lease.remaining()).toBeGreaterThan(0)
    expect(lease.remaining()).toBeLessThanOrEqual(1000)
    expect(await kv.get(key)).not.toBeNull()
  })

  test('ends when it is revoked, with its keys', async () => {
    const kv = await testKv()
    const lease = await kv.lease(5)
    const key = await hold(kv, lease)
    await lease.revoke()
    expect(lease.remaining()).toBe(0)
    expect(lease.lost.aborted).toBe(true)
    expect(await kv.get(key)).toBeNull()
    await lease.revoke()
  })

  test('is lost at once when somebody else revokes it', async () => {
    const etcd = await testEtcd()
    const kv = etcd.kv()
    const lease = await kv.lease(3)
    const other = etcdClient({ endpoints: [etcd.endpoint] }, () => performance.now())
    const start = performance.now()
    await other.etcd.leaseClient.leaseRevoke({ ID: lease.id })
    other.etcd.close()
    // At the next keepalive, which is due after a third of the time to live.
    expect((await aborted(lease.lost)) - start).toBeLessThan(1500)
    expect(lease.remaining()).toBe(0)
  })

  test('ends locally when the store is closed', async () => {
    const kv = await testKv()
    const lease = await kv.lease(5)
    await kv.close()
    expect(lease.lost.aborted).toBe(true)
  })

  test('of an etcd that stops answering (SIGSTOP): fenced in time, and it stays lost when etcd goes on', async () => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv()
    const lease = await kv.lease(1)
    await hold(kv, lease)
    etcd.pause()
    const start = performance.now()
    const lostAt = await aborted(lease.lost)
    // Counted from when the last keepalive was sent: at most the time to live from now.
    expect(lostAt - start).toBeLessThan(1050)
    expect(lease.remaining()).toBeLessThanOrEqual(0)
    etcd.resume()
    const next = await kv.lease(1)
    expect(next.lost.aborted).toBe(false)
    expect(lease.remaining()).toBeLessThanOrEqual(0)
  })

  test('counts its time from when a keepalive was sent, not from its answer', async ({ expect }) => {
    const etcd = await testEtcd()
    const proxy = await startProxy(etcd.port)
    const kv = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
    const lease = await kv.lease(3)
    // Until just before a keepalive is due; its answer waits for half a second.
    await expect.poll(() => lease.remaining(), { interval: 5, timeout: 3000 }).toBeLessThan(2050)
    proxy.hang()
    await expect.poll(() => lease.remaining(), { interval: 5, timeout: 3000 }).toBeLessThan(1500)
    proxy.resume()
    await expect.poll(() => lease.remaining(), { interval: 5, timeout: 3000 }).toBeGreaterThan(1600)
    expect(lease.remaining()).toBeLessThan(2600)
    await kv.close()
    await proxy.close()
  })

  test('that cannot be kept alive is lost here before etcd gives its keys away', async ({ expect }) => {
    const etcd = await testEtcd()
    const proxy = await startProxy(etcd.port)
    const kv = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`] })
    const direct = etcd.kv({ root: kv.root })
    const lease = await kv.lease(1)
    const key = await hold(kv, lease)
    await direct.get(key)
    const left: number[] = []
    direct.subscribe(kv.root, { change: change => change.kind === 'delete' && left.push(lease.remaining()) })
    proxy.hang()
    await expect.poll(() => left.length, { timeout: 4000 }).toBe(1)
    expect(left[0]).toBeLessThanOrEqual(0)
    expect(lease.lost.aborted).toBe(true)
    await kv.close()
    await proxy.close()
  })

  test('survives a pause of etcd that is shorter than its time to live', async ({ expect }) => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv()
    const lease = await kv.lease(2)
    const key = await hold(kv, lease)
    etcd.pause()
    const start = performance.now()
    await expect.poll(() => performance.now() - start, { timeout: 2000 }).toBeGreaterThan(1000)
    etcd.resume()
    await expect.poll(() => lease.remaining(), { timeout: 2000 }).toBeGreaterThan(1300)
    expect(lease.lost.aborted).toBe(false)
    expect(await kv.get(key)).not.toBeNull()
  })

  test('that ended cannot be written under: the error says so, and nothing is written', async () => {
    const kv = await testKv()
    const lease = await kv.lease(5)
    await lease.revoke()
    await expect(hold(kv, lease)).rejects.toMatchObject({ kind: 'unavailable', details: { why: 'lease' } })
    expect((await kv.list(kv.root)).entries).toEqual([])
  })
})

describe.concurrent('the shared lease', () => {
  test('is one for all who ask, granted once, and lives between one and two times as long as asked', async () => {
    const etcd = await testEtcd()
    const kv = etcd.kv()
    const ids = await Promise.all(Array.from({ length: 20 }, () => kv.sharedLease(86_400)))
    expect(new Set(ids).size).toBe(1)
    expect(kv.counts().grants).toBe(1)
    const client = etcdClient({ endpoints: [etcd.endpoint] }, () => performance.now())
    const { TTL } = await client.etcd.leaseClient.leaseTimeToLive({ ID: ids[0] ?? '' })
    client.etcd.close()
    expect(Number(TTL)).toBeGreaterThanOrEqual(86_400)
    expect(Number(TTL)).toBeLessThanOrEqual(2 * 86_400)
  })

  test('is replaced after its rotation, not before', async () => {
    const etcd = await testEtcd()
    const client = etcdClient({ endpoints: [etcd.endpoint] }, () => performance.now())
    let now = 0
    const lease = rotatingLease(client, { ttlSeconds: 100, rotateEverySeconds: 10, clock: () => now })
    const first = await lease.current()
    now = 9_999
    expect(await lease.current()).toBe(first)
    now = 10_000
    expect(await lease.current()).not.toBe(first)
    client.etcd.close()
  })

  test('is granted anew after a failure', async () => {
    const etcd = await testEtcd()
    const proxy = await startProxy(etcd.port)
    const kv = etcd.kv({ endpoints: [`http://127.0.0.1:${proxy.port}`], callTimeoutMs: 300 })
    proxy.down()
    await expect(kv.sharedLease(60)).rejects.toMatchObject({ kind: 'unavailable' })
    proxy.resume()
    expect(await kv.sharedLease(60)).toMatch(/^\d+$/)
    await proxy.close()
  })

  test('is granted anew when etcd does not know it any more', async () => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv()
    const write = async (name: string) => {
      const lease = await kv.sharedLease(60)
      const key = `${kv.root}seen/${name}`
      return kv.commit({
        compares: [{ kind: 'absent', key }],
        writes: [{ kind: 'put', key, value: name, lease }],
      })
    }
    await write('a')
    await etcd.stop()
    etcd.wipe()
    await etcd.start()
    await expect(write('b')).rejects.toMatchObject({ details: { why: 'lease' } })
    expect(await write('b')).toMatchObject({ committed: true })
  })
})
