// From a hook that was kept to its effect: it becomes part of the build's record, or makes one where the build was
// never heard of, and the inbox entry goes in the same transaction. Repeated and late ones do no harm (merge.ts).
import type { Keys } from '../keys.ts'
import { type Entry, type Kv, newer } from '../kv.ts'
import { LostRace } from '../ledger.ts'
import { type Messages, messagesSchema } from '../messages.ts'
import { decode, newId, read, remove, type Stored, UnreadableRecord, unchanged } from '../records.ts'
import { appsOfJob } from '../use-cases/apps.ts'
import { buildDeploySchema, buildRefSchema, buildSchema, isOver } from './build.ts'
import type { Desk, FollowerDeps } from './desk.ts'
import { ending } from './ending.ts'
import { type BuildEvent, type InboxEntry, inboxSchema } from './event.ts'
import { mergeEvent } from './merge.ts'
import { blankBuild, buildCommit, type Told, toldIn } from './records.ts'

const mostAttempts = 10
/** Places whose deploys of a build are looked up. */
const mostPlaces = 60

/** Takes one entry; returns when its effect is written. Throws where etcd does not answer. */
export async function takeIn(desk: Desk, entry: Entry): Promise<void> {
  const stored = readable(desk.deps, entry)
  if (!stored) return
  for (let attempt = 1; ; attempt++) {
    try {
      if (await takeOnce(desk, stored, attempt === 1)) return
    } catch (error) {
      if (!(error instanceof LostRace) || attempt >= mostAttempts) throw error
    }
    // Another one took it, or the build was named meanwhile.
    if (!(await desk.deps.kv.get(entry.key))) return
    if (attempt >= mostAttempts) throw new LostRace([entry.key])
  }
}

/** False: look again, something else was written first. */
async function takeOnce(desk: Desk, stored: Stored<InboxEntry>, first: boolean): Promise<boolean> {
  const { deps, writer } = desk
  const { event } = stored.value
  const compares = [unchanged(stored.key, stored)]
  const writes = [remove(stored.key)]
  const known = await knownAs(deps, event)
  const id = known && decode(buildRefSchema, known).value.id
  if (known && id !== null && (await wasBefore(desk, event, id)))
    return await begin(desk, event, stored, known)
  if (id === null) return first && (await mayBeAsked(desk, event)) ? false : await begin(desk, event, stored)
  const at = { now: deps.clock.now(), trusted: deps.jenkins === null }
  const changed = await writer.change(id, build => mergeEvent(build, event, at), { compares, writes })
  // Its record was pruned: there is nobody to tell any more.
  if (!changed) await writer.commit(compares, writes)
  heard(desk, id)
  return true
}

/** An entry that cannot be read is left alone, and said. */
function readable({ log }: FollowerDeps, entry: Entry) {
  try {
    return decode(inboxSchema, entry)
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error
    log('a hook of Jenkins is left alone', error)
    return null
  }
}

/** Jenkins is alive, and something happened to that build. */
function heard(desk: Desk, id: string): void {
  desk.line.alive()
  const item = desk.items.get(id)
  if (item) desk.kick(item)
}

/** The record of that build: by its number, else by its place in the queue. */
async function knownAs({ kv, keys }: FollowerDeps, event: BuildEvent): Promise<Entry | null> {
  const numberKey = keys.jenkinsNumber(event.job, event.number)
  const queueKey = event.queueId === null ? null : keys.jenkinsQueue(event.queueId)
  const found = await kv.getMany(queueKey ? [numberKey, queueKey] : [numberKey])
  return found.get(numberKey) ?? (queueKey ? found.get(queueKey) : undefined) ?? null
}

/** It ended, and was another build: the job was deleted and made anew, and counts from 1 again. No place in the queue comes twice. */
async function wasBefore(
  { deps, items }: Desk,
  { number, queueId }: BuildEvent,
  id: string,
): Promise<boolean> {
  const stored = items.get(id)?.stored ?? (await read(deps.kv, buildSchema, deps.keys.jenkinsBuild(id)))
  const before = stored?.value
  if (!before || before.number !== number || !isOver(before.phase)) return false
  return before.queueId !== null && queueId !== null && before.queueId !== queueId
}

