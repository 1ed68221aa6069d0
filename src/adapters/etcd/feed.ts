// One etcd watch for the whole store, fanned out in process. Each listener has a cursor, so a new stream can
// begin anywhere (after a cut, or further back for a listener that resumes) and nobody sees a change twice.
// etcd3's own watcher moves its position before the changes have arrived, and stalls: watch-stream.ts is ours.
import { setTimeout as sleep } from 'node:timers/promises'
import type { IEvent, IResponseHeader, IWatchResponse } from 'etcd3'
import type { Change, FeedListener, Kv, Revision } from '../../core/kv.ts'
import { backoff, type Client, type Log } from './client.ts'
import { toEntry } from './reads.ts'
import { recentChanges } from './recent.ts'
import { watchStream } from './watch-stream.ts'

type Subscriber = {
  readonly prefix: string
  readonly listener: FeedListener
  /** The last revision it is done with; null until etcd said what "now" is. */
  cursor: bigint | null
}

type Feed = {
  readonly subscribe: Kv['subscribe']
  /** Settles when the feed knows where it begins: what is written before that could be missed. */
  begun(): Promise<void>
  /** A change of this revision exists: when it does not arrive soon, the watch is dead and is made anew. */
  expect(revision: Revision): void
  close(): void
}

export function etcdFeed(client: Client, options: { root: string; log: Log; checkMs?: number }): Feed {
  const { root, log, checkMs = 5000 } = options
  const subscribers = new Set<Subscriber>()
  const closed = new AbortController()
  const recent = recentChanges()
  let running = false
  let beginning: Promise<void> | undefined
  /** Everything up to here was handed out. */
  let position: bigint | null = null
  let expected = 0n
  let cluster: string | undefined
  /** Ends the stream of now; the next begins at the oldest cursor. */
  let stream = new AbortController()

  const subscribe: Kv['subscribe'] = (prefix, listener, { from } = {}) => {
    if (!prefix.startsWith(root) || !prefix.endsWith('/'))
      throw new Error(`subscribe to ${prefix}: a prefix below ${root} that ends in /`)
    const heard = client.newest() > 0n ? client.newest() : null
    // "Now" is what this store knows of: nothing that it writes after this call is missed.
    const cursor = from === undefined ? (position ?? heard) : BigInt(from)
    const subscriber: Subscriber = { prefix, listener, cursor }
    subscribers.add(subscriber)
    if (!running) {
      running = true
      void run()
    } else if (cursor !== null && (position === null || cursor < position)) catchUp(subscriber, cursor)
    return () => void subscribers.delete(subscriber)
  }

  function catchUp(subscriber: Subscriber, cursor: bigint): void {
    const missed = recent.since(cursor)
    if (missed) {
      subscriber.cursor = position
      // After `subscribe` has returned, and before the stream says anything more.
      queueMicrotask(() => {
        for (const change of missed) tell(subscriber, change)
      })
    } else stream.abort() // the next stream begins at its cursor
  }

  async function run(): Promise<void> {
    for (let failures = 0; !closed.signal.aborted; ) {
      stream = new AbortController()
      const before = position
      try {
        await follow()
        failures = 0
      } catch (error) {
        if (closed.signal.aborted) return
        failures = position === before ? failures + 1 : 1
        // The first one is mostly a connection that was cut; the next attempt heals it.
        if (failures > 1) log.warn({ err: error, failures }, 'the etcd watch broke; trying again')
        await sleep(backoff(failures, 1000), undefined, { signal: closed.signal }).catch(() => undefined)
      }
    }
  }

  /** One stream from the oldest cursor on; returns when it was ended on purpose, throws when it broke. */
  async function follow(): Promise<void> {
    if (oldest() === null) {
      beginning = currentRevision().then(now => {
        position = now
        for (const subscriber of subscribers) subscriber.cursor ??= now
      })
      await beginning
    }
    const start = oldest() ?? 0n
    position ??= start
    recent.beginAfter(start)
    client.counts.watches++
    await watchStream(client, {
      root,
      start: String(start + 1n),
      signal: AbortSignal.any([stream.signal, closed.signal]),
      checkMs,
      isStalled: stalledSince(),
      take: response => take(response, start),
    })
  }

  function take(response: IWatchResponse, start: bigint): Promise<void> | undefined {
    if (response.canceled) {
      const compacted = BigInt(response.compact_revision)
      log.warn({ compacted: String(compacted), reason: response.cancel_reason }, 'etcd cancelled the watch')
      // Without a compaction the reason is unknown, and so is what was missed: everybody reads again.
      return startOver(({ cursor }) => compacted === 0n || cursor === null || cursor + 1n < compacted)
    }
    if (response.created) return isAnother(response.header, start) ? checkRestored(start) : undefined
    if (response.events.length > 0) deliver(response.events)
    // A notification for this watch: no change up to here is still on its way. (-1 answers our own question;
    // before 3.4.25 it does not wait for the changes.)
    else if (response.watch_id !== '-1') moveTo(BigInt(response.header.revision))
    return undefined
  }

  function deliver(events: readonly IEvent[]): void {
    for (const sameRevision of byRevision(events)) {
      const revision = BigInt(sameRevision[0]?.kv.mod_revision ?? 0)
      const changes = sameRevision.map(toChange)
      const behind = [...subscribers].filter(({ cursor }) => cursor === null || cursor < revision)
      for (const change of changes) for (const subscriber of behind) tell(subscriber, change)
      recent.add(revision, changes)
      moveTo(revision)
    }
  }

  function tell(subscriber: Subscriber, change: Change): void {
    const key = change.kind === 'put' ? change.entry.key : change.key
    // An earlier change of this batch may have made somebody unsubscribe.
    if (subscribers.has(subscriber) && key.startsWith(subscriber.prefix))
      safely(subscriber, () => subscriber.listener.change(change))
  }

  function moveTo(revision: bigint): void {
    if (position === null || position < revision) position = revision
    for (const subscriber of subscribers)
      if (subscriber.cursor === null || subscriber.cursor < revision) subscriber.cursor = revision
  }

  /** True for another cluster, or a revision before ours: etcd was restored, or this member lags behind. */
  function isAnother(header: IResponseHeader, start: bigint): boolean {
    cluster ??= header.cluster_id
    return cluster !== header.cluster_id || BigInt(header.revision) < start
  }

  async function checkRestored(start: bigint): Promise<void> {
    const before = cluster
    const now = await currentRevision()
    if (now < start || cluster !== before) await startOver(() => true)
  }

  /** Those who missed changes read again from a revision of now; the next stream begins there for them. */
  async function startOver(missed: (subscriber: Subscriber) => boolean): Promise<void> {
    const now = await currentRevision()
    position = now
    expected = 0n
    recent.beginAfter(now, true)
    for (const subscriber of [...subscribers].filter(missed)) {
      subscriber.cursor = now
      safely(subscriber, () => subscriber.listener.reset?.(String(now)))
    }
    stream.abort()
  }

  async function currentRevision(): Promise<bigint> {
    const { header } = await client.call('ranges', attempt =>
      client.etcd.kv.range({ key: Buffer.from(root), count_only: true }, attempt.options),
    )
    cluster = header.cluster_id
    return BigInt(header.revision)
  }

  /** A listener that throws must not take the others with it. */
  function safely({ prefix }: Subscriber, work: () => unknown): void {
    const failed = (err: unknown) => log.warn({ err, prefix }, 'a listener of the feed failed')
    try {
      const result = work()
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  function oldest(): bigint | null {
    const cursors = [position, ...[...subscribers].map(({ cursor }) => cursor)].filter(
      cursor => cursor !== null,
    )
    return cursors.toSorted((a, b) => (a < b ? -1 : 1))[0] ?? null
  }

  /** Missing for a whole check although it exists: dead, whatever the connection says. */
  function stalledSince(): () => boolean {
    let last = 0n
    return () => {
      const stalled = position !== null && last > position
      last = expected
      return stalled
    }
  }

  return {
    subscribe,
    begun: async () => {
      if (running && position === null) await beginning
    },
    expect: revision => {
      if (running && BigInt(revision) > expected) expected = BigInt(revision)
    },
    close: () => {
      closed.abort()
      subscribers.clear()
    },
  }
}

/** The changes of one transaction share a revision and arrive together. */
function byRevision(events: readonly IEvent[]): IEvent[][] {
  const groups: IEvent[][] = []
  for (const event of events) {
    const last = groups.at(-1)
    if (last?.[0]?.kv.mod_revision === event.kv.mod_revision) last.push(event)
    else groups.push([event])
  }
  return groups
}

// The loader hands enum names over in capitals, whatever etcd3's type says.
function toChange({ type, kv }: IEvent): Change {
  return type.toUpperCase() === 'DELETE'
    ? { kind: 'delete', key: kv.key.toString(), modRevision: kv.mod_revision }
    : { kind: 'put', entry: toEntry(kv) }
}
