// Writes the records of builds for the follower: each write compares what was read and that this replica is still
// elected, and is given again as it is while etcd does not answer, so that it happens once.
import { UserError } from '../../errors.ts'
import { backoff } from '../clock.ts'
import { type Commit, type CommitResult, type Compare, newer } from '../kv.ts'
import type { Term } from '../leader.ts'
import { holds, LostRace } from '../ledger.ts'
import { put, read, type Stored, unchanged } from '../records.ts'
import { Fenced } from '../replica.ts'
import { type Build, buildSchema, isOver } from './build.ts'
import type { Change, FollowerDeps, Item, More, Writer } from './desk.ts'
import { type Ending, ending } from './ending.ts'
import { buildWrites } from './records.ts'

const mostAttempts = 20
type Refused = Extract<CommitResult, { committed: false }>

export function buildWriter(options: {
  readonly deps: FollowerDeps
  readonly term: Term
  readonly items: ReadonlyMap<string, Item>
}): Writer {
  const { deps, term, items } = options
  const { kv, keys, clock } = deps

  async function persist(commit: Commit): Promise<CommitResult> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await kv.commit(commit)
      } catch (error) {
        if (term.ended.aborted) throw error
        // Refused for good: a record that is too large stays so.
        if (error instanceof UserError && error.kind !== 'unavailable') throw error
        if (attempt % 10 === 0) deps.log('etcd does not take the record of a build; trying again', error)
        await clock.sleep(backoff(attempt, { base: 100, most: 3_000, random: deps.random }), term.ended)
      }
    }
  }

  const assertElected = (result: Refused): void => {
    if (holds(term.fence, result.seen.get(term.fence.key))) return
    throw new Fenced('another follower of builds was elected')
  }

  async function change(id: string, apply: Change, more: More = {}): Promise<Stored<Build> | null> {
    const key = keys.jenkinsBuild(id)
    let stored = items.get(id)?.stored ?? (await read(kv, buildSchema, key))
    for (let attempt = 1; stored; attempt++) {
      const planned = await plan(stored, apply, more)
      if (!planned) return stored
      const result = await persist(planned.commit)
      if (result.committed) {
        const next = { ...stored, value: planned.after, modRevision: result.revision }
        keep(items.get(id), next)
        return next
      }
      assertElected(result)
      const lost = planned.others.filter(one => !holds(one, result.seen.get(one.key)))
      if (lost.length > 0 || attempt >= mostAttempts) throw new LostRace(lost.map(one => one.key))
      stored = await read(kv, buildSchema, key)
      if (stored) keep(items.get(id), stored)
    }
    return null
  }

  /** Null: there is nothing to write. `others`: compares that no second reading mends. */
  async function plan(stored: Stored<Build>, apply: Change, more: More) {
    const before = stored.value
    const applied = apply(before) ?? before
    const changed = JSON.stringify(applied) !== JSON.stringify(before)
    if (!changed && !more.writes?.length) return null
    const ends = isOver(applied.phase) && !isOver(before.phase)
    const end: Ending = ends
      ? await ending(deps, applied, clock.now())
      : { build: applied, compares: [], writes: [] }
    const after = end.build
    const name =
      before.number === null && after.number !== null ? keys.jenkinsNumber(after.job, after.number) : null
    const others: Compare[] = [...(more.compares ?? []), ...(name === null ? [] : [unchanged(name, null)])]
    const commit: Commit = {
      compares: [term.fence, unchanged(stored.key, stored), ...end.compares, ...others],
      writes: [
        ...(changed ? buildWrites(keys, before, after) : []),
        ...(name === null ? [] : [put(name, { schema: 1, id: after.id })]),
        ...end.writes,
        ...(more.writes ?? []),
      ],
    }
    return { commit, after, others }
  }

  return {
    change,
    async commit(compares, writes) {
      const result = await persist({ compares: [term.fence, ...compares], writes })
      if (!result.committed) assertElected(result)
      return result.committed
    },
  }
}

/** The newer of two readings. */
export function keep(item: Item | undefined, stored: Stored<Build>): void {
  if (item && newer(stored.modRevision, item.stored.modRevision)) item.stored = stored
}
