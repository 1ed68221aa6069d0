// Deploy: the record of one change to one workload, its phases, steps and reason codes (8 KiB at most).
// Scale, restart and delete are deploys too, with fewer steps: the same queue, fencing, resume and audit hold.
// Only transition.ts makes a new version of it.
import { z } from 'zod'
import { label, objectName, revision } from './units.ts'
import { adoptableKinds, artifactSchema, overridesSchema } from './workload.ts'

export const kinds = ['deploy', 'redeploy', 'rollback', 'scale', 'restart', 'delete', 'adopt'] as const
export type Kind = (typeof kinds)[number]

export const phases = [
  'requested',
  'preparing',
  'awaiting_approval',
  'ready',
  'running',
  'rolling_back',
  'succeeded',
  'failed',
  'rolled_back',
  'rollback_failed',
  'cancelled',
  'denied',
  'expired',
  'superseded',
] as const
export type Phase = (typeof phases)[number]

export const terminalPhases = [
  'succeeded',
  'failed',
  'rolled_back',
  'rollback_failed',
  'cancelled',
  'denied',
  'expired',
  'superseded',
] as const satisfies readonly Phase[]
/** A terminal phase is never left. */
export const isTerminal = (phase: Phase): boolean => (terminalPhases as readonly Phase[]).includes(phase)

/** Steps in the order they can run; plan.ts leaves out what an app does not need. */
export const stepNames = [
  'volume',
  'environment',
  'publish',
  'init',
  /** Of the pool's volumes, before `before` changes what is on them. */
  'snapshot',
  'before',
  /** Takes over what is there: its fields become gkube's to change. */
  'adopt',
  'apply',
  'rollout',
  /** A ReplicationController replaces no pods by itself: one by one. */
  'cycle',
  /** From a ReplicationController to the Deployment beside it. */
  'handover',
  /** Code with activate: reload: `current` is switched, and each pod takes it. */
  'activate',
  'after',
  'remove',
  'record',
  /** Automatic rollback: write the known-good snapshot back, then wait for it. */
  'restore',
  'reactivate',
  'recover',
] as const
export type StepName = (typeof stepNames)[number]

export const stepStates = ['pending', 'running', 'done', 'failed'] as const

/** Why a deploy ended or a step failed; `cause.message` has the words. */
export const reasons = [
  'ok',
  // how it ended
  'no_known_good',
  'cancelled',
  'denied',
  'expired',
  'superseded',
  'released',
  // refused while preparing
  'image_not_found',
  'digest_required',
  'registry_unavailable',
  'artifact_not_found',
  'plan_refused',
  'admission_refused',
  'app_gone',
  'not_supported',
  // seen on the cluster
  'deadline',
  'invalid_image',
  'image_pull',
  'crash_loop',
  'out_of_memory',
  'config_error',
  'create_failed',
  'unschedulable',
  'not_ready',
  'no_endpoints',
  'evicted',
  'job_failed',
  'publish_failed',
  'activate_failed',
  'field_conflict',
  'forbidden',
  'namespace_missing',
  'volume_failed',
  'cluster_unavailable',
  'invalid_object',
  'stale_object',
  'internal',
] as const
export type Reason = (typeof reasons)[number]

/** Who did something and from where. `id` is stable (`token:ci`, `slack:U123`); `name` is shown. */
export const actorSchema = z.object({
  id: z.string().min(1).max(200),
  name: z.string().min(1).max(200),
  via: z.enum(['cli', 'api', 'slack', 'jenkins', 'gkube']),
  /** The key in `people` of gkube.yaml, where it is known: the same person may come by Slack and by a token. */
  person: z.string().max(60).optional(),
})
export type Actor = z.output<typeof actorSchema>

/** One and the same, as far as is known. */
export const isSameActor = (a: Pick<Actor, 'id' | 'person'>, b: Pick<Actor, 'id' | 'person'>): boolean =>
  a.id === b.id || (a.person !== undefined && a.person === b.person)

const time = z.int().nonnegative()
const causeSchema = z.object({ reason: z.enum(reasons), message: z.string().max(1000) })
export type Cause = z.output<typeof causeSchema>

