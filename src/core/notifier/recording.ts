// Writes the records of messages: one write after the other, each compares what was read and that this replica
// is still elected, and the one that records that all is told takes it out of the outbox.
import { backoff } from '../clock.ts'
import { newer, type Write } from '../kv.ts'
import type { Term } from '../leader.ts'
import { holds, LostRace } from '../ledger.ts'
import { type Messages, messagesSchema } from '../messages.ts'
import type { NotifierDeps } from '../notifier.ts'
import { decode, put, remove, type Stored, unchanged } from '../records.ts'
import { Fenced } from '../replica.ts'
import { type Item, isTold } from './item.ts'
import type { Desk } from './posting.ts'

export function recorder(options: {
  readonly deps: NotifierDeps
  readonly term: Term
  readonly wanted: Desk['wanted']
  /** It is off the desk. */
  readonly told: (item: Item) => void
}): Desk['record'] {
  const { deps, term } = options
  const { kv, keys, clock } = deps

  async function write(item: Item, change: (messages: Messages) => Messages): Promise<void> {
    const before = item.messages
    const value = change(before.value)
    const told = mayLeave(item, value === before.value) && safelyTold(item, value)
    // Nothing to write: it is off the desk already, or not all is told yet.
    if (value === before.value && (item.gone || !told)) return
    const commit = {
      compares: [term.fence, unchanged(before.key, before), ...(told ? item.subject.unchanged() : [])],
      writes: told ? lastWrites(item, value) : [put(before.key, value)],
    }
    const result = await persist(() => kv.commit(commit))
    if (result.committed) {
      keepMessages(item, { ...before, value, modRevision: result.revision })
      if (!told || (item.listed && newer(item.listed, result.revision))) return
      item.gone = true
      options.told(item)
      return
    }
    if (!holds(term.fence, result.seen.get(term.fence.key))) throw new Fenced('another notifier was elected')
    const seen = result.seen.get(before.key)
    if (seen) keepMessages(item, decode(messagesSchema, seen))
    throw new LostRace([before.key])
  }

  /** What is told for good leaves the outbox, and some of it leaves altogether. */
  function lastWrites(item: Item, value: Messages): Write[] {
    const gone = item.subject.leaves()
    const { key } = item.messages
    const listed = remove(keys.outboxEntry(item.id))
    return gone.length > 0 ? [remove(key), listed, ...gone.map(remove)] : [put(key, value), listed]
  }

  /** What may go on after its end leaves by a write of its own: what was posted is recorded in any case. */
  const mayLeave = (item: Item, nothingElse: boolean) => nothingElse || item.subject.unchanged().length === 0

  /** What was posted is recorded even where another part of it cannot be drawn. */
  function safelyTold(item: Item, value: Messages): boolean {
    try {
      return isTold(item, value, { now: clock.now(), wanted: options.wanted(item.id) })
    } catch (error) {
      deps.log(`what there is to tell of ${item.subject.what} cannot be drawn`, error)
      return false
    }
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

  return (item, change) => {
    const job = item.writing.then(() => write(item, change))
    // The next write waits for this one, however it ends; whoever asked for it hears of the failure.
    item.writing = job.catch(() => undefined)
    return job
  }
}

/** Keeps the newer one of two readings. */
export function keepMessages(item: Item, stored: Stored<Messages>): void {
  if (newer(stored.modRevision, item.messages.modRevision)) item.messages = stored
}
