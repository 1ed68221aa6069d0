// Seals the audit: one elected replica hashes new entries, in the order of their creation, into the chain of each
// environment. It hears of them by the feed, so idle costs nothing; what was written before its term it finds in etcd.
// A seal is written by compare-and-swap on its number and the leader key: two sealers for a moment make one chain.
import { backoff, type Clock } from '../clock.ts'
import { type Seal, sealSchema } from '../coordination.ts'
import type { Check } from '../core.ts'
import type { Keys } from '../keys.ts'
import { type Change, type Entry, type Kv, newer, OutcomeUnknown, type Revision } from '../kv.ts'
import { createLeader, type Term } from '../leader.ts'
import { decode, put, type Stored, UnreadableRecord } from '../records.ts'
import type { Replica } from '../replica.ts'
import { type Backlog, createBacklog, type Waiting } from './backlog.ts'
import { sealerChecks } from './checks.ts'
import { retain } from './retention.ts'
import { type Leaf, leafHash, nextSeal } from './seal.ts'

export const sealerRole = 'sealer'

/** Milliseconds; tests give shorter ones. */
const usual = {
  /** A new entry waits so long at most: what comes meanwhile shares its seal. */
  every: 10_000,
  /** Between two seals of a long backlog: whoever deploys goes first. */
  pause: 25,
  /** What is beyond its time is looked for so often. */
  retention: 24 * 3_600_000,
}
const pageKeys = 500

export type SealerDeps = {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list' | 'commit' | 'subscribe'>
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  /** Entries are kept so long. */
  readonly keepMs: number
  readonly environments: readonly string[]
  readonly log: (message: string, error: unknown) => void
  readonly times?: Partial<typeof usual>
  /** Entries of one environment that are kept in mind at most. */
  readonly mostWaiting?: number
}

export type Sealer = {
  start(): void
  stop(): Promise<void>
  /** For metrics; zeros while another replica is elected. */
  state(): {
    readonly elected: boolean
    readonly unsealed: number
    /** Since the start of this replica. */
    readonly seals: number
    readonly entries: number
    /** When it made its last one; null: none yet. */
    readonly sealedAt: number | null
  }
  /** For doctor, on every replica. */
  checks(): Promise<readonly Check[]>
}

type Place = {
  readonly backlog: Backlog
  head: Stored<Seal> | null
  /** The last seal is of a newer schema: this environment is left to newer replicas. */
  unreadable: boolean
}

