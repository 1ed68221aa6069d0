// The volume step: what storage needs on its pool is made there, or grows; then the PersistentVolume that its claim is
// bound to is made or grows with it. Each effect may have happened before a crash. The claim itself is apply's.
import { ClusterError, type KubeObject, nameOf, refOf } from '../cluster.ts'
import { Fenced } from '../replica.ts'
import { bytesOf, type StorageWork, storageToMake } from '../volumes/bound.ts'
import { compareVolume, persistentVolume } from '../volumes/persistent-volume.ts'
import { titleOf } from '../volumes/place.ts'
import { PoolError } from '../volumes/pool.ts'
import type { PoolSide } from '../volumes/pool-side.ts'
import { done, epochOf, failed, mostStale, type StepBody, type StepContext } from './step.ts'

export const volume: StepBody = async context => {
  const { deploy, frozen, base } = context
  const said: string[] = []
  for (const work of storageToMake(frozen, { plan: deploy.plan, base })) {
    if (context.cancelled.aborted) return { kind: 'cancelled' }
    const made = await makeOne(context, work)
    if ('refused' in made) return failed('volume_failed', made.refused)
    said.push(made.words)
  }
  return done(said.join('; '))
}

type Made = { readonly words: string } | { readonly refused: string }

async function makeOne(context: StepContext, work: StorageWork): Promise<Made> {
  const { bound, storage } = work
  const side = context.pools(bound.pool)
  if (!side) return { refused: `The pool ${bound.pool} is not in gkube.yaml any more: put it back.` }
  const room = await onPool(context, side, work)
  if ('refused' in room) return room
  const wanted = persistentVolume({
    frozen: context.frozen,
    work,
    side,
    namespace: context.workload.namespace,
    bytes: room.bytes,
    deploy: context.deploy,
  })
  const written = await bindTo(context, wanted, work.claim)
  if ('refused' in written) return written
  const size = room.bytes > bytesOf(storage) ? `${storage.size} (it was larger already)` : storage.size
  return { words: `${titleOf(work.volume)} ${room.words} ${size}, ${bound.volume} ${written.words}` }
}

/** What is made already is asked to grow only: its owner is the app's to change. */
async function onPool(
  { frozen }: StepContext,
  { pool }: PoolSide,
  { storage, volume, from }: StorageWork,
): Promise<{ readonly bytes: number; readonly words: string } | { readonly refused: string }> {
  const bytes = bytesOf(storage)
  try {
    if (from !== null) return { ...(await pool.grow(volume, bytes)), words: 'has' }
    const { runAsUser: uid, runAsGroup: gid } = frozen.spec.security
    if (uid === undefined || gid === undefined)
      return {
        refused: `Storage ${storage.name} has no owner: set security.runAsUser and security.runAsGroup.`,
      }
    const ensured = await pool.ensure(volume, { uid, gid, bytes })
    return { bytes: ensured.bytes, words: ensured.made ? 'made with' : 'is there with' }
  } catch (error) {
    // What is over by itself is tried again by who runs the steps.
    if (error instanceof PoolError && error.code !== 'unavailable') return { refused: error.message }
    throw error
  }
}

/** Made, or compared with what is there; somebody may be first, and then what is there now is compared. */
async function bindTo(context: StepContext, wanted: KubeObject, claim: string): Promise<Made> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await bindOnce(context, wanted, claim)
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.kind === 'forbidden' || error.kind === 'invalid')
        return { refused: `${nameOf(wanted)}: ${error.message}` }
      if (!raced.includes(error.kind) || attempt >= mostStale) throw error
    }
  }
}

const raced: readonly ClusterError['kind'][] = ['already_exists', 'stale', 'not_found']

/** Only its size, and a claim that is gone, are put right. */
async function bindOnce(context: StepContext, wanted: KubeObject, claim: string): Promise<Made> {
  const { cluster, deploy, workload } = context
  const { namespace } = workload
  const ref = refOf(wanted)
  const live = await cluster.get(ref)
  if (!live) {
    await cluster.create(wanted)
    return { words: 'made' }
  }
  if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(live)} was written by a newer epoch`)
  const held = await cluster.get({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim })
  const compared = compareVolume(live, wanted, held)
  if (compared.kind === 'refused') return { refused: compared.message }
  if (compared.kind === 'same') return { words: 'is there' }
  await cluster.patch(ref, compared.operations)
  return { words: compared.words }
}
