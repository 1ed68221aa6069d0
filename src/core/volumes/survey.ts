// All storage of apps as it is now: from the records of what runs, the claims and PersistentVolumes of the clusters, and
// what the pools count. Reads only. What does not answer in time is said in its row; it stops no other.
import { type Cluster, ClusterError, type KubeObject } from '../cluster.ts'
import { mainOf } from '../inventory.ts'
import { managedBy } from '../objects/labels.ts'
import { fieldsOf } from '../objects/pod-templates.ts'
import { claimName, isPerPod } from '../objects/volumes.ts'
import { decodeAll } from '../records.ts'
import { redactText } from '../redact.ts'
import { amount } from '../units.ts'
import type { Deps } from '../use-cases/deps.ts'
import { type Workload, workloadSchema } from '../workload.ts'
import { bytesOf, type Storage } from './bound.ts'
import { boundBefore, storageLabel } from './persistent-volume.ts'
import { titleOf } from './place.ts'
import type { PoolHealth, PoolVolume } from './pool.ts'
import type { StorageRow } from './verbs.ts'

type SurveyDeps = Pick<
  Deps,
  'kv' | 'keys' | 'clock' | 'specs' | 'clusters' | 'environments' | 'pools' | 'log'
>

/** Pools are asked this long; what is not known then is shown as such. */
const poolsMs = 15_000
/** Each question of a pool is a command on one server. */
const atOnce = 4
/** From this share of its quota on a row is a warning. */
const fullPercent = 85

/** A row, and what its pool is asked about it. */
type Found = { readonly row: StorageRow; readonly ask: PoolVolume | null }
type Wanted = (where: { app: string; environment: string }) => boolean

export async function surveyStorage(deps: SurveyDeps, wanted: Wanted): Promise<StorageRow[]> {
  const { entries } = await deps.kv.list(deps.keys.workloads)
  const all = decodeAll(workloadSchema, entries, error =>
    deps.log('a workload was left out of the volumes', error),
  ).map(stored => stored.value)
  const running = (await Promise.all(all.filter(wanted).map(workload => ofWorkload(deps, workload)))).flat()
  const known = new Set(running.flatMap(({ row }) => row.volume ?? []))
  const found = [...running, ...(await unused(deps, { wanted, known }))]
  const claims = await boundClaims(deps, found, all)
  return askPools(
    deps,
    found.map(({ row, ask }) => ({ row: { ...row, volume: row.volume ?? claims(row) }, ask })),
  )
}

async function ofWorkload({ specs }: SurveyDeps, workload: Workload): Promise<Found[]> {
  const frozen = await specs.get(workload.spec)
  const renders =
    frozen && frozen.spec.kind !== 'manifests' && mainOf(workload)?.kind !== 'ReplicationController'
  if (!frozen || !renders) return []
  const { app, environment } = workload
  return frozen.spec.storage.map(storage => {
    const bound = frozen.bound?.[storage.name]
    const place = { environment, app, storage: storage.name }
    const ask = bound ? { kind: bound.kind, place } : null
    const row: StorageRow = {
      ...place,
      claim: isPerPod(frozen.spec, storage) ? `${storage.name}-${app}` : claimName(app, storage),
      volume: bound?.volume ?? null,
      pool: bound?.pool ?? null,
      title: ask && titleOf(ask),
      size: bytesOf(storage),
      used: null,
      quota: null,
      health: bound ? '' : elsewhere(storage),
      state: 'unknown',
    }
    return { row, ask }
  })
}

const elsewhere = ({ storageClass }: Storage): string =>
  `${storageClass ? `StorageClass ${storageClass}` : "the cluster's StorageClass"}: gkube does not know its use`

/** PersistentVolumes that gkube made and that no app names any more. */
async function unused(
  deps: SurveyDeps,
  of: { wanted: Wanted; known: ReadonlySet<string> },
): Promise<Found[]> {
  // Also where no environment names a pool any more: what was made there is not forgotten.
  const names = new Set([...deps.environments.values()].map(({ cluster }) => cluster))
  const clusters = [...names].flatMap(name => deps.clusters.get(name) ?? [])
  const found = await Promise.all(clusters.map(cluster => volumesOn(deps, cluster)))
  return found.flat().flatMap(object => {
    const place = placeOf(object)
    const bound = place && boundBefore(object, place)
    if (!place || !bound || of.known.has(object.metadata.name) || !of.wanted(place)) return []
    const spec = fieldsOf(object.spec)
    const ask = { kind: bound.kind, place }
    const row: StorageRow = {
      ...place,
      claim: String(fieldsOf(spec.claimRef).name ?? ''),
      volume: object.metadata.name,
      pool: bound.pool,
      title: titleOf(ask),
      size: amount(String(fieldsOf(spec.capacity).storage ?? '0')),
      used: null,
      quota: null,
      health: '',
      state: 'unused',
    }
    return [{ row, ask }]
  })
}

