// How full etcd is, looked at by each replica once a minute: as metrics, and in the log before it is too late. Telling is
// all: gkube compacts no etcd that others share. The words are core/etcd-space.ts; `gkube doctor` looks by itself.
import type { Clock } from '../core/clock.ts'
import { type EtcdSpace, spaceMend, spaceOf } from '../core/etcd-space.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../surfaces/http/metrics.ts'

const everyMs = 60_000
/** What has been said is said again after this long, while it is so. */
const againMs = 3_600_000

export function watchEtcdSpace(deps: {
  /** Rejects while etcd does not answer: others say that. */
  readonly look: () => Promise<EtcdSpace>
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  readonly metrics: Pick<Metrics, 'gauge'>
  readonly everyMs?: number
}) {
  const { clock, log, metrics } = deps
  const stopping = new AbortController()
  let loop: Promise<void> = Promise.resolve()
  let seen: EtcdSpace | null = null
  let said: { readonly state: string; readonly at: number } = { state: 'ok', at: 0 }

  metrics.gauge('gkube_etcd_bytes', 'Size of the database of etcd; 0: not known yet', () => seen?.dbSize ?? 0)
  metrics.gauge(
    'gkube_etcd_quota_bytes',
    'Size at which etcd takes no writes any more; 0: it does not say',
    () => seen?.dbQuota ?? 0,
  )
  metrics.gauge(
    'gkube_etcd_alarms',
    'Alarms that etcd has raised: while there is one it takes no writes',
    () => (seen ? seen.alarms.length : 0),
  )

  async function look(): Promise<void> {
    const found = await deps.look().catch(() => null)
    if (!found) return
    seen = found
    const { state, message } = spaceOf(found)
    const now = clock.now()
    if (state === said.state && (state === 'ok' || now - said.at < againMs)) return
    said = { state, at: now }
    if (state === 'ok') log.info({}, `${message}: it has room again`)
    else if (state === 'failed') log.error({ mend: spaceMend }, message)
    else log.warn({ mend: spaceMend }, message)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look()
      await clock.sleep(deps.everyMs ?? everyMs, stopping.signal)
    }
  }

  return {
    start(): void {
      loop = run()
    },
    async stop(): Promise<void> {
      stopping.abort()
      await loop
    },
  }
}
