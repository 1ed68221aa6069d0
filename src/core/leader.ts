// Election: one replica holds a role by `leaders/<role>` under its lease, the others wait for the key to go. Being
// elected is never trusted alone: what the leader writes compares the key as this replica created it (`fence`), and
// what it does outside of etcd asks `held` just before.
import { backoff, type Clock } from './clock.ts'
import { leaderSchema } from './coordination.ts'
import type { Keys } from './keys.ts'
import { type Change, type Compare, type Kv, type Lease, newer, type Write } from './kv.ts'
import { put, remove } from './records.ts'
import type { Replica } from './replica.ts'

/** From one election to the loss of it. */
export type Term = {
  /** A compare for each write of the leader. */
  readonly fence: Compare
  /** Aborts when another one may be elected, or this one resigns. */
  readonly ended: AbortSignal
  /** Whether it surely still holds now. */
  held(): boolean
}

export type Leader = {
  start(): void
  /** Ends the term, waits for `lead` to come back, and lets another replica be elected at once. */
  stop(): Promise<void>
  elected(): boolean
}

/** Looks again this often although the feed tells of the key's end. */
const lookAgainMs = 5_000
/** An effect begins only with this much of the lease left. */
const marginMs = 500

export function createLeader(deps: {
  readonly role: string
  readonly kv: Pick<Kv, 'get' | 'commit' | 'subscribe'>
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  /** Does the leader's work until the term ends. */
  readonly lead: (term: Term) => Promise<void>
  readonly log: (message: string, error: unknown) => void
}): Leader {
  const { kv, clock } = deps
  const key = deps.keys.leader(deps.role)
  const stopping = new AbortController()
  let loop: Promise<void> = Promise.resolve()
  let term: Term | null = null
  /** Wakes who waits when the key changes. */
  let changed = new AbortController()
  /** What the feed tells of the key while we hold it. */
  let watch: (change: Change) => void = () => undefined

  const take = (change: Change): void => {
    if ((change.kind === 'put' ? change.entry.key : change.key) !== key) return
    changed.abort()
    watch(change)
  }

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const lease = deps.replica.lease()
      if (!lease) {
        await clock.sleep(200, stopping.signal)
        continue
      }
      try {
        const createRevision = await campaign(lease)
        failures = 0
        if (createRevision !== null) await serve(lease, createRevision)
        else await clock.sleep(lookAgainMs, AbortSignal.any([stopping.signal, changed.signal]))
      } catch (error) {
        if (stopping.signal.aborted) return
        deps.log(`the election of the ${deps.role} failed; trying again`, error)
        const ms = backoff(failures++, { base: 200, most: 5_000, random: deps.random })
        await clock.sleep(ms, stopping.signal)
      }
    }
  }

  /** The create revision of our key, null while another one holds it. */
  async function campaign(lease: Lease): Promise<string | null> {
    changed = new AbortController()
    const mine: Write = put(key, { schema: 1, replica: deps.replica.name, at: clock.now() }, lease.id)
    const result = await kv.commit({ compares: [{ kind: 'absent', key }], writes: [mine] })
    if (result.committed) return result.revision
    // Our own, from an attempt whose outcome was not known: it lives with the lease of that attempt.
    const entry = result.seen.get(key)
    const parsed = entry && leaderSchema.safeParse(JSON.parse(entry.value))
    if (entry && parsed?.success && parsed.data.replica === deps.replica.name)
      await release(entry.createRevision)
    return null
  }

  async function serve(lease: Lease, createRevision: string): Promise<void> {
    const ended = new AbortController()
    const end = () => ended.abort()
    // Only what came after our own put: the end of the one before may be told late.
    watch = change => {
      if (change.kind === 'put' && newer(change.entry.createRevision, createRevision)) end()
      if (change.kind === 'delete' && newer(change.modRevision, createRevision)) end()
    }
    lease.lost.addEventListener('abort', end, { once: true })
    stopping.signal.addEventListener('abort', end, { once: true })
    if (lease.lost.aborted || stopping.signal.aborted) end()
    const mine: Term = {
      fence: { kind: 'created', key, createRevision },
      ended: ended.signal,
      held: () => !ended.signal.aborted && lease.remaining() > marginMs,
    }
    term = mine
    try {
      await deps.lead(mine)
    } finally {
      end()
      term = null
      watch = () => undefined
      lease.lost.removeEventListener('abort', end)
      stopping.signal.removeEventListener('abort', end)
      // Whoever waits is elected at once. If etcd is down, the key goes with the lease.
      await release(createRevision).catch(error => deps.log(`the ${deps.role} could not resign`, error))
    }
  }

  async function release(createRevision: string): Promise<void> {
    await kv.commit({ compares: [{ kind: 'created', key, createRevision }], writes: [remove(key)] })
  }

  return {
    elected: () => term?.held() ?? false,
    start() {
      const unsubscribe = kv.subscribe(`${deps.keys.root}leaders/`, {
        change: take,
        reset: () => changed.abort(),
      })
      loop = run().finally(unsubscribe)
    },
    async stop() {
      stopping.abort()
      await loop
    },
  }
}
