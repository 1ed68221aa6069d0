// Schemas of what the API answers, for the OpenAPI document. The core has these as types only: `Same` makes the
// compiler refuse a schema that drifts from its type. Answers are not parsed at run time; the tests do it.

import { z } from 'zod'
import type { TokenInfo, Whoami } from '../../core/access/verbs.ts'
import type { AdoptionPlan } from '../../core/adoption/verbs.ts'
import type { RecordedArtifact } from '../../core/artifacts/verbs.ts'
import type { EventFacts, PodFacts } from '../../core/cluster.ts'
import { freezeSchema } from '../../core/coordination.ts'
import type {
  ApprovalRequest,
  Caller,
  Check,
  ClusterInfo,
  LogChunk,
  Plan,
  PlannedObject,
  Status,
} from '../../core/core.ts'
import { lockSchema } from '../../core/core.ts'
import { actorSchema, deploySchema, diagnosisSchema, progressSchema } from '../../core/deploy.ts'
import type { Drift } from '../../core/drift.ts'
import { grantSchema } from '../../core/environment.ts'
import { plannedSchema } from '../../core/messages.ts'
import type { StorageRow } from '../../core/volumes/verbs.ts'
import { artifactSchema, workloadSchema } from '../../core/workload.ts'

type Same<T> = z.ZodType<T>
const time = z.int().nonnegative()

export const plannedObject = z.object({
  object: z.string(),
  action: z.enum(['create', 'change', 'delete', 'none', 'replace']),
  diff: z.string(),
  warnings: z.array(z.string()),
}) satisfies Same<PlannedObject>

export const plan = z.object({
  app: z.string(),
  environment: z.string(),
  kind: z.enum(['create', 'update']),
  from: z.string().nullable(),
  revision: z.string(),
  image: z.string(),
  digest: z.string().nullable(),
  artifact: artifactSchema.optional(),
  steps: z.array(z.string()),
  objects: z.array(plannedObject),
  changes: z.array(z.string()),
  notes: z.array(z.string()),
  refusals: z.array(z.string()),
}) satisfies Same<Plan>

const drift = z.object({
  object: z.string(),
  state: z.enum(['changed', 'missing', 'replaced']),
  fields: z.array(
    z.object({
      path: z.string(),
      manager: z.string().nullable(),
      at: time.nullable(),
      recorded: z.string(),
      live: z.string(),
    }),
  ),
}) satisfies Same<Drift>

export const adoptionPlan = z.object({
  app: z.string(),
  environment: z.string(),
  workload: z.string(),
  revision: z.string(),
  image: z.string(),
  steps: z.array(z.string()),
  hash: z.string(),
  objects: z.array(plannedObject),
  found: z.array(z.object({ object: z.string(), becomes: z.string() })),
  managers: z.array(
    z.object({
      object: z.string(),
      manager: z.string(),
      fields: z.int(),
      at: time.nullable(),
      moves: z.boolean(),
    }),
  ),
  notes: z.array(z.string()),
  refusals: z.array(z.string()),
}) satisfies Same<AdoptionPlan>

export const status = z.object({
  workload: workloadSchema,
  ready: z.int().nullable(),
  wanted: z.int().nullable(),
  health: z.enum(['ready', 'progressing', 'failed', 'unknown']),
  message: z.string(),
  current: deploySchema.pick({ id: true, kind: true, revision: true, phase: true }).nullable(),
  lock: lockSchema.nullable(),
  freeze: freezeSchema.nullable(),
  drift: z.array(drift),
}) satisfies Same<Status>

const container = z.object({
  name: z.string(),
  init: z.boolean(),
  image: z.string(),
  ready: z.boolean(),
  started: z.boolean(),
  restarts: z.int(),
  state: z.enum(['waiting', 'running', 'terminated', 'unknown']),
  reason: z.string(),
  message: z.string(),
  exit: z.object({ code: z.int(), reason: z.string(), startedAt: time, finishedAt: time }).nullable(),
})
export const pod = z.object({
  name: z.string(),
  uid: z.string(),
  createdAt: time,
  terminating: z.boolean(),
  phase: z.string(),
  reason: z.string(),
  message: z.string(),
  node: z.string(),
  ready: z.boolean(),
  readyAt: time.nullable(),
  unscheduled: z.object({ reason: z.string(), message: z.string(), since: time }).nullable(),
  templateHash: z.string(),
  owner: z.object({ kind: z.string(), name: z.string(), uid: z.string() }).nullable(),
  containers: z.array(container),
  more: z.object({ containers: z.int(), ready: z.int() }),
}) satisfies Same<PodFacts>

