// Storage of apps as people see it, and deleting what no app uses any more. Making and growing it is steps/volume.ts.
// While its data goes, the app is locked there: no deploy may begin that would mount it.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Cluster, ClusterError, type KubeObject } from '../cluster.ts'
import { activeSchema } from '../coordination.ts'
import { type Caller, type Core, type Lock, lockSchema } from '../core.ts'
import { isSameActor } from '../deploy.ts'
import { type Environment, namespaceOf } from '../environment.ts'
import { fieldsOf, listOf } from '../objects/pod-templates.ts'
import { demand } from '../policy.ts'
import { lasts } from '../queue.ts'
import { decode, put, read, remove, unchanged } from '../records.ts'
import { volumeName } from '../volumes/bound.ts'
import { neighbourOf } from '../volumes/neighbour.ts'
import { boundBefore } from '../volumes/persistent-volume.ts'
import { checkTyped, ownVolumeOf, type Place, titleOf } from '../volumes/place.ts'
import { PoolError, type PoolVolume } from '../volumes/pool.ts'
import type { PoolSide } from '../volumes/pool-side.ts'
import { surveyStorage } from '../volumes/survey.ts'
import { clusterOf, type Deps, environmentNamed } from './deps.ts'
import { lockWords } from './locks.ts'
import { demandLook, mayLook } from './sight.ts'

/** A crash in between leaves the lock: it ends by itself. */
const lockMs = 10 * 60_000
const lockReason = 'its data is being deleted'
/** Pods that still use a claim keep it. */
const claimGoneMs = 15_000

export function volumes(deps: Deps): Pick<Core, 'volumes' | 'deleteVolume'> {
  return {
    async volumes(caller, { app, environment }) {
      if (environment) environmentNamed(deps, environment)
      if (app) demandLook(deps, caller, { app, environment: environment ?? null })
      else demand(caller, 'view', {}, deps.people)
      const rows = await surveyStorage(
        deps,
        row =>
          (!app || row.app === app) &&
          (!environment || row.environment === environment) &&
          mayLook(deps, caller, row),
      )
      const order = [...deps.environments.keys()]
      const rank = ({ environment: name }: { environment: string }) => order.indexOf(name)
      return rows.toSorted(
        (a, b) => a.app.localeCompare(b.app) || rank(a) - rank(b) || a.storage.localeCompare(b.storage),
      )
    },
    async deleteVolume(caller, { app, environment: name, storage, typed }) {
      const environment = environmentNamed(deps, name)
      demand(caller, 'delete', { app, environment }, deps.people)
      const target = await targetOf(deps, { environment, place: { environment: name, app, storage }, typed })
      const { volume } = target
      try {
        checkTyped(volume, typed)
      } catch (error) {
        // What was typed wrong can be typed again: a dialog stays open for it.
        throw error instanceof PoolError ? new UserError('bad_input', error.message) : error
      }
      const other = await asked(neighbourOf(target.cluster, target))
      if (other) throw new UserError('conflict', `Nothing was deleted: ${other}`)
      const unlock = await lockFor(deps, caller, target.place)
      try {
        const left = await deleted(deps, target, typed)
        await unlock('deleted', titleOf(volume))
        return { deleted: titleOf(volume), left }
      } catch (error) {
        await unlock('failed', `${titleOf(volume)}: ${error instanceof Error ? error.message : error}`)
        throw shown(error)
      }
    },
  }
}

type Target = {
  readonly place: Place
  readonly cluster: Cluster
  readonly namespace: string
  readonly side: PoolSide
  readonly volume: PoolVolume
  /** Of its PersistentVolume. */
  readonly name: string
  /** Null: it is gone, or was never made. */
  readonly live: KubeObject | null
}

/** Where it lies: as its PersistentVolume says, else as the environment has it. */
async function targetOf(
  deps: Deps,
  { environment, place, typed }: { environment: Environment; place: Place; typed: string },
): Promise<Target> {
  const { app, storage } = place
  if (await deps.kv.get(deps.keys.workload(place.environment, app)))
    throw new UserError(
      'conflict',
      `${app} runs in ${place.environment}, so its storage is not deleted. Delete the app there first: gkube delete ${app} --environment ${place.environment}`,
    )
  const cluster = clusterOf(deps, environment)
  const namespace = namespaceOf(environment, app)
  const name = volumeName({ ...place, namespace })
  const live = await asked(cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name }))
  const bound = live && boundBefore(live, place)
  if (live && !bound)
    throw new UserError(
      'conflict',
      `PersistentVolume ${name} is not the one that gkube made for storage ${storage}. It is left alone.`,
    )
  // Where its PersistentVolume is gone, what was typed says which of the two is meant.
  const kind = bound?.kind ?? (typed === ownVolumeOf(place) ? 'own' : 'directory')
  const pool = bound?.pool ?? environment.pool
  const side = pool === undefined ? undefined : deps.pools?.(pool)
  if (!side)
    throw new UserError(
      'not_found',
      pool === undefined
        ? `${app} has no storage ${storage} on a pool in ${place.environment}. See: gkube volumes`
        : `The pool ${pool} is not in gkube.yaml (any more): put it back below \`pools\`, or delete the data there by hand.`,
    )
  return { place, cluster, namespace, side, volume: { kind, place }, name, live }
}

