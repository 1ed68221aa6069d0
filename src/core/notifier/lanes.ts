// What is next for each of the three parts of a deploy's messages: the one message, its thread, direct messages to those
// who approve. Each step does one thing and says when to look again; posting.ts has the protocol.
import { isTerminal } from '../deploy.ts'
import type { Post, ThreadEntry } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import { seconds } from '../units.ts'
import {
  channelsOf,
  directSlot,
  draw,
  drawDirect,
  drawMain,
  factsOf,
  type Item,
  type LaneName,
  mainSlot,
  memoryOf,
  type Next,
  postOf,
  reminderKey,
  threadSlot,
  threadSlots,
  urgencyOf,
  withPost,
} from './item.ts'
import { type Desk, postOnce, resolve, update, uploadOnce } from './posting.ts'

const hourMs = 3_600_000
/** More are not told: it is a list of people, not of a company. */
const mostTold = 50
const approversMs = 60_000

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
      draw: () => drawMain(desk.deps, item, desk.deps.clock.now()),
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
  const ended = isTerminal(item.deploy.value.phase)
  const changed = main.shown !== drawn.shown
  if (!changed && ended) return null
  const pause = changed ? (ended ? 0 : desk.times.betweenUpdates) : refreshMs(desk, item)
  const due = memory.updatedAt + pause
  if (now < due) return { at: due }
  if (!changed && memory.live === drawn.live) {
    memory.updatedAt = now
    return { at: now + pause }
  }
  return update(desk, item, mainSlot, {
    // That time passes is worth less than anything that happened.
    urgency: () => (changed ? urgencyOf(item.deploy.value) : 'running'),
    draw: () => drawMain(desk.deps, item, clock.now()),
  })
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
  for (const entry of deps.renderer.thread(factsOf(deps, item, now))) {
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
    return entryPart(desk, item, { entry, n, channel: main.channel, thread: main.ts })
  }
  return null
}

type EntryPart = {
  readonly entry: ThreadEntry
  /** 0: the entry; then its files. */
  readonly n: number
  readonly channel: string
  readonly thread: string
}