export const stepSchema = z.object({
  name: z.enum(stepNames),
  /** What the app calls it: `migrate`. Hooks only. */
  title: z.string().max(40).optional(),
  state: z.enum(stepStates),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  message: z.string().max(500),
})
export type Step = z.output<typeof stepSchema>

export const voteSchema = z.object({
  by: actorSchema,
  decision: z.enum(['approve', 'deny']),
  reason: z.string().max(500),
  at: time,
  hash: z.string(),
})

/** Tools that write an object again as soon as somebody else did. */
export const foreignTools = ['helm', 'argocd', 'flux'] as const

const adoptParams = z.object({
  kind: z.enum(adoptableKinds),
  name: objectName,
  forceFrom: z.array(z.enum(foreignTools)).max(foreignTools.length),
  /** Managers whose fields are taken over, beside kubectl's. */
  takeFrom: z.array(z.string().max(128)).max(10),
  /** A ReplicationController becomes a Deployment. */
  replaceByDeployment: z.boolean(),
  /** Hash of what was shown: what is confirmed is what happens. */
  confirm: z.string().max(64),
})
export type AdoptParams = z.output<typeof adoptParams>

/** An object that is taken over, as it was when it was shown. */
const takenSchema = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  /** Hash of all that a person was shown of it. */
  content: z.string(),
})
export type Taken = z.output<typeof takenSchema>

export const deploySchema = z.object({
  schema: z.literal(1),
  id: z.string().min(1).max(40),
  app: label(40),
  environment: label(30),
  kind: z.enum(kinds),
  /** What will run: a tag, commit or build. Empty for scale, restart and delete until prepared. */
  revision: revision.or(z.literal('')),
  phase: z.enum(phases),
  reason: z.enum(reasons).nullable(),
  cause: causeSchema.nullable(),
  /** Whether the job had a workload when it was prepared. */
  plan: z.enum(['create', 'update', 'delete']).nullable(),
  steps: z.array(stepSchema).max(20),
  /** Milliseconds since the epoch, by the clock of the replica that wrote them: shown, never compared across replicas for order. */
  requestedAt: time,
  readyAt: time.nullable(),
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  /** When the sweeper must look (expiry of an approval). */
  dueAt: time.nullable(),
  requestedBy: actorSchema,
  source: z.object({
    /** Links to where it came from: a Jenkins build. */
    job: z.string().max(500).nullable(),
    build: z.int().positive().nullable(),
    url: z.string().max(1000).nullable(),
    note: z.string().max(500),
    commit: z.string().max(64).nullish(),
    branch: z.string().max(500).nullish(),
    /** Who started the build, as Jenkins names them. */
    user: z.string().max(200).nullish(),
  }),
  params: z.object({
    replicas: z.int().min(0).max(10_000).nullable(),
    /** Delete only: names of claims whose deletion was confirmed by typing them. */
    claims: z.array(z.string()).max(20),
    /** Rollback only: the snapshot to go back to. */
    spec: z.string().nullable(),
    replace: z.boolean(),
    force: z.boolean(),
    /** Deploy only: the code to run, where it was named or is promoted. */
    artifact: artifactSchema.optional(),
    /** Redeploy only: run `init` again though the environment is initialised. */
    init: z.boolean().optional(),
    /** Promote only: the image that runs there, by its digest. */
    image: z.string().max(1000).optional(),
    /** Adopt only. */
    adopt: adoptParams.optional(),
  }),
  /** Settled by preparing; it stays as it is while what it was made from is found changed and it is prepared again. */
  prepared: z
    .object({
      cluster: z.string(),
      namespace: z.string(),
      spec: z.string(),
      image: z.string(),
      digest: z.string().nullable(),
      /** Left out: an app without code. */
      artifact: artifactSchema.optional(),
      base: z.object({
        revision: z.string(),
        spec: z.string().nullable(),
        overrides: overridesSchema.nullable(),
        /** The revision that worked last, where what runs is not that; null: none ever did. */
        good: z.string().nullable().optional(),
      }),
      /** What a person set by hand (scale, restart), as this deploy renders it. */
      overrides: overridesSchema,
      /** Mod revisions of what the plan was made from; `0` is absent. The claim compares them. */
      basis: z.object({ app: z.string(), workload: z.string() }),
      onFailure: z.enum(['rollback', 'hold', 'ask']),
      onCancel: z.enum(['rollback', 'hold']),
      afterRollback: z.enum(['none', 'lock']).optional(),
      /** Adopt only: what is taken over. */
      adoption: z.object({ taken: z.array(takenSchema).max(12) }).optional(),
      /** sha256 over what is approved (DESIGN: votes bind it). */
      hash: z.string(),
    })
    .nullable(),
  approval: z
    .object({
      required: z.int().min(0),
      requesterCounts: z.boolean(),
      votes: z.array(voteSchema).max(20),
      expiresAt: time,
    })
    .nullable(),
  /** Of `active/<env>/<app>`, at the claim or the last take-over. */
  epoch: z.int().nonnegative(),
  slot: z.int().nonnegative().nullable(),
  rollback: z.object({ attemptedAt: time, spec: z.string(), revision: z.string() }).nullable(),
  cancelledBy: actorSchema.nullable(),
  /** Its rollback locked the app there. */
  locked: z.boolean().optional(),
  /** Break-glass: who overrode approvals and freezes, and why. */
  overridden: z
    .object({
      by: actorSchema,
      reason: z.string().max(500),
      at: time,
      /** What was overridden for: it is void for anything else, like a vote. */
      hash: z.string().optional(),
    })
    .nullable()
    .default(null),
  supersededBy: z.string().nullable(),
})
export type Deploy = z.output<typeof deploySchema>

