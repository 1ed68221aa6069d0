// Where a message goes: a channel is named by its id; a person's is the channel of their direct messages with gkube,
// opened once. The two lanes that tell people use it: direct-lane.ts and main-lane.ts.
import type { Item, Next, Slot } from './item.ts'
import { memoryOf } from './item.ts'
import type { Desk } from './posting.ts'

/** Ids of the workspace: people are U… or W…, channels are not. */
const isPerson = (id: string): boolean => /^[UW][A-Z0-9]{2,}$/.test(id)

/** `refused`: they take no messages. `wait`: when to try again; null: not at all now. */
export async function roomOf(
  desk: Desk,
  item: Item,
  slot: Slot,
  to: string,
): Promise<
  | { readonly kind: 'room'; readonly channel: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'wait'; readonly next: Next }
> {
  const known = isPerson(to) ? desk.rooms.get(to) : to
  if (known) return { kind: 'room', channel: known }
  const { messenger, clock } = desk.deps
  const urgency = () => 'waiting' as const
  const key = `${item.id} ${slot.name}`
  const room = await messenger.direct({ key, urgency, signal: desk.signal, user: to })
  switch (room.kind) {
    case 'done':
      desk.rooms.set(to, room.channel)
      return { kind: 'room', channel: room.channel }
    case 'refused':
      return { kind: 'refused' }
    case 'later': {
      const memory = memoryOf(item, slot)
      memory.tries++
      const pause = Math.max(room.afterMs, desk.times.retry * 2 ** Math.min(memory.tries, 5))
      return { kind: 'wait', next: { notBefore: clock.now() + pause } }
    }
    case 'dropped':
      return { kind: 'wait', next: null }
  }
}
