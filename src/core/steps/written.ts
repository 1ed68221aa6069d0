// What gkube wrote to a cluster, as the Workload record keeps it: whose an object is, whether it is as it was written,
// and what of a write step that ended in the middle is there. apply.ts writes; record.ts and remove.ts delete.
import { ClusterError, type KubeObject, type ObjectRef, refOf } from '../cluster.ts'
import { sameObject } from '../inventory.ts'
import { appLabel, environmentLabel, managedBy } from '../objects/labels.ts'
import type { InventoryItem, Overrides, Workload } from '../workload.ts'
import type { StepContext } from './step.ts'

type Owner = Pick<Workload, 'app' | 'environment' | 'inventory'>

/** Ours: in the inventory by UID, or labelled as ours for this app here (a crash may have come before the record). */
export function isOurs(object: KubeObject, workload: Owner): boolean {
  const labels = object.metadata.labels ?? {}
  return (
    workload.inventory.some(known => known.uid !== '' && known.uid === object.metadata.uid) ||
    object.kind === 'Namespace' ||
    (labels[managedBy] === 'gkube' &&
      labels[appLabel] === workload.app &&
      labels[environmentLabel] === workload.environment)
  )
}

/** Nobody touched it since we wrote the same content: no request. */
export const isUnchanged = (live: KubeObject, known: InventoryItem, hash: string): boolean =>
  known.hash === hash && known.uid === live.metadata.uid && known.seen === seenOf(live)

export const itemOf = (object: KubeObject, hash: string): InventoryItem => ({
  ...refOf(object),
  uid: object.metadata.uid ?? '',
  hash,
  seen: seenOf(object),
})

/** generation moves with the spec only; kinds without one are compared by resourceVersion. */
export const seenOf = (object: KubeObject): string =>
  object.metadata.generation === undefined
    ? `rv${object.metadata.resourceVersion ?? ''}`
    : `g${object.metadata.generation}`

/** The record after the deploy's objects were written, or some of them. */
export function applied(
  context: Pick<StepContext, 'deploy' | 'frozen' | 'workload' | 'now'>,
  inventory: readonly InventoryItem[],
  overrides: Overrides,
): Workload {
  const { deploy, frozen, workload } = context
  return {
    ...workload,
    revision: frozen.revision,
    image: frozen.image,
    digest: frozen.digest,
    spec: deploy.rollback ? deploy.rollback.spec : (deploy.prepared?.spec ?? workload.spec),
    overrides,
    inventory: [...inventory],
    deploy: deploy.id,
    deployedBy: deploy.requestedBy.name,
    updatedAt: context.now(),
  }
}

/**
 * The inventory after a write step that ended in the middle, so that a rollback, a later deploy or a delete knows
 * everything that may be there. What was known is written again next time; where the cluster does not say, the
 * object is kept without a UID.
 */
export async function takeStock(
  { cluster, workload }: Pick<StepContext, 'cluster' | 'workload'>,
  wanted: readonly ObjectRef[],
): Promise<InventoryItem[]> {
  const doubted = workload.inventory.map(item =>
    wanted.some(ref => sameObject(ref, item)) ? { ...item, hash: '' } : item,
  )
  const fresh = wanted.filter(
    ref => ref.kind !== 'Namespace' && !workload.inventory.some(item => sameObject(item, ref)),
  )
  const found = await Promise.all(fresh.map(ref => lookFor(cluster, ref, workload)))
  return [...doubted, ...found.filter(item => item !== null)]
}

async function lookFor(
  cluster: StepContext['cluster'],
  ref: ObjectRef,
  workload: Workload,
): Promise<InventoryItem | null> {
  try {
    const live = await cluster.get(ref)
    return live && isOurs(live, workload) ? itemOf(live, '') : null
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return { ...ref, uid: '', hash: '', seen: '' }
  }
}
