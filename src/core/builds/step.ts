// One step of one build that is followed: fulfils what is wanted, looks at Jenkins, or, where only hooks tell, lets time
// decide; after its end it is settled. Says when to look again. What fails is tried again with growing pauses.
import { backoff } from '../clock.ts'
import { LostRace } from '../ledger.ts'
import { Fenced } from '../replica.ts'
import { type Build, isOver } from './build.ts'
import type { Desk, Item } from './desk.ts'
import { JenkinsError } from './jenkins.ts'
import { look } from './looking.ts'
import { nextLook } from './pace.ts'
import { readDeploys, settle } from './settling.ts'
import { fulfil } from './starting.ts'
import { grant } from './wishes.ts'

/** Steps without a server only let time pass. */
const idleMs = 30_000

/** Does what is to be done now and sets `due`. Throws only what ends the round. */
export async function step(desk: Desk, item: Item): Promise<void> {
  item.due = null
  try {
    await work(desk, item)
    item.tries = 0
    if (!item.gone) item.due = dueAfter(desk, item)
  } catch (error) {
    if (desk.signal.aborted) return
    if (error instanceof Fenced) throw error
    await failed(desk, item, error)
  }
}

async function work(desk: Desk, item: Item): Promise<void> {
  const { jenkins } = desk.deps
  if (!jenkins || item.stored.value.startedAt !== null) await deploysOf(desk, item)
  if (item.stored.value.phase === 'asked') await fulfil(desk, item)
  if (!isOver(item.stored.value.phase)) {
    if (!jenkins) await waitForHooks(desk, item)
    else if (desk.line.rest() === 0) {
      await grant(desk, item, jenkins)
      if (item.stored.value.phase !== 'asked') await look(desk, item, jenkins)
    } else await unanswered(desk, item)
  }
  // Of a job that was made anew, only when it began tells which deploys are of it.
  await deploysOf(desk, item)
  if (isOver(item.stored.value.phase)) await settle(desk, item)
}

async function deploysOf(desk: Desk, item: Item): Promise<void> {
  if (item.deploysRead) return
  await readDeploys(desk, item)
  item.deploysRead = true
}

function dueAfter(desk: Desk, item: Item): number | null {
  const { clock, jenkins } = desk.deps
  const { phase, startedAt, seenAt, usualMs } = item.stored.value
  // Its deploys tell when they move.
  if (isOver(phase)) return null
  const now = clock.now()
  if (!jenkins) return now + Math.min(idleMs, desk.times.settle)
  const age = Math.max(0, now - (startedAt ?? seenAt))
  const pause = nextLook({ age, usual: phase === 'running' ? usualMs : null })
  return now + Math.max(desk.line.rest(), Math.min(pause, desk.times.slowest))
}

async function failed(desk: Desk, item: Item, error: unknown): Promise<void> {
  const { clock, random, log } = desk.deps
  const tries = item.tries++
  const expected = error instanceof JenkinsError || error instanceof LostRace
  if (!expected || tries === 5) log(`build ${item.id} is looked at again`, error)
  const most = error instanceof LostRace ? 1_000 : 60_000
  const pause = backoff(Math.min(tries, 8), { base: desk.times.retry, most, random })
  item.due = clock.now() + Math.max(pause, error instanceof LostRace ? 0 : desk.line.rest())
  if (!(error instanceof JenkinsError)) return
  try {
    await unanswered(desk, item)
    if (isOver(item.stored.value.phase)) item.due = clock.now()
  } catch (second) {
    if (second instanceof Fenced) throw second
    log(`build ${item.id} is looked at again`, second)
  }
}

/** Jenkins does not say: what a hook told is not confirmed, and after an hour it never will be. */
async function unanswered(desk: Desk, { id, stored }: Item): Promise<void> {
  const { times, writer } = desk
  const now = desk.deps.clock.now()
  const { phase, toldAt } = stored.value
  if (phase === 'asked' || isOver(phase)) return
  if (toldAt !== null && now - toldAt > times.unconfirmed)
    return void (await writer.change(id, build => ({
      ...build,
      phase: 'finished',
      note: 'Jenkins did not confirm this: it was only told by a hook, so nothing was deployed.',
    })))
  if (toldAt !== null)
    return void (await writer.change(id, build => ({
      ...build,
      note: 'Jenkins does not answer: a hook told this, and it is not confirmed yet.',
    })))
  await giveUpSilent(desk, id, stored.value, 'Jenkins did not answer for a week.')
}

async function waitForHooks(desk: Desk, { id, stored }: Item): Promise<void> {
  const { times, writer, deps } = desk
  const { toldAt, result } = stored.value
  if (toldAt === null || deps.clock.now() - toldAt <= times.settle)
    return await giveUpSilent(desk, id, stored.value, 'No hook told of its end.')
  await writer.change(id, build =>
    result === null
      ? { ...build, phase: 'lost', note: 'A hook told of its end without a result.' }
      : { ...build, phase: 'finished', toldAt: null },
  )
}

async function giveUpSilent(
  desk: Desk,
  id: string,
  { seenAt, startedAt }: Build,
  note: string,
): Promise<void> {
  if (desk.deps.clock.now() - Math.max(seenAt, startedAt ?? 0) < desk.times.silent) return
  await desk.writer.change(id, build => ({ ...build, phase: 'lost', note }))
}
