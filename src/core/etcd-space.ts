// Pure: how full etcd is, in words. At its quota it takes no writes at all, so that people must hear of it before.
// Asked by `gkube doctor`, and again and again by each replica for its log and metrics (server/etcd-space.ts).
export type EtcdSpace = {
  /** Bytes of the database file, and at which etcd stops taking writes; left out: it does not say. */
  readonly dbSize: number
  readonly dbQuota?: number
  /** Such as `NOSPACE`. */
  readonly alarms: readonly string[]
}

/** From this share of its quota on etcd should be looked after. */
const fullShare = 0.7

export const spaceMend =
  'Compact and defragment etcd, or raise --quota-backend-bytes; then `etcdctl alarm disarm`. gkube does not compact an etcd that others share.'

/** `state` as a check of the doctor has it. */
export function spaceOf({ dbSize, dbQuota, alarms }: EtcdSpace): {
  readonly state: 'ok' | 'warning' | 'failed'
  readonly message: string
} {
  if (alarms.length > 0)
    return { state: 'failed', message: `etcd raised ${alarms.join(', ')}: it takes no writes` }
  const size = `${megabytes(dbSize)} MB`
  if (!dbQuota) return { state: 'ok', message: `etcd holds ${size}; its quota is not told` }
  const share = dbSize / dbQuota
  return {
    state: share < fullShare ? 'ok' : 'warning',
    message: `etcd holds ${size} of ${megabytes(dbQuota)} MB (${Math.round(share * 100)} %)`,
  }
}

const megabytes = (bytes: number): number => Math.round(bytes / 1_000_000)
