// One term of the notifier: takes every deploy of outbox/ onto its desk, follows the feed, and lets each part of each
// deploy's messages take its next step. A gap in the feed means reading it all again. Nothing here is kept: a restart
// reads outbox/ and goes on from the records.
import { backoff } from '../clock.ts'
import { type Deploy, deploySchema, diagnosisSchema, progressSchema } from '../deploy.ts'
import { type Change, type Entry, newer, type Revision } from '../kv.ts'
import type { Term } from '../leader.ts'
import { holds, LostRace } from '../ledger.ts'
import { type Messages, messagesSchema, plannedSchema } from '../messages.ts'
import type { NotifierDeps, Times } from '../notifier.ts'
import { decode, put, remove, type Stored, UnreadableRecord, unchanged } from '../records.ts'
import { Fenced } from '../replica.ts'
import {
  type Item,
  isTold,
  type LaneName,
  laneNames,
  mainSlot,
  memoryOf,
  type Next,
  newItem,
} from './item.ts'
import { steps } from './lanes.ts'
import type { Desk } from './posting.ts'

/** Deploys read in one transaction, with five records each. */
const batch = 20
const page = 500
/** What a deploy waits for may change without a change of the deploy itself. */
const waitingMs = 5_000

/** Deploys on the desk of this replica, while it is elected; what is shown of them to others. */
export type Open = {
  readonly items: Map<string, Item>
  kick(item: Item): void
}

/** Works until the term ends; what has been begun is waited for. */
export async function serveTerm(
  deps: NotifierDeps & { readonly times: Times },
  term: Term,
  shared: Pick<Desk, 'rooms' | 'sent'> & { open: Open | null },
): Promise<void> {
  for (let failures = 0; !term.ended.aborted; ) {
    const round = new AbortController()
    const end = () => round.abort()
    term.ended.addEventListener('abort', end, { once: true })
    if (term.ended.aborted) end()
    try {
      await serveRound(deps, term, {
        ...shared,
        signal: round.signal,
        again: end,
        opened: open => (shared.open = open),
      })
      failures = 0
    } catch (error) {
      deps.log('the messages to tell could not be read; trying again', error)
      await deps.clock.sleep(backoff(failures++, { base: 200, most: 5_000, random: deps.random }), term.ended)
    } finally {
      end()
      shared.open = null
      term.ended.removeEventListener('abort', end)
    }
  }
}

type Round = Pick<Desk, 'rooms' | 'sent' | 'signal'> & {
  /** Ends the round: everything is read again. */
  readonly again: () => void
  readonly opened: (open: Open) => void
}

