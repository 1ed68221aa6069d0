// What is next for the one message of a deploy and for its thread; direct messages are direct-lane.ts. Each step does one
// thing and says when to look again; posting.ts has the protocol.
import { isTerminal } from '../deploy.ts'
import type { Urgency } from '../notifier.ts'
import { directStep } from './direct-lane.ts'
import {
  channelsOf,
  type Drawn,
  draw,
  drawMain,
  type Entry,
  entriesOf,
  type Item,
  type LaneName,
  mainSlot,
  memoryOf,
  type Next,
  postOf,
  threadSlot,
  threadSlots,
  urgencyOf,
} from './item.ts'
import { type Desk, postOnce, resolve, update, uploadOnce } from './posting.ts'

const hourMs = 3_600_000

async function mainStep(desk: Desk, item: Item): Promise<Next> {
  const { main } = item.messages.value
  const channels = channelsOf(desk.deps, item)
  const post = ({ channel, again }: { channel: string; again: boolean }) =>
    postOnce(desk, item, {
      slot: mainSlot,
      channel,
      thread: null,
      broadcast: false,
      urgency: () => urgencyOf(item.deploy.value),
      again,
      draw: () => drawNow(desk, item),
    })
  const [first] = channels
  if (!main) return first ? post({ channel: first, again: false }) : null
  switch (main.state) {
    case 'posting': {
      const urgency = () => urgencyOf(item.deploy.value)
      return resolve(desk, item, { slot: mainSlot, thread: null, urgency, file: null }, post)
    }
    case 'gone':
      return main.again ? null : post({ channel: main.channel, again: true })
    case 'refused': {
      const other = channels[channels.indexOf(main.channel) + 1]
      if (other) return post({ channel: other, again: main.again })
      return refusedByAll(desk, item, main.at, () =>
        post({ channel: first ?? main.channel, again: main.again }),
      )
    }
    case 'posted':
      return keepUp(desk, item)
  }
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
  const { clock } = desk.deps
  const now = clock.now()
  const drawn = drawMain(desk.deps, item, now)
  if (!main || !drawn) return null
  const memory = memoryOf(item, mainSlot)
  const { phase } = item.deploy.value
  const ended = isTerminal(phase)
  const changed = main.shown !== drawn.shown
  // Somebody is asked, or it is over: that is not made to wait for the pace of progress.
  const urgent = ended || (phase === 'awaiting_approval' && memory.phase !== phase)
  if (!changed && ended) return null
  const pause = changed ? (urgent ? 0 : desk.times.betweenUpdates) : refreshMs(desk, item)
  const due = memory.updatedAt + pause
  if (now < due) return { at: due }
  if (!changed && memory.live === drawn.live) {
    memory.updatedAt = now
    return { at: now + pause }
  }
  return update(desk, item, mainSlot, {
    // That time passes is worth less than anything that happened.
    urgency: () => (changed ? urgencyOf(item.deploy.value) : 'running'),
    draw: () => drawNow(desk, item),
  })
}

function drawNow(desk: Desk, item: Item): Drawn | null {
  memoryOf(item, mainSlot).phase = item.deploy.value.phase
  return drawMain(desk.deps, item, desk.deps.clock.now())
}

const refreshMs = (desk: Desk, item: Item): number =>
  Math.max(desk.times.refresh, desk.open() * 1_500) * (urgencyOf(item.deploy.value) === 'running' ? 1 : 3)

async function threadStep(desk: Desk, item: Item): Promise<Next> {
  const { deps } = desk
  const { main } = item.messages.value
  if (main?.state !== 'posted' || main.ts === null) return null
  const now = deps.clock.now()
  const kept = main.shown === drawMain(deps, item, now)?.shown
  // The message itself says it first; the lane is kicked when it does.
  if (isTerminal(item.deploy.value.phase) && !kept) return null
  for (const entry of entriesOf(deps, item, main, now)) {
    const slots = threadSlots(item.messages.value, entry)
    const n = slots.findIndex(slot => {
      const post = postOf(item.messages.value, slot)
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
      : { channel: main.channel, thread: main.ts }
    return entryPart(desk, item, { entry, n, ...where })
  }
  return null
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
  const loud = (): boolean => entry.broadcast || isTerminal(item.deploy.value.phase)
  const urgency = (): Urgency => (loud() ? 'waiting' : 'running')
  const begin = (at: { readonly channel: string; readonly again: boolean }): Promise<Next> => {
    const how = { slot, thread, urgency, ...at }
    if (file && thread !== null) return uploadOnce(desk, item, { ...how, thread }, file)
    const message = () => draw(desk.deps, item, desk.deps.clock.now(), () => entry.message)
    return postOnce(desk, item, { ...how, broadcast: entry.broadcast, draw: message })
  }
  const post = postOf(item.messages.value, slot)
  if (!post) return goneWithParent(desk, item, await begin({ channel, again: false }), slot)
  const next = await resolve(desk, item, { slot, thread, urgency, file: file?.name ?? null }, begin)
  return goneWithParent(desk, item, next, slot)
}

/** Slack has no such thread: the message was deleted, and comes again with what belongs to it. */
async function goneWithParent(
  desk: Desk,
  item: Item,
  next: Next,
  slot: ReturnType<typeof threadSlot>,
): Promise<Next> {
  const { main } = item.messages.value
  if (postOf(item.messages.value, slot)?.state !== 'gone' || !main || main.again) return next
  await desk.record(item, messages => {
    const { [slot.key]: _, ...thread } = messages.thread
    return { ...messages, main: { ...main, state: 'gone', at: desk.deps.clock.now() }, thread }
  })
  return 'again'
}

export const steps: Readonly<Record<LaneName, (desk: Desk, item: Item) => Promise<Next>>> = {
  main: mainStep,
  thread: threadStep,
  direct: directStep,
}
