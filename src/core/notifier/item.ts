// One deploy on the notifier's desk: its facts as last read, its messages as recorded, and what is known of them beyond
// the record while this replica is elected. Pure helpers; posting.ts and the three lanes act on it.
import type { Deploy, Diagnosis, Phase, Progress } from '../deploy.ts'
import { isTerminal } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { sha256 } from '../hash.ts'
import type { MessageFacts, Messages, Planned, Post, Rendered, Renderer, ThreadEntry } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import type { Stored } from '../records.ts'

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
  phase: Phase | null
  /** Since when an entry of the thread is to be posted. */
  wantedSince: number | null
  /** A direct message that shows that nothing is asked of the person any more. */
  decided: boolean
}

export type Item = {
  readonly id: string
  deploy: Stored<Deploy>
  progress: Stored<Progress> | null
  diagnosis: Stored<Diagnosis> | null
  planned: Stored<Planned> | null
  messages: Stored<Messages>
  readonly lanes: Readonly<Record<LaneName, Lane>>
  readonly memory: Map<string, Memory>
  /** Writes of its record, one after the other. */
  writing: Promise<unknown>
  approvers: { readonly at: number; readonly users: readonly string[] } | null
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
    decided: false,
  }
  item.memory.set(slot.name, fresh)
  return fresh
}

export const newItem = (
  facts: Pick<Item, 'deploy' | 'progress' | 'diagnosis' | 'planned' | 'messages'>,
): Item => {
  const lane = (): Lane => ({ busy: false, again: false, due: null, notBefore: 0 })
  return {
    ...facts,
    id: facts.deploy.value.id,
    lanes: { main: lane(), thread: lane(), direct: lane() },
    memory: new Map(),
    writing: Promise.resolve(),
    approvers: null,
    gone: false,
  }
}

/** What the renderer is told, and a rendering with its hash. */
export type Drawing = {
  readonly renderer: Renderer
  readonly environment: (name: string) => Environment | undefined
  readonly waiting: (deploy: Deploy) => string | null
}

export function factsOf(drawing: Drawing, item: Item, now: number): MessageFacts {
  const deploy = item.deploy.value
  return {
    deploy,
    environment: drawing.environment(deploy.environment) ?? null,
    progress: item.progress?.value ?? null,
    diagnosis: item.diagnosis?.value ?? null,
    planned: item.planned?.value ?? null,
    waiting: isTerminal(deploy.phase) ? null : drawing.waiting(deploy),
    // What has ended does not change any more.
    now: deploy.endedAt ?? now,
  }
}

/** As it is sent now, and hashes: `shown` leaves out the passing of time, `live` does not. */
export type Drawn = { readonly message: Rendered; readonly shown: string; readonly live: string }

export function draw(
  drawing: Drawing,
  item: Item,
  now: number,
  render: (facts: MessageFacts) => Rendered | null,
): Drawn | null {
  const message = render(factsOf(drawing, item, now))
  const still = render(factsOf(drawing, item, item.deploy.value.requestedAt))
  return message && still ? { message, shown: sha256(still), live: sha256(message) } : null
}

export const drawMain = (drawing: Drawing, item: Item, now: number): Drawn | null =>
  draw(drawing, item, now, facts => drawing.renderer.main(facts))

export const drawDirect = (drawing: Drawing, item: Item, key: string, now: number): Drawn | null =>
  draw(drawing, item, now, facts => drawing.renderer.direct(facts, { reminder: isReminder(key) }))

export function urgencyOf({ phase }: Pick<Deploy, 'phase'>): Urgency {
  if (isTerminal(phase)) return 'terminal'
  return phase === 'running' || phase === 'rolling_back' ? 'running' : 'waiting'
}

/** Channels in order: as asked for, then as configured now. */
export function channelsOf(drawing: Drawing, item: Item): readonly string[] {
  const configured = drawing.environment(item.deploy.value.environment)?.channel
  return [...new Set([...item.messages.value.channels, ...(configured ? [configured] : [])])]
}

/** What the workspace does not take is given up this long after the deploy ended. */
const giveUpMs = 24 * 3_600_000

/** Whether all that there is to tell of an ended deploy is told, as far as the workspace takes it. */
export function isTold(drawing: Drawing, item: Item, messages: Messages, now: number): boolean {
  const { phase, endedAt } = item.deploy.value
  if (!isTerminal(phase)) return false
  if (now - (endedAt ?? now) > giveUpMs) return true
  const { main } = messages
  const settled = (slot: Slot) => {
    const post = postOf(messages, slot)
    return post !== null && (post.state !== 'posting' || memoryOf(item, slot).stuck)
  }
  const directs = Object.entries(messages.direct).every(([key, post]) => {
    if (post.state !== 'posted') return settled(directSlot(key))
    const drawn = drawDirect(drawing, item, key, now)
    return !drawn || drawn.shown === post.shown
  })
  if (!directs) return false
  if (!main) return channelsOf(drawing, item).length === 0
  if (main.state === 'posted') {
    if (main.shown !== drawMain(drawing, item, now)?.shown) return false
    return entriesOf(drawing, item, main, now).every(entry => threadSlots(messages, entry).every(settled))
  }
  if (main.state === 'gone') return main.again
  return main.state === 'posting' && memoryOf(item, mainSlot).stuck
}

/** `room`: a channel where it is said by itself; null: in the thread. */
export type Entry = ThreadEntry & { readonly room: string | null }

/** What the thread holds; what is loud is said in the environment's channel too, where the message is elsewhere. */
export function entriesOf(
  drawing: Drawing,
  item: Item,
  main: Pick<Post, 'channel'>,
  now: number,
): readonly Entry[] {
  const facts = factsOf(drawing, item, now)
  const channel = facts.environment?.channel
  return drawing.renderer.thread(facts).flatMap(entry => {
    const own: Entry = { ...entry, room: null }
    if (!entry.loud || !channel || channel === main.channel) return [own]
    return [own, { ...own, key: `${entry.key}-channel`, broadcast: false, files: [], room: channel }]
  })
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
