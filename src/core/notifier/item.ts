// One deploy or build on the notifier's desk: what it tells of (subject.ts), its messages as recorded, and what is known
// of them beyond the record while this replica is elected. Pure helpers; posting.ts and the three lanes act on it.
import type { Revision } from '../kv.ts'
import type { Messages, Post } from '../messages.ts'
import type { Stored } from '../records.ts'
import { type Drawn, drawnEntry, type Entry, type Subject } from './subject.ts'

export const laneNames = ['main', 'thread', 'direct'] as const
export type LaneName = (typeof laneNames)[number]

/** When a lane looks again: now, at a time unless something changes before, not before a time, or when kicked. */
export type Next = 'again' | { readonly at: number } | { readonly notBefore: number } | null

export type Lane = { busy: boolean; again: boolean; due: number | null; notBefore: number }

/** What is known of one message beyond its record. */
export type Memory = {
  /** Recorded as `posting`, and surely not sent. */
  unsent: boolean
  /** Since when it is unclear, by this replica's clock. */
  unclearSince: number | null
  /** Failures in a row. */
  tries: number
  updatedAt: number
  /** Hash of what it shows, times included. */
  live: string | null
  /** Posted twice perhaps, and it cannot be looked up: never a third time. */
  stuck: boolean
  /** Refused, and to be tried again at once. */
  retry: boolean
  /** As it was when it was drawn last; the one message only. */
  phase: string | null
  /** Since when it is to be posted, where it waits for another one. */
  wantedSince: number | null
  /** Posted, or found, in this term: nobody else edits it. */
  ours: boolean
  /** Edited for the last time while an edit of the notifier before might still arrive after it. */
  unsure: boolean
  /** A direct message that shows that nothing is asked of the person any more. */
  decided: boolean
}

export type Item = {
  /** Of its messages: a deploy's own id, or `<build id>.<channel>`. */
  readonly id: string
  readonly subject: Subject
  messages: Stored<Messages>
  /** The messages whose thread it joins, once it was looked for; `wanted`: its record names them. */
  other: { readonly id: string; readonly wanted: boolean; messages: Stored<Messages> | null } | null
  /** In the channel by itself: it joins nobody, or those others did not come. */
  alone: boolean
  readonly lanes: Readonly<Record<LaneName, Lane>>
  readonly memory: Map<string, Memory>
  /** Writes of its record, one after the other. */
  writing: Promise<unknown>
  approvers: { readonly at: number; readonly users: readonly string[] } | null
  /** The user whom it is told to before any channel, once that was asked; null: nobody. */
  user: string | null | undefined
  /** When it came onto the desk. */
  readonly takenAt: number
  /** When it was put into the outbox again, while it was on the desk. */
  listed: Revision | null
  /** Off the desk. */
  gone: boolean
}

/** Which message: `name` is also what marks it in the workspace. */
export type Slot = { readonly name: string; readonly part: LaneName; readonly key: string }
export const mainSlot: Slot = { name: 'main', part: 'main', key: '' }
export const threadSlot = (key: string): Slot => ({ name: `thread/${key}`, part: 'thread', key })
export const directSlot = (key: string): Slot => ({ name: `direct/${key}`, part: 'direct', key })

const reminderEnd = '/reminder'
export const reminderKey = (user: string): string => `${user}${reminderEnd}`
export const isReminder = (key: string): boolean => key.endsWith(reminderEnd)

export function postOf(messages: Messages, slot: Slot): Post | null {
  if (slot.part === 'main') return messages.main
  return messages[slot.part][slot.key] ?? null
}

export function withPost(messages: Messages, slot: Slot, post: Post): Messages {
  if (slot.part === 'main') return { ...messages, main: post }
  return { ...messages, [slot.part]: { ...messages[slot.part], [slot.key]: post } }
}

export function memoryOf(item: Item, slot: Slot): Memory {
  const known = item.memory.get(slot.name)
  if (known) return known
  const fresh: Memory = {
    unsent: false,
    unclearSince: null,
    tries: 0,
    updatedAt: 0,
    live: null,
    stuck: false,
    retry: false,
    phase: null,
    wantedSince: null,
    ours: false,
    unsure: false,
    decided: false,
  }
  item.memory.set(slot.name, fresh)
  return fresh
}

