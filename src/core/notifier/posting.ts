// One message, exactly once: that it will be posted is recorded when its turn has come, then it is posted, then it is
// recorded where. What may have been posted is resolving.ts. Edits can be repeated without harm.
import { backoff } from '../clock.ts'
import type { Term } from '../leader.ts'
import type { Messages, Post } from '../messages.ts'
import type { Messenger, NotifierDeps, Sent, Times, Turn, Urgency } from '../notifier.ts'
import { type Item, memoryOf, type Next, postOf, type Slot, withPost } from './item.ts'
import type { Drawn } from './subject.ts'

export type Desk = {
  readonly deps: NotifierDeps
  readonly times: Times
  readonly term: Term
  /** From then on no edit of the notifier before can arrive any more. */
  readonly settles: number
  /** Ends what waits for its turn. */
  readonly signal: AbortSignal
  /** Writes the record of an item as `change` has it; throws where another notifier was elected. */
  record(item: Item, change: (messages: Messages) => Messages): Promise<void>
  /** How many deploys and builds are on the desk. */
  open(): number
  /** Whether something waits for the thread of these messages. */
  wanted(id: string): boolean
  /** Asks for these messages to be posted, also where there is nothing to tell or all was told. */
  want(id: string): Promise<void>
  /** Finds the messages whose thread it joins, and hears of their changes from now on. */
  join(item: Item): Promise<void>
  /** Channels of direct messages by user. */
  readonly rooms: Map<string, string>
  /** What this process posted and could not record yet, by item and message: it outlives a term. */
  readonly sent: Map<string, { readonly channel: string; readonly ts: string }>
}

export type How = {
  readonly slot: Slot
  readonly channel: string
  readonly thread: string | null
  readonly broadcast: boolean
  readonly urgency: () => Urgency
  readonly again: boolean
  readonly draw: () => Drawn | null
}

/** Posts it. Recorded as `posting` until it is known what became of it. */
export async function postOnce(desk: Desk, item: Item, how: How): Promise<Next> {
  const { slot, channel } = how
  const memory = memoryOf(item, slot)
  let drawn: Drawn | null = null
  let begun = false
  const at = { channel, thread: how.thread, broadcast: how.broadcast }
  const mark = { deploy: item.id, key: slot.name }
  const sent = await desk.deps.messenger.post({ ...turn(desk, item, how), ...at, mark }, async () => {
    begun = await begin(desk, item, how)
    drawn = begun && desk.term.held() ? how.draw() : null
    if (!drawn) memory.unsent = begun
    return drawn ? drawn.message : null
  })
  return settle(desk, item, how, { sent, drawn })
}

/** Uploads a file into the thread, by the same protocol. */
export async function uploadOnce(
  desk: Desk,
  item: Item,
  how: Omit<How, 'broadcast' | 'draw' | 'thread'> & { readonly thread: string },
  file: Parameters<Messenger['upload']>[0]['file'],
): Promise<Next> {
  const { channel, thread, slot } = how
  const at = { channel, thread, file, mark: { deploy: item.id, key: slot.name } }
  const begun = () => begin(desk, item, how)
  const sent = await desk.deps.messenger.upload({ ...turn(desk, item, how), ...at }, begun)
  return settle(desk, item, how, { sent, drawn: null })
}

/** Its turn has come: from now on it may be posted. */
async function begin(
  desk: Desk,
  item: Item,
  { slot, channel, thread, again }: Pick<How, 'slot' | 'channel' | 'thread' | 'again'>,
) {
  if (!desk.term.held()) return false
  const root = slot.part === 'main' && thread !== null ? { root: thread } : {}
  const at = desk.deps.clock.now()
  const post: Post = { state: 'posting', at, channel, ts: null, shown: null, again, ...root }
  await desk.record(item, messages => withPost(messages, slot, post))
  return desk.term.held()
}

