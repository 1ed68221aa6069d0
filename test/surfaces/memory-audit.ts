// The audit of the memory core: some entries that never change, a chain that holds in production and is broken in staging.
import type { AuditEntry, AuditReport, AuditVerbs } from '../../src/core/audit/verbs.ts'
import type { Caller } from '../../src/core/core.ts'

const began = Date.UTC(2026, 10, 23, 12)

export const auditEntry = (n: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  schema: 1,
  id: `01kaudit${String(n).padStart(18, '0')}`,
  revision: String(100 + n),
  at: began + n * 1000,
  by: { id: 'slack:U0ANA', name: 'ana', via: 'slack' },
  action: 'lock',
  app: 'web',
  environment: 'production',
  deploy: null,
  outcome: 'locked',
  detail: `reason ${n}`,
  ...more,
})

const report = (environment: string, more: Partial<AuditReport> = {}): AuditReport => ({
  environment,
  sealed: 240,
  seals: 3,
  gone: null,
  tail: { entries: 2, since: began },
  head: { n: 3, hash: 'a'.repeat(64), at: began },
  anchor: null,
  breaks: [],
  more: 0,
  ...more,
})

export function memoryAudit(
  admin: (caller: Caller, what: string) => void,
  entries: readonly AuditEntry[] = [1, 2, 3].map(n => auditEntry(n)),
): AuditVerbs {
  return {
    audit: async (caller, { limit, who }) => {
      admin(caller, 'read the audit')
      const found = entries.filter(entry => who === undefined || entry.by.name === who).toReversed()
      return { entries: found.slice(0, limit), more: found.length > limit }
    },
    async *exportAudit(caller, { since = 0 }) {
      admin(caller, 'read the audit')
      for (const entry of entries) if (entry.at >= since) yield entry
    },
    async *verifyAudit(caller, { environment, head }) {
      admin(caller, 'read the audit')
      const key = '/gkube/v1/audit/staging/01kaudit'
      const all = [
        report('production', { anchor: head === undefined ? null : 2 }),
        report('staging', {
          gone: { seals: 1, entries: 100, until: began },
          tail: { entries: 0, since: null },
          breaks: [{ key, what: 'changed', message: 'its content is not the one that was sealed' }],
          more: 4,
        }),
      ]
      yield* all.filter(one => environment === undefined || one.environment === environment)
    },
  }
}
