// The small records by which replicas agree: who is active with which epoch, who owns a deploy, what others want
// of its owner. Mutual exclusion is `active` (no lease: a crash must not free it); liveness is the owner key.
import { z } from 'zod'
import { actorSchema } from './deploy.ts'

/** `active/<env>/<app>`: kept when idle, because its epoch only grows. */
export const activeSchema = z.object({
  schema: z.literal(1),
  epoch: z.int().nonnegative(),
  deploy: z.string().nullable(),
})
export type Active = z.output<typeof activeSchema>

/** `owners/<id>`, held by a replica's lease. */
export const ownerSchema = z.object({ schema: z.literal(1), replica: z.string(), at: z.int() })
export type Owner = z.output<typeof ownerSchema>

/** `intents/<id>/<kind>`: consumed by the owner in its own transaction. */
export const intentSchema = z.object({
  schema: z.literal(1),
  kind: z.enum(['cancel']),
  by: actorSchema,
  reason: z.string().max(500),
  /** What becomes of what runs; left out: as the environment says. */
  onCancel: z.enum(['rollback', 'hold']).optional(),
  at: z.int(),
})
export type Intent = z.output<typeof intentSchema>

/** `freezes/<env>`: nothing is deployed there until it ends; who may override is the environment's `breakGlass`. */
export const freezeSchema = z.object({
  schema: z.literal(1),
  environment: z.string(),
  by: actorSchema,
  reason: z.string().max(500),
  at: z.int(),
  endsAt: z.int(),
  /** Not a record: a window of gkube.yaml that holds now (freeze-windows.ts). */
  recurring: z.object({ cron: z.string(), for: z.string(), timeZone: z.string() }).optional(),
})
export type Freeze = z.output<typeof freezeSchema>

/** `leaders/<role>`, held by a replica's lease. */
export const leaderSchema = z.object({ schema: z.literal(1), replica: z.string(), at: z.int() })

/** `audit/<env>/<id>`: written in the transaction of what it tells. */
export const auditSchema = z.object({
  schema: z.literal(1),
  at: z.int(),
  by: actorSchema,
  action: z.string().max(60),
  app: z.string().nullable(),
  environment: z.string(),
  deploy: z.string().nullable(),
  outcome: z.string().max(60),
  detail: z.string().max(500),
})
export type Audit = z.output<typeof auditSchema>

/** `seals/<env>/<n>`: a range of audit entries in the order of their creation, chained by `previous` (core/audit/). */
export const sealSchema = z.object({
  schema: z.literal(1),
  environment: z.string(),
  /** From 1 on, without gaps. */
  n: z.int().positive(),
  /** The hash of the seal before; empty for the first. */
  previous: z.string(),
  /** Create revisions of the first and the last entry: order is (create revision, key). */
  from: z.string(),
  to: z.string(),
  count: z.int().positive(),
  /** Hash of the leaves. */
  root: z.string(),
  at: z.int(),
  /** Of all fields above. */
  hash: z.string(),
  /** The leaves: id, create revision, hash of the entry's bytes. Null: retention removed the range; the seal stays. */
  entries: z.array(z.tuple([z.string(), z.string(), z.string()])).nullable(),
})
export type Seal = z.output<typeof sealSchema>
