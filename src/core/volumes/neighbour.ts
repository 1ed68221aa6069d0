// Whether another PersistentVolume lies at the very same place: that of an earlier namespace of the app, or of another
// gkube with this cluster and pool. Two of them would share what is in it, and a deletion here would take theirs.
import { type Cluster, type KubeObject, nameOf } from '../cluster.ts'
import { ownership } from '../objects/labels.ts'
import { fieldsOf } from '../objects/pod-templates.ts'
import { placeText, sourceOf, storageLabel } from './persistent-volume.ts'
import type { PoolVolume } from './pool.ts'
import type { PoolSide } from './pool-side.ts'

/** A sentence that says which one and what to do; null: there is none. `name`: its own PersistentVolume. */
export async function neighbourOf(
  cluster: Pick<Cluster, 'list'>,
  at: { readonly side: PoolSide; readonly volume: PoolVolume; readonly name: string },
): Promise<string | null> {
  const { place } = at.volume
  const labels = { ...ownership(place), [storageLabel]: place.storage }
  const found = await cluster.list({ apiVersion: 'v1', kind: 'PersistentVolume', labels })
  const there = placeText(sourceOf(at.side, at.volume))
  const other = found.find(
    ({ metadata, spec }) => metadata.name !== at.name && placeText(fieldsOf(spec)) === there,
  )
  return other ? words(other, there) : null
}

function words(other: KubeObject, there: string): string {
  const held = fieldsOf(fieldsOf(other.spec).claimRef)
  return `${nameOf(other)} of claim ${held.namespace ?? '?'}/${held.name ?? '?'} lies at the same place (${there}): of an earlier namespace, or of another gkube. If nothing uses it any more: kubectl delete pv ${other.metadata.name} (its data stays). Else give the environment another name, or a pool of its own.`
}
