// Where the storage of an app lies, settled while preparing and for good: on the environment's pool, or any CSI's. What
// serves keeps what it has; a claim or a PersistentVolume that is there already decides for the rest. Nothing is written.
import type { Cluster, KubeObject } from '../cluster.ts'
import { ClusterError } from '../cluster.ts'
import type { Deploy } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { Refusal } from '../freezing.ts'
import { fieldsOf } from '../objects/pod-templates.ts'
import { claimName, isPerPod } from '../objects/volumes.ts'
import { amount, quantity } from '../units.ts'
import type { Bound, Frozen, Workload } from '../workload.ts'
import { type Storage, type StorageWork, storageOn, storageToMake, volumeName } from './bound.ts'
import { driverOf, fitOf } from './fit.ts'
import { neighbourOf } from './neighbour.ts'
import { boundBefore } from './persistent-volume.ts'
import { titleOf } from './place.ts'
import type { PoolSide, Pools } from './pool-side.ts'

type At = {
  readonly cluster: Pick<Cluster, 'get' | 'list' | 'server'>
  readonly namespace: string
  readonly environment: Pick<Environment, 'name' | 'pool'>
  readonly workload: Pick<Workload, 'state'> | null
  readonly base: Frozen | null
}

const refuse = (message: string): Refusal => new Refusal('plan_refused', message)

/** The frozen spec with where its storage lies, and what of that is to do. */
export type SettledStorage = {
  readonly frozen: Frozen
  /** Some has to be made on a pool, or to grow there. */
  readonly pool: boolean
  /** Some lies on a pool that makes snapshots. */
  readonly snapshots: boolean
  /** What to know of it, and what could not be checked. */
  readonly notes: readonly string[]
}
export const noStorage = (frozen: Frozen): SettledStorage => ({
  frozen,
  pool: false,
  snapshots: false,
  notes: [],
})

/** Throws Refusal where storage would have to move, or something is in its way. */
export async function settleStorage(
  at: At & { readonly pools: Pools | undefined; readonly plan: Deploy['plan'] },
  unsettled: Frozen,
): Promise<SettledStorage> {
  const frozen = await withBound(at, unsettled)
  const { work, notes } = await planStorage(at, { frozen, plan: at.plan })
  await demandAlone(at, { work, base: at.base })
  const snapshots = storageOn(frozen).some(({ bound }) => at.pools?.(bound.pool)?.snapshots)
  return { frozen, pool: work.length > 0, snapshots, notes }
}

async function withBound(at: At, frozen: Frozen): Promise<Frozen> {
  const { spec, adopted } = frozen
  // Neither has claims that gkube renders.
  if (spec.kind === 'manifests' || adopted?.kind === 'ReplicationController') return frozen
  const bound: Record<string, Bound> = {}
  for (const storage of spec.storage) {
    const found = await boundOf(at, frozen, storage)
    if (found) bound[storage.name] = found
  }
  const { bound: _, ...rest } = frozen
  return Object.keys(bound).length > 0 ? { ...rest, bound } : rest
}

async function boundOf(at: At, frozen: Frozen, storage: Storage): Promise<Bound | null> {
  const { base, workload, environment } = at
  const before = base?.spec.storage.find(one => one.name === storage.name)
  // What never served may be settled anew, unless something of it is there.
  if (before && workload?.state === 'ready') return kept(storage, before, base?.bound?.[storage.name])
  if (storage.storageClass !== undefined) return null
  const perPod = isPerPod(frozen.spec, storage)
  const there = perPod ? null : await onCluster(at, frozen.app, storage)
  const { name } = environment
  // Where an environment lost its pool, what an earlier life of the app left there is still its data.
  const pool = environment.pool ?? there?.bound?.pool
  if (storage.own && !pool)
    throw refuse(
      `Storage ${storage.name} asks for a volume of its own, and ${name} has no pool: leave \`own\` out, or an operator sets environments.${name}.pool.`,
    )
  if (!pool || (there?.elsewhere && environment.pool === undefined)) return null
  if (!there)
    throw refuse(
      `Storage ${storage.name} is one claim for each pod of a StatefulSet, which the pool ${pool} cannot give: name a storageClass for it, or share it by access: RWX.`,
    )
  return fresh(there, { pool, app: frozen.app, environment: name, storage })
}

