// Build: what gkube knows of one run of a Jenkins job, from the wish to start it to its result. Everybody may leave a
// wish in it by compare-and-swap (stop it, answer its input); only the elected follower of builds talks to Jenkins and
// fulfils wishes, so that nothing is asked of Jenkins twice. What messages show is a pure function of it.
import { z } from 'zod'
import { actorSchema, phases } from '../deploy.ts'
import { jobPath, label } from '../units.ts'
import { results, testsSchema } from './event.ts'

const time = z.int().nonnegative()
const short = z.string().max(500)
/** What a person gave for a parameter: it must reach Jenkins whole. */
const given = z.string().max(10_000)

export const buildPhases = [
  /** Wanted from Slack or the API; Jenkins was not asked yet. */
  'asked',
  /** In Jenkins' queue. */
  'queued',
  'running',
  /** The result is known, post-build steps may still run. */
  'finishing',
  'finished',
  /** Left the queue without a build, by a person. */
  'cancelled',
  /** Jenkins refused it, or it is unclear whether it took it: `note` says which. */
  'not_started',
  /** Jenkins does not know it any more: `note` says what was seen last. */
  'lost',
] as const
export type BuildPhase = (typeof buildPhases)[number]

/** Nothing more happens to it. */
export const isOver = (phase: BuildPhase): boolean =>
  phase === 'finished' || phase === 'cancelled' || phase === 'not_started' || phase === 'lost'

export const parameterSchema = z.object({
  name: z.string().max(200),
  type: z.enum(['string', 'text', 'boolean', 'choice', 'password', 'run', 'file', 'other']),
  description: short,
  choices: z.array(short).max(200),
  /** Null: none, or a secret. */
  default: short.nullable(),
})
/** A parameter of a job or of an input, as a form shows it. */
export type Parameter = z.output<typeof parameterSchema>

export const stageSchema = z.object({
  name: z.string().max(200),
  state: z.enum(['waiting', 'running', 'paused', 'success', 'unstable', 'failed', 'aborted']),
  ms: z.int().nonnegative(),
})
export type Stage = z.output<typeof stageSchema>

export const inputSchema = z.object({
  id: z.string().max(200),
  message: z.string().max(1000),
  /** What the button to go on is called. */
  proceed: z.string().max(100),
  parameters: z.array(parameterSchema).max(20),
  /** Jenkins users who may answer; empty: it does not say. */
  submitters: z.array(z.string().max(200)).max(50),
  askedAt: time,
  /** The first answer wins; `sent` once Jenkins took it, `refused` with its words where it did not. */
  answer: z
    .object({
      decision: z.enum(['proceed', 'abort']),
      by: actorSchema,
      at: time,
      state: z.enum(['wanted', 'sent', 'refused']),
      /** Parameters given; never those of type password. */
      parameters: z.record(z.string().max(200), given),
      note: short,
    })
    .nullable(),
  /** No longer asked, answered here or elsewhere. */
  over: z.boolean(),
})
export type PendingInput = z.output<typeof inputSchema>

export const changeSchema = z.object({
  commit: z.string().max(64),
  author: z.string().max(200),
  email: z.string().max(254).nullable(),
  /** The Slack member behind the e-mail, where one is known. */
  slack: z.string().max(40).nullable(),
  message: z.string().max(300),
})
export type BuildChange = z.output<typeof changeSchema>

