// What can be asked of the stand-in Jenkins beside its remote API: how jobs are described, what a job's run may do, which
// faults tests can make. Types only; jenkins.ts starts one, seed.ts has the jobs of `npm start`.
import type { BuildRecord, Cause, QueueItem, Result } from './state.ts'

export type ParameterSeed = {
  readonly name: string
  readonly type: 'string' | 'text' | 'boolean' | 'choice' | 'password' | 'run' | 'file' | 'credentials'
  readonly description?: string
  /** Of a choice; the first is its default. */
  readonly choices?: readonly string[]
  readonly default?: string
}

export type ChangeSeed = {
  /** A user of this Jenkins: `ana`. */
  readonly author: string
  readonly message: string
  readonly paths?: readonly string[]
}

export type JobSeed = {
  /** `shop/web`; folders on the way are made. A branch job keeps its name's own encoding: `shop/worker/feature%2Flogin`. */
  readonly path: string
  /** multibranch: holds branch jobs, and cannot be built. */
  readonly kind: 'freestyle' | 'pipeline' | 'multibranch'
  readonly parameters?: readonly ParameterSeed[]
  /** Several builds at once; Pipelines do so unless told otherwise, freestyle jobs never. */
  readonly concurrent?: boolean
  readonly disabled?: boolean
  /** Invisible to everybody who asks: 404. */
  readonly hidden?: boolean
  /** Seen, but not built, stopped or answered by who asks: 403. */
  readonly readOnly?: boolean
  /** A queue decision handler refuses each build: 302 to the job. */
  readonly refuses?: boolean
  /** The notification plugin is not set up for it: only polling finds its builds. */
  readonly silent?: boolean
  /** The least that ends a build of it; default `stop`. */
  readonly heeds?: 'stop' | 'term' | 'kill'
  /** Milliseconds in the queue before it may start; default that of Jenkins (`timing.quiet`). */
  readonly quiet?: number
  readonly branch?: string
  /** Commits since the build before; the last one is built. None: the same commit again. */
  readonly changes?: (number: number) => readonly ChangeSeed[]
  /** What a build does; returns: success. */
  readonly run?: (steps: Steps) => Promise<void>
}

/** What a run may do; whatever waits ends by throwing when the build is stopped. */
export type Steps = {
  readonly number: number
  /** The value of a parameter, or '' */
  parameter(name: string): string
  print(...lines: readonly string[]): void
  /** Milliseconds at speed 1. */
  takes(ms: number): Promise<void>
  /** Begins a stage of a Pipeline, and ends the one before. */
  stage(name: string): void
  /** Pauses until it is answered; the values of its parameters. */
  input(ask: InputSeed): Promise<Readonly<Record<string, string>>>
  /** Really runs it: `/bin/sh -xe`, with Jenkins' environment. A code other than 0 fails the build. */
  shell(script: string, options?: { readonly unstableReturn?: number }): Promise<void>
  /** JUnit: failed ones, by `Class.name`, make the build unstable. */
  tests(report: {
    readonly passed: number
    readonly failed?: readonly string[]
    readonly skipped?: number
  }): void
  artifact(path: string): void
  unstable(): void
  fail(message: string): never
}

export type InputSeed = {
  /** As Jenkins has it: the first letter is a capital. */
  readonly id: string
  readonly message: string
  readonly ok?: string
  /** Users who may answer, joined by commas. */
  readonly submitter?: string
  readonly parameters?: readonly ParameterSeed[]
}

/** `cut`: it is carried out, but no answer comes. `down`: nobody listens. */
export type Fault = {
  readonly kind: 'down' | 'slow' | 'error' | 'cut'
  /** Only requests whose path matches. */
  readonly path?: RegExp
  readonly method?: 'GET' | 'POST'
  /** How many requests it hits; default: until `clear`. */
  readonly times?: number
  /** Of `slow`, in milliseconds; default 2000. */
  readonly ms?: number
}

export type HookFault = {
  /** Never sent: all, or those of these phases. */
  readonly lose?: boolean | readonly HookPhase[]
  /** Sent so many times more. */
  readonly repeat?: number
  /** Those of a build are held back and sent at its end, the last one first. */
  readonly reversed?: boolean
}

export type HookPhase = 'QUEUED' | 'STARTED' | 'COMPLETED' | 'FINALIZED'

export type SentHook = {
  readonly phase: HookPhase
  readonly job: string
  readonly number: number
  readonly body: string
  /** null: not delivered. */
  readonly status: number | null
}

export type Control = {
  /** Starts a build as a person (`ana`) or by a cause of your own; what did not come to be queued is null. */
  start(
    job: string,
    parameters?: Readonly<Record<string, string>>,
    cause?: string | Cause,
  ): { readonly queueId: number } | null
  addJob(seed: JobSeed): void
  removeJob(path: string): void
  builds(job: string): readonly BuildRecord[]
  build(job: string, number: number): BuildRecord | undefined
  queue(): readonly QueueItem[]
  /** Answers an input of a build, as a person. */
  answer(at: { job: string; number: number; id: string }, decision: 'proceed' | 'abort', by: string): void
  /** Settles once the build has ended and its hooks are out; with its result. */
  ended(job: string, number: number): Promise<Result>
  fault(fault: Fault): void
  hooks(fault: HookFault): void
  /** Ends all faults. */
  clear(): void
  /** Hooks that were sent, oldest first. */
  sent(): readonly SentHook[]
  /** Requests to the remote API, oldest first: `POST /job/web/build`. */
  requests(): readonly string[]
  /** Variables for each 'Execute shell' step; GKUBE_URL, GKUBE_TOKEN. */
  setEnvironment(variables: Readonly<Record<string, string>>): void
}

export type JenkinsOptions = {
  readonly port?: number
  /** The user whose API token is made; default gkube. */
  readonly user?: string
  readonly token?: string
  readonly password?: string
  /** Instead of the jobs of `npm start`. */
  readonly seed?: readonly JobSeed[]
  readonly hook?: { readonly url: string; readonly retries?: number }
  /** Build numbers and finished builds are kept here. */
  readonly file?: string
  /** Numbers that are taken already, by job, and the highest queue id. */
  readonly taken?: { readonly builds: Readonly<Record<string, number>>; readonly queueId: number }
  readonly log?: { info(facts: object, text: string): void; warn(facts: object, text: string): void }
  readonly executors?: number
  /** Builds and waits are so many times faster; default 1. */
  readonly speed?: number
  /** Milliseconds at speed 1: in the queue, between queue and build, until a left item is forgotten; 5 s, 50 ms, 300 s. */
  readonly timing?: { readonly quiet?: number; readonly pending?: number; readonly expiry?: number }
  /** What queue Locations begin with, as behind a proxy that is set up badly: `http://jenkins.internal:8080/`. */
  readonly locationBase?: string
  /** False: no Pipeline Stage View plugin, wfapi is 404. */
  readonly stageView?: boolean
  readonly environment?: Readonly<Record<string, string>>
  /** SIGKILL so long after SIGTERM, in real milliseconds; default 5000. */
  readonly killAfter?: number
}

export type SandboxJenkins = {
  /** With a slash at its end. */
  readonly url: string
  readonly port: number
  readonly user: string
  /** An API token: needs no crumb. */
  readonly token: string
  /** Of the same user: POST needs a crumb and its session. */
  readonly password: string
  /** Where the notification plugin sends from now on; null: nowhere. */
  connect(hookUrl: string | null): void
  readonly control: Control
  /** Aborts what runs, and ends. */
  stop(): Promise<void>
}
