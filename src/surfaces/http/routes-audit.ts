// Routes about the audit: a list, an export as JSON lines, and the proof that nothing sealed was changed.
import { z } from 'zod'
import {
  type AuditReport,
  auditEntrySchema,
  auditLineSchema,
  auditQuery,
  auditReportSchema,
  auditVerifyInput,
} from '../../core/audit/verbs.ts'
import { count, json, type Route, route, type SseMessage } from './route.ts'

const tag = 'audit'

export const auditRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/audit',
    id: 'audit',
    summary: 'Who did what, newest first',
    tag,
    query: auditQuery.extend({ limit: count(1000, 50) }),
    answer: z.object({
      entries: z.array(auditEntrySchema),
      more: z.boolean().describe('there is more before these, or it was not looked further back'),
    }),
    handle: async (core, { caller, query }) => json(await core.audit(caller, query)),
  }),
  route({
    method: 'GET',
    path: '/v1/audit/export',
    id: 'exportAudit',
    summary:
      'All of it as JSON lines, oldest first; the connection is cut where it could not be read to the end',
    tag,
    query: auditQuery,
    answer: null,
    lines: auditLineSchema,
    handle: async (core, { caller, query, signal }) => ({
      kind: 'lines',
      values: core.exportAudit(caller, query, signal),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/audit/verify',
    id: 'verifyAudit',
    summary: 'Check the chain of seals against what is stored: a report for each environment',
    tag,
    query: auditVerifyInput,
    answer: null,
    events: { report: auditReportSchema },
    handle: async (core, { caller, query, signal }) => ({
      kind: 'events',
      messages: reports(core.verifyAudit(caller, query, signal)),
    }),
  }),
]

async function* reports(all: AsyncIterable<AuditReport>): AsyncGenerator<SseMessage> {
  for await (const data of all) yield { event: 'report', data }
}
