// The audit of a replica: what people are refused, and the sealer that may be elected here. Both hang on etcd only.
import type { Config } from '../config.ts'
import { createRefusals } from '../core/audit/refusals.ts'
import { createSealer } from '../core/audit/sealer.ts'
import { auditPut } from '../core/audit.ts'
import type { Clock } from '../core/clock.ts'
import type { Caller } from '../core/core.ts'
import type { Keys } from '../core/keys.ts'
import type { Kv } from '../core/kv.ts'
import type { Replica } from '../core/replica.ts'
import type { UserError } from '../errors.ts'
import type { Metrics } from '../surfaces/http/metrics.ts'

type Wired = {
  readonly config: Pick<Config, 'audit' | 'environments'>
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly log: (message: string, error: unknown) => void
}

export function wireAudit({ config, ...rest }: Wired) {
  const refusals = createRefusals(rest)
  const sealer = createSealer({
    ...rest,
    keepMs: config.audit.keepSeconds * 1000,
    environments: Object.keys(config.environments),
  })
  return {
    refusals,
    sealer,
    /** Bytes are taken beside the verbs of the core (surfaces/http/artifacts.ts). */
    uploads: {
      async uploaded({ actor }: Caller, { sha256, size }: { sha256: string; size: number }): Promise<void> {
        const detail = `${sha256}, ${size} bytes`
        const what = { by: actor, action: 'upload_artifact', outcome: 'uploaded', detail }
        const entry = auditPut(rest.keys, rest.clock.now(), what)
        await rest.kv.commit({ compares: [{ kind: 'absent', key: entry.key }], writes: [entry] })
      },
      refused: ({ actor }: Caller, { kind, message }: UserError): Promise<void> =>
        refusals.refused({ by: actor, action: 'upload_artifact', outcome: kind, detail: message }),
    },
    checks: sealer.checks,
    measure(metrics: Pick<Metrics, 'gauge'>): void {
      const { state } = sealer
      metrics.gauge('gkube_audit_sealer', 'Whether this replica seals the audit', () =>
        Number(state().elected),
      )
      metrics.gauge(
        'gkube_audit_unsealed',
        'Entries that this replica is about to seal',
        () => state().unsealed,
      )
      metrics.gauge('gkube_audit_seals', 'Seals that this replica has made', () => state().seals)
      metrics.gauge('gkube_audit_sealed', 'Entries that this replica has sealed', () => state().entries)
      metrics.gauge(
        'gkube_audit_sealed_seconds',
        'When this replica made its last seal, in Unix time; 0: none yet',
        () => Math.floor((state().sealedAt ?? 0) / 1000),
      )
      metrics.gauge('gkube_audit_refused', 'Attempts that policy or a lock refused here', refusals.count)
    },
  }
}