async function serveRound(
  deps: NotifierDeps & { readonly times: Times },
  term: Term,
  round: Round,
): Promise<void> {
  const { kv, keys, clock } = deps
  const { signal } = round
  const items = new Map<string, Item>()
  const running = new Set<Promise<void>>()
  const loading = new Set<string>()
  let earliest = Number.POSITIVE_INFINITY
  let alarm = new AbortController()

  const desk: Desk = {
    deps,
    times: deps.times,
    term,
    signal,
    rooms: round.rooms,
    sent: round.sent,
    open: () => items.size,
    record,
  }

  /** One after the other for each deploy: its lanes write the same record. */
  function record(item: Item, change: (messages: Messages) => Messages): Promise<void> {
    const job = item.writing.then(() => write(item, change))
    item.writing = job.catch(() => undefined)
    return job
  }

  async function write(item: Item, change: (messages: Messages) => Messages): Promise<void> {
    const before = item.messages
    const value = change(before.value)
    const told = isTold(deps, item, value, clock.now())
    const commit = {
      compares: [term.fence, unchanged(before.key, before)],
      writes: [put(before.key, value), ...(told ? [remove(keys.outboxEntry(item.id))] : [])],
    }
    const result = await persist(() => kv.commit(commit))
    if (result.committed) {
      keepMessages(item, { ...before, value, modRevision: result.revision })
      if (told) drop(item)
      return
    }
    if (!holds(term.fence, result.seen.get(term.fence.key))) throw new Fenced('another notifier was elected')
    const seen = result.seen.get(before.key)
    if (seen) keepMessages(item, decode(messagesSchema, seen))
    throw new LostRace([before.key])
  }

  /** etcd may not answer for a while; the same commit is given again, so it is applied once. */
  async function persist<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (term.ended.aborted) throw error
        if (attempt % 10 === 0) deps.log('etcd does not take the record of a message; trying again', error)
        await clock.sleep(backoff(attempt, { base: 100, most: 3_000, random: deps.random }), term.ended)
      }
    }
  }

  function keepMessages(item: Item, stored: Stored<Messages>): void {
    if (newer(stored.modRevision, item.messages.modRevision)) item.messages = stored
  }

  function drop(item: Item): void {
    item.gone = true
    items.delete(item.id)
  }

  function kick(item: Item): void {
    for (const name of laneNames) run(item, name)
  }

  function run(item: Item, name: LaneName): void {
    const lane = item.lanes[name]
    if (signal.aborted || item.gone) return
    if (lane.busy) {
      lane.again = true
      return
    }
    if (clock.now() < lane.notBefore) {
      arm(lane.notBefore, lane)
      return
    }
    lane.busy = true
    const work = laneLoop(item, name).finally(() => {
      lane.busy = false
      running.delete(work)
      if (lane.again) run(item, name)
    })
    running.add(work)
  }

  async function laneLoop(item: Item, name: LaneName): Promise<void> {
    const lane = item.lanes[name]
    for (;;) {
      if (signal.aborted || item.gone) return
      lane.again = false
      lane.due = null
      const next = await steps[name](desk, item).catch(error => failed(item, error))
      if (next === 'again') {
        // Another part may have waited for this one.
        for (const other of laneNames) if (other !== name) run(item, other)
        continue
      }
      if (next && 'notBefore' in next) {
        lane.notBefore = next.notBefore
        return arm(next.notBefore, lane)
      }
      if (lane.again) continue
      await finish(item)
      return settle(item, lane, next)
    }
  }

  function settle(
    item: Item,
    lane: Item['lanes'][LaneName],
    next: Exclude<Next, 'again' | { notBefore: number }>,
  ) {
    const waits = item.deploy.value.phase === 'ready' && lane === item.lanes.main
    const at = Math.min(
      next?.at ?? Number.POSITIVE_INFINITY,
      waits ? clock.now() + waitingMs : Number.POSITIVE_INFINITY,
    )
    if (Number.isFinite(at)) arm(at, lane)
  }

  /** All is told without a further message: only the outbox does not know yet. */
  async function finish(item: Item): Promise<void> {
    const told = isTold(deps, item, item.messages.value, clock.now())
    if (told && !item.gone) await record(item, messages => messages).catch(error => void failed(item, error))
  }

  function failed(item: Item, error: unknown): Next {
    if (signal.aborted || error instanceof Fenced) return null
    const memory = memoryOf(item, mainSlot)
    if (!(error instanceof LostRace)) deps.log(`the messages of deploy ${item.id} are tried again`, error)
    memory.tries++
    const most = { base: deps.times.retry, most: 30_000, random: deps.random }
    return { notBefore: clock.now() + backoff(Math.min(memory.tries, 8), most) }
  }

  function arm(at: number, lane: Item['lanes'][LaneName]): void {
    lane.due = at
    if (at >= earliest) return
    earliest = at
    alarm.abort()
  }

  async function tick(): Promise<void> {
    while (!signal.aborted) {
      const ms = Math.min(60_000, Math.max(0, earliest - clock.now()))
      await clock.sleep(ms, AbortSignal.any([signal, alarm.signal]))
      alarm = new AbortController()
      earliest = Number.POSITIVE_INFINITY
      const now = clock.now()
      for (const item of items.values())
        for (const name of laneNames) {
          const lane = item.lanes[name]
          if (lane.due === null) continue
          // Not arm(): that would end the sleep which is about to begin, for ever.
          if (lane.due > now) earliest = Math.min(earliest, lane.due)
          else {
            lane.due = null
            run(item, name)
          }
        }
    }
  }

  function entriesOf(id: string): readonly string[] {
    return [keys.deploy(id), keys.message(id), keys.progress(id), keys.diagnosis(id), keys.planned(id)]
  }

  /** Puts deploys onto the desk as they are now. */
  async function take(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length && !signal.aborted; at += batch) {
      const some = ids.slice(at, at + batch)
      const found = await kv.getMany(some.flatMap(entriesOf))
      for (const id of some) await takeOne(id, found)
    }
  }

  async function takeOne(id: string, found: ReadonlyMap<string, Entry>): Promise<void> {
    const part = <T>(schema: Parameters<typeof decode<T>>[0], key: string): Stored<T> | null => {
      const entry = found.get(key)
      return entry ? decode(schema, entry) : null
    }
    try {
      const deploy = part(deploySchema, keys.deploy(id))
      const messages = part(messagesSchema, keys.message(id))
      if (!deploy || !messages) return await forget(id)
      const item = newItem({
        deploy,
        messages,
        progress: part(progressSchema, keys.progress(id)),
        diagnosis: part(diagnosisSchema, keys.diagnosis(id)),
        planned: part(plannedSchema, keys.planned(id)),
      })
      memoryOf(item, mainSlot).updatedAt = clock.now() - deps.times.betweenUpdates
      if (items.has(id) || signal.aborted) return
      items.set(id, item)
      kick(item)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log(`the messages of deploy ${id} are left alone`, error)
    }
  }

  /** Its records were pruned: there is nothing to tell any more. */
  async function forget(id: string): Promise<void> {
    const key = keys.outboxEntry(id)
    const entry = await kv.get(key)
    if (!entry) return
    await kv.commit({ compares: [term.fence, unchanged(key, entry)], writes: [remove(key)] })
  }

  function takeSoon(id: string): void {
    if (items.has(id) || loading.has(id)) return
    loading.add(id)
    const work = takeSurely(id).finally(() => {
      loading.delete(id)
      running.delete(work)
    })
    running.add(work)
  }

  async function takeSurely(id: string): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await take([id])
      } catch (error) {
        deps.log(`deploy ${id} could not be read; trying again`, error)
        await clock.sleep(backoff(attempt, { base: 200, most: 5_000, random: deps.random }), signal)
      }
    }
  }

  function changed(change: Change): void {
    const key = change.kind === 'put' ? change.entry.key : change.key
    if (!key.startsWith(keys.root)) return
    const [family, id = ''] = key.slice(keys.root.length).split('/', 2)
    if (family === 'outbox') {
      if (change.kind === 'put') takeSoon(id)
      else gone(id, change.modRevision)
      return
    }
    const item = change.kind === 'put' ? items.get(id) : undefined
    if (!item || change.kind !== 'put') return
    try {
      if (!learn(item, family ?? '', change.entry)) return
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log(`a change of ${key} is not told`, error)
      return
    }
    // Changes of one transaction come one by one: they are looked at together.
    queueMicrotask(() => kick(item))
  }

  function gone(id: string, revision: Revision): void {
    const item = items.get(id)
    if (item && newer(revision, item.messages.createRevision)) drop(item)
  }

  function learn(item: Item, family: string, entry: Entry): boolean {
    switch (family) {
      case 'deploys':
        return later(item.deploy, decode<Deploy>(deploySchema, entry), stored => (item.deploy = stored))
      case 'messages':
        keepMessages(item, decode(messagesSchema, entry))
        return false
      case 'progress':
        return later(item.progress, decode(progressSchema, entry), stored => (item.progress = stored))
      case 'diagnosis':
        return later(item.diagnosis, decode(diagnosisSchema, entry), stored => (item.diagnosis = stored))
      case 'planned':
        return later(item.planned, decode(plannedSchema, entry), stored => (item.planned = stored))
      default:
        return false
    }
  }

  async function readOutbox(): Promise<{ ids: string[]; revision: Revision }> {
    const ids: string[] = []
    let revision: Revision | null = null
    let after: string | undefined
    for (;;) {
      const found = await kv.list(keys.outbox, { keysOnly: true, limit: page, ...(after ? { after } : {}) })
      revision ??= found.revision
      ids.push(...found.entries.map(entry => entry.key.slice(keys.outbox.length)))
      after = found.entries.at(-1)?.key
      if (found.entries.length < page || after === undefined) return { ids, revision }
    }
  }

  const { ids, revision } = await readOutbox()
  const ticking = tick()
  round.opened({ items, kick })
  const unsubscribe = kv.subscribe(keys.root, { change: changed, reset: round.again }, { from: revision })
  try {
    await take(ids)
    await ticking
  } finally {
    round.again()
    unsubscribe()
    // What was sent is recorded before another one may be elected.
    while (running.size > 0) await Promise.allSettled([...running])
    await ticking
  }
}

function later<T>(known: Stored<T> | null, stored: Stored<T>, keep: (stored: Stored<T>) => unknown): boolean {
  if (known && !newer(stored.modRevision, known.modRevision)) return false
  keep(stored)
  return true
}
