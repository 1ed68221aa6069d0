// BuildEvent: what a hook told of a build, whatever its format; and `inbox/jenkins/<id>`, where it is kept before the
// hook is answered and until its effect is written. It is a hint: what counts is read from Jenkins where that is possible.
import { z } from 'zod'
import { jobPath } from '../units.ts'

export const results = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED'] as const
/** How Jenkins says that a build ended. */
export type Result = (typeof results)[number]

const short = z.string().max(500)

export const testsSchema = z.object({
  total: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  /** Names of failed tests, the first ones. */
  names: z.array(z.string().max(300)).max(20),
})
export type Tests = z.output<typeof testsSchema>

export const buildEventSchema = z.object({
  /** The full path of the job, decoded: `shop/web`; a branch job keeps its name's own encoding (`shop/web/feature%2Flogin`). */
  job: jobPath,
  number: z.int().positive(),
  queueId: z.int().nonnegative().nullable(),
  /** What happened: finished is provisional until finalized (post-build steps may still change the result). */
  phase: z.enum(['queued', 'started', 'finished', 'finalized']),
  result: z.enum(results).nullable(),
  /** Milliseconds since the epoch, by Jenkins' clock. */
  startedAt: z.int().nonnegative().nullable(),
  durationMs: z.int().nonnegative().nullable(),
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/)
    .nullable(),
  branch: short.nullable(),
  /** Without what Jenkins marks as sensitive; cut. */
  parameters: z.record(z.string().max(200), short),
  tests: testsSchema.nullable(),
})
export type BuildEvent = z.output<typeof buildEventSchema>

/** `inbox/jenkins/<id>`: deleted in the transaction of its effect. */
export const inboxSchema = z.object({
  schema: z.literal(1),
  /** The hook of gkube.yaml that it came by. */
  hook: z.string(),
  event: buildEventSchema,
  at: z.int(),
})
export type InboxEntry = z.output<typeof inboxSchema>
