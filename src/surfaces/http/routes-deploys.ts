// Routes about deploys: ask for one, follow it live, cancel it, vote on it.
// The stream ends after the terminal `deploy` event; a client resumes by Last-Event-ID (an etcd revision).
import { z } from 'zod'
import { abortOutcomes, type DeployEvent, requestInput } from '../../core/core.ts'
import { deploySchema, isTerminal, type Progress } from '../../core/deploy.ts'
import { label } from '../../core/units.ts'
import { UserError } from '../../errors.ts'
import { approvalRequest, deployEvents, deployState } from './answers.ts'
import { count, json, keyOf, type Route, route, type SseMessage } from './route.ts'

const deployId = z.string().regex(/^[0-9A-Za-z_-]{1,40}$/, 'a deploy id such as 01j8zq4t9v8y5m3n2p1r0s7xwe')
const params = z.strictObject({ id: deployId })
const tag = 'deploys'
const reason = z.string().max(500).default('')
const hash = z
  .string()
  .max(64)
  .optional()
  .describe('`prepared.hash` of what was looked at: refused where something else would run now')

export const deployRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/deploys',
    id: 'requestDeploy',
    summary:
      'Ask for a deploy (also redeploy, rollback, scale, restart, delete); the answer means it is durable',
    tag,
    body: requestInput,
    headers: { 'Idempotency-Key': 'the same key again answers the same deploy (24 h)' },
    status: 202,
    answer: z.object({ deploy: deploySchema, repeated: z.boolean() }),
    handle: async (core, { caller, body, header }) => {
      const result = await core.request(caller, {
        ...body,
        idempotencyKey: keyOf(body, header('idempotency-key')),
      })
      return { kind: 'json', status: 202, body: result, location: `/v1/deploys/${result.deploy.id}` }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/deploys',
    id: 'history',
    summary: 'The deploys of an app, newest first',
    tag,
    query: z.strictObject({ app: label(40), environment: label(30).optional(), limit: count(1000, 20) }),
    answer: z.object({ deploys: z.array(deploySchema) }),
    handle: async (core, { caller, query }) => json({ deploys: await core.history(caller, query) }),
  }),
  route({
    method: 'GET',
    path: '/v1/deploys/{id}',
    id: 'showDeploy',
    summary: 'One deploy as it stands, with its diagnosis if it failed',
    tag,
    params,
    answer: deployState,
    handle: async (core, { caller, params }) => json(await core.showDeploy(caller, params.id)),
  }),
  route({
    method: 'GET',
    path: '/v1/deploys/{id}/events',
    id: 'watchDeploy',
    summary: 'Follow a deploy live; ends after its last event',
    tag,
    params,
    headers: { 'Last-Event-ID': 'the last event id seen: go on after it' },
    answer: null,
    events: deployEvents,
    handle: async (core, { caller, params, signal, header }) => {
      const after = header('last-event-id') || undefined
      if (after !== undefined && !/^\d{1,19}$/.test(after))
        throw new UserError('bad_input', 'Last-Event-ID must be the id of an event of this stream.')
      const events = core.watchDeploy(caller, params.id, { after, signal })
      const now = async () => (after === undefined ? core.showDeploy(caller, params.id) : null)
      return { kind: 'events', messages: untilTerminal(events, now) }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/deploys/{id}/cancel',
    id: 'cancelDeploy',
    summary: 'Cancel a deploy that waits or runs',
    tag,
    params,
    body: z.strictObject({
      reason,
      ifWaiting: z.boolean().default(false).describe('only while it waits: refused once it runs'),
      onCancel: z
        .enum(['rollback', 'hold'])
        .optional()
        .describe('of what runs: put back what ran before, or leave it; default: as the environment says'),
    }),
    answer: z.object({ deploy: deploySchema }),
    handle: async (core, { caller, params, body }) =>
      json({ deploy: await core.cancel(caller, params.id, body) }),
  }),
  route({
    method: 'POST',
    path: '/v1/deploys/{id}/abort',
    id: 'abortDeploy',
    summary:
      'The command that followed it was stopped: cancel it while it waits, else as `onAbort` of its app says',
    tag,
    params,
    body: z.strictObject({ reason }),
    answer: z.object({ deploy: deploySchema, outcome: z.enum(abortOutcomes) }),
    handle: async (core, { caller, params, body }) => json(await core.abort(caller, params.id, body)),
  }),
  route({
    method: 'POST',
    path: '/v1/deploys/{id}/vote',
    id: 'vote',
    summary: 'Approve or deny a deploy that waits for it',
    tag,
    params,
    body: z.strictObject({ decision: z.enum(['approve', 'deny']), reason, hash }),
    answer: z.object({ deploy: deploySchema }),
    handle: async (core, { caller, params, body }) =>
      json({ deploy: await core.vote(caller, params.id, body) }),
  }),
  route({
    method: 'POST',
    path: '/v1/deploys/{id}/override',
    id: 'override',
    summary: 'Break-glass: start what waits for approval or is held by a freeze; loud and audited',
    tag,
    params,
    body: z.strictObject({ reason: z.string().min(1).max(500), hash }),
    answer: z.object({ deploy: deploySchema }),
    handle: async (core, { caller, params, body }) =>
      json({ deploy: await core.override(caller, params.id, body) }),
  }),
  route({
    method: 'GET',
    path: '/v1/approvals',
    id: 'approvals',
    summary: 'What waits for approval, the oldest first, and whether the caller may decide it',
    tag,
    answer: z.object({ approvals: z.array(approvalRequest) }),
    handle: async (core, { caller }) => json({ approvals: await core.approvals(caller) }),
  }),
]

/** What a new watcher cannot know from changes alone follows the first record: progress, and why it waits. */
async function* untilTerminal(
  events: AsyncIterable<DeployEvent>,
  now: () => Promise<{ progress: Progress | null; waiting: string | null } | null>,
): AsyncGenerator<SseMessage> {
  let first = true
  for await (const event of events) {
    // What it waits for is not a record: it has no place in the order that a client resumes in.
    const id = event.kind === 'waiting' ? undefined : event.revision
    yield { event: event.kind, id, data: dataOf(event) }
    if (event.kind === 'deploy' && isTerminal(event.deploy.phase)) return
    const state = first ? await now() : null
    if (state?.progress) yield { event: 'progress', data: state.progress }
    if (state?.waiting) yield { event: 'waiting', data: { message: state.waiting } }
    first = false
  }
}

function dataOf(event: DeployEvent): unknown {
  if (event.kind === 'deploy') return event.deploy
  if (event.kind === 'progress') return event.progress
  if (event.kind === 'diagnosis') return event.diagnosis
  return { message: event.message }
}