export function createSealer(deps: SealerDeps): Sealer {
  const { kv, keys, clock } = deps
  const times = { ...usual, ...deps.times }
  const counts = { seals: 0, entries: 0, sealedAt: null as number | null }
  let places = new Map<string, Place>()
  const leader = createLeader({ ...deps, role: sealerRole, lead })

  async function lead(term: Term): Promise<void> {
    places = new Map()
    const round = { survey: true, retainedAt: null as number | null, wake: new AbortController() }
    const end = () => round.wake.abort()
    term.ended.addEventListener('abort', end, { once: true })
    const unsubscribe = kv.subscribe(keys.audits, {
      change: change => {
        if (heard(change)) round.wake.abort()
      },
      reset: () => {
        round.survey = true
        round.wake.abort()
      },
    })
    try {
      for (let failures = 0; !term.ended.aborted; ) {
        try {
          await work(term, round)
          failures = 0
        } catch (error) {
          if (term.ended.aborted) return
          round.survey = true
          deps.log('the audit could not be sealed; trying again', error)
          await clock.sleep(backoff(failures++, { base: 500, most: 10_000, random: deps.random }), term.ended)
        }
        if (!round.survey) await rest(term, round)
      }
    } finally {
      unsubscribe()
      term.ended.removeEventListener('abort', end)
      places = new Map()
    }
  }

  type Round = { survey: boolean; retainedAt: number | null; wake: AbortController }

  async function work(term: Term, round: Round): Promise<void> {
    if (round.survey) {
      round.survey = false
      await surveyed(term)
    }
    await sealAll(term, round)
    round.survey ||= [...places.values()].some(({ backlog }) => backlog.cut && backlog.size === 0)
    if (round.retainedAt !== null && clock.now() - round.retainedAt < times.retention) return
    round.retainedAt = clock.now()
    for (const environment of places.keys()) await retained(environment, term)
  }

  /** One environment whose seals cannot be read is no reason to keep what is too old of the others. */
  async function retained(environment: string, term: Term): Promise<void> {
    try {
      await retain(deps, environment, term)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log(`what is too old in the audit of ${environment} is kept`, error)
    }
  }

  /** Until there is something to seal, and then so long that more of it shares the seal. */
  async function rest(term: Term, round: Round): Promise<void> {
    round.wake = new AbortController()
    if (unsealed() === 0 && !term.ended.aborted) await clock.sleep(times.retention, round.wake.signal)
    if (!round.survey) await clock.sleep(times.every, term.ended)
  }

  const unsealed = (): number => [...places.values()].reduce((sum, { backlog }) => sum + backlog.size, 0)

  function placeOf(environment: string): Place {
    const known = places.get(environment)
    if (known) return known
    const place = { backlog: createBacklog(deps.mostWaiting), head: null, unreadable: false }
    places.set(environment, place)
    return place
  }

  /** `<env>/<id>` of a key. */
  function partsOf(key: string): { environment: string; id: string } | null {
    const path = key.slice(keys.audits.length)
    const slash = path.indexOf('/')
    return slash < 1 ? null : { environment: path.slice(0, slash), id: path.slice(slash + 1) }
  }

  /** A new entry, as it is at this moment: what becomes of it before it is sealed is found out by its leaf. */
  function heard(change: Change): boolean {
    if (change.kind !== 'put' || change.entry.createRevision !== change.entry.modRevision) return false
    const parts = partsOf(change.entry.key)
    if (!parts) return false
    const { createRevision } = change.entry
    const { backlog, head } = placeOf(parts.environment)
    // The feed may lag behind what was found in etcd and sealed.
    if (head && !newer(createRevision, head.value.to)) return false
    backlog.add({ id: parts.id, createRevision, leaf: leafHash(change.entry) })
    return true
  }

  /**
   * Finds what no seal holds. Revisions are one order: every entry up to the revision of the first page is in these
   * pages, and every later one comes by the feed, so nothing is missing below anything that is sealed.
   */
  async function surveyed(term: Term): Promise<void> {
    for (const [environment, place] of places) {
      if (place.backlog.cut) place.backlog.clear()
      await findHead(environment, place)
    }
    const seen = new Set(places.keys())
    let until: Revision | null = null
    for (let after: string | undefined; !term.ended.aborted; ) {
      const page = await kv.list(keys.audits, {
        limit: pageKeys,
        keysOnly: true,
        ...(after === undefined ? {} : { after }),
      })
      until ??= page.revision
      for (const entry of page.entries) await found(entry, until, seen)
      after = page.entries.at(-1)?.key
      if (page.entries.length < pageKeys) return
    }
  }

  async function found({ key, createRevision }: Entry, until: Revision, seen: Set<string>): Promise<void> {
    const parts = partsOf(key)
    if (!parts || newer(createRevision, until)) return
    const place = placeOf(parts.environment)
    if (!seen.has(parts.environment)) {
      seen.add(parts.environment)
      await findHead(parts.environment, place)
    }
    if (place.head && !newer(createRevision, place.head.value.to)) return
    place.backlog.add({ id: parts.id, createRevision, leaf: null })
  }

  async function findHead(environment: string, place: Place): Promise<void> {
    const { entries } = await kv.list(keys.sealsIn(environment), { limit: 1, reverse: true })
    try {
      place.head = entries[0] ? decode(sealSchema, entries[0]) : null
      place.unreadable = false
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      place.unreadable = true
      deps.log('the audit of an environment is not sealed by this replica', error)
    }
    if (place.head) place.backlog.sealedTo(place.head.value.to)
  }

  async function sealAll(term: Term, round: Pick<Round, 'survey'>): Promise<void> {
    let first = true
    for (const [environment, place] of places) {
      for (const page of await pagesOf(environment, place)) {
        if (!first) await clock.sleep(times.pause, term.ended)
        first = false
        // After a gap in the feed something may be missing below what came since.
        if (!term.held() || round.survey) return
        if (!(await sealPage(term, { environment, place, page }))) break
      }
    }
  }

  async function pagesOf(environment: string, place: Place): Promise<readonly (readonly Waiting[])[]> {
    // Heard of for the first time: somebody may have sealed there before.
    if (place.head === null && place.backlog.size > 0) await findHead(environment, place)
    return place.unreadable ? [] : place.backlog.pages()
  }

  /** False: another one sealed there; what is left is looked at again. */
  async function sealPage(
    term: Term,
    { environment, place, page }: { environment: string; place: Place; page: readonly Waiting[] },
  ): Promise<boolean> {
    const leaves = await leavesOf(environment, page)
    place.backlog.remove(
      page.filter(one => !leaves.some(([id, at]) => id === one.id && at === one.createRevision)),
    )
    if (leaves.length === 0) return true
    const { head } = place
    const seal = nextSeal(environment, head?.value ?? null, { leaves, now: clock.now() })
    const key = keys.seal(environment, seal.n)
    const before = head
      ? [{ kind: 'created' as const, key: head.key, createRevision: head.createRevision }]
      : []
    const commit = {
      compares: [{ kind: 'absent' as const, key }, ...before, term.fence],
      writes: [put(key, seal)],
    }
    const result = await kv.commit(commit).catch(error => {
      // Asked again with the very same commit, it says whether it happened.
      if (error instanceof OutcomeUnknown && term.held()) return kv.commit(commit)
      throw error
    })
    if (!result.committed) {
      await findHead(environment, place)
      if ((place.head?.value.n ?? 0) < (head?.value.n ?? 0))
        deps.log('the last seal of the audit is gone: somebody removed it', { key: head?.key })
      return false
    }
    place.head = { key, value: seal, createRevision: result.revision, modRevision: result.revision }
    place.backlog.remove(page)
    counts.seals++
    counts.entries += leaves.length
    counts.sealedAt = clock.now()
    return true
  }

  async function leavesOf(environment: string, page: readonly Waiting[]): Promise<Leaf[]> {
    const unread = page.filter(one => one.leaf === null).map(({ id }) => keys.audit(environment, id))
    const found = new Map<string, Entry>()
    for (let at = 0; at < unread.length; at += 100)
      for (const entry of (await kv.getMany(unread.slice(at, at + 100))).values()) found.set(entry.key, entry)
    return page.flatMap(({ id, createRevision, leaf }): Leaf[] => {
      const there = found.get(keys.audit(environment, id))
      const hash = leaf ?? (there?.createRevision === createRevision ? leafHash(there) : null)
      if (hash !== null) return [[id, createRevision, hash]]
      deps.log('an entry of the audit was deleted before it was sealed', { key: keys.audit(environment, id) })
      return []
    })
  }

  return {
    start: leader.start,
    stop: leader.stop,
    state: () => ({ elected: leader.elected(), unsealed: unsealed(), ...counts }),
    checks: () => sealerChecks(deps),
  }
}