/** Writes a lock that nobody else has; what it gives back ends it, with the audit entry of what came of it. */
async function lockFor(deps: Deps, caller: Caller, { app, environment }: Place) {
  const { kv, keys, clock } = deps
  const key = keys.lockApp(environment, app)
  const before = await read(kv, lockSchema, key)
  const now = clock.now()
  const isHeld = before !== null && lasts(before.value, now)
  if (isHeld && !isSameActor(before.value.by, caller.actor))
    throw new UserError('held', lockWords(before.value), { details: { lock: before.value } })
  const lock: Lock = {
    schema: 1,
    scope: 'app',
    environment,
    app,
    by: { id: caller.actor.id, name: caller.actor.name },
    reason: lockReason,
    at: now,
    expiresAt: now + lockMs,
  }
  const audit = (outcome: string, detail: string) =>
    auditPut(keys, clock.now(), {
      by: caller.actor,
      action: 'delete_volume',
      outcome,
      app,
      environment,
      detail,
    })
  const workload = keys.workload(environment, app)
  const mine = await kv.commit({
    compares: [unchanged(key, before), { kind: 'absent', key: workload }],
    writes: [put(key, lock), audit('started', '')],
  })
  if (!mine.committed)
    throw new UserError(
      'conflict',
      `${app} was locked or deployed at the same moment. Look again: gkube status ${app}`,
    )
  // Their own lock of before goes on; one that a deletion left when it was cut off does not.
  const freed = isHeld && before.value.reason !== lockReason ? put(key, before.value) : remove(key)
  /** The entry is written even where somebody else has the lock by now. */
  const unlock = async (outcome: string, detail: string) => {
    const entry = audit(outcome, detail)
    const held = await kv.get(key)
    const isMine = held?.modRevision === mine.revision
    await kv.commit({
      compares: [
        { kind: 'absent', key: entry.key },
        ...(isMine ? [{ kind: 'unchanged' as const, key, modRevision: mine.revision }] : []),
      ],
      writes: [entry, ...(isMine ? [freed] : [])],
    })
  }
  const active = await kv.get(keys.active(environment, app))
  const deploy = active && decode(activeSchema, active).value.deploy
  if (deploy) {
    await unlock('refused', `deploy ${deploy} runs`)
    throw new UserError('conflict', `Deploy ${deploy} of ${app} runs in ${environment}. Wait for its end.`)
  }
  return unlock
}

/** The claim, the data, the PersistentVolume: in this order all that is left can be found and deleted again. */
async function deleted(deps: Deps, target: Target, typed: string): Promise<readonly string[]> {
  const { cluster, side, volume, live } = target
  if (live) await claimGone(deps, target, live)
  const { left } = await side.pool.remove(volume, typed)
  if (live) {
    const { name, uid } = live.metadata
    await cluster.remove({ apiVersion: 'v1', kind: 'PersistentVolume', name }, { uid })
  }
  return left
}

async function claimGone({ clock }: Deps, { cluster, namespace }: Target, volume: KubeObject): Promise<void> {
  const name = String(fieldsOf(fieldsOf(volume.spec).claimRef).name ?? '')
  const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name }
  const claim = await cluster.get(ref)
  const { uid } = claim?.metadata ?? {}
  if (!claim || fieldsOf(claim.spec).volumeName !== volume.metadata.name) return
  // A claim that was asked to go never comes back, and no new pod could mount it: better not to ask.
  const [user] = (await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace })).filter(pod =>
    mounts(pod, name),
  )
  if (user)
    throw new UserError(
      'conflict',
      `Pod ${namespace}/${user.metadata.name} still mounts it, so nothing was deleted. Delete the pod first.`,
    )
  await cluster.remove(ref, { uid })
  const until = clock.now() + claimGoneMs
  for (let pause = 50; (await cluster.get(ref))?.metadata.uid === uid; pause = Math.min(1_000, pause * 2)) {
    if (clock.now() > until)
      throw new UserError(
        'conflict',
        `Claim ${namespace}/${name} is still used by a pod, so nothing of its data was deleted. See: kubectl -n ${namespace} describe pvc ${name}`,
      )
    await clock.sleep(pause)
  }
}

/** A pod that runs or will, and is not on its way out. */
const mounts = ({ metadata, spec, status }: KubeObject, claim: string): boolean =>
  metadata.deletionTimestamp === undefined &&
  !['Succeeded', 'Failed'].includes(String(fieldsOf(status).phase)) &&
  listOf(fieldsOf(spec).volumes).some(one => fieldsOf(one.persistentVolumeClaim).claimName === claim)

const asked = <T>(answer: Promise<T>): Promise<T> =>
  answer.catch(error => {
    throw shown(error)
  })

/** What a pool or a cluster says is for people. */
function shown(error: unknown): unknown {
  if (error instanceof PoolError)
    return new UserError(error.code === 'unavailable' ? 'unavailable' : 'conflict', error.message, {
      cause: error,
    })
  if (error instanceof ClusterError)
    return new UserError(
      error.kind === 'forbidden' ? 'conflict' : 'unavailable',
      `The cluster did not do it: ${error.message}`,
      { cause: error },
    )
  return error
}
