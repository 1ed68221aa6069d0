// etcd as the store of the core: this file is the table of contents. The contract is core/kv.ts.
// client.ts calls with deadlines and retries; errors.ts says what failed; reads.ts, commit.ts (with history.ts),
// feed.ts (with watch-stream.ts) and lease.ts each hold one part of the contract; status.ts looks at etcd itself.
import type { Kv } from '../../core/kv.ts'
import { type Counts, type EtcdConfig, etcdClient, type Log } from './client.ts'
import { etcdCommit } from './commit.ts'
import { etcdFeed } from './feed.ts'
import { etcdLease, rotatingLease } from './lease.ts'
import { etcdReads } from './reads.ts'
import { type EtcdStatus, etcdStatus } from './status.ts'

export type EtcdKv = Kv & {
  /** Version, size and alarms of the member that answers; UserError `unavailable` when none does. */
  ping(): Promise<EtcdStatus>
  /** Requests sent since the start, attempts included, and committed transactions by their first key's family. */
  counts(): Counts & { readonly committed: Readonly<Record<string, number>> }
  /** Ends the feed and the keepalives (leases run out by themselves) and closes the connections. */
  close(): Promise<void>
}

/** Connects at the first call. `now` is a monotonic clock in milliseconds. UserError for a bad configuration. */
export function etcdKv(
  config: EtcdConfig,
  { log = silent, now = () => performance.now() }: { log?: Log; now?: () => number } = {},
): EtcdKv {
  const root = config.root ?? '/gkube/v1/'
  if (!root.endsWith('/')) throw new Error(`the root prefix ${root} must end in /`)
  const client = etcdClient(config, now)
  const closed = new AbortController()
  const feed = etcdFeed(client, { root, log })
  const commit = etcdCommit(client)
  const shared = new Map<number, ReturnType<typeof rotatingLease>>()
  const committed: Record<string, number> = {}

  return {
    ...etcdReads(client),
    async commit(changes) {
      await feed.begun()
      const result = await commit(changes).catch(error => {
        if (error?.details?.why === 'lease') for (const lease of shared.values()) lease.forget()
        throw error
      })
      const first = changes.writes.find(write => write.kind === 'put' && write.key.startsWith(root))
      if (result.committed && first) {
        const family = first.key.slice(root.length).split('/', 1)[0] ?? ''
        committed[family] = (committed[family] ?? 0) + 1
        feed.expect(result.revision)
      }
      return result
    },
    subscribe: feed.subscribe,
    lease: ttlSeconds => etcdLease(client, ttlSeconds, { clock: now, log, closed: closed.signal }),
    sharedLease(ttlSeconds) {
      const lease = shared.get(ttlSeconds) ?? rotatingLease(client, { ttlSeconds, clock: now })
      shared.set(ttlSeconds, lease)
      return lease.current()
    },
    ping: () => etcdStatus(client, config),
    counts: () => ({ ...client.counts, committed: { ...committed } }),
    async close() {
      closed.abort()
      feed.close()
      client.etcd.close()
    },
  }
}

const silent: Log = { info: () => undefined, warn: () => undefined }
