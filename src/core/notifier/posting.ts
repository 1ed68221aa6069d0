// One message, exactly once: that it will be posted is recorded when its turn has come, then it is posted, then it is
// recorded where. What may have been posted is looked up by its mark after every call is surely over; where gkube may
// not read, it is posted once more and never a third time.
import { backoff } from '../clock.ts'
import type { Term } from '../leader.ts'
import type { Messages, Post } from '../messages.ts'
import type { Messenger, NotifierDeps, Sent, Times, Turn, Urgency } from '../notifier.ts'
import { type Drawn, type Item, memoryOf, type Next, postOf, type Slot, withPost } from './item.ts'

export type Desk = {
  readonly deps: NotifierDeps
  readonly times: Times
  readonly term: Term
  /** Ends what waits for its turn. */
  readonly signal: AbortSignal
  /** Writes the record of an item as `change` has it; throws where another notifier was elected. */
  record(item: Item, change: (messages: Messages) => Messages): Promise<void>
  /** How many deploys are on the desk. */
  open(): number
  /** Channels of direct messages by user. */
  readonly rooms: Map<string, string>
  /** What this process posted and could not record yet, by deploy and message: it outlives a term. */
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
  { slot, channel, again }: Pick<How, 'slot' | 'channel' | 'again'>,
) {
  if (!desk.term.held()) return false
  const post: Post = { state: 'posting', at: desk.deps.clock.now(), channel, ts: null, shown: null, again }
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
    desk.record(item, messages => withPost(messages, slot, { ...post, at: now, channel, again }))
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

async function posted(
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
  const post: Post = { state: 'posted', at: now, channel, ts, shown: drawn?.shown ?? null, again }
  Object.assign(memory, {
    unsent: false,
    unclearSince: null,
    tries: 0,
    updatedAt: now,
    live: drawn?.live ?? null,
  })
  await desk.record(item, messages => withPost(messages, slot, post))
  desk.sent.delete(known)
}

/** Begins it anew where it was begun before. */
type Repeat = (at: { readonly channel: string; readonly again: boolean }) => Promise<Next>

/** What was begun: repeated at once where it surely was not sent, else looked up first. `file`: look for its name. */
export async function resolve(
  desk: Desk,
  item: Item,
  how: Pick<How, 'slot' | 'thread' | 'urgency'> & { readonly file: string | null },
  repeat: Repeat,
): Promise<Next> {
  const { slot, thread, file } = how
  const memory = memoryOf(item, slot)
  const post = postOf(item.messages.value, slot)
  if (!post || memory.stuck) return null
  const { clock, messenger } = desk.deps
  const found = (at: { readonly channel: string; readonly ts: string }) =>
    posted(desk, item, slot, { ...at, again: post.again, drawn: null }).then(() => 'again' as const)
  const known = desk.sent.get(`${item.id} ${slot.name}`)
  if (known) return found(known)
  if (memory.unsent) return repeat(post)
  // Counted from when this replica saw it: clocks differ, and another one's call may still be on its way.
  memory.unclearSince ??= clock.now()
  const at = memory.unclearSince + desk.times.unclear
  if (clock.now() < at) return { at }
  const mark = { deploy: item.id, key: slot.name }
  const where = { channel: post.channel, thread, mark, file, since: post.at - lookBackMs }
  const answer = await messenger.find({ ...turn(desk, item, how), ...where })
  switch (answer.kind) {
    case 'found':
      return found({ channel: post.channel, ts: answer.ts })
    case 'later':
      return desk.signal.aborted ? null : pause(desk, item, slot, answer)
    case 'absent':
      memory.unclearSince = null
      return repeat(post)
    case 'unknown':
      return withoutLooking(desk, item, { slot, post }, repeat)
  }
}

/** Clocks of two machines, and Slack's, may differ by this. */
const lookBackMs = 5 * 60_000

async function withoutLooking(
  desk: Desk,
  item: Item,
  { slot, post }: { readonly slot: Slot; readonly post: Post },
  repeat: Repeat,
): Promise<Next> {
  const memory = memoryOf(item, slot)
  const { log, messenger } = desk.deps
  if (post.again) {
    memory.stuck = true
    log(`${name(item, slot)} may be there twice and cannot be looked up in ${post.channel}: it is left`, null)
    // Recorded as it is: that may be all that was missing.
    await desk.record(item, messages => messages)
    return null
  }
  // Not while Slack is down: every attempt would be unclear again.
  if (await messenger.answers(desk.signal)) {
    memory.unclearSince = null
    return repeat({ channel: post.channel, again: true })
  }
  return desk.signal.aborted
    ? null
    : pause(desk, item, slot, { message: 'Slack does not answer', afterMs: 0 })
}

const name = (item: Item, slot: Slot): string => `message ${slot.name} of deploy ${item.id}`

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
      await desk.record(item, messages => withPost(messages, slot, { ...post, at: now, state: sent.kind }))
      return 'again'
    }
  }
}

const turn = (desk: Desk, item: Item, how: { slot: Slot; urgency: () => Urgency }): Turn => ({
  key: `${item.id} ${how.slot.name}`,
  urgency: how.urgency,
  signal: desk.signal,
})

/** Not before this: what Slack says, and longer with each failure. */
function pause(
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
