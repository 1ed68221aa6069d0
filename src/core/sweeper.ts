// Does what is due: requests for approval that expired, locks and freezes whose time is over, owners who should hear that
// their lock ends, history beyond its limit. Every replica sweeps from persisted times; compare-and-swap makes a second sweep of the same thing harmless.
import { UserError } from '../errors.ts'
import { auditPut } from './audit.ts'
import { buildDeploySchema } from './builds/build.ts'
import { buildKeyOf } from './builds/build-key.ts'
import type { Clock } from './clock.ts'
import type { Freeze } from './coordination.ts'
import type { Lock } from './core.ts'
import { type Deploy, deploySchema, isTerminal } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { Keys } from './keys.ts'
import { type Entry, type Kv, newer, type Revision } from './kv.ts'
import { IllegalEvent, type Ledger, LostRace } from './ledger.ts'
import { nagOf } from './lock-nag.ts'
import { noticeSchema, noticeWrites } from './notices.ts'
import { holdsNow, lasts } from './queue.ts'
import { decodeAll, put, remove, type Stored, type UnreadableRecord, unchanged } from './records.ts'
import type { View } from './view.ts'
import { type Workload, workloadSchema } from './workload.ts'

const everyMs = 2_000
/** Sweeps between two looks at notices, how old they become, and how many are looked at. */
const noticesEvery = 150
const noticesMs = 48 * 3_600_000
const mostNotices = 100
/** Deploys in one transaction, each with nine keys, a snapshot and its build's: etcd takes 128 operations. */
const batch = 11

