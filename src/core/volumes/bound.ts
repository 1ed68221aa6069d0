// Pure: what of an app's storage lies on a pool, and what of that a deploy has to make or to grow. What is bound is
// settled once (settle.ts) and kept in the frozen spec: it decides what claims are rendered.
import type { AppSpec } from '../app.ts'
import type { Deploy } from '../deploy.ts'
import { sha256 } from '../hash.ts'
import { shorten } from '../objects/labels.ts'
import { claimName } from '../objects/volumes.ts'
import { amount } from '../units.ts'
import type { Bound, Frozen } from '../workload.ts'
import type { PoolVolume } from './pool.ts'

export type Storage = AppSpec['storage'][number]

/**
 * The PersistentVolume of a storage: the same at each deploy and after a delete, and another for each namespace of a
 * cluster. The hash tells `a-b` + `c` from `a` + `b-c`.
 */
export function volumeName(of: {
  readonly environment: string
  readonly app: string
  readonly storage: string
  readonly namespace: string
}): string {
  const { environment, app, storage, namespace } = of
  const words = shorten(`gkube-${environment}-${app}-${storage}`, 54)
  return `${words}-${sha256([environment, app, storage, namespace]).slice(0, 8)}`
}

/** One storage on a pool, with all that its step has to know. */
export type StorageWork = {
  readonly storage: Storage
  readonly bound: Bound
  readonly volume: PoolVolume
  readonly claim: string
  /** The size before, where it only grows; null: it is made, or what is there is found. */
  readonly from: string | number | null
}

/** In bytes: what the app asks for. */
export const bytesOf = ({ size }: Pick<Storage, 'size'>): number => Math.ceil(amount(size))

/** All storage of a spec that lies on pools. */
export function storageOn(frozen: Frozen): StorageWork[] {
  const { app, environment, spec, bound = {} } = frozen
  return spec.storage.flatMap(storage => {
    const found = bound[storage.name]
    if (!found) return []
    const place = { environment, app, storage: storage.name }
    return [
      {
        storage,
        bound: found,
        volume: { kind: found.kind, place },
        claim: claimName(app, storage),
        from: null,
      },
    ]
  })
}

/** What the volume step has to do: everything on a create, else what is new or grew. Nothing else reaches a pool. */
export function storageToMake(
  frozen: Frozen,
  { plan, base }: { readonly plan: Deploy['plan']; readonly base: Frozen | null },
): StorageWork[] {
  const all = storageOn(frozen)
  if (plan === 'create') return all
  return all.flatMap(work => {
    const { name } = work.storage
    const before = base?.bound?.[name] && base.spec.storage.find(one => one.name === name)
    if (!before) return [work]
    return amount(work.storage.size) > amount(before.size) ? [{ ...work, from: before.size }] : []
  })
}
