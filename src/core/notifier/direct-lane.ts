// Direct messages to those who may approve a deploy: who is told and reminded, and that they see what was decided. One step does
// one thing and says when to look again; posting.ts has the protocol, lanes.ts the other parts of a deploy's messages.
import type { Deploy } from '../deploy.ts'
import type { Post } from '../messages.ts'
import { seconds } from '../units.ts'
import { directSlot, drawDirect, type Item, memoryOf, type Next, reminderKey, withPost } from './item.ts'
import { type Desk, postOnce, update } from './posting.ts'
import { resolve } from './resolving.ts'
import { roomOf } from './rooms.ts'

/** More are not told: it is a list of people, not of a company. */
const mostTold = 50
const approversMs = 60_000

export async function directStep(desk: Desk, item: Item): Promise<Next> {
  const now = desk.deps.clock.now()
  const deploy = item.subject.deploy()
  if (!deploy) return null
  const due: number[] = []
  const told = await tell(desk, item, { deploy, now })
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
    if (post.state !== 'posted' || !isBehind(item, { key, post, now })) continue
    const memory = memoryOf(item, slot)
    const soonest = memory.updatedAt + desk.times.betweenUpdates
    if (now < soonest) due.push(soonest)
    else {
      const asks = isAsked(item)
      const decides = !asks && !memory.decided
      memory.decided = !asks
      return update(desk, item, slot, {
        urgency: () => (decides ? 'waiting' : 'running'),
        draw: () => drawDirect(item, key, desk.deps.clock.now()),
      })
    }
  }
  return due.length > 0 ? { at: Math.min(...due) } : null
}

const isAsked = (item: Item): boolean => item.subject.deploy()?.phase === 'awaiting_approval'

/** What was decided is shown, and how it ended; not all that happens between. */
function isBehind(
  item: Item,
  { key, post, now }: { readonly key: string; readonly post: Post; readonly now: number },
): boolean {
  const between = !isAsked(item) && !item.subject.standing().over
  if (between && memoryOf(item, directSlot(key)).decided) return false
  const drawn = drawDirect(item, key, now)
  return drawn !== null && drawn.shown !== post.shown
}

/** Tells the next of those who may approve, or reminds one; `due`: when there is more to do. */
async function tell(
  desk: Desk,
  item: Item,
  { deploy, now }: { readonly deploy: Deploy; readonly now: number },
): Promise<{ next: Next; due: number | null }> {
  const nothing = { next: null, due: null }
  const approvals = desk.deps.environment(deploy.environment)?.approvals
  if (deploy.phase !== 'awaiting_approval' || !deploy.approval || !approvals?.tell) return nothing
  const { expiresAt, votes } = deploy.approval
  if (now >= expiresAt || !drawDirect(item, '', now)) return nothing
  if (!item.approvers || now - item.approvers.at > approversMs)
    item.approvers = { at: now, users: (await desk.deps.approversOf(deploy)).slice(0, mostTold) }
  const { direct } = item.messages.value
  const voted = new Set(votes.map(vote => vote.by.id))
  const untold = item.approvers.users.find(user => !direct[user] && !voted.has(`slack:${user}`))
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
  const room = await roomOf(desk, item, slot, user)
  if (room.kind === 'wait') return room.next
  if (room.kind === 'refused') return notTold(desk, item, key, user)
  return postDirect(desk, item, key, { channel: room.channel, again: false })
}

function postDirect(
  desk: Desk,
  item: Item,
  key: string,
  { channel, again }: { readonly channel: string; readonly again: boolean },
): Promise<Next> {
  const { clock } = desk.deps
  // Decided before it could be told: there is nothing to do for them any more.
  if (!isAsked(item) || !drawDirect(item, key, clock.now())) return notTold(desk, item, key, channel)
  return postOnce(desk, item, {
    slot: directSlot(key),
    channel,
    thread: null,
    broadcast: false,
    urgency: () => 'waiting',
    again,
    draw: () => drawDirect(item, key, clock.now()),
  })
}

async function notTold(desk: Desk, item: Item, key: string, channel: string): Promise<Next> {
  const at = desk.deps.clock.now()
  const post = { state: 'refused' as const, at, channel, ts: null, shown: null, again: false }
  await desk.record(item, messages => withPost(messages, directSlot(key), post))
  return 'again'
}
