// Does what is due: requests for approval that expired, locks whose time is over, history beyond its limit. Every
// replica sweeps from persisted times; compare-and-swap makes a second sweep of the same thing harmless.
import type { Clock } from './clock.ts'
import { type Deploy, deploySchema, isTerminal } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { Keys } from './keys.ts'
import { type Kv, newer } from './kv.ts'
import { IllegalEvent, type Ledger, LostRace } from './ledger.ts'
import { decodeAll, remove, unchanged } from './records.ts'
import type { View } from './view.ts'
import { workloadSchema } from './workload.ts'

const everyMs = 2_000
/** etcd takes 128 operations a transaction. */
const batch = 25

export type Sweeper = { start(): void; stop(): Promise<void>; prune(deploy: Deploy): Promise<void> }

export function createSweeper(deps: {
  kv: Pick<Kv, 'list' | 'commit' | 'getMany'>
  keys: Keys
  clock: Clock
  view: Pick<View, 'live'>
  ledger: Ledger
  environment: (name: string) => Environment | undefined
  /** Called after each sweep: time alone can free a deploy. */
  swept: () => void
  failed: (error: unknown) => void
}): Sweeper {
  const { kv, keys, clock, view } = deps
  const stopping = new AbortController()
  let loop: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(everyMs, stopping.signal)
      if (stopping.signal.aborted) return
      await sweep().catch(deps.failed)
      deps.swept()
    }
  }

  async function sweep(): Promise<void> {
    const now = clock.now()
    for (const stored of view.live.deploys.values()) {
      const { phase, dueAt } = stored.value
      if (phase !== 'awaiting_approval' || dueAt === null || dueAt > now) continue
      await unlessRaced(() => deps.ledger.advance(stored, { kind: 'expire' }))
    }
    for (const lock of view.live.locks.values()) {
      if (lock.value.expiresAt > now) continue
      await kv.commit({ compares: [unchanged(lock.key, lock)], writes: [remove(lock.key)] })
    }
  }

  /** Deletes the oldest ended deploys of an app in an environment, a tenth more than needed at once. */
  async function prune(deploy: Deploy): Promise<void> {
    const { environment: env, app } = deploy
    const keep = deps.environment(env)?.history ?? 100
    const { entries } = await kv.list(keys.history(env, app))
    if (entries.length <= keep + Math.ceil(keep / 10)) return
    const oldestFirst = entries.toSorted((a, b) => (newer(a.createRevision, b.createRevision) ? 1 : -1))
    const ids = oldestFirst.map(entry => entry.key.slice(keys.history(env, app).length))
    const found = await kv.getMany([keys.workload(env, app)])
    const [workload] = decodeAll(workloadSchema, found.values(), deps.failed)
    const all = await deploysOf(ids)
    const goes = all
      .slice(0, ids.length - keep)
      .filter(old => isTerminal(old.phase) && old.id !== workload?.value.good?.deploy)
    const kept = all.filter(old => !goes.includes(old))
    const specsKept = new Set([
      ...kept.map(old => old.prepared?.spec),
      workload?.value.spec,
      workload?.value.good?.spec,
    ])
    for (let at = 0; at < goes.length; at += batch) {
      const writes = goes.slice(at, at + batch).flatMap(old => {
        const spec = old.prepared?.spec
        const ownSpec = spec && !specsKept.has(spec) ? [keys.spec(spec)] : []
        if (spec) specsKept.add(spec)
        return [
          keys.deploy(old.id),
          keys.progress(old.id),
          keys.diagnosis(old.id),
          keys.historyEntry(env, app, old.id),
          ...ownSpec,
        ]
      })
      const first = goes[at]
      if (!first) return
      // The workload must not have moved to a snapshot that is being deleted.
      const compares = [unchanged(keys.workload(env, app), workload ?? null)]
      const { committed } = await kv.commit({ compares, writes: writes.map(remove), repeatable: true })
      if (!committed) return
    }
  }

  async function deploysOf(ids: readonly string[]): Promise<Deploy[]> {
    const records: Deploy[] = []
    for (let at = 0; at < ids.length; at += 100) {
      const found = await kv.getMany(ids.slice(at, at + 100).map(keys.deploy))
      for (const stored of decodeAll(deploySchema, found.values(), deps.failed)) records.push(stored.value)
    }
    return records
  }

  return {
    prune,
    start() {
      loop = run()
    },
    async stop() {
      stopping.abort()
      await loop
    },
  }
}

async function unlessRaced(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof LostRace || error instanceof IllegalEvent)) throw error
  }
}
