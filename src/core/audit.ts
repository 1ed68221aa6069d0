// One audit entry, written in the transaction of what it tells. Entries of no environment are kept under `-`.
import type { Audit } from './coordination.ts'
import type { Actor } from './deploy.ts'
import type { Keys } from './keys.ts'
import type { Write } from './kv.ts'
import { newId, put } from './records.ts'
import { redactText } from './redact.ts'

export const noEnvironment = '-'

export function auditPut(
  keys: Keys,
  now: number,
  entry: {
    by: Actor
    action: string
    outcome: string
    app?: string
    environment?: string
    deploy?: string
    detail?: string
  },
): Write {
  const environment = entry.environment ?? noEnvironment
  const value: Audit = {
    schema: 1,
    at: now,
    by: entry.by,
    action: entry.action,
    app: entry.app ?? null,
    environment,
    deploy: entry.deploy ?? null,
    outcome: entry.outcome,
    // A command line or a reason may hold what must not be kept.
    detail: redactText(entry.detail ?? '').slice(0, 500),
  }
  return put(keys.audit(environment, newId(now)), value)
}
