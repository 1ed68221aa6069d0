// Who hears that storage fills up, and how often: once for each threshold until it fell well below; told by one replica,
// in the transaction that remembers it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frozenSpecs } from '../../../src/core/frozen.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Kv, Lease } from '../../../src/core/kv.ts'
import { put } from '../../../src/core/records.ts'
import { fullnessAfter } from '../../../src/core/volumes/fullness.ts'
import { PoolError } from '../../../src/core/volumes/pool.ts'
import type { PoolSide } from '../../../src/core/volumes/pool-side.ts'
import { createVolumeWatch } from '../../../src/core/volumes/watch.ts'
import { type Frozen, noOverrides, type Workload } from '../../../src/core/workload.ts'
import { directoryPool } from '../../../src/sandbox/glusterfs/directory-pool.ts'
import { systemClock } from '../../../src/server.ts'
import { testKv } from '../../support/etcd.ts'
import { frozenOf } from '../specs.ts'

describe('how full it was told to be', () => {
  const cases: [string, number | null, number, number | null, boolean][] = [
    ['room enough', null, 50, null, false],
    ['just below', null, 84.9, null, false],
    ['at 85', null, 85, 85, true],
    ['still there: once is enough', 85, 94, 85, false],
    ['at 95', 85, 95, 95, true],
    ['from nothing to 99', null, 99, 95, true],
    ['over its quota', 95, 130, 95, false],
    ['a little less: not told again when it comes back', 95, 81, 95, false],
    ['below 80: forgotten', 95, 79.9, null, false],
    ['full, emptied, full again', null, 88, 85, true],
  ]
  it.each(cases)('%s', (_, told, percent, after, tell) =>
    expect(fullnessAfter(told, { used: percent * 10, quota: 1000 })).toEqual({ told: after, tell }),
  )
  it.each([null, 0])('without a quota (%s) there is nothing to say', quota =>
    expect(fullnessAfter(85, { used: 5, quota })).toEqual({ told: 85, tell: false }),
  )
})

let kv: Awaited<ReturnType<typeof testKv>>
let lease: Lease
beforeAll(async () => {
  kv = await testKv()
  lease = await kv.lease(30)
})
afterAll(() => lease.revoke())

/** A record of an app with storage on the pool, and a pool that says how much is in it. */
async function watched(n: number, state: Workload['state'] = 'ready') {
  const keys = keysBelow(`${kv.root}${n}/`)
  const storage = [{ name: 'data', size: '1Ki', mount: '/srv/data' }]
  const frozen: Frozen = {
    ...frozenOf({ storage }),
    bound: { data: { pool: 'shared', kind: 'directory', volume: 'gkube-pv', request: '1Ki' } },
  }
  const workload: Workload = {
    schema: 1,
    app: 'web',
    environment: 'staging',
    state,
    cluster: 'default',
    namespace: 'shop',
    revision: '1',
    image: '',
    digest: null,
    spec: 'abc',
    good: null,
    inventory: [],
    overrides: noOverrides,
    initialisedAt: null,
    deploy: 'd1',
    deployedBy: 'ana',
    createdAt: 1,
    updatedAt: 1,
  }
  const record = keys.workload('staging', 'web')
  const write = (writes: Parameters<Kv['commit']>[0]['writes']) =>
    kv.commit({ compares: [], writes, repeatable: true })
  await write([put(keys.spec('abc'), frozen), put(record, workload)])
  const at: { used: number; fails: PoolError['code'] | null; looks: number } = {
    used: 0,
    fails: null,
    looks: 0,
  }
  const side: PoolSide = {
    pool: {
      ...directoryPool({ name: 'shared', folder: '/nowhere' }),
      usage: async () => {
        at.looks++
        if (at.fails) throw new PoolError(at.fails, 'glusterd does not answer.')
        return { used: at.used, quota: 1024 }
      },
    },
    strategy: { kind: 'hostpath', path: '/mnt' },
    volume: 'gv0',
    servers: [],
    snapshots: false,
    own: false,
  }
  const log: string[] = []
  const replica = (name: string) =>
    createVolumeWatch({
      kv,
      keys,
      clock: systemClock,
      random: Math.random,
      replica: { name, lease: () => lease },
      specs: frozenSpecs({ kv, keys }),
      pools: name => (name === 'shared' ? side : undefined),
      log: (message, error) => void log.push(`${message}: ${error}`),
      everyMs: 20,
    })
  const notices = async () =>
    (await kv.list(keys.notices)).entries.map(entry => JSON.parse(entry.value)).sort((a, b) => a.at - b.at)
  const told = async () => (await kv.list(keys.fullness)).entries.map(entry => JSON.parse(entry.value).told)
  const lookedAgain = () => {
    const since = at.looks
    return expect.poll(() => at.looks, { timeout: 10_000 }).toBeGreaterThan(since + 1)
  }
  const gone = () => write([{ kind: 'delete', key: record }])
  return { at, log, replica, notices, told, lookedAgain, gone }
}

describe('the watch', () => {
  it('tells the channel once for each threshold, by one of two replicas', async () => {
    const { at, replica, notices, told, lookedAgain } = await watched(1)
    const replicas = [replica('a'), replica('b')]
    for (const one of replicas) one.start()
    await lookedAgain()
    expect(await notices()).toEqual([])
    at.used = 900
    await expect.poll(notices, { timeout: 10_000 }).toHaveLength(1)
    await lookedAgain()
    expect(await notices()).toMatchObject([
      {
        kind: 'volume_full',
        to: null,
        environment: 'staging',
        text: 'Storage data of web in staging is 87 % full: 900 B of 1 KiB. When it is full, the app can write nothing more. Free some of it, or raise storage.size in its app.yaml (now 1Ki) and deploy: the volume grows.',
      },
    ])
    at.used = 1000
    await expect.poll(notices, { timeout: 10_000 }).toHaveLength(2)
    expect(await told()).toEqual([95])
    at.used = 100
    await expect.poll(told, { timeout: 10_000 }).toEqual([])
    expect(await notices()).toHaveLength(2)
    for (const one of replicas) await one.stop()
  })

  it('outlives a pool that does not answer, and forgets an app that went', async () => {
    const { at, log, replica, notices, told, lookedAgain, gone } = await watched(2)
    const one = replica('a')
    at.fails = 'unavailable'
    one.start()
    await lookedAgain()
    expect(log[0]).toContain(
      'how full staging/web/data is could not be seen: PoolError: glusterd does not answer.',
    )
    at.fails = null
    at.used = 1024
    await expect.poll(notices, { timeout: 10_000 }).toHaveLength(1)
    expect(await told()).toEqual([95])
    await gone()
    await expect.poll(told, { timeout: 10_000 }).toEqual([])
    await one.stop()
  })

  it.each([
    ['is quiet about what is still to be made', 3, 'creating', 'not_found', false],
    ['says when what serves has lost its volume', 4, 'ready', 'not_found', true],
    ['says when the pool of a first deploy is down', 5, 'creating', 'unavailable', true],
  ] as const)('%s', async (_name, n, state, fails, says) => {
    const { at, log, replica, lookedAgain } = await watched(n, state)
    at.fails = fails
    const one = replica('a')
    one.start()
    await lookedAgain()
    await one.stop()
    expect(log.length > 0).toBe(says)
  })
})
