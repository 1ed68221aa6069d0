// What every step gets and answers. A step is idempotent or detects that it ran: after a crash it is run again by
// the next owner, with `takenOver` set. Its outcome is written by the runner in one transaction.
import type { Cluster, KubeObject } from '../cluster.ts'
import type { CodeSide } from '../code/code-side.ts'
import type { Cause, Deploy, Diagnosis, HookResult, Progress } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { ownAnnotations } from '../hash.ts'
import { epochAnnotation } from '../objects/labels.ts'
import { redactText } from '../redact.ts'
import type { Pools } from '../volumes/pool-side.ts'
import type { Frozen, Workload } from '../workload.ts'

export type StepContext = {
  readonly deploy: Deploy
  readonly workload: Workload
  /** What this step renders: the frozen spec of the deploy, or the known-good one of a rollback. */
  readonly frozen: Frozen
  /** What ran before this deploy; null on a first create. */
  readonly base: Frozen | null
  /** Any other one that is kept; null: it is not there any more. */
  spec(hash: string): Promise<Frozen | null>
  readonly environment: Environment
  /** Every write of it checks first that this replica still owns the deploy. */
  readonly cluster: Cluster
  readonly startedAt: number
  now(): number
  /** Waits for a change or the time; ends early when the deploy is cancelled or the replica stops. */
  sleep(ms: number, wake?: AbortSignal): Promise<void>
  /** A person asked to cancel: end with `cancelled` at the next safe point. */
  readonly cancelled: AbortSignal
  /** The replica stops or lost its lease: throw, write nothing more. */
  readonly stopped: AbortSignal
  /** Another owner ran this deploy before: objects carry an older epoch. */
  readonly takenOver: boolean
  readonly pools: Pools
  /** Null: no code can be published. Its tickets are not fenced: an unused one expires. */
  readonly code: CodeSide | null
  progress(progress: Omit<Progress, 'at'>): void
  /** What came of this deploy's Jobs, kept before their Jobs are deleted. Throws Fenced where etcd does not take it. */
  readonly hooks: {
    read(): Promise<readonly HookResult[]>
    write(result: HookResult, diagnosis: Diagnosis | undefined): Promise<void>
  }
}

export type StepOutcome =
  | {
      readonly kind: 'done'
      readonly message: string
      /** The workload record as it is now, written with the step's end. */
      readonly workload?: Workload
      /** Delete only: the record goes. */
      readonly removeWorkload?: boolean
    }
  | {
      readonly kind: 'failed'
      readonly cause: Cause
      readonly message: string
      readonly diagnosis?: Diagnosis
      /** What it wrote is what was known to be good: there is nothing to roll back. */
      readonly harmless?: boolean
      /** The record as it is now, where the step knows; else what a writing step left is looked up. */
      readonly workload?: Workload
    }
  | {
      readonly kind: 'cancelled'
      /** As above. */
      readonly workload?: Workload
    }

export type StepBody = (context: StepContext) => Promise<StepOutcome>

/** A failure, in words that are fit for the record: short, and without what a server quoted of a secret. */
export function failed(
  reason: Cause['reason'],
  message: string,
  more: { diagnosis?: Diagnosis } = {},
): Extract<StepOutcome, { kind: 'failed' }> {
  const words = redactText(message)
  return {
    kind: 'failed',
    cause: { reason, message: words.slice(0, 1000) },
    message: words.slice(0, 500),
    diagnosis: more.diagnosis,
  }
}

/** Another writer got in between this many times: give up with its name. */
export const mostStale = 6

export const done = (message: string, workload?: Workload): StepOutcome => ({
  kind: 'done',
  message: message.slice(0, 500),
  workload,
})

/** Written by a take-over's stamp only: a field of its own, so that it never conflicts with an apply. */
export const fenceAnnotation = `${ownAnnotations}fence`

/** The newest epoch that wrote an object. */
export function epochOf(object: Pick<KubeObject, 'metadata'>): number {
  const { annotations: found = {} } = object.metadata
  return Math.max(Number(found[epochAnnotation] ?? 0) || 0, Number(found[fenceAnnotation] ?? 0) || 0)
}