/** It may be one that was asked for and whose number is not known yet: those are looked at first. */
async function mayBeAsked(desk: Desk, event: BuildEvent): Promise<boolean> {
  const unnumbered = [...desk.items.values()].filter(({ stored: { value } }) => {
    const other = event.queueId !== null && value.queueId !== null && value.queueId !== event.queueId
    return value.job === event.job && value.number === null && !isOver(value.phase) && !other
  })
  // Whoever sends hooks can be asked, too.
  if (unnumbered.length > 0) desk.line.alive()
  for (const item of unnumbered) await desk.settle(item)
  return unnumbered.length > 0
}

/** A build that was never heard of; `before` names another one of that number. False: somebody else wrote first. */
async function begin(
  desk: Desk,
  event: BuildEvent,
  entry: Stored<unknown>,
  before: Entry | null = null,
): Promise<boolean> {
  const { deps, writer } = desk
  const { keys } = deps
  const now = deps.clock.now()
  const apps = await appsOfJob(deps, event.job)
  const blank = blankBuild({ id: newId(now), now, job: event.job, apps })
  const merged = mergeEvent(blank, event, { now, trusted: deps.jenkins === null })
  const report = (error: Error) => deps.log('a subscription is left alone', error)
  const [first, subscribed] = await Promise.all([
    // The deploys that are known are of the one before.
    before ? { compares: [], messages: [] } : deployedFirst(desk, event, apps),
    toldIn(deps, { apps, asked: null }, report),
  ])
  const { told, under } = inThread(subscribed, first.messages)
  const known = { ...merged, told }
  const end = isOver(known.phase)
    ? await ending(deps, known, now)
    : { build: known, compares: [], writes: [] }
  const made = buildCommit(keys, end.build, under)
  const numberKey = keys.jenkinsNumber(event.job, event.number)
  const done = await writer.commit(
    [
      unchanged(entry.key, entry),
      unchanged(numberKey, before),
      ...(event.queueId === null ? [] : [unchanged(keys.jenkinsQueue(event.queueId), null)]),
      ...first.compares,
      ...end.compares,
      ...made.compares,
    ],
    [...made.writes, ...end.writes, remove(entry.key)],
  )
  if (done) desk.line.alive()
  return done
}

/** Deploys of this build that were asked for before it was heard of, as an 'Execute shell' step does. */
async function deployedFirst({ deps }: Desk, { job, number }: BuildEvent, apps: readonly string[]) {
  const { keys, kv, environments } = deps
  const places = apps
    .flatMap(app => [...environments.keys()].map(env => keys.buildDeploy(env, app, job, number)))
    .slice(0, mostPlaces)
  const found = await kv.getMany(places)
  const ids = [...found.values()]
    .toSorted((a, b) => (newer(a.createRevision, b.createRevision) ? 1 : -1))
    .map(entry => decode(buildDeploySchema, entry).value.deploy)
  return {
    compares: places.map(key => unchanged(key, found.get(key) ?? null)),
    messages: await messagesOf({ keys, kv }, ids),
  }
}

async function messagesOf(
  { keys, kv }: { readonly keys: Keys; readonly kv: Pick<Kv, 'get'> },
  ids: readonly string[],
): Promise<Messages[]> {
  const found = await Promise.all(ids.map(id => read(kv, messagesSchema, keys.message(id))))
  return found.flatMap(stored => (stored ? [stored.value] : []))
}

/** One thread for all of it: where a deploy of the build is told, the build is told below that. */
export function inThread(
  subscribed: readonly Told[],
  deploys: readonly Messages[],
): { readonly told: Told[]; readonly under: ReadonlyMap<string, string> } {
  const told = [...subscribed]
  const under = new Map<string, string>()
  for (const messages of deploys) {
    const channel = messages.main?.channel ?? messages.channels[0]
    if (channel === undefined || under.has(channel)) continue
    under.set(channel, messages.deploy)
    if (!told.some(one => one.channel === channel)) told.push({ channel, events: 'all' })
  }
  return { told: told.slice(0, 20), under }
}
