// Routes about what runs: status, pods, logs, events, one-off commands, release, clusters.

import { z } from 'zod'
import { adoptInput, adoptionInput } from '../../core/adoption/verbs.ts'
import { execInput, type LogChunk, logsInput, type RunEvent, runInput } from '../../core/core.ts'
import { deploySchema } from '../../core/deploy.ts'
import { duration, label, objectName } from '../../core/units.ts'
import { adoptionPlan, cluster, event, logChunk, pod, runEvents, status } from './answers.ts'
import { count, flag, json, keyOf, nothing, type Route, route, type SseMessage } from './route.ts'

const place = { environment: label(30), app: label(40) }
const params = z.strictObject(place)
const tag = 'workloads'
const named = { app: true, environment: true } as const

export const workloadRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/status',
    id: 'status',
    summary: 'What runs, everywhere or of one app or environment',
    tag,
    query: z.strictObject({ app: label(40).optional(), environment: label(30).optional() }),
    answer: z.object({ status: z.array(status) }),
    handle: async (core, { caller, query }) => json({ status: await core.status(caller, query) }),
  }),
  route({
    method: 'GET',
    path: '/v1/workloads/{environment}/{app}/pods',
    id: 'pods',
    summary: 'The pods of a workload',
    tag,
    params,
    answer: z.object({ pods: z.array(pod) }),
    handle: async (core, { caller, params }) => json({ pods: await core.pods(caller, params) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/workloads/{environment}/{app}/pods/{pod}',
    id: 'deletePod',
    summary: 'Delete one pod; its controller makes a new one',
    tag,
    params: params.extend({ pod: objectName }),
    answer: null,
    handle: async (core, { caller, params }) => {
      await core.deletePod(caller, params)
      return nothing
    },
  }),
  route({
    method: 'GET',
    path: '/v1/workloads/{environment}/{app}/events',
    id: 'events',
    summary: 'Kubernetes events about a workload, newest last',
    tag,
    params,
    answer: z.object({ events: z.array(event) }),
    handle: async (core, { caller, params }) => json({ events: await core.events(caller, params) }),
  }),
  route({
    method: 'GET',
    path: '/v1/workloads/{environment}/{app}/logs',
    id: 'logs',
    summary: 'Log lines of a workload; follow=1 streams them',
    tag,
    params,
    query: z.strictObject({
      pod: objectName.optional(),
      container: label().optional(),
      previous: flag,
      tail: count(10_000, 100),
      since: duration.optional(),
      follow: flag,
    }),
    answer: z.object({ logs: z.array(logChunk) }),
    events: { log: logChunk },
    handle: async (core, { caller, params, query: { follow, ...query }, signal }) => {
      const input = logsInput.parse({ ...params, ...query })
      if (!follow) return json({ logs: await core.logs(caller, input) })
      return { kind: 'events', messages: logMessages(core.followLogs(caller, input, signal)) }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/workloads/{environment}/{app}/run',
    id: 'run',
    summary: 'Run a one-off command as a Kubernetes Job with the configuration of the app',
    tag,
    params,
    body: runInput.omit(named),
    answer: null,
    events: runEvents,
    handle: async (core, { caller, params, body, signal }) => ({
      kind: 'events',
      messages: runMessages(core.run(caller, { ...body, ...params }, signal)),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/workloads/{environment}/{app}/exec',
    id: 'exec',
    summary: 'Run a command in a running container (off by default, audited)',
    tag,
    params,
    body: execInput.omit(named),
    answer: null,
    events: runEvents,
    handle: async (core, { caller, params, body, signal }) => ({
      kind: 'events',
      messages: runMessages(core.exec(caller, { ...body, ...params }, signal)),
    }),
  }),
  route({
    method: 'POST',
    path: '/v1/workloads/{environment}/{app}/release',
    id: 'release',
    summary: 'Free what is stuck: raise the epoch, put records that do not parse into quarantine (operators)',
    tag,
    params,
    body: z.strictObject({ reason: z.string().min(1).max(500) }),
    answer: z.object({ released: z.array(z.string()) }),
    handle: async (core, { caller, params, body }) =>
      json(await core.release(caller, { ...params, ...body })),
  }),
  route({
    method: 'POST',
    path: '/v1/workloads/{environment}/{app}/adopt/plan',
    id: 'planAdoption',
    summary:
      'What taking over a workload that is there would change, and all that was found; nothing is written',
    tag,
    params,
    body: adoptionInput.omit(named),
    answer: adoptionPlan,
    handle: async (core, { caller, params, body }) =>
      json(await core.planAdoption(caller, { ...body, ...params })),
  }),
  route({
    method: 'POST',
    path: '/v1/workloads/{environment}/{app}/adopt',
    id: 'adopt',
    summary: 'Take over a workload as the plan showed it: `confirm` is the hash of that plan',
    tag,
    params,
    body: adoptInput.omit(named),
    headers: { 'Idempotency-Key': 'the same key again answers the same deploy (24 h)' },
    status: 202,
    answer: z.object({ deploy: deploySchema, repeated: z.boolean() }),
    handle: async (core, { caller, params, body, header }) => {
      const idempotencyKey = keyOf(body, header('idempotency-key'))
      const result = await core.adopt(caller, { ...body, ...params, idempotencyKey })
      return { kind: 'json', status: 202, body: result, location: `/v1/deploys/${result.deploy.id}` }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/clusters',
    id: 'clusters',
    summary: 'The clusters, their versions and nodes',
    tag,
    answer: z.object({ clusters: z.array(cluster) }),
    handle: async (core, { caller }) => json({ clusters: await core.clusters(caller) }),
  }),
]

async function* logMessages(chunks: AsyncIterable<LogChunk>): AsyncGenerator<SseMessage> {
  for await (const chunk of chunks) yield { event: 'log', data: chunk }
}

async function* runMessages(events: AsyncIterable<RunEvent>): AsyncGenerator<SseMessage> {
  for await (const one of events) yield { event: one.kind, data: one }
}