async function settle(
  desk: Desk,
  item: Item,
  { slot, channel, again }: Pick<How, 'slot' | 'channel' | 'again'>,
  { sent, drawn }: { readonly sent: Sent; readonly drawn: Drawn | null },
): Promise<Next> {
  const memory = memoryOf(item, slot)
  const now = desk.deps.clock.now()
  const write = (post: Pick<Post, 'state' | 'ts' | 'shown'>) =>
    desk.record(item, messages =>
      withPost(messages, slot, { ...postOf(messages, slot), ...post, at: now, channel, again }),
    )
  memory.unsent = sent.kind !== 'done' && sent.kind !== 'unclear' && sent.kind !== 'dropped'
  switch (sent.kind) {
    case 'done':
      await posted(desk, item, slot, { channel: sent.channel, ts: sent.ts, again, drawn })
      return 'again'
    case 'unclear':
      desk.deps.log(`it is unclear whether ${name(item, slot)} was posted: ${sent.message}`, null)
      memory.unclearSince = now
      return { notBefore: now + desk.times.unclear }
    case 'later':
      return pause(desk, item, slot, sent)
    case 'dropped':
      return desk.signal.aborted ? null : pause(desk, item, slot, { message: 'not begun', afterMs: 0 })
    case 'gone':
      await write({ state: 'gone', ts: null, shown: null })
      return 'again'
    case 'refused':
      desk.deps.log(`${channel} does not take ${name(item, slot)}: ${sent.message}`, null)
      await write({ state: 'refused', ts: null, shown: null })
      return 'again'
  }
}

/** It is there: that is recorded. */
export async function posted(
  desk: Desk,
  item: Item,
  slot: Slot,
  at: {
    readonly channel: string
    readonly ts: string
    readonly again: boolean
    readonly drawn: Drawn | null
  },
): Promise<void> {
  const memory = memoryOf(item, slot)
  const now = desk.deps.clock.now()
  const { channel, ts, again, drawn } = at
  const known = `${item.id} ${slot.name}`
  desk.sent.set(known, { channel, ts })
  const post = { state: 'posted' as const, at: now, channel, ts, shown: drawn?.shown ?? null, again }
  Object.assign(memory, {
    unsent: false,
    unclearSince: null,
    tries: 0,
    updatedAt: now,
    live: drawn?.live ?? null,
    ours: true,
  })
  await desk.record(item, messages => withPost(messages, slot, { ...postOf(messages, slot), ...post }))
  desk.sent.delete(known)
}

export const name = (item: Item, slot: Slot): string => `message ${slot.name} of ${item.subject.what}`

/** Shows what is true now in a message that is there. */
export async function update(
  desk: Desk,
  item: Item,
  slot: Slot,
  how: { readonly urgency: () => Urgency; readonly draw: () => Drawn | null },
): Promise<Next> {
  const post = postOf(item.messages.value, slot)
  if (!post?.ts) return null
  const memory = memoryOf(item, slot)
  const { channel, ts } = post
  let drawn: Drawn | null = null
  const sent = await desk.deps.messenger.update(
    { ...turn(desk, item, { slot, ...how }), channel, ts },
    async () => {
      drawn = desk.term.held() ? how.draw() : null
      return drawn ? drawn.message : null
    },
  )
  // Assigned in the callback, which the compiler does not follow.
  const shows = drawn as Drawn | null
  const now = desk.deps.clock.now()
  switch (sent.kind) {
    case 'done':
      Object.assign(memory, { tries: 0, updatedAt: now, live: shows?.live ?? null })
      // Where more is to come, that mends it.
      memory.unsure = !memory.ours && now < desk.settles && item.subject.standing().over
      if (post.shown === shows?.shown) return 'again'
      await desk.record(item, messages =>
        withPost(messages, slot, { ...post, at: now, shown: shows?.shown ?? null }),
      )
      return 'again'
    case 'unclear':
      return pause(desk, item, slot, { message: sent.message, afterMs: 0 })
    case 'later':
      return pause(desk, item, slot, sent)
    case 'dropped':
      return desk.signal.aborted ? null : pause(desk, item, slot, { message: 'not begun', afterMs: 0 })
    case 'gone':
    case 'refused': {
      desk.deps.log(`${name(item, slot)} cannot be updated: ${sent.message}`, null)
      memory.unsure = false
      await desk.record(item, messages => withPost(messages, slot, { ...post, at: now, state: sent.kind }))
      return 'again'
    }
  }
}

/** For the messenger: which message it is about. */
export const turn = (desk: Desk, item: Item, how: { slot: Slot; urgency: () => Urgency }): Turn => ({
  key: `${item.id} ${how.slot.name}`,
  urgency: how.urgency,
  signal: desk.signal,
})

/** Not before this: what Slack says, and longer with each failure. */
export function pause(
  desk: Desk,
  item: Item,
  slot: Slot,
  { message, afterMs }: { readonly message: string; readonly afterMs: number },
): Next {
  const memory = memoryOf(item, slot)
  const { clock, random, log } = desk.deps
  const longer = backoff(Math.min(memory.tries, 8), { base: desk.times.retry, most: 30_000, random })
  memory.tries++
  if (memory.tries % 10 === 3) log(`${name(item, slot)} waits: ${message}`, null)
  return { notBefore: clock.now() + Math.max(afterMs, longer) }
}
