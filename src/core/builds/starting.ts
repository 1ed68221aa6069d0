// A wish to build, fulfilled at most once: that Jenkins is about to be asked is written before, and what may have been
// asked (a crash, no answer) is only looked for, in its queue and among its builds, and never asked again.
import { LostRace } from '../ledger.ts'
import { put, read, type Stored, unchanged } from '../records.ts'
import { Fenced } from '../replica.ts'
import { type Build, buildRefSchema, buildSchema, isOver } from './build.ts'
import type { Desk, Item } from './desk.ts'
import { type Jenkins, JenkinsError } from './jenkins.ts'
import { buildWrites, messagesId, messageWrites } from './records.ts'

/** Jenkins' clock and ours differ by less. */
const skewMs = 60_000

const refused =
  (note: string) =>
  (build: Build): Build => ({ ...build, phase: 'not_started', note: note.slice(0, 1000) })

export async function fulfil(desk: Desk, item: Item): Promise<void> {
  const { deps, writer, times } = desk
  const { jenkins, clock } = deps
  const build = item.stored.value
  if (build.postingAt !== null) return await lookFor(desk, item, build.postingAt)
  if (build.stop)
    return void (await writer.change(item.id, before =>
      before.stop ? { ...before, phase: 'cancelled', stop: { ...before.stop, state: 'sent' } } : null,
    ))
  if (!jenkins)
    return void (await writer.change(
      item.id,
      refused('No Jenkins is configured: set `jenkins` in gkube.yaml.'),
    ))
  if (clock.now() - build.seenAt > times.patience) {
    const why = desk.line.failure()?.message
    return void (await writer.change(
      item.id,
      refused(
        `Jenkins could not be asked for it for too long, so nothing was started.${why ? ` Last: ${why}` : ''}`,
      ),
    ))
  }
  if (desk.line.rest() > 0) return
  const posting = clock.now()
  const before = await writer.change(item.id, one => (one.stop ? null : { ...one, postingAt: posting }))
  if (before?.value.postingAt !== posting) return
  if (!desk.term.held()) throw new Fenced('another follower of builds may be elected')
  try {
    const { queueId } = await desk.line.ask(() => jenkins.start(build.job, build.parameters))
    await queued(desk, item, queueId)
  } catch (error) {
    if (!(error instanceof JenkinsError) || error.unclear) throw error
    if (error.code === 'unavailable') {
      await writer.change(item.id, one => ({ ...one, postingAt: null }))
      throw error
    }
    await writer.change(item.id, refused(error.message))
  }
}

/** It waits in Jenkins' queue under that id, maybe with others who asked for the same. */
async function queued(desk: Desk, item: Item, queueId: number): Promise<void> {
  const { deps, writer } = desk
  const key = deps.keys.jenkinsQueue(queueId)
  const ref = await read(deps.kv, buildRefSchema, key)
  if (ref && ref.value.id !== item.id) return await joinInto(desk, item, ref.value.id)
  try {
    await writer.change(item.id, build => ({ ...build, phase: 'queued', queueId }), {
      compares: [unchanged(key, ref)],
      writes: [put(key, { schema: 1, id: item.id })],
    })
  } catch (error) {
    if (!(error instanceof LostRace)) throw error
    const other = await read(deps.kv, buildRefSchema, key)
    if (!other || other.value.id === item.id) throw error
    await joinInto(desk, item, other.value.id)
  }
}

/** It got a number; a build of that number may be known already. */
export async function numbered(desk: Desk, item: Item, number: number): Promise<void> {
  const { deps, writer } = desk
  const key = deps.keys.jenkinsNumber(item.stored.value.job, number)
  const ref = await read(deps.kv, buildRefSchema, key)
  if (ref && ref.value.id !== item.id) return await joinInto(desk, item, ref.value.id)
  // Deploys of it may have been asked for before gkube knew its number.
  item.deploysRead = false
  await writer.change(item.id, build =>
    build.number === null && !isOver(build.phase) ? { ...build, phase: 'running', number, note: '' } : null,
  )
}

/**
 * Both are the same build in Jenkins: the one that was known first is told everywhere from now on, below what the
 * later wish said in its channel, and the later one ends and names it.
 */
