// What gkube asks of Jenkins: adapters/jenkins/ speaks its remote API. Nothing here retries; each call has its own
// time-out and throws JenkinsError. Jobs are named by their full path, branch jobs with their name's own encoding.
import type { Check } from '../core.ts'
import type { Parameter, PendingInput, Stage } from './build.ts'
import type { Result, Tests } from './event.ts'

/** `code`: unavailable: try again later; forbidden: the credential may not; not_found: gone or invisible; refused: Jenkins said no, in `message`. */
export class JenkinsError extends Error {
  override readonly name = 'JenkinsError'
  readonly code: 'unavailable' | 'forbidden' | 'not_found' | 'refused'
  /** True: the request may have been carried out although no answer came. */
  readonly unclear: boolean
  constructor(
    code: JenkinsError['code'],
    message: string,
    options: { cause?: unknown; unclear?: boolean } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.unclear = options.unclear ?? false
  }
}

export type JobFacts = {
  readonly job: string
  readonly url: string
  /** A folder or multibranch project holds jobs and cannot be built itself. */
  readonly kind: 'job' | 'folder'
  readonly buildable: boolean
  readonly parameters: readonly Parameter[]
}

export type QueueFacts =
  | { readonly state: 'waiting'; readonly why: string }
  /** It has left the queue; the build may not be known for a moment. */
  | { readonly state: 'left'; readonly number: number | null; readonly cancelled: boolean }

export type BuildFacts = {
  readonly number: number
  readonly queueId: number | null
  readonly displayName: string
  readonly url: string
  /** Also while post-build steps run. */
  readonly building: boolean
  readonly result: Result | null
  readonly startedAt: number
  readonly durationMs: number
  readonly usualMs: number | null
  readonly commit: string | null
  readonly branch: string | null
  readonly cause: string
  /** Jenkins' user id, where a person started it. */
  readonly user: string | null
  readonly parameters: Readonly<Record<string, string>>
  readonly changes: readonly {
    readonly commit: string
    readonly author: string
    readonly email: string | null
    readonly message: string
  }[]
  readonly changesTotal: number
}

export type Jenkins = {
  /** The job; JenkinsError `not_found` where it is not there or invisible. */
  job(job: string): Promise<JobFacts>
  /** Jobs below a folder (`''`: the top), one level. */
  jobs(folder: string): Promise<readonly Pick<JobFacts, 'job' | 'kind' | 'buildable'>[]>
  /** Asks for a build. `coalesced`: it joined one that waits in the queue already. */
  start(
    job: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<{ readonly queueId: number; readonly coalesced: boolean }>
  /** Null: it left the queue more than five minutes ago, or never was. */
  queueItem(id: number): Promise<QueueFacts | null>
  cancelQueueItem(id: number): Promise<void>
  /** What of a job waits in the queue; `since` in milliseconds since the epoch, by Jenkins' clock. */
  queued(job: string): Promise<
    readonly {
      readonly id: number
      readonly since: number
      readonly user: string | null
      readonly parameters: Readonly<Record<string, string>>
    }[]
  >
  build(job: string, number: number): Promise<BuildFacts>
  /** The newest builds of a job, newest first; 50 at most. */
  recent(job: string): Promise<readonly BuildFacts[]>
  /** Null: no test report. */
  tests(job: string, number: number): Promise<Tests | null>
  /** Null: this Jenkins, or this kind of job, shows no stages. */
  stages(job: string, number: number): Promise<readonly Stage[] | null>
  inputs(
    job: string,
    number: number,
  ): Promise<readonly Pick<PendingInput, 'id' | 'message' | 'proceed' | 'parameters' | 'submitters'>[]>
  /** `settled`: somebody was first, or the build went on. */
  answer(
    at: { readonly job: string; readonly number: number; readonly input: string },
    answer: { readonly decision: 'proceed' | 'abort'; readonly parameters: Readonly<Record<string, string>> },
  ): Promise<'done' | 'settled'>
  /** `next`: the offset to go on from, in bytes of the raw log. */
  log(
    job: string,
    number: number,
    start: number,
  ): Promise<{ readonly text: string; readonly next: number; readonly more: boolean }>
  /** The last part of the log, at most so many bytes, cut at a line. */
  tail(job: string, number: number, bytes: number): Promise<string>
  stop(job: string, number: number): Promise<void>
  /** For doctor: does it answer, is the credential good, whose is it, is the base address the one Jenkins thinks. */
  checks(): Promise<readonly Check[]>
}