async function entryPart(desk: Desk, item: Item, { entry, n, channel, thread }: EntryPart): Promise<Next> {
  const file = n === 0 ? null : (entry.files[n - 1] ?? null)
  const slot = threadSlot(file ? `${entry.key}/file-${n}` : entry.key)
  const loud = (): boolean => entry.broadcast || isTerminal(item.deploy.value.phase)
  const urgency = (): Urgency => (loud() ? 'waiting' : 'running')
  const begin = (at: { readonly channel: string; readonly again: boolean }): Promise<Next> => {
    const how = { slot, thread, urgency, ...at }
    if (file) return uploadOnce(desk, item, how, file)
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

async function directStep(desk: Desk, item: Item): Promise<Next> {
  const { deps } = desk
  const now = deps.clock.now()
  const due: number[] = []
  const told = await tell(desk, item, now)
  if (told.next) return told.next
  if (told.due) due.push(told.due)
  for (const [key, post] of Object.entries(item.messages.value.direct)) {
    const slot = directSlot(key)
    if (post.state === 'posting' && !memoryOf(item, slot).stuck) {
      const how = { slot, thread: null, urgency: () => 'waiting' as const, file: null }
      const next = await resolve(desk, item, how, at => postDirect(desk, item, key, at))
      if (next === null || next === 'again' || 'notBefore' in next) return next
      due.push(next.at)
    }
    if (post.state !== 'posted' || !isBehind(desk, item, key, post)) continue
    const memory = memoryOf(item, slot)
    const soonest = memory.updatedAt + desk.times.betweenUpdates
    if (now < soonest) due.push(soonest)
    else {
      const asks = item.deploy.value.phase === 'awaiting_approval'
      const decides = !asks && !memory.decided
      memory.decided = !asks
      return update(desk, item, slot, {
        urgency: () => (decides ? 'waiting' : 'running'),
        draw: () => drawDirect(deps, item, key, deps.clock.now()),
      })
    }
  }
  return due.length > 0 ? { at: Math.min(...due) } : null
}

/** What was decided is shown, and how it ended; not all that happens between. */
function isBehind(desk: Desk, item: Item, key: string, post: Post): boolean {
  const { phase } = item.deploy.value
  const between = phase !== 'awaiting_approval' && !isTerminal(phase)
  if (between && memoryOf(item, directSlot(key)).decided) return false
  const drawn = drawDirect(desk.deps, item, key, desk.deps.clock.now())
  return drawn !== null && drawn.shown !== post.shown
}

/** Tells the next of those who may approve, or reminds one; `due`: when there is more to do. */
async function tell(desk: Desk, item: Item, now: number): Promise<{ next: Next; due: number | null }> {
  const nothing = { next: null, due: null }
  const deploy = item.deploy.value
  const approvals = desk.deps.environment(deploy.environment)?.approvals
  if (deploy.phase !== 'awaiting_approval' || !deploy.approval || !approvals?.tell) return nothing
  const { expiresAt, votes } = deploy.approval
  if (now >= expiresAt || !drawDirect(desk.deps, item, '', now)) return nothing
  if (!item.approvers || now - item.approvers.at > approversMs)
    item.approvers = { at: now, users: (await desk.deps.approversOf(deploy)).slice(0, mostTold) }
  const { direct } = item.messages.value
  const voted = new Set(votes.map(vote => vote.by.id))
  const untold = item.approvers.users.find(user => !direct[user])
  if (untold) return { next: await openAndPost(desk, item, untold, untold), due: null }
  const remindAt = expiresAt - seconds(approvals.remind) * 1000
  if (now < remindAt) return { next: null, due: Math.min(remindAt, item.approvers.at + approversMs) }
  const toRemind = item.approvers.users.find(user => {
    const first = direct[user]
    return (
      first?.state === 'posted' &&
      first.at < remindAt &&
      !direct[reminderKey(user)] &&
      !voted.has(`slack:${user}`)
    )
  })
  return toRemind
    ? { next: await openAndPost(desk, item, toRemind, reminderKey(toRemind)), due: null }
    : nothing
}

async function openAndPost(desk: Desk, item: Item, user: string, key: string): Promise<Next> {
  const slot = directSlot(key)
  const memory = memoryOf(item, slot)
  const { messenger, clock } = desk.deps
  const known = desk.rooms.get(user)
  if (known) return postDirect(desk, item, key, { channel: known, again: false })
  const urgency = () => 'waiting' as const
  const room = await messenger.direct({ key: `${item.id} ${slot.name}`, urgency, signal: desk.signal, user })
  switch (room.kind) {
    case 'done':
      desk.rooms.set(user, room.channel)
      return postDirect(desk, item, key, { channel: room.channel, again: false })
    case 'refused':
      return notTold(desk, item, key, user)
    case 'later':
      memory.tries++
      return {
        notBefore: clock.now() + Math.max(room.afterMs, desk.times.retry * 2 ** Math.min(memory.tries, 5)),
      }
    case 'dropped':
      return null
  }
}

function postDirect(
  desk: Desk,
  item: Item,
  key: string,
  { channel, again }: { readonly channel: string; readonly again: boolean },
): Promise<Next> {
  const { clock } = desk.deps
  // Decided before it could be told: there is nothing to do for them any more.
  if (item.deploy.value.phase !== 'awaiting_approval' || !drawDirect(desk.deps, item, key, clock.now()))
    return notTold(desk, item, key, channel)
  return postOnce(desk, item, {
    slot: directSlot(key),
    channel,
    thread: null,
    broadcast: false,
    urgency: () => 'waiting',
    again,
    draw: () => drawDirect(desk.deps, item, key, clock.now()),
  })
}

async function notTold(desk: Desk, item: Item, key: string, channel: string): Promise<Next> {
  const at = desk.deps.clock.now()
  const post = { state: 'refused' as const, at, channel, ts: null, shown: null, again: false }
  await desk.record(item, messages => withPost(messages, directSlot(key), post))
  return 'again'
}

export const steps: Readonly<Record<LaneName, (desk: Desk, item: Item) => Promise<Next>>> = {
  main: mainStep,
  thread: threadStep,
  direct: directStep,
}
