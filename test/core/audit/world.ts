// What the tests of the seals stand on: a real etcd, entries as the core writes them, sealers of one or several replicas
// with short times, and the report of what was found.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { createSealer, type SealerDeps } from '../../../src/core/audit/sealer.ts'
import type { AuditReport } from '../../../src/core/audit/verbs.ts'
import { verifyEnvironment } from '../../../src/core/audit/verify.ts'
import { auditPut } from '../../../src/core/audit.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import type { Commit, Entry, Kv } from '../../../src/core/kv.ts'
import { remove } from '../../../src/core/records.ts'
import { createReplica } from '../../../src/core/replica.ts'
import { testKv } from '../../support/etcd.ts'

export const production = 'production'
const dayMs = 86_400_000

const stops: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const stop of stops.splice(0)) await stop()
})

export async function auditWorld() {
  const kv = await testKv()
  const keys: Keys = keysBelow(kv.root)
  const log: string[] = []
  let ahead = 0
  const clock: Clock = {
    now: () => Date.now() + ahead,
    sleep: async (ms, signal) => {
      if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
    },
  }
  let names = 0

  /** One replica that may be elected; `through` stands between it and etcd. */
  async function sealer(
    options: { through?: (kv: Kv) => Kv; keepMs?: number; mostWaiting?: number; dies?: boolean } = {},
  ) {
    const { through = same => same, keepMs = 400 * dayMs, mostWaiting } = options
    const own = through(kv)
    const replica = createReplica({
      name: `replica-${++names}`,
      kv: own,
      ttlSeconds: 60,
      clock,
      random: Math.random,
      renewed: () => undefined,
      failed: () => undefined,
    })
    await replica.start()
    const deps: SealerDeps = {
      kv: own,
      keys,
      clock,
      random: Math.random,
      replica,
      keepMs,
      environments: [production],
      log: (message, error) =>
        void log.push(`${message}: ${error instanceof Error ? error.message : JSON.stringify(error)}`),
      times: { every: 20, pause: 0, retention: 30_000 },
      ...(mostWaiting === undefined ? {} : { mostWaiting }),
    }
    const one = createSealer(deps)
    one.start()
    const stop = async () => {
      await one.stop()
      await replica.stop()
    }
    // Of one that dies nothing comes back any more.
    if (!options.dies) stops.push(stop)
    return { ...one, stop }
  }

  const entry = (detail: string, environment = production) =>
    auditPut(keys, clock.now(), {
      by: { id: 'slack:U0ANA', name: 'ana', via: 'slack' },
      action: 'lock',
      outcome: 'locked',
      app: 'web',
      ...(environment === '-' ? {} : { environment }),
      detail,
    })

  /** Entries, each in a transaction of its own unless `together`. */
  async function write(count: number, options: { environment?: string; together?: number } = {}) {
    const { environment, together = 1 } = options
    for (let at = 0; at < count; at += together) {
      const writes = Array.from({ length: Math.min(together, count - at) }, (_, n) =>
        entry(`entry ${at + n}`, environment),
      )
      const [first] = writes
      if (first) await kv.commit({ compares: [{ kind: 'absent', key: first.key }], writes })
    }
  }

  const entries = async (environment = production): Promise<Entry[]> =>
    (await kv.list(keys.auditIn(environment))).entries

  /** As somebody with a client of etcd would: no compare, any value. */
  const tamper = (...writes: Commit['writes']) => kv.commit({ compares: [], writes, repeatable: true })
  const drop = (key: string) => tamper(remove(key))
  const set = (key: string, value: string) => tamper({ kind: 'put', key, value })

  const verify = (head?: string, environment = production): Promise<AuditReport> =>
    verifyEnvironment({ kv, keys }, environment, { head, signal: new AbortController().signal })

  /** When all that is written is sealed. */
  async function sealed(environment = production): Promise<AuditReport> {
    for (const end = Date.now() + 15_000; ; await wait(20)) {
      const report = await verify(undefined, environment)
      if (report.tail.entries === 0 && report.seals > 0) return report
      if (Date.now() > end) throw new Error(`not sealed: ${JSON.stringify({ report, log })}`)
    }
  }

  return {
    kv,
    keys,
    log,
    sealer,
    entry,
    write,
    entries,
    drop,
    set,
    verify,
    sealed,
    later: (ms: number) => {
      ahead += ms
    },
    clock,
  }
}

export type AuditWorld = Awaited<ReturnType<typeof auditWorld>>