/** What an earlier life of the app left: its claim, and the PersistentVolume that gkube would make. */
type There = {
  readonly claim: KubeObject | null
  readonly live: KubeObject | null
  readonly volume: string
  /** What that PersistentVolume says of itself. */
  readonly bound: Pick<Bound, 'pool' | 'kind'> | null
  /** The claim is bound to something else. */
  readonly elsewhere: boolean
}

async function onCluster(
  { cluster, namespace, environment }: At,
  app: string,
  storage: Storage,
): Promise<There> {
  const of = { environment: environment.name, app, storage: storage.name }
  const volume = volumeName({ ...of, namespace })
  const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claimName(app, storage) }
  const claim = await cluster.get(ref)
  const to = fieldsOf(claim?.spec).volumeName
  const asked = environment.pool !== undefined || to === volume
  const live = await volumeNamed(cluster, volume, { environment: environment.name, asked })
  return {
    claim,
    live,
    volume,
    bound: live && boundBefore(live, of),
    elsewhere: claim !== null && to !== volume,
  }
}

/** What serves stays where it is. */
function kept(storage: Storage, before: Storage, bound: Bound | undefined): Bound | null {
  const { name } = storage
  const instead = 'Add a new storage entry and move the data.'
  if (!bound) {
    if (storage.own && !before.own)
      throw refuse(
        `Storage ${name} lies on a StorageClass, where it stays: it gets no own volume. ${instead}`,
      )
    return null
  }
  const own = bound.kind === 'own'
  if (storage.storageClass !== undefined)
    throw refuse(
      `Storage ${name} lies on the pool ${bound.pool} and is not moved to the StorageClass ${storage.storageClass}. ${instead}`,
    )
  if (Boolean(storage.own) !== own)
    throw refuse(
      `Storage ${name} is ${own ? 'a volume of its own' : 'a directory on the shared volume'}, and stays that. ${own ? 'Write own: true' : 'Leave `own` out'}, or add a new storage entry and move the data.`,
    )
  if (amount(storage.size) < amount(before.size))
    throw refuse(
      `Storage ${name} cannot shrink from ${before.size} to ${storage.size}. Keep the size, or add a new storage entry and move the data.`,
    )
  return bound
}

/** New, or back after a delete: what is on the cluster decides. */
function fresh(
  { claim, live, volume, bound: there }: There,
  { pool, storage, ...whose }: { pool: string; app: string; environment: string; storage: Storage },
): Bound {
  const of = { ...whose, storage: storage.name }
  if (claim) checkClaim(claim, { volume, pool, storage })
  if (live && !there)
    throw refuse(
      `PersistentVolume ${volume} is there and is not the one that gkube made for storage ${storage.name}. It is left alone: rename or delete it.`,
    )
  const kind = storage.own ? 'own' : 'directory'
  if (there && there.kind !== kind)
    throw refuse(
      `Storage ${storage.name} is there as ${there.kind === 'own' ? 'a volume of its own' : 'a directory on the shared volume'} (${titleOf({ kind: there.kind, place: of })}) and stays that: ${there.kind === 'own' ? 'write own: true' : 'leave `own` out'}, or delete it by its name first.`,
    )
  const asked = fieldsOf(fieldsOf(fieldsOf(claim?.spec).resources).requests).storage
  const request = quantity.safeParse(asked)
  return {
    pool: there?.pool ?? pool,
    kind,
    volume,
    request: request.success ? request.data : storage.size,
  }
}

function checkClaim(claim: KubeObject, of: { volume: string; pool: string; storage: Storage }): void {
  const { namespace, name, deletionTimestamp } = claim.metadata
  const spec = fieldsOf(claim.spec)
  if (deletionTimestamp)
    throw refuse(
      `Claim ${namespace}/${name} is being deleted. Deploy again when it is gone: kubectl -n ${namespace} get pvc ${name}`,
    )
  if (spec.volumeName === of.volume) return
  const to = spec.volumeName ? `bound to ${spec.volumeName}` : 'not bound yet'
  const by = spec.storageClassName ? ` by the StorageClass ${spec.storageClassName}` : ''
  throw refuse(
    `Claim ${namespace}/${name} is there and ${to}${by}, not to the pool ${of.pool}. gkube moves no data: write storageClass: ${JSON.stringify(spec.storageClassName ?? '')} below storage ${of.storage.name} to go on with it, or give the storage another name.`,
  )
}