export const event = z.object({
  type: z.string(),
  reason: z.string(),
  message: z.string(),
  object: z.string(),
  count: z.int(),
  lastAt: time,
}) satisfies Same<EventFacts>

export const logChunk = z.object({
  pod: z.string(),
  container: z.string(),
  text: z.string(),
}) satisfies Same<LogChunk>

/** What a one-off command (run, exec) sends, by event name. */
export const runEvents = {
  started: z.object({ kind: z.literal('started'), job: z.string(), pod: z.string() }),
  output: z.object({ kind: z.literal('output'), text: z.string(), stream: z.enum(['stdout', 'stderr']) }),
  ended: z.object({ kind: z.literal('ended'), exitCode: z.int(), message: z.string() }),
}

/** What a watcher of a deploy gets, by event name. */
export const deployEvents = {
  deploy: deploySchema,
  progress: progressSchema,
  diagnosis: diagnosisSchema,
  waiting: z.object({ message: z.string() }),
}

export const deployState = z.object({
  deploy: deploySchema,
  progress: progressSchema.nullable(),
  diagnosis: diagnosisSchema.nullable(),
  waiting: z.string().nullable(),
  planned: plannedSchema.nullable(),
})

export const approvalRequest = z.object({
  deploy: deploySchema,
  planned: plannedSchema.nullable(),
  refusal: z.string().nullable(),
}) satisfies Same<ApprovalRequest>

export const check = z.object({
  name: z.string(),
  state: z.enum(['ok', 'warning', 'failed']),
  message: z.string(),
  mend: z.string(),
}) satisfies Same<Check>

export const cluster = z.object({
  name: z.string(),
  version: z.string(),
  reachable: z.boolean(),
  message: z.string(),
  environments: z.array(z.string()),
  nodes: z.array(
    z.object({
      name: z.string(),
      ready: z.boolean(),
      version: z.string(),
      cpu: z.string(),
      memory: z.string(),
      pods: z.number(),
      roles: z.string(),
    }),
  ),
}) satisfies Same<ClusterInfo>

export const recordedArtifact = z.object({
  app: z.string(),
  revision: z.string(),
  sha256: z.string(),
  size: z.int(),
  at: time,
  by: z.string(),
  before: z.string().nullable().describe('what the revision was until now, where that was another artifact'),
}) satisfies Same<RecordedArtifact>

export const storageRow = z.object({
  environment: z.string(),
  app: z.string(),
  storage: z.string(),
  claim: z.string(),
  volume: z.string().nullable(),
  pool: z.string().nullable(),
  title: z.string().nullable(),
  size: z.number(),
  used: z.number().nullable(),
  quota: z.number().nullable(),
  health: z.string(),
  state: z.enum(['ok', 'warning', 'failed', 'unknown', 'unused']),
}) satisfies Same<StorageRow>

export const token = z.object({
  id: z.string(),
  name: z.string(),
  grants: z.array(grantSchema),
  createdAt: time,
  createdBy: z.string(),
  expiresAt: time,
  lastUsedAt: time.nullable(),
  person: z.string().nullable(),
}) satisfies Same<TokenInfo>

const may = z.object({ app: z.string(), actions: z.array(z.string()), by: z.array(grantSchema) })
export const whoami = z.object({
  actor: actorSchema,
  grants: z.array(grantSchema),
  environments: z.array(
    z.object({
      environment: z.string(),
      protected: z.boolean(),
      may: z.array(may),
      breakGlass: z.boolean(),
    }),
  ),
}) satisfies Same<Whoami & Pick<Caller, 'grants'>>

/** Any Kubernetes object. */
export const kubeObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
})

export const health = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string() })),
})

/** Every failure of every route. */
export const failure = z.object({
  error: z.object({
    kind: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
    requestId: z.string(),
  }),
})
