// Looks at how full storage is, every few minutes, on one elected replica; a channel hears of it once for each threshold
// (fullness.ts). What was told and the notice are one transaction. A pool that does not answer is asked next time.
import type { Clock } from '../clock.ts'
import type { FrozenSpecs } from '../frozen.ts'
import type { Keys } from '../keys.ts'
import type { Kv, Write } from '../kv.ts'
import { createLeader, type Leader, type Term } from '../leader.ts'
import { noticeWrites } from '../notices.ts'
import { decodeAll, put, read, remove, unchanged } from '../records.ts'
import type { Replica } from '../replica.ts'
import { workloadSchema } from '../workload.ts'
import { type StorageWork, storageOn } from './bound.ts'
import { fullnessAfter, fullnessSchema } from './fullness.ts'
import { titleOf } from './place.ts'
import { PoolError } from './pool.ts'
import type { Pools } from './pool-side.ts'
import { bytesText } from './words.ts'

export type WatchDeps = {
  readonly kv: Pick<Kv, 'get' | 'list' | 'commit' | 'subscribe'>
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly specs: FrozenSpecs
  readonly pools: Pools
  readonly log: (message: string, error: unknown) => void
  readonly everyMs?: number
}

const everyMs = 5 * 60_000
/** etcd takes 128 operations in one transaction. */
const batch = 100

export function createVolumeWatch(deps: WatchDeps): Leader {
  const lead = async (term: Term): Promise<void> => {
    while (term.held()) {
      await lookAtAll(deps, term).catch(error => deps.log('how full storage is was not looked at', error))
      await deps.clock.sleep(deps.everyMs ?? everyMs, term.ended)
    }
  }
  return createLeader({ ...deps, role: 'volumes', lead })
}

async function lookAtAll(deps: WatchDeps, term: Term): Promise<void> {
  const { kv, keys } = deps
  const { entries } = await kv.list(keys.workloads)
  const workloads = decodeAll(workloadSchema, entries, error => deps.log('a workload was left out', error))
  const seen = new Set<string>()
  for (const { value: workload } of workloads) {
    const frozen = await deps.specs.get(workload.spec)
    for (const work of frozen ? storageOn(frozen) : []) {
      const { environment, app, storage } = work.volume.place
      seen.add(keys.fullnessOf(environment, app, storage))
      if (!term.held()) return
      await lookAtOne(deps, term, work).catch(error => {
        // The step that makes it is still to come, or did not get so far.
        if (workload.state === 'creating' && error instanceof PoolError && error.code === 'not_found') return
        deps.log(`how full ${titleOf(work.volume)} is could not be seen`, error)
      })
    }
  }
  await forget(deps, term, seen)
}

async function lookAtOne(
  { kv, keys, clock, pools }: WatchDeps,
  term: Term,
  work: StorageWork,
): Promise<void> {
  const { environment, app, storage } = work.volume.place
  const usage = await pools(work.bound.pool)?.pool.usage(work.volume)
  if (!usage) return
  const key = keys.fullnessOf(environment, app, storage)
  const before = await read(kv, fullnessSchema, key)
  const after = fullnessAfter(before?.value.told ?? null, usage)
  if (after.told === (before?.value.told ?? null)) return
  const at = clock.now()
  const told: Write = after.told === null ? remove(key) : put(key, { schema: 1, told: after.told, at })
  const notice = { kind: 'volume_full' as const, to: null, environment, text: wordsOf(work, usage), at }
  await kv.commit({
    compares: [term.fence, unchanged(key, before)],
    writes: [told, ...(after.tell ? noticeWrites(keys, notice) : [])],
  })
}

function wordsOf(
  { volume, storage }: StorageWork,
  { used, quota }: { used: number; quota: number | null },
): string {
  const { environment, app } = volume.place
  const percent = quota ? Math.floor((used / quota) * 100) : 0
  return `Storage ${storage.name} of ${app} in ${environment} is ${percent} % full: ${bytesText(used)} of ${bytesText(quota ?? 0)}. When it is full, the app can write nothing more. Free some of it, or raise storage.size in its app.yaml (now ${storage.size}) and deploy: the volume grows.`
}

/** What is told of no storage any more. */
async function forget({ kv, keys }: WatchDeps, term: Term, seen: ReadonlySet<string>): Promise<void> {
  const { entries } = await kv.list(keys.fullness, { keysOnly: true })
  const old = entries.filter(({ key }) => !seen.has(key))
  for (let at = 0; at < old.length; at += batch) {
    const part = old.slice(at, at + batch)
    const [first] = part
    if (!first) return
    await kv.commit({
      compares: [term.fence, { kind: 'present', key: first.key }],
      writes: part.map(({ key }) => remove(key)),
      repeatable: true,
    })
  }
}
