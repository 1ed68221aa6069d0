// Reads what is to be told: every deploy of outbox/ with its records, then the feed from that revision on. A change that
// comes while a deploy is being read is kept for it: neither the reading nor the change alone has the latest.
import { backoff } from '../clock.ts'
import { deploySchema, diagnosisSchema, progressSchema } from '../deploy.ts'
import { type Change, type Entry, newer, type Revision } from '../kv.ts'
import type { Term } from '../leader.ts'
import { messagesSchema, plannedSchema } from '../messages.ts'
import type { NotifierDeps, Times } from '../notifier.ts'
import { decode, remove, type Stored, UnreadableRecord, unchanged } from '../records.ts'
import { type Item, mainSlot, memoryOf, newItem } from './item.ts'
import { keepMessages } from './recording.ts'

/** Deploys read in one transaction, with five records each. */
const batch = 20
const page = 500

type Intake = {
  readonly deps: NotifierDeps & { readonly times: Times }
  readonly term: Term
  readonly items: Map<string, Item>
  readonly kick: (item: Item) => void
  /** Aborted to read everything again. */
  readonly round: AbortController
}

/** Returns when the round ends. Throws when etcd cannot be read. */
export async function followOutbox({ deps, term, items, kick, round }: Intake): Promise<void> {
  const { kv, keys, clock } = deps
  const { signal } = round
  /** Deploys that are being read, with what changed meanwhile. */
  const loading = new Map<string, Entry[]>()
  const reading = new Set<Promise<void>>()

  /** Puts deploys onto the desk as they are now. */
  async function take(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length && !signal.aborted; at += batch) {
      const some = ids.slice(at, at + batch)
      const found = await kv.getMany(some.flatMap(id => recordsOf(id)))
      for (const id of some) await takeOne(id, found)
    }
  }

  const recordsOf = (id: string): readonly string[] => [
    keys.deploy(id),
    keys.message(id),
    keys.progress(id),
    keys.diagnosis(id),
    keys.planned(id),
  ]

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
      for (const entry of loading.get(id) ?? []) learn(item, entry)
      if (signal.aborted) return
      items.set(id, item)
      kick(item)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log(`the messages of deploy ${id} are left alone`, error)
    } finally {
      loading.delete(id)
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
    loading.set(id, [])
    const work = takeSurely(id).finally(() => {
      loading.delete(id)
      reading.delete(work)
    })
    reading.add(work)
  }

  async function takeSurely(id: string): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await take([id])
      } catch (error) {
        deps.log(`deploy ${id} could not be read; trying again`, error)
        await clock.sleep(backoff(attempt, { base: 200, most: 5_000, random: deps.random }), signal)
        loading.set(id, loading.get(id) ?? [])
      }
    }
  }

  function changed(change: Change): void {
    if (change.kind === 'put') put(change.entry)
    else gone(change.key, change.modRevision)
  }

  function put(entry: Entry): void {
    const [, id = ''] = entry.key.slice(keys.root.length).split('/', 2)
    if (entry.key === keys.outboxEntry(id)) takeSoon(id)
    const early = loading.get(id)
    if (early && recordsOf(id).includes(entry.key)) early.push(entry)
    const item = items.get(id)
    // Changes of one transaction come one by one: they are looked at together.
    if (item && safely(item, entry)) queueMicrotask(() => kick(item))
  }

  function safely(item: Item, entry: Entry): boolean {
    try {
      return learn(item, entry)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log(`a change of ${entry.key} is not told`, error)
      return false
    }
  }

  function gone(key: string, revision: Revision): void {
    const item = key.startsWith(keys.outbox) ? items.get(key.slice(keys.outbox.length)) : undefined
    if (!item || !newer(revision, item.messages.createRevision)) return
    item.gone = true
    items.delete(item.id)
  }

  /** Takes a record over if it is newer; whether there is something new to tell. */
  function learn(item: Item, entry: Entry): boolean {
    const { id } = item
    switch (entry.key) {
      case keys.deploy(id):
        return later(item.deploy, decode(deploySchema, entry), stored => (item.deploy = stored))
      case keys.progress(id):
        return later(item.progress, decode(progressSchema, entry), stored => (item.progress = stored))
      case keys.diagnosis(id):
        return later(item.diagnosis, decode(diagnosisSchema, entry), stored => (item.diagnosis = stored))
      case keys.planned(id):
        return later(item.planned, decode(plannedSchema, entry), stored => (item.planned = stored))
      case keys.message(id):
        keepMessages(item, decode(messagesSchema, entry))
    }
    return false
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
  for (const id of ids) loading.set(id, [])
  const listener = { change: changed, reset: () => round.abort() }
  const unsubscribe = kv.subscribe(keys.root, listener, { from: revision })
  try {
    await take(ids)
    if (!signal.aborted)
      await new Promise<void>(done => signal.addEventListener('abort', () => done(), { once: true }))
  } finally {
    unsubscribe()
    round.abort()
    await Promise.allSettled([...reading])
  }
}

function later<T>(known: Stored<T> | null, stored: Stored<T>, keep: (stored: Stored<T>) => unknown): boolean {
  if (known && !newer(stored.modRevision, known.modRevision)) return false
  keep(stored)
  return true
}