/** The revision to which a rollback of it goes: what ran before, or what worked last where that had failed; null: none. */
export function wayBack({ prepared }: Pick<Deploy, 'prepared'>): string | null {
  const base = prepared?.base
  if (!base?.spec || !base.revision) return null
  return base.good === undefined ? base.revision : base.good
}

/** Pods ready and wanted while a rollout runs: written at most every 2 s, never part of the state machine. */
export const progressSchema = z.object({
  ready: z.int(),
  wanted: z.int(),
  message: z.string().max(500),
  at: time,
})
export type Progress = z.output<typeof progressSchema>

export const hookSteps = ['init', 'before', 'after'] as const
export type HookStep = (typeof hookSteps)[number]

/** Steps that are a Kubernetes Job each. */
export const jobSteps = ['publish', ...hookSteps, 'activate', 'reactivate'] as const
export type JobStep = (typeof jobSteps)[number]

/** What came of a step that is a Job. It is kept before its Job is deleted: whoever goes on after a crash does not run it again. */
const hookResultSchema = z.object({
  step: z.enum(jobSteps),
  /** The app's name for it: `migrate`. */
  name: z.string().nullable(),
  startedAt: time,
  endedAt: time,
  /** Null: it succeeded. */
  cause: causeSchema.nullable(),
  /** The last lines of its log, redacted; of one that failed the diagnosis has them. */
  lines: z.array(z.string().max(500)).max(20),
})
export type HookResult = z.output<typeof hookResultSchema>

/** The lines of one Job: six of them and the rest fit 12 KiB. */
export const mostHookBytes = 1_600

/** `hooklogs/<deploy>`, 12 KiB at most. */
export const hookLogSchema = z.object({
  schema: z.literal(1),
  hooks: z.array(hookResultSchema).max(jobSteps.length),
})
export type HookLog = z.output<typeof hookLogSchema>

/** Why it failed: evidence for people (32 KiB at most). */
export const diagnosisSchema = z.object({
  cause: causeSchema,
  seen: z.array(z.string().max(500)).max(20),
  tries: z.array(z.string().max(500)).max(10),
  events: z
    .array(
      z.object({
        at: time,
        type: z.string(),
        reason: z.string(),
        object: z.string(),
        message: z.string().max(1000),
        count: z.int(),
      }),
    )
    .max(30),
  log: z
    .object({
      pod: z.string(),
      container: z.string(),
      previous: z.boolean(),
      lines: z.array(z.string().max(2000)).max(100),
    })
    .nullable(),
  at: time,
})
export type Diagnosis = z.output<typeof diagnosisSchema>
