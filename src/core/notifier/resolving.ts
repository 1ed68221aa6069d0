// What may have been posted, or not: it is looked up by its mark after every call is surely over; where gkube may not
// read, it is posted once more and never a third time. posting.ts posts.

import type { Post } from '../messages.ts'
import { type Item, memoryOf, type Next, postOf, type Slot } from './item.ts'
import { type Desk, type How, name, pause, posted, turn } from './posting.ts'

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