export const buildSchema = z.object({
  schema: z.literal(1),
  id: z.string().min(1).max(40),
  job: jobPath,
  /** Apps that this job feeds, by the lookup as it was first seen. */
  apps: z.array(label(40)).max(20),
  /** Null until it has left the queue. */
  number: z.int().positive().nullable(),
  queueId: z.int().nonnegative().nullable(),
  /** In the browser, below the configured base; null where no Jenkins is configured. */
  url: z.string().max(1000).nullable(),
  displayName: short.nullable(),
  phase: z.enum(buildPhases),
  result: z.enum(results).nullable(),
  /** Whether `result` was read from Jenkins, not only told by a hook. */
  verified: z.boolean(),
  /** When Jenkins is asked to start it: written before, so that it is never asked twice. */
  postingAt: time.nullable(),
  /** Milliseconds since the epoch; Jenkins' clock. */
  startedAt: time.nullable(),
  durationMs: time.nullable(),
  /** What Jenkins expects it to take. */
  usualMs: time.nullable(),
  commit: z.string().max(64).nullable(),
  branch: short.nullable(),
  /** Why it runs, as Jenkins says it: `Started by user Ana`. */
  cause: short,
  /** Who asked for it through gkube; null: it began elsewhere. */
  askedBy: actorSchema.nullable(),
  /** Who started it in Jenkins, as Slack member, where that is known. */
  startedBy: z.object({ name: short, slack: z.string().max(40).nullable() }).nullable(),
  parameters: z.record(z.string().max(200), given),
  changes: z.array(changeSchema).max(20),
  changesTotal: z.int().nonnegative(),
  tests: testsSchema.nullable(),
  stages: z.array(stageSchema).max(50).nullable(),
  inputs: z.array(inputSchema).max(10),
  /** Compared with the finished build of the job before it; null until it is finished. */
  turn: z.enum(['first', 'passed', 'first_failure', 'still_failing', 'back_to_normal', 'aborted']).nullable(),
  /** Since which build the job fails; with `first_failure` this one. */
  failingSince: z.int().positive().nullable(),
  /** Deploys of this build, with their state as last seen. */
  deploys: z
    .array(
      z.object({
        id: z.string().max(40),
        app: label(40),
        environment: label(30),
        revision: z.string().max(128),
        phase: z.enum(phases),
      }),
    )
    .max(20),
  /** Where it may be deployed to by a click; `loud`: asked for by `deployOn`, and a person must say so. */
  offers: z
    .array(
      z.object({
        app: label(40),
        environment: label(30),
        revision: z.string().max(128),
        loud: z.boolean(),
      }),
    )
    .max(20),
  stop: z.object({ by: actorSchema, at: time, state: z.enum(['wanted', 'sent', 'refused']) }).nullable(),
  /** Where it is told, and what of it that channel wants to hear; one Messages record each, `<id>.<channel>`. */
  told: z
    .array(
      z.object({
        channel: z.string().max(40),
        /** asked: it was started from there. */
        events: z.enum(['all', 'changes', 'failures', 'asked']),
      }),
    )
    .max(20)
    .default([]),
  /** The record of the build that this wish joined in Jenkins' queue: that one is told, this one is over. */
  joined: z.string().max(40).nullable().default(null),
  /** Since when a hook tells of an end that Jenkins did not confirm; null: nothing waits to be confirmed. */
  toldAt: time.nullable().default(null),
  /** Once it ended: what `deployOn` wants of it was asked for, and is not asked for again. */
  settled: z.boolean().default(false),
  /** Why it is as it is, where the phase alone does not say: refused, unclear, not confirmed. */
  note: z.string().max(1000),
  /** When gkube first knew of it. */
  seenAt: time,
  /** When it ended for gkube. */
  endedAt: time.nullable(),
})
export type Build = z.output<typeof buildSchema>

/** `jenkins/jobs/<job>`: how the last finished build of a job ended, for first failure and back to normal. */
export const jobStateSchema = z.object({
  schema: z.literal(1),
  number: z.int().positive(),
  result: z.enum(results),
  failingSince: z.int().positive().nullable(),
  /** By Jenkins' clock: a job that was made anew counts from 1 again. */
  startedAt: time.nullable().default(null),
})
export type JobState = z.output<typeof jobStateSchema>

/** `jenkins/numbers/<job>/<number>` and `jenkins/queue/<id>`: which Build that is. */
export const buildRefSchema = z.object({ schema: z.literal(1), id: z.string() })

/** `jenkins/console/<id>`: the last lines of a build that failed (32 KiB at most, redacted). */
export const consoleSchema = z.object({
  schema: z.literal(1),
  lines: z.array(z.string().max(2000)).max(100),
  at: time,
})
export type Console = z.output<typeof consoleSchema>

/** `builds/<env>/<app>/<job>/<number>`: the one deploy of a build, written with its request, from hook or step. */
export const buildDeploySchema = z.object({
  schema: z.literal(1),
  deploy: z.string(),
  revision: z.string(),
  /** When that build started, by Jenkins' clock; null: it was not read by then. */
  startedAt: time.nullable().default(null),
})

/** `newest/<env>/<app>/<job>`: the newest build of a job that was asked for there; it only grows, until the job is made anew. */
export const newestBuildSchema = z.object({
  schema: z.literal(1),
  number: z.int().positive(),
  startedAt: time.nullable().default(null),
})

/** `subscriptions/<channel>/<app>`; `*` is all apps. */
export const subscriptionSchema = z.object({
  schema: z.literal(1),
  channel: z.string().max(40),
  app: z.union([label(40), z.literal('*')]),
  /** changes: first failures, repeated ones as quiet edits, and back to normal; repeated successes are silent. */
  events: z.enum(['all', 'changes', 'failures']),
  by: actorSchema,
  at: time,
})
export type Subscription = z.output<typeof subscriptionSchema>
