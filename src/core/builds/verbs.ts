// The verbs around Jenkins builds that every surface calls, with the schemas of their inputs (the wire format).
// Types only; use-cases/builds.ts and use-cases/subscriptions.ts have them.
import { z } from 'zod'
import type { Caller } from '../core.ts'
import { jobPath, label } from '../units.ts'
import { type Build, type Subscription, subscriptionSchema } from './build.ts'
import type { BuildEvent } from './event.ts'
import type { JobFacts } from './jenkins.ts'

const values = z.record(z.string().min(1).max(200), z.string().max(10_000)).default({})

export const buildInput = z.strictObject({
  job: jobPath,
  parameters: values.describe('values of the job’s parameters; what is left out takes its default'),
  /** The same key again answers the same build (24 h). */
  idempotencyKey: z.string().min(1).max(200).optional(),
})
export type BuildInput = z.output<typeof buildInput>

export const answerInputInput = z.strictObject({
  input: z.string().min(1).max(200).describe('the id of the input that waits'),
  decision: z.enum(['proceed', 'abort']),
  parameters: values,
})
export type AnswerInput = z.output<typeof answerInputInput>

export const subscribeInput = z.strictObject({
  channel: z.string().regex(/^[CG][A-Z0-9]{2,}$/, 'a Slack channel id such as C012AB3CD'),
  app: z.union([label(40), z.literal('*')]).describe('* is all apps'),
  events: subscriptionSchema.shape.events.default('changes'),
})
export type SubscribeInput = z.output<typeof subscribeInput>

/** A hook as the configuration names it, after its secret was found right. */
export type HookScope = { readonly name: string; readonly jobs: readonly string[] }

/** A job that people may name, and the apps that it feeds. */
export type JobName = { readonly job: string; readonly apps: readonly string[] }

export type BuildVerbs = {
  /** Keeps what a hook told; answered means durable. `forbidden` where the hook may not speak of that job. */
  receiveBuild(hook: HookScope, event: BuildEvent): Promise<{ readonly repeated: boolean }>
  /** Asks for a build; `channel`: where its message goes. Refused with `bad_input` where the job does not take that. */
  build(
    caller: Caller,
    input: BuildInput,
    origin?: { readonly channel: string | null },
  ): Promise<{ readonly build: Build; readonly repeated: boolean }>
  /** The job with its parameters, for a form. */
  job(caller: Caller, job: string): Promise<JobFacts>
  /** Jobs whose path holds the text: those of apps first, then what Jenkins has; 100 at most. */
  jobs(caller: Caller, text: string): Promise<readonly JobName[]>
  showBuild(caller: Caller, id: string): Promise<Build>
  /** Newest first. */
  builds(
    caller: Caller,
    query: { readonly job?: string; readonly app?: string; readonly limit: number },
  ): Promise<readonly Build[]>
  stopBuild(caller: Caller, id: string, input: { readonly reason: string }): Promise<Build>
  /** The first answer wins: `conflict` names who was first. */
  answerInput(caller: Caller, id: string, input: AnswerInput): Promise<Build>
  /** The last lines of its console, redacted. */
  buildLog(caller: Caller, id: string, query: { readonly lines: number }): Promise<readonly string[]>
  subscribe(caller: Caller, input: SubscribeInput): Promise<Subscription>
  unsubscribe(
    caller: Caller,
    input: { readonly channel: string; readonly app: string },
  ): Promise<{ readonly was: boolean }>
  /** Of one channel, or all. */
  subscriptions(caller: Caller, query: { readonly channel?: string }): Promise<readonly Subscription[]>
}
