// Where the main message goes: into the thread of others that its record names (`under`) or that it goes on from, and
// into its own channel where those do not come in time. The deploys of a build are told in the thread of that build.
import type { Post } from '../messages.ts'
import { channelsOf, type Item, mainSlot, memoryOf } from './item.ts'
import type { Desk } from './posting.ts'

/** `root`: the message in whose thread; null: in the channel by itself. */
export type Place = { readonly channel: string; readonly root: string | null }

/** How often it is made sure that the others are on their way. */
const askAgainMs = 2_000

/** `at`: it waits for the others, and looks again then; null: there is no channel for it. */
export async function placeOf(desk: Desk, item: Item): Promise<Place | { readonly at: number } | null> {
  if (!item.alone) {
    if (!item.other) await desk.join(item)
    const now = desk.deps.clock.now()
    const memory = memoryOf(item, mainSlot)
    memory.wantedSince ??= now
    const { other } = item
    const main = other?.messages?.value.main ?? null
    if (main?.state === 'posted' && main.ts !== null)
      return { channel: main.channel, root: main.root ?? main.ts }
    const until = memory.wantedSince + desk.times.others
    if (other?.messages && mayCome(main, other.wanted) && now < until) {
      if (!main) await desk.want(other.id)
      return { at: Math.min(until, now + askAgainMs) }
    }
    item.alone = true
  }
  const [channel] = channelsOf(item)
  return channel ? { channel, root: null } : null
}

/** What nobody asked for is not waited for: it may have been silent on purpose. */
const mayCome = (main: Post | null, wanted: boolean): boolean =>
  main ? !(main.state === 'gone' && main.again) : wanted

/** Deleted: the same place, unless Slack knows no such thread (then it was never posted there). */
export const placeAgain = ({ channel, ts, root }: Post): Place => ({
  channel,
  root: ts === null ? null : (root ?? null),
})