/** `asked`: it is needed; else gkube may have no right to look, and then there is none. */
async function volumeNamed(
  cluster: At['cluster'],
  name: string,
  { environment, asked }: { environment: string; asked: boolean },
): Promise<KubeObject | null> {
  try {
    return await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name })
  } catch (error) {
    if (!(error instanceof ClusterError) || error.kind !== 'forbidden') throw error
    if (!asked) return null
    throw new Refusal(
      'forbidden',
      `gkube may not read PersistentVolumes, which storage on a pool needs. An operator gives it the rights: gkube rbac ${environment} | kubectl apply -f -`,
    )
  }
}

/** What the deploy has to make on pools, checked, and what to know of it. Throws Refusal. */
async function planStorage(
  at: Pick<At, 'cluster' | 'base' | 'namespace'> & { readonly pools: Pools | undefined },
  { frozen, plan }: { readonly frozen: Frozen; readonly plan: Deploy['plan'] },
): Promise<{ readonly work: readonly StorageWork[]; readonly notes: readonly string[] }> {
  const work = storageToMake(frozen, { plan, base: at.base })
  const sides = work.map(({ bound }) => {
    const side = at.pools?.(bound.pool)
    if (side) return { ...side, name: bound.pool }
    throw refuse(`The pool ${bound.pool} is not in gkube.yaml (any more): put it back below \`pools\`.`)
  })
  const made = work.filter(({ from }) => from === null)
  if (made.length > 0) checkOwner(frozen, made)
  const notes = new Set<string>()
  if (made.length > 0) {
    const cluster = await factsOf(at.cluster, sides)
    for (const [i, { bound, from }] of work.entries()) {
      const side = sides[i]
      const fit = side && from === null ? fitOf(side, bound.kind, cluster) : {}
      if (fit.refusal) throw refuse(fit.refusal)
      if (fit.note) notes.add(fit.note)
    }
  }
  return { work, notes: [...work.map(workWords), ...notes] }
}

/** What is made anew lies where nobody else's does. */
async function demandAlone(
  { cluster, pools }: Pick<At, 'cluster'> & { readonly pools: Pools | undefined },
  { work, base }: { readonly work: readonly StorageWork[]; readonly base: Frozen | null },
): Promise<void> {
  for (const { bound, volume, from } of work) {
    const side = pools?.(bound.pool)
    if (from !== null || base?.bound?.[volume.place.storage] || !side) continue
    const other = await neighbourOf(cluster, { side, volume, name: bound.volume })
    if (other) throw refuse(`Storage ${volume.place.storage} is not made: ${other}`)
  }
}

const workWords = ({ storage, bound, volume, from }: StorageWork): string =>
  from === null
    ? `storage ${storage.name} is ${titleOf(volume)} on the pool ${bound.pool}, ${storage.size}; a delete keeps it`
    : `storage ${storage.name} grows from ${from} to ${storage.size}: the quota and the PersistentVolume; its claim keeps saying ${bound.request}`

/** Whose its files are: only the app can say, before its first pod runs. */
function checkOwner({ spec }: Frozen, made: readonly StorageWork[]): void {
  const { runAsUser, runAsGroup } = spec.security
  const missing = [
    ...(runAsUser === undefined ? ['security.runAsUser'] : []),
    ...(runAsGroup === undefined ? ['security.runAsGroup'] : []),
  ]
  if (missing.length > 0)
    throw refuse(
      `Storage ${made.map(({ storage }) => storage.name).join(', ')} on the pool ${made[0]?.bound.pool} belongs to the app's user and group: set ${missing.join(' and ')} to what the image runs as, such as 1000.`,
    )
}

async function factsOf(cluster: At['cluster'], sides: readonly Pick<PoolSide, 'strategy'>[]) {
  const { minor } = await cluster.server()
  const asks = sides.some(({ strategy }) => driverOf(strategy) !== null)
  return { minor, drivers: asks ? await driversOf(cluster) : null }
}

/** Null: gkube may not list them, or the server is too old to be asked this way. */
async function driversOf(cluster: At['cluster']): Promise<string[] | null> {
  try {
    const found = await cluster.list({ apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver' })
    return found.map(({ metadata }) => metadata.name)
  } catch (error) {
    if (error instanceof ClusterError && (error.kind === 'forbidden' || error.kind === 'not_found'))
      return null
    throw error
  }
}

/** PersistentVolumes of a spec by their claims: what the allowlist lets claims name. */
export const boundClaims = (frozen: Frozen): ReadonlyMap<string, string> =>
  new Map(storageOn(frozen).map(({ claim, bound }) => [claim, bound.volume]))