const volumesOn = (deps: SurveyDeps, cluster: Cluster): Promise<KubeObject[]> =>
  cluster
    .list({ apiVersion: 'v1', kind: 'PersistentVolume', labels: { [managedBy]: 'gkube' } })
    .catch(error => {
      // Without a pool it needs no right to look, and there are none.
      const onPool = [...deps.environments.values()].some(one => one.pool && one.cluster === cluster.name)
      const usual = !onPool && error instanceof ClusterError && error.kind === 'forbidden'
      if (!usual) deps.log(`PersistentVolumes of ${cluster.name} could not be listed`, error)
      return []
    })

/** Its own labels say whose it is. */
function placeOf({ metadata }: KubeObject) {
  const { 'gkube.dev/app': app, 'gkube.dev/environment': environment } = metadata.labels ?? {}
  const storage = metadata.labels?.[storageLabel]
  return app && environment && storage ? { app, environment, storage } : null
}

/** What claims of a StorageClass are bound to: one list a namespace. */
async function boundClaims(deps: SurveyDeps, found: readonly Found[], workloads: readonly Workload[]) {
  const asked = new Map<string, Promise<ReadonlyMap<string, string>>>()
  const spaceOf = (row: StorageRow) =>
    workloads.find(({ app, environment }) => app === row.app && environment === row.environment)
  for (const { row } of found) {
    const at = row.volume === null ? spaceOf(row) : undefined
    const key = at && `${at.cluster}/${at.namespace}`
    if (at && key && !asked.has(key)) asked.set(key, claimsIn(deps, at))
  }
  const known = new Map(
    await Promise.all([...asked].map(async ([key, claims]) => [key, await claims] as const)),
  )
  return (row: StorageRow): string | null => {
    const at = spaceOf(row)
    return (at && known.get(`${at.cluster}/${at.namespace}`)?.get(row.claim)) ?? null
  }
}

async function claimsIn(
  deps: SurveyDeps,
  at: Pick<Workload, 'cluster' | 'namespace'>,
): Promise<ReadonlyMap<string, string>> {
  const query = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: at.namespace }
  const found = await deps.clusters
    .get(at.cluster)
    ?.list({ ...query, labels: { [managedBy]: 'gkube' } })
    .catch(error => {
      deps.log(`claims in ${at.namespace} could not be listed`, error)
      return []
    })
  return new Map(
    (found ?? []).flatMap(({ metadata, spec }) => {
      const { volumeName } = fieldsOf(spec)
      return typeof volumeName === 'string' ? [[metadata.name, volumeName] as const] : []
    }),
  )
}

/** Health once for each GlusterFS volume, use once for each row; all of it within `poolsMs`. */
async function askPools(deps: SurveyDeps, found: readonly Found[]): Promise<StorageRow[]> {
  const ended = new AbortController()
  const late = deps.clock.sleep(poolsMs, ended.signal).then(() => null)
  const healths = new Map<string, Promise<PoolHealth | null>>()
  const rows = found.map(({ row }) => row)
  const queue = [...found.entries()]
  const worker = async () => {
    for (;;) {
      const next = queue.shift()
      if (!next) return
      const [i, one] = next
      rows[i] = await Promise.race([asked(deps, one, healths), late.then(() => untold(one.row))])
    }
  }
  try {
    await Promise.all(Array.from({ length: atOnce }, worker))
  } finally {
    ended.abort()
  }
  return rows
}

const untold = (row: StorageRow): StorageRow => ({ ...row, health: 'its pool did not answer in time' })

async function asked(
  deps: SurveyDeps,
  { row, ask }: Found,
  healths: Map<string, Promise<PoolHealth | null>>,
): Promise<StorageRow> {
  if (!ask || row.pool === null) return row
  const side = deps.pools?.(row.pool)
  if (!side) return { ...row, health: `the pool ${row.pool} is not in gkube.yaml any more` }
  const key = `${row.pool}/${ask.kind === 'own' ? titleOf(ask) : ''}`
  const words = (error: unknown) => redactText(error instanceof Error ? error.message : String(error))
  const health = healths.get(key) ?? side.pool.health(ask.kind === 'own' ? ask : undefined)
  healths.set(key, health)
  try {
    const [told, usage] = await Promise.all([health, side.pool.usage(ask)])
    return { ...row, ...usage, health: told?.words ?? '', state: stateOf(row, told, usage) }
  } catch (error) {
    return { ...row, health: words(error).slice(0, 300) }
  }
}

function stateOf(
  row: StorageRow,
  health: PoolHealth | null,
  { used, quota }: { used: number; quota: number | null },
): StorageRow['state'] {
  if (row.state === 'unused') return 'unused'
  if (health?.state === 'down') return 'failed'
  const full = quota !== null && quota > 0 && (used / quota) * 100 >= fullPercent
  return full || health?.state === 'degraded' ? 'warning' : 'ok'
}
