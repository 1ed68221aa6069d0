// One etcd watch for the whole store, fanned out in process. Each listener has a cursor, so a new stream can
// begin anywhere (after a cut, or further back for a listener that resumes) and nobody sees a change twice.
// etcd3's own watcher moves its position before the changes have arrived, and stalls: watch-stream.ts is ours.
import { setTimeout as sleep } from 'node:timers/promises'
import type { IEvent, IWatchResponse } from 'etcd3'
import type { Change, FeedListener, Kv, Revision } from '../../core/kv.ts'
import { backoff, type Client, type Log } from './client.ts'
import { toEntry } from './reads.ts'
import { watchStream } from './watch-stream.ts'

type Subscriber = {
  readonly prefix: string
  readonly listener: FeedListener
  /** The last revision it is done with; null until the first watch says what "now" is. */
  cursor: bigint | null
}

export type Feed = {
  readonly subscribe: Kv['subscribe']
  /** A change of this revision exists: when it does not arrive soon, the watch is dead and is made anew. */
  expect(revision: Revision): void
  close(): void
}

export function etcdFeed(client: Client, options: { root: string; log: Log; checkMs?: number }): Feed {
  const { root, log, checkMs = 5000 } = options
  const subscribers = new Set<Subscriber>()
  const closed = new AbortController()
  let running = false
  /** Everything up to here was handed out. */
  let position: bigint | null = null
  let expected = 0n
  /** Ends the stream of now; the next begins at the oldest cursor. */
  let stream = new AbortController()

  const subscribe: Kv['subscribe'] = (prefix, listener, { from } = {}) => {
    if (!prefix.startsWith(root) || !prefix.endsWith('/'))
      throw new Error(`subscribe to ${prefix}: a prefix below ${root} that ends in /`)
    const heard = client.newest() > 0n ? client.newest() : null
    // "Now" is what this store knows of: nothing that it writes after this call is missed.
    const subscriber: Subscriber = { prefix, listener, cursor: from ? BigInt(from) : (position ?? heard) }
    subscribers.add(subscriber)
    if (!running) {
      running = true
      void run()
    } else if (position !== null && subscriber.cursor !== null && subscriber.cursor < position) {
      stream.abort()
    }
    return () => void subscribers.delete(subscriber)
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
        if (position !== before) failures = 0
        if (failures++ > 0) log.warn({ err: error, failures }, 'the etcd watch broke; trying again')
        await sleep(backoff(failures, 1000), undefined, { signal: closed.signal }).catch(() => undefined)
      }
    }
  }

  /** One stream from the oldest cursor on; returns when it was ended on purpose, throws when it broke. */
  async function follow(): Promise<void> {
    const start = oldest()
    client.counts.watches++
    await watchStream(client, {
      root,
      ...(start !== null && { start: String(start + 1n) }),
      signal: AbortSignal.any([stream.signal, closed.signal]),
      checkMs,
      // Missing for a whole check although it exists: dead, whatever the connection says.
      isStalled: stalledSince(),
      take: response => take(response, start),
    })
  }

  function take(response: IWatchResponse, start: bigint | null): Promise<void> | void {
    const header = BigInt(response.header.revision)
    if (response.canceled) {
      const compacted = BigInt(response.compact_revision)
      log.warn(
        { compacted: String(compacted), reason: response.cancel_reason },
        'the etcd watch was cancelled',
      )
      return startOver(
        compacted > 0n ? subscriber => (subscriber.cursor ?? compacted) + 1n < compacted : () => true,
      )
    }
    if (response.created) {
      if (start === null) moveTo(header)
      // A member that lags, or an etcd that was restored from a backup: then the revisions we know are void.
      else if (header < start) return checkRestored(start)
      return undefined
    }
    if (response.events.length > 0) deliver(response.events)
    // A progress notification: no change up to here is still on its way.
    else if (response.watch_id !== '-1') moveTo(header)
    return undefined
  }

  function deliver(events: readonly IEvent[]): void {
    for (const sameRevision of byRevision(events)) {
      const revision = BigInt(sameRevision[0]?.kv.mod_revision ?? 0)
      const behind = [...subscribers].filter(({ cursor }) => cursor === null || cursor < revision)
      for (const change of sameRevision.map(toChange))
        for (const subscriber of behind) tell(subscriber, change)
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

  async function checkRestored(start: bigint): Promise<void> {
    const now = await currentRevision()
    if (now < start) await startOver(() => true)
  }

  /** Those who missed changes read again from a revision of now; the next stream begins there for them. */
  async function startOver(missed: (subscriber: Subscriber) => boolean): Promise<void> {
    const now = await currentRevision()
    if (position !== null && now < position) expected = 0n
    position = now
    for (const subscriber of [...subscribers].filter(missed)) {
      subscriber.cursor = now
      safely(subscriber, () => subscriber.listener.reset?.(String(now)))
    }
    stream.abort()
  }

  async function currentRevision(): Promise<bigint> {
    const key = Buffer.from(root)
    const { header } = await client.call('ranges', attempt =>
      client.etcd.kv.range({ key, count_only: true }, attempt.options),
    )
    return BigInt(header.revision)
  }

  /** A listener that throws must not take the others with it. */
  function safely(subscriber: Subscriber, work: () => unknown): void {
    const failed = (err: unknown) =>
      log.warn({ err, prefix: subscriber.prefix }, 'a listener of the feed failed')
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

  function stalledSince(): () => boolean {
    let last = 0n
    return () => {
      const stalled = last > (position ?? last)
      last = expected
      return stalled
    }
  }

  return {
    subscribe,
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