async function joinInto(desk: Desk, item: Item, id: string): Promise<void> {
  const { deps, writer } = desk
  const { kv, keys } = deps
  const first = await read(kv, buildSchema, keys.jenkinsBuild(id))
  if (!first)
    return void (await writer.change(item.id, refused('It joined a build that is not kept any more.')))
  const { value: joined } = first
  const own = item.stored.value
  const added = own.told.filter(({ channel }) => !joined.told.some(one => one.channel === channel))
  const told = [
    ...joined.told.map(one =>
      own.told.some(mine => mine.channel === one.channel && mine.events === 'asked')
        ? { ...one, events: 'asked' as const }
        : one,
    ),
    ...added,
  ].slice(0, 20)
  const after: Build = { ...joined, told, askedBy: joined.askedBy ?? own.askedBy }
  const news = told.slice(joined.told.length)
  await writer.change(
    item.id,
    build => ({
      ...build,
      phase: 'not_started',
      joined: id,
      number: null,
      note: `Jenkins runs it as one with ${joined.job}${joined.number === null ? '' : ` #${joined.number}`}${joined.askedBy ? `, which ${joined.askedBy.name} asked for` : ''}: the same was asked for twice.`.slice(
        0,
        1000,
      ),
    }),
    {
      compares: [unchanged(first.key, first)],
      writes: [
        ...buildWrites(keys, joined, after),
        ...news.flatMap(({ channel }) => messageWrites(keys, after, channel, messagesId(item.id, channel))),
      ],
    },
  )
}

/** What may have been asked before a crash, or without an answer. */
async function lookFor(desk: Desk, item: Item, postingAt: number): Promise<void> {
  const { deps, writer, times, line } = desk
  const { jenkins, clock, user } = deps
  if (jenkins && user !== null && line.rest() === 0) {
    const own = await findOwn(desk, item, { jenkins, user, since: postingAt - skewMs })
    if (own?.kind === 'queue') return await queued(desk, item, own.id)
    if (own) return await numbered(desk, item, own.number)
  }
  const waited = clock.now() - postingAt
  // Only an answer of Jenkins says that there is none; without one it is not known for long, then for good.
  const answers = line.rest() === 0
  if (waited <= (answers ? times.unclear : times.unclear + times.patience)) return
  await writer.change(
    item.id,
    refused(
      'Jenkins did not say whether it took it, and no such build was found since. It was not asked again: look at the job in Jenkins, then build again.',
    ),
  )
}

type Own = { readonly kind: 'queue'; readonly id: number } | { readonly kind: 'run'; readonly number: number }

async function findOwn(
  desk: Desk,
  item: Item,
  { jenkins, user, since }: { readonly jenkins: Jenkins; readonly user: string; readonly since: number },
): Promise<Own | null> {
  const { line, deps } = desk
  const { job, parameters } = item.stored.value
  const { keys } = deps
  const waiting = await line.ask(() => jenkins.queued(job))
  for (const one of waiting) {
    const mine = isUser(one.user, user) && one.since >= since && holdsAll(one.parameters, parameters)
    if (mine && !(await isTaken(desk, item, keys.jenkinsQueue(one.id)))) return { kind: 'queue', id: one.id }
  }
  const recent = await line.ask(() => jenkins.recent(job))
  // The oldest of those in question: later ones may be wishes that came after this one.
  for (const facts of recent.toReversed()) {
    const mine =
      isUser(facts.user, user) && facts.startedAt >= since && holdsAll(facts.parameters, parameters)
    if (!mine || (await isTaken(desk, item, keys.jenkinsNumber(job, facts.number)))) continue
    const queueKey = facts.queueId === null ? null : keys.jenkinsQueue(facts.queueId)
    if (queueKey === null || !(await isTaken(desk, item, queueKey)))
      return { kind: 'run', number: facts.number }
  }
  return null
}

/** Ids of users are the same in any case. */
const isUser = (one: string | null, user: string): boolean => one?.toLowerCase() === user.toLowerCase()

/** Secrets are not told; what is told must be the same, but for what Jenkins does to texts. */
const holdsAll = (all: Readonly<Record<string, string>>, some: Readonly<Record<string, string>>): boolean =>
  Object.entries(some).every(([name, value]) => all[name] === undefined || plain(all[name]) === plain(value))

const plain = (text: string): string => text.replaceAll('\r\n', '\n').trim()

/** By a record that was asked for through gkube; one that a hook made may be this very build. */
async function isTaken({ deps }: Desk, item: Item, key: string): Promise<boolean> {
  const ref = await read(deps.kv, buildRefSchema, key)
  if (!ref || ref.value.id === item.id) return false
  const other: Stored<Build> | null = await read(deps.kv, buildSchema, deps.keys.jenkinsBuild(ref.value.id))
  return other !== null && other.value.askedBy !== null
}