export type Sweeper = {
  start(): void
  stop(): Promise<void>
  /** Once, now: `start` does it again and again. */
  sweep(): Promise<void>
  /** Now and then. */
  forgetNotices(): Promise<void>
  prune(deploy: Deploy): Promise<void>
}

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
    let swept = 0
    while (!stopping.signal.aborted) {
      await clock.sleep(everyMs, stopping.signal)
      if (stopping.signal.aborted) return
      await sweep().catch(deps.failed)
      if (swept++ % noticesEvery === 0) await forgetNotices().catch(deps.failed)
      deps.swept()
    }
  }

  async function sweep(): Promise<void> {
    const now = clock.now()
    for (const stored of view.live.deploys.values()) {
      const { phase, dueAt } = stored.value
      if (phase !== 'awaiting_approval' || dueAt === null || dueAt > now) continue
      await attempt(() => deps.ledger.advance(stored, { kind: 'expire' }))
    }
    for (const lock of view.live.locks.values()) {
      if (!lasts(lock.value, now)) await attempt(() => expired(lock, 'unlock', now))
      else if (lock.value.nagAt !== undefined && lock.value.nagAt <= now) await attempt(() => nag(lock, now))
    }
    for (const freeze of view.live.freezes.values()) {
      if (holdsNow(freeze.value, now)) continue
      await attempt(() => expired(freeze, 'unfreeze', now))
    }
  }

  /** One that cannot be swept keeps no other from it; an etcd that is down does. The next sweep tries again. */
  async function attempt(work: () => Promise<unknown>): Promise<void> {
    await unlessRaced(work).catch(error => {
      if (error instanceof UserError && error.kind === 'unavailable') throw error
      deps.failed(error)
    })
  }

  /** It goes with its entry in the audit: of several replicas one does it. */
  async function expired(held: Stored<Lock | Freeze>, action: string, now: number): Promise<void> {
    const { environment, reason, by } = held.value
    const app = 'app' in held.value ? held.value.app : null
    const audit = auditPut(keys, now, {
      by: { id: 'gkube', name: 'gkube', via: 'gkube' },
      action,
      outcome: 'expired',
      ...(app === null ? {} : { app }),
      ...(environment === null ? {} : { environment }),
      detail: `of ${by.name}: ${reason}`,
    })
    await kv.commit({ compares: [unchanged(held.key, held)], writes: [remove(held.key), audit] })
  }

  /** That it was told and the telling are one transaction: of several replicas one does it. */
  async function nag(lock: Stored<Lock>, now: number): Promise<void> {
    const { nagAt: _, ...told } = lock.value
    const notice = nagOf(lock.value, now)
    await kv.commit({
      compares: [unchanged(lock.key, lock)],
      writes: [put(lock.key, told), ...(notice ? noticeWrites(keys, notice) : [])],
    })
  }

  /** Where nobody tells notices (no Slack, no channel) they would stay for ever. */
  async function forgetNotices(): Promise<void> {
    const oldest = clock.now() - noticesMs
    const { entries } = await kv.list(keys.notices, { limit: mostNotices })
    const old = decodeAll(noticeSchema, entries, deps.failed).filter(({ value }) => value.at < oldest)
    for (const { key } of old) {
      const id = key.slice(keys.notices.length)
      const gone = [key, keys.message(id), keys.outboxEntry(id)]
      await kv.commit({ compares: [], writes: gone.map(remove), repeatable: true })
    }
  }

  /** Deletes the oldest ended deploys of an app in an environment, a tenth more than needed at once. */
  async function prune(deploy: Deploy): Promise<void> {
    const { environment: env, app } = deploy
    const keep = deps.environment(env)?.history ?? 100
    const prefix = keys.history(env, app)
    const { entries, revision } = await kv.list(prefix, { keysOnly: true })
    if (entries.length <= keep + Math.ceil(keep / 10)) return
    const oldestFirst = entries.toSorted((a, b) => (newer(a.createRevision, b.createRevision) ? 1 : -1))
    const ids = oldestFirst.map(entry => entry.key.slice(prefix.length))
    const found = await kv.getMany([keys.workload(env, app)])
    const [workload] = decodeAll(workloadSchema, found.values(), deps.failed)
    // One that cannot be read says nothing about the snapshots that it needs.
    if (!workload && found.size > 0) return
    const { known, unreadable } = await deploysOf(ids)
    const goes = ids.slice(0, ids.length - keep).flatMap(id => {
      const old = known.get(id)
      return old && isTerminal(old.phase) && id !== workload?.value.good?.deploy ? [old] : []
    })
    const needed = snapshotsNeeded(
      [...known.values()].filter(old => !goes.includes(old)),
      workload?.value,
    )
    const loose = goes.flatMap(old => old.prepared?.spec ?? []).filter(spec => !needed.has(spec))
    const specs = unreadable ? [] : await notNewer([...new Set(loose)].map(keys.spec), revision)
    for (let at = 0; at < goes.length; at += batch) {
      const some = goes.slice(at, at + batch)
      const snapshots = specs.filter(({ key }) =>
        some.some(old => key === keys.spec(old.prepared?.spec ?? '')),
      )
      specs.splice(0, specs.length, ...specs.filter(entry => !snapshots.includes(entry)))
      // The workload must not have moved to a snapshot that is deleted here, nor a deploy written one again.
      const builds = await buildsOf(some)
      const compares = [
        unchanged(keys.workload(env, app), workload ?? null),
        ...[...snapshots, ...builds].map(entry => unchanged(entry.key, entry)),
      ]
      const gone = some.flatMap(({ id, requestedBy }) => [
        keys.deploy(id),
        keys.progress(id),
        keys.diagnosis(id),
        keys.hookLog(id),
        keys.planned(id),
        keys.message(id),
        keys.outboxEntry(id),
        keys.askedEntry(requestedBy.id, id),
        keys.historyEntry(env, app, id),
      ])
      const writes = [...gone, ...[...snapshots, ...builds].map(entry => entry.key)].map(remove)
      const { committed } = await kv.commit({ compares, writes, repeatable: true })
      if (!committed) return
    }
  }

  /** Entries that were not written after `revision`: a deploy that was asked for since may need those. */
  async function notNewer(specKeys: readonly string[], revision: Revision): Promise<Entry[]> {
    const old: Entry[] = []
    for (let at = 0; at < specKeys.length; at += 100)
      old.push(...(await kv.getMany(specKeys.slice(at, at + 100))).values())
    return old.filter(entry => !newer(entry.modRevision, revision))
  }

  /** The keys of builds that say that they were deployed by these; a build may have been deployed again since. */
  async function buildsOf(deploys: readonly Deploy[]): Promise<Entry[]> {
    const known = new Map<string, string>()
    for (const old of deploys) {
      const key = buildKeyOf(keys, old)
      if (key) known.set(key, old.id)
    }
    if (known.size === 0) return []
    const found = await kv.getMany([...known.keys()])
    const readable = decodeAll(buildDeploySchema, found.values(), deps.failed)
    return readable
      .filter(({ key, value }) => value.deploy === known.get(key))
      .flatMap(({ key }) => found.get(key) ?? [])
  }

  async function deploysOf(
    ids: readonly string[],
  ): Promise<{ known: Map<string, Deploy>; unreadable: boolean }> {
    const known = new Map<string, Deploy>()
    let unreadable = false
    const report = (error: UnreadableRecord) => {
      unreadable = true
      deps.failed(error)
    }
    for (let at = 0; at < ids.length; at += 100) {
      const found = await kv.getMany(ids.slice(at, at + 100).map(keys.deploy))
      for (const { value } of decodeAll(deploySchema, found.values(), report)) known.set(value.id, value)
    }
    return { known, unreadable }
  }

  return {
    sweep,
    forgetNotices,
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

/** Snapshots that what runs, what could be rolled back to, and deploys on their way refer to. */
function snapshotsNeeded(deploys: readonly Deploy[], workload: Workload | undefined): Set<string> {
  const ofOpen = ({ prepared, params, rollback }: Deploy) => [
    params.spec,
    prepared?.base.spec,
    rollback?.spec,
  ]
  const all = deploys.flatMap(old => [old.prepared?.spec, ...(isTerminal(old.phase) ? [] : ofOpen(old))])
  return new Set([...all, workload?.spec, workload?.good?.spec].filter(spec => typeof spec === 'string'))
}
