// Pools of gkube.yaml as the core uses them: an adapter each, and how pods mount what lies there. Nothing is reached yet:
// a pool that is down stops nobody who does not use it.
import type { PoolConfig } from '../config.ts'
import type { Leader } from '../core/leader.ts'
import type { Pool } from '../core/volumes/pool.ts'
import type { PoolSide, Pools } from '../core/volumes/pool-side.ts'
import { createVolumeWatch, type WatchDeps } from '../core/volumes/watch.ts'

type OpenPool = Pool & { close?(): void }
/** Another pool in the place of a real one; undefined: the real one. */
export type PoolInstead = (name: string, config: PoolConfig) => OpenPool | undefined

export async function openPools(configs: Readonly<Record<string, PoolConfig>>, instead: PoolInstead) {
  const open: (readonly [string, PoolSide & { readonly pool: OpenPool }])[] = []
  for (const [name, config] of Object.entries(configs)) {
    const pool = instead(name, config) ?? (await glusterfs(name, config))
    const { strategy, volume, servers, snapshots, own } = config
    open.push([name, { pool, strategy, volume, servers, snapshots, own: own !== null }])
  }
  const sides = new Map(open)
  const pools: Pools = name => sides.get(name)
  return {
    pools,
    /** For doctor. */
    all: open.map(([, { pool }]) => pool),
    /** Null: there is nothing to watch. */
    watch: (deps: Omit<WatchDeps, 'pools'>): Leader | null =>
      open.length > 0 ? createVolumeWatch({ ...deps, pools }) : null,
    close(): void {
      for (const [, { pool }] of open) pool.close?.()
    },
  }
}

/** Only then: it is no part of a gkube without a pool. */
async function glusterfs(name: string, config: PoolConfig): Promise<OpenPool> {
  const { glusterfsPool } = await import('../adapters/glusterfs/glusterfs.ts')
  return glusterfsPool({ name, ...config })
}