export const newItem = (id: string, facts: Pick<Item, 'subject' | 'messages' | 'takenAt'>): Item => {
  const lane = (): Lane => ({ busy: false, again: false, due: null, notBefore: 0 })
  return {
    ...facts,
    id,
    other: null,
    alone: false,
    lanes: { main: lane(), thread: lane(), direct: lane() },
    memory: new Map(),
    writing: Promise.resolve(),
    approvers: null,
    user: undefined,
    listed: null,
    gone: false,
  }
}

/** A message that is a reply is drawn as one. */
export const drawMain = (item: Item, { main }: Messages, now: number): Drawn =>
  item.subject.main(now, main?.root !== undefined)

/** What it shows, without the passing of time. */
export const shownMain = (item: Item, { main }: Messages): string =>
  item.subject.shown(main?.root !== undefined)

export const drawDirect = (item: Item, key: string, now: number): Drawn | null =>
  item.subject.direct(now, { reminder: isReminder(key) })

/** In order: a person, then channels as asked for, then as configured now. */
export const channelsOf = (item: Item): readonly string[] => [
  ...new Set([
    ...(item.user ? [item.user] : []),
    ...item.messages.value.channels,
    ...item.subject.channels(),
  ]),
]

/** What the workspace does not take is given up this long after the end, or after it came back. */
const giveUpMs = 24 * 3_600_000

/** Whether all that there is to tell is told, as far as the workspace takes it. `wanted`: others wait for its thread. */
export function isTold(
  item: Item,
  messages: Messages,
  { now, wanted }: { readonly now: number; readonly wanted: boolean },
): boolean {
  const { ended, over, endedAt } = item.subject.standing()
  if (!ended) return false
  const { main } = messages
  // What is there may have more to tell long after the end: a build is deployed by a click.
  const since = main?.state === 'posted' || wanted ? item.takenAt : (endedAt ?? now)
  if (now - since > giveUpMs) return true
  if (!over || [...item.memory.values()].some(memory => memory.unsure)) return false
  const settled = (slot: Slot) => {
    const post = postOf(messages, slot)
    return post !== null && (post.state !== 'posting' || memoryOf(item, slot).stuck)
  }
  const directs = Object.entries(messages.direct).every(([key, post]) => {
    if (post.state !== 'posted') return settled(directSlot(key))
    const drawn = drawDirect(item, key, now)
    return !drawn || drawn.shown === post.shown
  })
  if (!directs) return false
  if (!main) return (!item.subject.tells() && !wanted) || hasNoPlace(item, messages)
  if (main.state === 'posted') {
    if (main.shown !== shownMain(item, messages)) return false
    return entriesOf(item, messages, main, now).every(
      entry => threadSlots(messages, entry).every(settled) && !isStale(messages, entry),
    )
  }
  if (main.state === 'gone') return main.again
  return main.state === 'posting' && memoryOf(item, mainSlot).stuck
}

const hasNoPlace = (item: Item, messages: Messages): boolean =>
  channelsOf(item).length === 0 && (messages.under === undefined || item.alone)

/** What its thread holds, or should hold by now. */
export const entriesOf = (item: Item, messages: Messages, main: Post, now: number): readonly Entry[] =>
  item.subject
    .entries({ channel: main.channel, inThread: main.root !== undefined }, now)
    .filter(({ edit, key }) => edit !== 'only' || messages.thread[key])

/** It is there, and what it says has changed since. */
export function isStale(messages: Messages, entry: Entry): boolean {
  const post = messages.thread[entry.key]
  return entry.edit !== undefined && post?.state === 'posted' && post.shown !== drawnEntry(entry).shown
}

/** An entry and then its files; files only where the entry was posted. */
export function threadSlots(
  messages: Messages,
  entry: { readonly key: string; readonly files: readonly unknown[] },
): readonly Slot[] {
  const own = threadSlot(entry.key)
  const posted = postOf(messages, own)?.state === 'posted'
  return [own, ...(posted ? entry.files.map((_, n) => threadSlot(`${entry.key}/file-${n + 1}`)) : [])]
}
