// What is next for the thread below the one message: entries in order, their files, and edits of those that may be
// edited. A message that is itself a reply has its entries in the same thread. posting.ts has the protocol.
import type { Post } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import {
  entriesOf,
  type Item,
  isStale,
  mainSlot,
  memoryOf,
  type Next,
  postOf,
  type Slot,
  shownMain,
  threadSlot,
  threadSlots,
} from './item.ts'
import { type Desk, postOnce, update, uploadOnce } from './posting.ts'
import { resolve } from './resolving.ts'
import { drawnEntry, type Entry } from './subject.ts'

export async function threadStep(desk: Desk, item: Item): Promise<Next> {
  const messages = item.messages.value
  const { main } = messages
  if (main?.state !== 'posted' || main.ts === null) return null
  const now = desk.deps.clock.now()
  const kept = main.shown === shownMain(item, messages)
  // The message itself says it first; the lane is kicked when it does.
  if (item.subject.standing().ended && !kept) return null
  const entries = entriesOf(item, messages, main, now)
  for (const entry of entries) {
    const slots = threadSlots(messages, entry)
    const n = slots.findIndex(slot => {
      const post = postOf(messages, slot)
      return !post || (post.state === 'posting' && !memoryOf(item, slot).stuck)
    })
    const slot = slots[n]
    if (!slot) continue
    const wanted = memoryOf(item, slot)
    wanted.wantedSince ??= now
    // It may be gone: an update since then has found it there.
    if (!kept && memoryOf(item, mainSlot).updatedAt < wanted.wantedSince) return null
    const where = entry.room
      ? { channel: entry.room, thread: null }
      : { channel: main.channel, thread: main.root ?? main.ts }
    return entryPart(desk, item, { entry, n, ...where })
  }
  const stale = entries.find(entry => isStale(messages, entry))
  return stale ? edit(desk, item, stale) : null
}

/** What it says has changed: shown in its place, soon but not at every change. */
async function edit(desk: Desk, item: Item, { key }: Entry): Promise<Next> {
  const slot = threadSlot(key)
  const due = memoryOf(item, slot).updatedAt + desk.times.betweenUpdates
  const now = desk.deps.clock.now()
  if (now < due) return { at: due }
  return update(desk, item, slot, {
    urgency: () => 'waiting',
    draw() {
      const { main } = item.messages.value
      const latest = main && entriesOf(item, item.messages.value, main, now).find(one => one.key === key)
      return latest ? drawnEntry(latest) : null
    },
  })
}

type EntryPart = {
  readonly entry: Entry
  /** 0: the entry; then its files. */
  readonly n: number
  readonly channel: string
  readonly thread: string | null
}

async function entryPart(desk: Desk, item: Item, { entry, n, channel, thread }: EntryPart): Promise<Next> {
  const file = n === 0 ? null : (entry.files[n - 1] ?? null)
  const slot = threadSlot(file ? `${entry.key}/file-${n}` : entry.key)
  const loud = (): boolean => entry.broadcast || item.subject.standing().ended
  const urgency = (): Urgency => (loud() ? 'waiting' : 'running')
  const begin = (at: { readonly channel: string; readonly again: boolean }): Promise<Next> => {
    const how = { slot, thread, urgency, ...at }
    if (file && thread !== null) return uploadOnce(desk, item, { ...how, thread }, file)
    return postOnce(desk, item, { ...how, broadcast: entry.broadcast, draw: () => drawnEntry(entry) })
  }
  const post = postOf(item.messages.value, slot)
  if (!post) return goneWithParent(desk, item, await begin({ channel, again: false }), slot)
  const next = await resolve(desk, item, { slot, thread, urgency, file: file?.name ?? null }, begin)
  return goneWithParent(desk, item, next, slot)
}

/** Slack has no such thread: the message was deleted, and comes again with what belongs to it. */
async function goneWithParent(desk: Desk, item: Item, next: Next, slot: Slot): Promise<Next> {
  const { main } = item.messages.value
  if (postOf(item.messages.value, slot)?.state !== 'gone' || !main || main.again) return next
  // Of a thread that is not there any more nothing can be a reply: no `ts` says so.
  const ts = main.root === undefined ? main.ts : null
  const gone: Post = { ...main, state: 'gone', at: desk.deps.clock.now(), ts }
  await desk.record(item, messages => {
    const { [slot.key]: _, ...thread } = messages.thread
    return { ...messages, main: gone, thread }
  })
  return 'again'
}
