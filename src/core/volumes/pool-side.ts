// A pool as the steps use it: what makes volumes there, and how pods mount them. server.ts puts it together from
// gkube.yaml; pool.ts is the port.
import type { Pool } from './pool.ts'

/** How pods mount what lies on a pool. */
export type MountStrategy =
  | { readonly kind: 'intree'; readonly endpoints: { readonly name: string; readonly namespace: string } }
  | { readonly kind: 'nfs-csi'; readonly server: string; readonly share: string }
  | { readonly kind: 'kadalu'; readonly storageClass: string }
  | { readonly kind: 'hostpath'; readonly path: string }

export type PoolSide = {
  readonly pool: Pool
  readonly strategy: MountStrategy
  /** The GlusterFS volume that directories lie on, and its servers as the nodes reach them. */
  readonly volume: string
  readonly servers: readonly string[]
  /** A snapshot is made before a risky update. */
  readonly snapshots: boolean
  /** Apps may ask for a volume of their own. */
  readonly own: boolean
}

/** By a key of `pools`; undefined: it is not configured (any more). */
export type Pools = (name: string) => PoolSide | undefined
