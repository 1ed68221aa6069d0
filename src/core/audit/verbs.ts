// The verbs around the audit that every surface calls, with the schemas of their inputs and answers (the wire format).
// Types only; use-cases/audit.ts has them.
import { z } from 'zod'
import { auditSchema } from '../coordination.ts'
import type { Caller } from '../core.ts'
import { environmentName } from '../environment.ts'
import { label } from '../units.ts'

/** `-` has what is of no environment: apps, tokens, subscriptions, builds. */
const place = z.union([environmentName, z.literal('-')])
const time = z.coerce.number().pipe(z.int().nonnegative()).describe('milliseconds since 1970')

export const auditQuery = z.strictObject({
  environment: place.optional(),
  app: label(40).optional(),
  who: z.string().min(1).max(200).optional().describe('a name or an id, such as ana or slack:U012AB3CD'),
  action: z.string().min(1).max(60).optional().describe('such as vote or request_deploy'),
  since: time.optional(),
  until: time.optional(),
})
export type AuditQuery = z.output<typeof auditQuery>

/** One entry as it is shown: `revision` is its place in the order of all. */
export const auditEntrySchema = auditSchema.extend({ id: z.string(), revision: z.string() })
export type AuditEntry = z.output<typeof auditEntrySchema>

/** A line of an export: an entry that this version cannot read is not left out. */
export const auditLineSchema = z.union([
  auditEntrySchema,
  z.object({ id: z.string(), revision: z.string(), environment: z.string(), unreadable: z.string() }),
])
export type AuditLine = z.output<typeof auditLineSchema>

export const breakKinds = ['changed', 'missing', 'added', 'reordered', 'forged'] as const
const breakSchema = z.object({ key: z.string(), what: z.enum(breakKinds), message: z.string() })
export type Break = z.output<typeof breakSchema>

export const auditVerifyInput = z.strictObject({
  environment: place.optional(),
  head: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'a hash as `gkube audit verify` prints it: 64 digits from 0 to f')
    .optional()
    .describe('the hash of a seal that was kept elsewhere: it must be in the chain; needs an environment'),
})
export type AuditVerifyInput = z.output<typeof auditVerifyInput>

/** What was found in one environment. */
export const auditReportSchema = z.object({
  environment: z.string(),
  /** Entries that are as they were sealed. */
  sealed: z.int(),
  seals: z.int(),
  /** What retention removed; the seals are still there. */
  gone: z.object({ seals: z.int(), entries: z.int(), until: z.int() }).nullable(),
  /** Not sealed yet: nothing is known of these. */
  tail: z.object({ entries: z.int(), since: z.int().nullable() }),
  /** The last seal: its hash, kept elsewhere, proves all before it. */
  head: z.object({ n: z.int(), hash: z.string(), at: z.int() }).nullable(),
  /** The number of the seal with the hash that was given. */
  anchor: z.int().nullable(),
  /** The first ones in the order of the chain. */
  breaks: z.array(breakSchema),
  /** Breaks beyond those. */
  more: z.int(),
})
export type AuditReport = z.output<typeof auditReportSchema>

export type AuditVerbs = {
  /** Newest first; `more`: there is more before these, or it was not looked further back. */
  audit(
    caller: Caller,
    query: AuditQuery & { readonly limit: number },
  ): Promise<{ readonly entries: readonly AuditEntry[]; readonly more: boolean }>
  /** Oldest first, all of it, a page in memory at a time. */
  exportAudit(caller: Caller, query: AuditQuery, signal: AbortSignal): AsyncIterable<AuditLine>
  /** A report for each environment where the caller may look. */
  verifyAudit(caller: Caller, input: AuditVerifyInput, signal: AbortSignal): AsyncIterable<AuditReport>
}
