// The remove step of a delete: everything gkube wrote, by UID, the workload first. Data stays: claims go only when
// their names were typed; volumes and namespaces never.
import { ClusterError, nameOf } from '../cluster.ts'
import { appLabel, environmentLabel } from '../objects/labels.ts'
import { Fenced } from '../replica.ts'
import { storageOn } from '../volumes/bound.ts'
import { titleOf } from '../volumes/place.ts'
import type { InventoryItem } from '../workload.ts'
import { done, epochOf, failed, mostStale, type StepBody, type StepContext } from './step.ts'
import { isOurs } from './written.ts'

const neverRemoved = ['PersistentVolume', 'Namespace']
/** Objects that take traffic away or keep pods alive go first. */
const order = [
  'HorizontalPodAutoscaler',
  'Ingress',
  'CronJob',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'Job',
]
const goneWithinMs = 120_000

export const remove: StepBody = async context => {
  const { deploy, workload } = context
  const claims = deploy.params.claims
  const goes = (item: InventoryItem) =>
    !neverRemoved.includes(item.kind) && (item.kind !== 'PersistentVolumeClaim' || claims.includes(item.name))
  const items = workload.inventory.filter(goes).sort((a, b) => rank(a) - rank(b))
  for (const item of items) await removeItem(context, item)
  for (const name of claims.filter(name => !items.some(item => item.name === name)))
    await removeClaim(context, name)
  const kept = workload.inventory.filter(item => !goes(item) && item.kind === 'PersistentVolumeClaim')
  for (const item of items) {
    const gone = await waitGone(context, item)
    if (gone === 'cancelled') return { kind: 'cancelled' }
    if (gone === 'late') {
      return failed(
        'deadline',
        `${item.kind} ${item.name} is still there after ${goneWithinMs / 1000} s: something holds it (a finalizer?).`,
      )
    }
  }
  const keptWords = kept.length > 0 ? `, kept ${kept.map(item => `claim ${item.name}`).join(', ')}` : ''
  return done(`${items.length} objects deleted${keptWords}${stayWords(context)}`)
}

/** A claim that is bound to a pool is not its data: that goes by its own name only. */
function stayWords({ deploy, frozen }: StepContext): string {
  const stay = storageOn(frozen).filter(({ claim }) => deploy.params.claims.includes(claim))
  return stay.length > 0
    ? `, kept the data of ${stay.map(({ volume }) => titleOf(volume)).join(', ')} (gkube volumes delete)`
    : ''
}

const rank = (item: InventoryItem): number => {
  const at = order.indexOf(item.kind)
  return at === -1 ? order.length : at
}

/**
 * Deletes one object of the inventory as it is now, if it is still ours: one of the same name that someone else made
 * is left alone, and one that a newer epoch wrote is not this owner's to delete.
 */
export async function removeItem(
  { cluster, deploy, workload }: Pick<StepContext, 'cluster' | 'deploy' | 'workload'>,
  item: InventoryItem,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const live = await cluster.get(item)
    if (!live || (item.uid ? live.metadata.uid !== item.uid : !isOurs(live, workload))) return
    if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(item)} was written by a newer epoch`)
    const { uid, resourceVersion } = live.metadata
    try {
      return await cluster.remove(item, { uid, resourceVersion, propagation: 'Background' })
    } catch (error) {
      const changed = error instanceof ClusterError && error.kind === 'stale'
      if (!changed || attempt >= mostStale) throw error
    }
  }
}

/** A claim made from a StatefulSet's template is not in the inventory: only one labelled as this app's is deleted. */
async function removeClaim(context: StepContext, name: string): Promise<void> {
  const { cluster, workload } = context
  const ref = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: workload.namespace, name }
  const live = await cluster.get(ref)
  const labels = live?.metadata.labels ?? {}
  const elsewhere =
    labels[environmentLabel] !== undefined && labels[environmentLabel] !== workload.environment
  if (!live || labels[appLabel] !== workload.app || elsewhere) return
  await cluster.remove(ref, { uid: live.metadata.uid })
}

async function waitGone(context: StepContext, item: InventoryItem): Promise<'gone' | 'late' | 'cancelled'> {
  if (item.kind === 'PersistentVolumeClaim' || item.uid === '') return 'gone'
  const until = context.now() + goneWithinMs
  for (let pause = 50; ; pause = Math.min(2_000, pause * 2)) {
    const live = await context.cluster.get(item)
    if (!live || live.metadata.uid !== item.uid) return 'gone'
    if (context.now() > until) return 'late'
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return 'cancelled'
    context.progress({ ready: 0, wanted: 0, message: `waiting for ${nameOf(item)} to go` })
    await context.sleep(pause)
  }
}
