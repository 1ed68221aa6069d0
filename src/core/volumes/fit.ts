// Pure: whether a cluster can mount what lies on a pool, by its server's version and its CSI drivers. Asked before
// anything is made; what gkube may not look at is not checked, and said so.
import type { PoolVolume } from './pool.ts'
import type { MountStrategy, PoolSide } from './pool-side.ts'

export type ClusterFacts = {
  /** `1.<minor>`; 0: not known. */
  readonly minor: number
  /** Names of its CSI drivers; null: gkube may not list them. */
  readonly drivers: readonly string[] | null
}

/** The last server that has the in-tree plug-in. */
const lastInTree = 25

/** The CSI driver that mounts it; null: none is needed. */
export function driverOf(strategy: MountStrategy): string | null {
  if (strategy.kind === 'nfs-csi') return 'nfs.csi.k8s.io'
  return strategy.kind === 'kadalu' ? 'kadalu' : null
}

/** One sentence that says what does not fit and what to do; or what could not be checked; or nothing. */
export function fitOf(
  side: Pick<PoolSide, 'strategy' | 'own'> & { readonly name: string },
  kind: PoolVolume['kind'],
  cluster: ClusterFacts,
): { readonly refusal?: string; readonly note?: string } {
  const { strategy, name } = side
  if (kind === 'own' && !side.own)
    return {
      refusal: `The pool ${name} gives apps no volumes of their own: leave \`own\` out of the storage, or an operator sets pools.${name}.own.`,
    }
  if (kind === 'own' && (strategy.kind === 'nfs-csi' || strategy.kind === 'hostpath'))
    return {
      refusal: `Pods mount the pool ${name} by ${strategy.kind}, which reaches only its one volume: leave \`own\` out of the storage, or use a pool whose strategy is intree or kadalu.`,
    }
  if (strategy.kind === 'intree' && cluster.minor > lastInTree)
    return {
      refusal: `Kubernetes 1.${cluster.minor} has no GlusterFS of its own any more (the last was 1.${lastInTree}). Set pools.${name}.strategy to nfs-csi, kadalu or hostpath.`,
    }
  const driver = driverOf(strategy)
  if (driver === null || cluster.drivers?.includes(driver)) return {}
  if (cluster.drivers === null)
    return {
      note: `gkube may not list CSI drivers, so it was not checked that the cluster has ${driver}`,
    }
  return {
    refusal: `The cluster has no CSI driver ${driver}, which the pool ${name} is mounted by (it has ${cluster.drivers.join(', ') || 'none'}). Install it, or set pools.${name}.strategy to another.`,
  }
}
