// What sealing the audit costs: a backlog of 10,000 entries (time, CPU, transactions), and 100 writers at once with and
// without a sealer beside them, in turns, each in a root of its own on the etcd of the rig (fsync on).

import { etcdKv } from '../src/adapters/etcd/kv.ts'
import { createSealer } from '../src/core/audit/sealer.ts'
import { auditPut } from '../src/core/audit.ts'
import { type Keys, keysBelow } from '../src/core/keys.ts'
import { OutcomeUnknown } from '../src/core/kv.ts'
import { put } from '../src/core/records.ts'
import { createReplica } from '../src/core/replica.ts'
import { UserError } from '../src/errors.ts'
import { systemClock as clock } from '../src/server.ts'
import type { Figure } from './figures.ts'
import type { Rig } from './rig.ts'

const backlog = 10_000
const writers = 100
const writesEach = 20
const rounds = 4

type Store = ReturnType<typeof etcdKv>

export async function auditCost({ etcd }: Pick<Rig, 'etcd'>): Promise<Figure[]> {
  const plain: number[] = []
  const beside: number[] = []
  for (let round = 0; round < rounds; round++) {
    plain.push(...(await writing(etcd, `/bench-audit/plain-${round}/`, false)))
    beside.push(...(await writing(etcd, `/bench-audit/sealed-${round}/`, true)))
  }
  const cost = await sealing(etcd)
  return [
    {
      what: `seal ${backlog} entries`,
      unit: 'ms',
      values: [cost.ms],
      baseline: null,
      aim: null,
      detail: {
        'CPU ms of the process': cost.cpu,
        'CPU µs an entry': (cost.cpu * 1000) / backlog,
        'transactions that wrote': cost.seals,
        'requests in all': cost.requests,
        'bytes of an entry': cost.entryBytes,
        'bytes of its part of a seal': cost.sealBytes,
      },
    },
    {
      what: `a transaction with its entry, ${writers} writers, a sealer beside them`,
      unit: 'ms',
      values: beside,
      baseline: { what: 'the same without a sealer', values: plain },
      aim: { kind: 'times', limit: 1.2, at: 'p99' },
    },
  ]
}

async function withStore<T>(
  etcd: string,
  root: string,
  work: (kv: Store, keys: Keys) => Promise<T>,
): Promise<T> {
  const kv = etcdKv({ endpoints: [etcd], root })
  try {
    return await work(kv, keysBelow(root))
  } finally {
    await kv.close()
  }
}

const entry = (keys: Keys, n: number) =>
  auditPut(keys, Date.now(), {
    by: { id: 'slack:U012AB3CD', name: 'ana', via: 'slack', person: 'ana' },
    action: 'request_deploy',
    outcome: 'requested',
    app: 'web',
    environment: 'production',
    deploy: '01j8zq4t9v8y5m3n2p1r0s7xwe',
    detail: `1.4.${n} by build shop/web #${n} of ana`,
  })

async function electedSealer(kv: Store, keys: Keys, every: number) {
  const replica = createReplica({
    name: 'bench',
    kv,
    ttlSeconds: 60,
    clock,
    random: Math.random,
    renewed: () => undefined,
    failed: () => undefined,
  })
  await replica.start()
  const sealer = createSealer({
    kv,
    keys,
    clock,
    random: Math.random,
    replica,
    keepMs: 400 * 86_400_000,
    environments: ['production'],
    log: () => undefined,
    times: { every },
  })
  sealer.start()
  return {
    sealer,
    stop: async () => {
      await sealer.stop()
      await replica.stop()
    },
  }
}

/** Milliseconds of each transaction. A sealer seals each second, ten times as often as usual: it has no less to do. */
const writing = (etcd: string, root: string, sealed: boolean): Promise<number[]> =>
  withStore(etcd, root, async (kv, keys) => {
    const elected = sealed ? await electedSealer(kv, keys, 1_000) : null
    const times: number[] = []
    // Connecting is no part of it, and a replica has its feed in any case.
    await kv.get(keys.lockAll)
    kv.subscribe(keys.root, { change: () => undefined })
    await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let n = 0; n < writesEach; n++) {
          const key = keys.deploy(`${writer}x${n}`)
          const began = performance.now()
          const writes = [put(key, { schema: 1, text: 'x'.repeat(1_500) }), entry(keys, n)]
          // On a busy disk one may take longer than gkube waits: that long it took.
          await kv.commit({ compares: [{ kind: 'absent', key }], writes }).catch(error => {
            if (!(error instanceof OutcomeUnknown || error instanceof UserError)) throw error
          })
          times.push(performance.now() - began)
        }
      }),
    )
    await elected?.stop()
    return times
  })

/** From the election on, with everything waiting. */
const sealing = (etcd: string) =>
  withStore(etcd, '/bench-audit/backlog/', async (kv, keys) => {
    for (let at = 0; at < backlog; at += 100) {
      const writes = Array.from({ length: 100 }, (_, n) => entry(keys, at + n))
      await kv.commit({ compares: [{ kind: 'absent', key: writes[0]?.key ?? '' }], writes })
    }
    const before = kv.counts()
    const cpu = process.cpuUsage()
    const began = performance.now()
    const { sealer, stop } = await electedSealer(kv, keys, 1_000)
    while (sealer.state().entries < backlog) await clock.sleep(10)
    const ms = performance.now() - began
    const { user, system } = process.cpuUsage(cpu)
    const after = kv.counts()
    const { seals } = sealer.state()
    await stop()
    const [one, seal] = await Promise.all(
      [keys.auditIn('production'), keys.sealsIn('production')].map(async prefix => {
        const { entries } = await kv.list(prefix, { limit: 1 })
        return (entries[0]?.key.length ?? 0) + (entries[0]?.value.length ?? 0)
      }),
    )
    return {
      ms,
      cpu: (user + system) / 1000,
      seals,
      requests: after.ranges + after.transactions - before.ranges - before.transactions,
      entryBytes: one ?? 0,
      sealBytes: (seal ?? 0) / 100,
    }
  })
