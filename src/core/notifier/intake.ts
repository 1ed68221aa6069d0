// Reads what is to be told: every deploy and build of outbox/ with its records, then the feed from that revision on. A
// change that comes while one is being read is kept for it: neither the reading nor the change alone has the latest.
import { backoff } from '../clock.ts'
import { type Change, type Entry, newer, type Revision } from '../kv.ts'
import type { Term } from '../leader.ts'
import { messagesSchema } from '../messages.ts'
import { isNotice } from '../notices.ts'
import type { NotifierDeps, Times } from '../notifier.ts'
import { decode, remove, UnreadableRecord, unchanged } from '../records.ts'
import { buildKeys, buildOf, buildSubject } from './build-subject.ts'
import { deployKeys, deploySubject } from './deploy-subject.ts'
import { type Item, mainSlot, memoryOf, newItem } from './item.ts'
import { noticeKeys, noticeSubject } from './notice-subject.ts'
import { keepMessages } from './recording.ts'
import type { Watched } from './watched.ts'

/** Read in one transaction, with five records each. */
const batch = 20
const page = 500

const maker = (id: string) =>
  isNotice(id) ? noticeSubject : buildOf(id) === null ? deploySubject : buildSubject

type Intake = {
  readonly deps: NotifierDeps & { readonly times: Times }
  readonly term: Term
  readonly items: Map<string, Item>
  readonly watched: Watched
  readonly kick: (item: Item) => void
  /** Aborted to read everything again. */
  readonly round: AbortController
}

/** Returns when the round ends. Throws when etcd cannot be read. */
export async function followOutbox({ deps, term, items, watched, kick, round }: Intake): Promise<void> {
  const { kv, keys, clock } = deps
  const { signal } = round
  /** What is being read, with what changed meanwhile. */
  const loading = new Map<string, Entry[]>()
  const soon = new Set<string>()
  let reading: Promise<void> | null = null

  /** Puts them onto the desk as they are now. */
  async function take(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length && !signal.aborted; at += batch) {
      const some = ids.slice(at, at + batch)
      const found = await kv.getMany(some.flatMap(id => recordsOf(id)))
      for (const id of some) await takeOne(id, found)
    }
  }

  function recordsOf(id: string): readonly string[] {
    const build = buildOf(id)
    const own = isNotice(id)
      ? noticeKeys(keys, id)
      : build === null
        ? deployKeys(keys, id)
        : buildKeys(keys, build)
    return [keys.message(id), ...own]
  }

  async function takeOne(id: string, found: ReadonlyMap<string, Entry>): Promise<void> {
    try {
      const entry = found.get(keys.message(id))
      const messages = entry ? decode(messagesSchema, entry) : null
      const subject = messages && maker(id)({ drawing: deps, keys, messages: messages.value, found })
      if (!messages || !subject) return await forget(id)
      const item = newItem(id, { subject, messages, takenAt: clock.now() })
      memoryOf(item, mainSlot).updatedAt = clock.now() - deps.times.betweenUpdates
      for (const early of loading.get(id) ?? []) learn(item, early)
      if (signal.aborted) return
      items.set(id, item)
      kick(item)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      watched.drop(id)
      deps.log(`the messages of ${id} are left alone`, error)
    } finally {
      loading.delete(id)
    }
  }

  /** Its records were pruned: there is nothing to tell any more. */
  async function forget(id: string): Promise<void> {
    watched.drop(id)
    const key = keys.outboxEntry(id)
    const entry = await kv.get(key)
    if (!entry) return
    await kv.commit({ compares: [term.fence, unchanged(key, entry)], writes: [remove(key)] })
  }

  /** From now on its changes are kept for it. */
  function expect(id: string): void {
    loading.set(id, loading.get(id) ?? [])
    watched.add(id, recordsOf(id))
  }

  function takeSoon(id: string): void {
    if (loading.has(id)) return
    expect(id)
    soon.add(id)
    reading ??= takeAll()
  }

  /** Those that come while some are being read are read together. */
  async function takeAll(): Promise<void> {
    for (let failures = 0; soon.size > 0 && !signal.aborted; ) {
      const ids = [...soon].slice(0, batch)
      for (const id of ids) soon.delete(id)
      try {
        await take(ids)
        failures = 0
      } catch (error) {
        deps.log(`the messages of ${ids.join(', ')} could not be read; trying again`, error)
        await clock.sleep(backoff(failures++, { base: 200, most: 5_000, random: deps.random }), signal)
        for (const id of ids.filter(one => !items.has(one))) {
          expect(id)
          soon.add(id)
        }
      }
    }
    // At once: whoever comes next begins anew.
    reading = null
  }

  function changed(change: Change): void {
    if (change.kind === 'put') put(change.entry)
    else gone(change.key, change.modRevision)
  }

  function put(entry: Entry): void {
    if (entry.key.startsWith(keys.outbox)) listed(entry)
    for (const id of watched.of(entry.key)) {
      loading.get(id)?.push(entry)
      const item = items.get(id)
      // Changes of one transaction come one by one: they are looked at together.
      if (item && safely(item, entry)) queueMicrotask(() => kick(item))
    }
  }

  function listed({ key, modRevision }: Entry): void {
    const id = key.slice(keys.outbox.length)
    const item = items.get(id)
    if (!item) takeSoon(id)
    // Its own first entry is as old as its record.
    if (!item || !newer(modRevision, item.messages.createRevision)) return
    item.listed = modRevision
    if (item.messages.value.main?.state !== 'refused') return
    // Somebody says that the channel may take it now.
    memoryOf(item, mainSlot).retry = true
    kick(item)
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
    if (!item || !newer(revision, item.listed ?? item.messages.createRevision)) return
    item.gone = true
    items.delete(item.id)
    watched.drop(item.id)
  }

  /** Takes a record over if it is newer; whether there is something new to tell. */
  function learn(item: Item, entry: Entry): boolean {
    if (entry.key === keys.message(item.id)) keepMessages(item, decode(messagesSchema, entry))
    if (item.other && entry.key === keys.message(item.other.id)) {
      const messages = decode(messagesSchema, entry)
      const known = item.other.messages
      if (known && !newer(messages.modRevision, known.modRevision)) return false
      item.other.messages = messages
      return item.messages.value.main === null
    }
    return item.subject.learn(entry)
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
  for (const id of ids) expect(id)
  const listener = { change: changed, reset: () => round.abort() }
  const unsubscribe = kv.subscribe(keys.root, listener, { from: revision })
  try {
    await take(ids)
    if (!signal.aborted)
      await new Promise<void>(done => signal.addEventListener('abort', () => done(), { once: true }))
  } finally {
    unsubscribe()
    round.abort()
    await reading
  }
}
