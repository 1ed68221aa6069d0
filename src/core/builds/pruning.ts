// Keeps the last builds of each job, a few of one that no app names, and none for longer than three months: branches
// come and go, and their jobs build no more. What goes, goes with its console, its indexes and its messages' records,
// some at a time, never one that is followed. Wishes that never became a build go after a week.
import { decodeTime } from 'ulid'
import type { Entry } from '../kv.ts'
import { decodeAll, read, remove, type Stored, unchanged } from '../records.ts'
import { type Build, buildRefSchema, buildSchema, isOver, jobStateSchema } from './build.ts'
import type { Desk } from './desk.ts'
import { messagesId } from './records.ts'

const kept = 50
/** Nobody is told of those. */
const keptOfNoApp = 5
/** More than that over the limit are pruned at once: not one after each build. */
const slack = 5
const batch = 5
const page = 500
const dayMs = 86_400_000
const weekMs = 7 * dayMs
const longestMs = 90 * dayMs

type Shop = Pick<Desk, 'deps' | 'term' | 'writer' | 'items'>

/** Deletes the oldest builds of a job beyond the last ones. */
export async function prune(desk: Shop, { job, apps }: Pick<Build, 'job' | 'apps'>): Promise<void> {
  const { keys, kv, log } = desk.deps
  const most = apps.length > 0 ? kept : keptOfNoApp
  const { entries } = await kv.list(keys.jenkinsNumbers(job), { keysOnly: true })
  if (entries.length <= most + slack) return
  // Not by number: a job that was made anew counts from 1 again.
  const oldestFirst = entries.toSorted((a, b) => Number(BigInt(a.createRevision) - BigInt(b.createRevision)))
  const old = oldestFirst.slice(0, entries.length - most)
  for (let at = 0; at < old.length && desk.term.held(); at += batch) {
    const some = old.slice(at, at + batch)
    const refs = decodeAll(buildRefSchema, (await kv.getMany(some.map(entry => entry.key))).values(), error =>
      log('a number of a build is left alone', error),
    )
    const builds = await readBuilds(
      desk,
      refs.map(ref => ref.value.id),
    )
    const known = new Set(builds.map(stored => stored.value.id))
    // Its record went before: only the number is left.
    const loose = refs.filter(ref => !known.has(ref.value.id)).map(ref => ref.key)
    await drop(desk, builds, loose)
  }
}

/** Until the term ends: wishes that never got a number, which are in no index, and each day what is too old. */
export async function pruneByAge(desk: Shop): Promise<void> {
  const { clock, log } = desk.deps
  const failed = (error: unknown) => log('old builds were not pruned', error)
  await pruneOlder(desk, weekMs, ({ number }) => number === null).catch(failed)
  while (desk.term.held()) {
    await pruneOlder(desk, longestMs, () => true).catch(failed)
    await clock.sleep(dayMs, desk.term.ended)
  }
}

async function pruneOlder(desk: Shop, ms: number, wanted: (build: Build) => boolean): Promise<void> {
  const { keys, kv, clock } = desk.deps
  let after: string | undefined
  for (; desk.term.held(); ) {
    const found: { entries: Entry[] } = await kv.list(keys.jenkinsBuilds, {
      keysOnly: true,
      limit: page,
      ...(after ? { after } : {}),
    })
    const ids = found.entries.map(entry => entry.key.slice(keys.jenkinsBuilds.length))
    const old = ids.filter(id => clock.now() - bornAt(id) > ms)
    for (let at = 0; at < old.length && desk.term.held(); at += batch) {
      const builds = await readBuilds(desk, old.slice(at, at + batch))
      await drop(
        desk,
        builds.filter(({ value }) => wanted(value)),
        [],
      )
    }
    after = found.entries.at(-1)?.key
    // Ids begin with the time: what comes after a young one is younger.
    if (found.entries.length < page || after === undefined || old.length < ids.length) return
  }
}

function bornAt(id: string): number {
  try {
    return decodeTime(id.toUpperCase())
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

async function readBuilds({ deps }: Shop, ids: readonly string[]): Promise<Stored<Build>[]> {
  const found = await deps.kv.getMany(ids.map(deps.keys.jenkinsBuild))
  return decodeAll(buildSchema, found.values(), error => deps.log('a build is left alone', error))
}

async function drop(
  { deps, writer, items }: Shop,
  builds: readonly Stored<Build>[],
  loose: readonly string[],
): Promise<void> {
  const { keys } = deps
  for (const stored of builds) {
    const { id, job, number, queueId, told, phase } = stored.value
    if (!isOver(phase) || items.has(id)) continue
    // Of a job that was made anew, the number may name another build by now.
    const named = [
      ...(number === null ? [] : [keys.jenkinsNumber(job, number)]),
      ...(queueId === null ? [] : [keys.jenkinsQueue(queueId)]),
    ]
    const refs = decodeAll(buildRefSchema, (await deps.kv.getMany(named)).values(), error =>
      deps.log('a number of a build is left alone', error),
    ).filter(ref => ref.value.id === id)
    const state = await read(deps.kv, jobStateSchema, keys.jenkinsJob(job))
    // The last one of its job that said how it stands.
    const last = number !== null && state?.value.number === number
    const gone = [
      stored.key,
      keys.jenkinsConsole(id),
      ...(last ? [keys.jenkinsJob(job)] : []),
      ...refs.map(ref => ref.key),
      ...told.flatMap(({ channel }) => [
        keys.message(messagesId(id, channel)),
        keys.outboxEntry(messagesId(id, channel)),
      ]),
    ]
    await writer.commit(
      [
        unchanged(stored.key, stored),
        unchanged(keys.jenkinsOpenEntry(id), null),
        ...(last ? [unchanged(state.key, state)] : []),
        ...refs.map(ref => unchanged(ref.key, ref)),
      ],
      gone.map(remove),
    )
  }
  if (loose.length > 0) await writer.commit([], loose.map(remove))
}
