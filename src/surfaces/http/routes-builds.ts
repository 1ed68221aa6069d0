// Routes about Jenkins builds: start one, look at it and its console, stop it, answer its input; which jobs there are;
// and which channel hears of whose builds. Hooks, by which Jenkins itself speaks, are in hooks/.
import { z } from 'zod'
import { buildSchema, parameterSchema, subscriptionSchema } from '../../core/builds/build.ts'
import type { JobFacts } from '../../core/builds/jenkins.ts'
import { answerInputInput, buildInput, type JobName, subscribeInput } from '../../core/builds/verbs.ts'
import { jobPath, label } from '../../core/units.ts'
import { count, json, keyOf, type Route, route } from './route.ts'

const buildId = z.string().regex(/^[0-9A-Za-z_-]{1,40}$/, 'a build id such as 01j8zq4t9v8y5m3n2p1r0s7xwe')
const params = z.strictObject({ id: buildId })
const tag = 'builds'
const { channel, app } = subscribeInput.shape
const reason = z.string().max(500).default('')

const job = z.object({
  job: z.string(),
  url: z.string(),
  kind: z.enum(['job', 'folder']),
  buildable: z.boolean(),
  parameters: z.array(parameterSchema),
}) satisfies z.ZodType<JobFacts>
const jobName = z.object({ job: z.string(), apps: z.array(z.string()) }) satisfies z.ZodType<JobName>

export const buildRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/builds',
    id: 'build',
    summary: 'Ask for a build of a Jenkins job; the answer means it is durable',
    tag,
    body: buildInput,
    headers: { 'Idempotency-Key': 'the same key again answers the same build (24 h)' },
    status: 202,
    answer: z.object({ build: buildSchema, repeated: z.boolean() }),
    handle: async (core, { caller, body, header }) => {
      const idempotencyKey = keyOf(body, header('idempotency-key'))
      const result = await core.build(caller, { ...body, ...(idempotencyKey ? { idempotencyKey } : {}) })
      return { kind: 'json', status: 202, body: result, location: `/v1/builds/${result.build.id}` }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/builds',
    id: 'builds',
    summary: 'The last builds: all, of an app, or of a job; newest first',
    tag,
    query: z.strictObject({ job: jobPath.optional(), app: label(40).optional(), limit: count(1000, 20) }),
    answer: z.object({ builds: z.array(buildSchema) }),
    handle: async (core, { caller, query }) => json({ builds: await core.builds(caller, query) }),
  }),
  route({
    method: 'GET',
    path: '/v1/builds/{id}',
    id: 'showBuild',
    summary: 'One build as it stands',
    tag,
    params,
    answer: z.object({ build: buildSchema }),
    handle: async (core, { caller, params }) => json({ build: await core.showBuild(caller, params.id) }),
  }),
  route({
    method: 'GET',
    path: '/v1/builds/{id}/log',
    id: 'buildLog',
    summary: 'The last lines of its console, without what looks like a secret',
    tag,
    params,
    query: z.strictObject({ lines: count(1000, 100) }),
    answer: z.object({ lines: z.array(z.string()) }),
    handle: async (core, { caller, params, query }) =>
      json({ lines: await core.buildLog(caller, params.id, query) }),
  }),
  route({
    method: 'POST',
    path: '/v1/builds/{id}/stop',
    id: 'stopBuild',
    summary: 'Stop it, or take it out of the queue',
    tag,
    params,
    body: z.strictObject({ reason }),
    answer: z.object({ build: buildSchema }),
    handle: async (core, { caller, params, body }) =>
      json({ build: await core.stopBuild(caller, params.id, body) }),
  }),
  route({
    method: 'POST',
    path: '/v1/builds/{id}/answer',
    id: 'answerInput',
    summary: 'Answer an input that a pipeline waits for; the first answer wins',
    tag,
    params,
    body: answerInputInput,
    answer: z.object({ build: buildSchema }),
    handle: async (core, { caller, params, body }) =>
      json({ build: await core.answerInput(caller, params.id, body) }),
  }),
  route({
    method: 'GET',
    path: '/v1/jobs',
    id: 'jobs',
    summary: 'Jenkins jobs whose path holds a text: those of apps first, 100 at most',
    tag,
    query: z.strictObject({ text: z.string().max(500).default('') }),
    answer: z.object({ jobs: z.array(jobName) }),
    handle: async (core, { caller, query }) => json({ jobs: await core.jobs(caller, query.text) }),
  }),
  route({
    method: 'GET',
    path: '/v1/job',
    id: 'job',
    summary: 'One Jenkins job with its parameters; in the query, for its path holds slashes',
    tag,
    query: z.strictObject({ job: jobPath }),
    answer: z.object({ job }),
    handle: async (core, { caller, query }) => json({ job: await core.job(caller, query.job) }),
  }),
  route({
    method: 'GET',
    path: '/v1/subscriptions',
    id: 'subscriptions',
    summary: 'Which Slack channel is told of whose builds',
    tag,
    query: z.strictObject({ channel: channel.optional() }),
    answer: z.object({ subscriptions: z.array(subscriptionSchema) }),
    handle: async (core, { caller, query }) =>
      json({ subscriptions: await core.subscriptions(caller, query) }),
  }),
  route({
    method: 'PUT',
    path: '/v1/subscriptions',
    id: 'subscribe',
    summary: 'Tell a Slack channel of the builds of an app, or of all apps',
    tag,
    body: subscribeInput,
    answer: z.object({ subscription: subscriptionSchema }),
    handle: async (core, { caller, body }) => json({ subscription: await core.subscribe(caller, body) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/subscriptions',
    id: 'unsubscribe',
    summary: 'No longer tell it',
    tag,
    body: z.strictObject({ channel, app }),
    answer: z.object({ was: z.boolean() }),
    handle: async (core, { caller, body }) => json(await core.unsubscribe(caller, body)),
  }),
]
