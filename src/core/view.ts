// One replica's mirror of what is live: open deploys, queue, active, slots, owners, intents, locks, freezes. Fed by
// the one etcd watch; it may lag, so nothing is decided by it alone: every commit compares. A reset reads it all again.
import { backoff, type Clock } from './clock.ts'
import {
  type Active,
  activeSchema,
  type Freeze,
  freezeSchema,
  type Intent,
  intentSchema,
  type Owner,
  ownerSchema,
} from './coordination.ts'
import { type Lock, lockSchema } from './core.ts'
import { type Deploy, deploySchema, isTerminal } from './deploy.ts'
import type { Keys } from './keys.ts'
import { type Change, type Entry, type Kv, newer, type Revision } from './kv.ts'
import { decode, type Stored, UnreadableRecord } from './records.ts'

type Live = {
  readonly deploys: Map<string, Stored<Deploy>>
  /** Queue entries by deploy id; order is `createRevision`. */
  readonly queue: Map<string, Entry>
  readonly active: Map<string, Stored<Active>>
  readonly slots: Set<string>
  readonly owners: Map<string, Stored<Owner>>
  readonly intents: Map<string, Stored<Intent>>
  readonly locks: Map<string, Stored<Lock>>
  readonly freezes: Map<string, Stored<Freeze>>
  /** Keys of these that this version cannot read: what they hold is left to a newer one. */
  readonly unreadable: Set<string>
}

/** Called after each change, with its revision; with the root after everything was read again, as of that revision or later. */
type Changed = (key: string, revision: Revision) => void

export type View = {
  readonly live: Live
  /** Reads everything, then follows the feed. */
  start(changed: Changed): Promise<void>
  /** Takes over a record this replica just wrote, so that it need not wait for the feed. */
  learn(stored: Stored<Deploy>): void
  stop(): void
}

const pageSize = 100

/** The mirror; `unreadable` hears of each record that does not parse (by key). */
export function createView(deps: {
  kv: Pick<Kv, 'list' | 'getMany' | 'subscribe'>
  keys: Keys
  clock: Clock
  random: () => number
  unreadable: (error: UnreadableRecord) => void
  /** Reading it all again failed; it is tried until it works. */
  failed: (error: unknown) => void
}): View {
  const { kv, keys } = deps
  const live: Live = {
    deploys: new Map(),
    queue: new Map(),
    active: new Map(),
    slots: new Set(),
    owners: new Map(),
    intents: new Map(),
    locks: new Map(),
    freezes: new Map(),
    unreadable: new Set(),
  }
  const seen = new Map<string, string>()
  let unsubscribe = () => {}
  let stopped = false
  const stop = new AbortController()

  const parse = <T>(work: () => Stored<T>): Stored<T> | null => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.unreadable(error)
      return null
    }
  }
  const rest = (key: string, prefix: string) => key.slice(prefix.length)

  function keep(entry: Entry): void {
    const { key } = entry
    const known = seen.get(key)
    if (known && !newer(entry.modRevision, known)) return
    seen.set(key, entry.modRevision)
    if (key.startsWith(keys.deploys))
      keepDeploy(
        entry,
        parse(() => decode(deploySchema, entry)),
      )
    else if (key.startsWith(keys.queues)) live.queue.set(key.slice(key.lastIndexOf('/') + 1), entry)
    else if (key.startsWith(keys.slotsAll)) live.slots.add(key)
    else if (key.startsWith(keys.actives)) set(live.active, key, () => decode(activeSchema, entry))
    else if (key.startsWith(keys.owners))
      set(live.owners, rest(key, keys.owners), () => decode(ownerSchema, entry), key)
    else if (key.startsWith(keys.intents))
      set(live.intents, rest(key, keys.intents), () => decode(intentSchema, entry), key)
    else if (key.startsWith(keys.locks)) set(live.locks, key, () => decode(lockSchema, entry))
    else if (key.startsWith(keys.freezes)) set(live.freezes, key, () => decode(freezeSchema, entry))
    else seen.delete(key)
  }

  function keepDeploy({ key }: Pick<Entry, 'key'>, stored: Stored<Deploy> | null): void {
    // What cannot be read is not worked on: a newer gkube may have written it.
    if (!stored) return void live.deploys.delete(rest(key, keys.deploys))
    if (isTerminal(stored.value.phase)) {
      live.deploys.delete(stored.value.id)
      // Kept in `seen` only while it could come again out of order: the feed never repeats, so it can go.
      seen.delete(key)
    } else live.deploys.set(stored.value.id, stored)
  }

  function set<T>(map: Map<string, Stored<T>>, name: string, work: () => Stored<T>, key = name): void {
    const stored = parse(work)
    if (stored) map.set(name, stored)
    else map.delete(name)
    if (stored) live.unreadable.delete(key)
    else live.unreadable.add(key)
  }

  function drop(key: string): void {
    seen.delete(key)
    live.unreadable.delete(key)
    if (key.startsWith(keys.deploys)) live.deploys.delete(rest(key, keys.deploys))
    else if (key.startsWith(keys.queues)) live.queue.delete(key.slice(key.lastIndexOf('/') + 1))
    else if (key.startsWith(keys.slotsAll)) live.slots.delete(key)
    else if (key.startsWith(keys.actives)) live.active.delete(key)
    else if (key.startsWith(keys.owners)) live.owners.delete(rest(key, keys.owners))
    else if (key.startsWith(keys.intents)) live.intents.delete(rest(key, keys.intents))
    else if (key.startsWith(keys.locks)) live.locks.delete(key)
    else if (key.startsWith(keys.freezes)) live.freezes.delete(key)
  }

  async function readAll(): Promise<string> {
    const open = await kv.list(keys.open)
    const ids = open.entries.map(entry => rest(entry.key, keys.open))
    const found: Entry[] = []
    for (let at = 0; at < ids.length; at += pageSize)
      found.push(...(await kv.getMany(ids.slice(at, at + pageSize).map(keys.deploy))).values())
    const { queues, actives, slotsAll, owners, intents, locks, freezes } = keys
    for (const prefix of [queues, actives, slotsAll, owners, intents, locks, freezes])
      found.push(...(await kv.list(prefix)).entries)
    // All at once: half a mirror would show deploys without their owners, and locks as gone.
    for (const part of Object.values(live)) part.clear()
    seen.clear()
    for (const entry of found) keep(entry)
    return open.revision
  }

  async function follow(changed: Changed): Promise<void> {
    const from = await readAll()
    if (stopped) return
    const apply = (change: Change) => {
      if (change.kind === 'put') keep(change.entry)
      else drop(change.key)
      if (change.kind === 'put') changed(change.entry.key, change.entry.modRevision)
      else changed(change.key, change.modRevision)
    }
    unsubscribe = kv.subscribe(keys.root, { change: apply, reset: () => void restart(changed) }, { from })
    changed(keys.root, from)
  }

  /** etcd may not answer just now: try until it does or the view stops. */
  async function restart(changed: Changed): Promise<void> {
    unsubscribe()
    for (let attempt = 0; !stopped; attempt++) {
      try {
        return await follow(changed)
      } catch (error) {
        if (stopped) return
        deps.failed(error)
        await deps.clock.sleep(backoff(attempt, { base: 100, most: 5000, random: deps.random }), stop.signal)
      }
    }
  }

  return {
    live,
    start: restart,
    learn(stored) {
      const known = seen.get(stored.key)
      if (known && !newer(stored.modRevision, known)) return
      seen.set(stored.key, stored.modRevision)
      keepDeploy(stored, stored)
    },
    stop() {
      stopped = true
      stop.abort()
      unsubscribe()
    },
  }
}
