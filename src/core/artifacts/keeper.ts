// Removes uploads that nothing refers to any more: one elected replica looks once an hour. What refers to one: the spec of
// anything that ran or could be rolled back to, a deploy on its way, and the newest revisions that were uploaded. The store
// itself spares what was uploaded or asked for lately.
import type { Clock } from '../clock.ts'
import { deploySchema } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Entry, Kv } from '../kv.ts'
import { createLeader, type Leader, type Term } from '../leader.ts'
import { decode, remove, unchanged } from '../records.ts'
import type { Replica } from '../replica.ts'
import { frozenSchema } from '../workload.ts'
import { releasedSchema } from './released.ts'
import type { ArtifactStore } from './store.ts'

const everyMs = 3_600_000
/** Of an app: what was uploaded for older ones goes with time. */
const mostRevisions = 50
const batch = 100

type KeeperDeps = {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list' | 'commit' | 'subscribe'>
  readonly keys: Keys
  readonly clock: Clock
  readonly store: Pick<ArtifactStore, 'prune'>
  /** How long an upload is kept in any case. */
  readonly keepMs: number
}

export function createKeeper(
  deps: KeeperDeps & {
    readonly random: () => number
    readonly replica: Pick<Replica, 'name' | 'lease'>
    readonly log: (message: string, error: unknown) => void
  },
): Leader {
  const lead = async (term: Term): Promise<void> => {
    while (!term.ended.aborted) {
      await keepOnce(deps).catch(error => deps.log('uploaded artifacts were not looked through', error))
      await deps.clock.sleep(everyMs, term.ended)
    }
  }
  return createLeader({ ...deps, role: 'keeper', lead })
}

/** The hashes that went. Throws where a record cannot be read: it may refer to any of them. */
export async function keepOnce(deps: KeeperDeps): Promise<readonly string[]> {
  const now = deps.clock.now()
  // Deploys before specs: one that is prepared in between is in one of them.
  const referenced = new Set([
    ...(await ofDeploys(deps)),
    ...(await ofReleases(deps, now)),
    ...(await ofSpecs(deps)),
  ])
  return deps.store.prune({ referenced, now })
}

async function ofDeploys(deps: KeeperDeps): Promise<string[]> {
  const { keys } = deps
  const { entries } = await deps.kv.list(keys.open, { keysOnly: true })
  const ids = entries.map(({ key }) => key.slice(keys.open.length))
  const found = await all(deps, ids.map(keys.deploy))
  return found.flatMap(entry => {
    const { params, prepared } = decode(deploySchema, entry).value
    return [params.artifact, prepared?.artifact].flatMap(one => one?.sha256 ?? [])
  })
}

async function ofSpecs(deps: KeeperDeps): Promise<string[]> {
  const { entries } = await deps.kv.list(deps.keys.specs, { keysOnly: true })
  const hashes: string[] = []
  for (let at = 0; at < entries.length; at += batch) {
    const some = await all(
      deps,
      entries.slice(at, at + batch).map(({ key }) => key),
    )
    hashes.push(...some.flatMap(entry => decode(frozenSchema, entry).value.artifact?.sha256 ?? []))
  }
  return hashes
}

/** The newest of each app that is registered, and what is not old yet; the records of others go. */
async function ofReleases(deps: KeeperDeps, now: number): Promise<string[]> {
  const { kv, keys } = deps
  const { entries } = await kv.list(keys.releases)
  const byApp = Map.groupBy(
    entries.map(entry => decode(releasedSchema, entry)),
    ({ key }) => key.slice(keys.releases.length).split('/', 1)[0] ?? '',
  )
  const registered = new Set((await all(deps, [...byApp.keys()].map(keys.app))).map(({ key }) => key))
  const hashes: string[] = []
  for (const [app, records] of byApp) {
    const newest = records.toSorted((a, b) => b.value.at - a.value.at)
    const most = registered.has(keys.app(app)) ? mostRevisions : 0
    for (const [at, record] of newest.entries()) {
      if (at < most || now - record.value.at < deps.keepMs) hashes.push(record.value.sha256)
      else await kv.commit({ compares: [unchanged(record.key, record)], writes: [remove(record.key)] })
    }
  }
  return hashes
}

async function all({ kv }: KeeperDeps, wanted: readonly string[]): Promise<Entry[]> {
  const found: Entry[] = []
  for (let at = 0; at < wanted.length; at += batch)
    found.push(...(await kv.getMany(wanted.slice(at, at + batch))).values())
  return found
}
