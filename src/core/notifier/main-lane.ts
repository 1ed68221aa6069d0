// What is next for the one message of a deploy or build: posted where it belongs (place.ts), kept up, posted again where
// somebody deleted it. posting.ts has the protocol, thread-lane.ts what stands below it.
import { channelsOf, drawMain, type Item, mainSlot, memoryOf, type Next, shownMain } from './item.ts'
import { type Place, placeAgain, placeOf } from './place.ts'
import { type Desk, postOnce, update } from './posting.ts'
import { resolve } from './resolving.ts'
import { roomOf } from './rooms.ts'
import type { Drawn } from './subject.ts'

const hourMs = 3_600_000

export async function mainStep(desk: Desk, item: Item): Promise<Next> {
  const { main } = item.messages.value
  const { subject } = item
  const urgency = () => subject.standing().urgency
  if (item.user === undefined) {
    const who = subject.person()
    item.user = who ? ((await desk.deps.userOf?.(who)) ?? null) : null
  }
  const post = async ({ channel: to, root }: Place, again: boolean): Promise<Next> => {
    const room = await roomOf(desk, item, mainSlot, to)
    if (room.kind === 'wait') return room.next
    if (room.kind === 'refused') return notThere(desk, item, to, again)
    return postOnce(desk, item, {
      slot: mainSlot,
      channel: room.channel,
      thread: root,
      broadcast: false,
      urgency,
      again,
      draw: () => drawNow(desk, item),
    })
  }
  if (!main) {
    if (!subject.tells() && !desk.wanted(item.id)) return null
    const place = await placeOf(desk, item)
    return place === null || 'at' in place ? place : post(place, false)
  }
  switch (main.state) {
    case 'posting': {
      const root = main.root ?? null
      return resolve(
        desk,
        item,
        { slot: mainSlot, thread: root, urgency, file: null },
        ({ channel, again }) => post({ channel, root }, again),
      )
    }
    case 'gone':
      return main.again ? null : post(placeAgain(main), true)
    case 'refused': {
      const channels = channelsOf(item)
      // In a thread it was in the channel of others: now its own, from the first on.
      const isThis = (one: string) => one === main.channel || desk.rooms.get(one) === main.channel
      const next = main.root === undefined ? channels.findIndex(isThis) + 1 : 0
      const other = channels[next]
      if (other) return post({ channel: other, root: null }, main.again)
      const first = channels[0] ?? main.channel
      return refusedByAll(desk, item, main.at, () => post({ channel: first, root: null }, main.again))
    }
    case 'posted':
      return keepUp(desk, item)
  }
}

/** A person who takes no messages: the next in order hears of it. */
async function notThere(desk: Desk, item: Item, channel: string, again: boolean): Promise<Next> {
  const at = desk.deps.clock.now()
  const main = { state: 'refused' as const, at, channel, ts: null, shown: null, again }
  await desk.record(item, messages => ({ ...messages, main }))
  return 'again'
}

/** No channel takes it: again after a minute, then after twice as long, up to an hour. */
async function refusedByAll(
  desk: Desk,
  item: Item,
  since: number,
  again: () => Promise<Next>,
): Promise<Next> {
  const memory = memoryOf(item, mainSlot)
  const now = desk.deps.clock.now()
  const pause = Math.min(hourMs, desk.times.refused * 2 ** memory.tries)
  // The record's time may be another replica's; it only says how long to wait.
  const due = Math.min(since, now) + pause
  if (now < due && !memory.retry) return { at: due }
  memory.retry = false
  memory.tries++
  return again()
}

/** The message is there: shows what has changed, or the time that passed. */
async function keepUp(desk: Desk, item: Item): Promise<Next> {
  const { main } = item.messages.value
  if (!main) return null
  const now = desk.deps.clock.now()
  const memory = memoryOf(item, mainSlot)
  const { phase, over, hurry } = item.subject.standing()
  const changed = main.shown !== shownMain(item, item.messages.value)
  // Somebody is asked, or it is over: that is not made to wait for the pace of progress.
  const urgent = over || (hurry && memory.phase !== phase)
  if (!changed && over) return null
  const pause = changed ? (urgent ? 0 : desk.times.betweenUpdates) : refreshMs(desk, item)
  const due = memory.updatedAt + pause
  if (now < due) return { at: due }
  if (!changed && memory.live === drawMain(item, item.messages.value, now).live) {
    memory.updatedAt = now
    return { at: now + pause }
  }
  return update(desk, item, mainSlot, {
    // That time passes is worth less than anything that happened.
    urgency: () => (changed ? item.subject.standing().urgency : 'running'),
    draw: () => drawNow(desk, item),
  })
}

function drawNow(desk: Desk, item: Item): Drawn {
  memoryOf(item, mainSlot).phase = item.subject.standing().phase
  return drawMain(item, item.messages.value, desk.deps.clock.now())
}

const refreshMs = (desk: Desk, item: Item): number =>
  Math.max(desk.times.refresh, desk.open() * 1_500) * (item.subject.standing().urgency === 'running' ? 1 : 3)
