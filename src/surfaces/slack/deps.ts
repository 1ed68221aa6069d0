// What every handler of the Slack surface is given, and what it is told about one call. Types only: app.ts builds it,
// guarded.ts wraps the handlers, callers.ts finds out who somebody is.
import type { SlackConfig } from '../../config.ts'
import type { Caller, Core } from '../../core/core.ts'
import type { Environment } from '../../core/environment.ts'
import type { Messages, Rendered, Renderer } from '../../core/messages.ts'
import type { Subscribe } from '../../core/news.ts'
import type { Log } from '../../log.ts'
import type { AppNames } from './names.ts'
import type { Workspace } from './workspace.ts'

/** A caller behind a Slack user. */
export type SlackCaller = Caller & {
  /** Why they may be allowed more than is certain (Slack did not tell their groups); null: all is known. Added to refusals. */
  readonly unsure: string | null
}

export type Callers = {
  /** Never throws for Slack being down: only what is certain is granted then. */
  of(userId: string): Promise<SlackCaller>
}

export type SlackDeps = {
  readonly core: Core
  readonly callers: Callers
  readonly workspace: Workspace
  readonly config: SlackConfig
  readonly environments: ReadonlyMap<string, Environment>
  readonly clock: { now(): number }
  readonly log: Log
  /** Runs work that must end before the process does (drain.ts); refuses with `unavailable` while shutting down. */
  readonly track: <T>(name: string, work: () => Promise<T>) => Promise<T>
  readonly renderer: Renderer
  /**
   * Takes an envelope for this replica, in etcd; false: another one has it. For effects that have no idempotency key
   * of their own. Requests need none: give them `call.id` as `idempotencyKey`.
   */
  readonly claim: (id: string) => Promise<boolean>
  /** Names of apps that the caller may see, some seconds old at most; null: not known now. */
  readonly names: AppNames
  /** What was posted for a deploy: a click on a copy that was lost between posting and recording is told where the real one is. */
  readonly posted: (deploy: string) => Promise<Messages | null>
  /** gkube is in a channel now: what that refused is tried again. */
  readonly invited: (channel: string) => Promise<void>
  /** Changes of deploys, locks and freezes, for App Home: `newsOf({ kv, keys })` of core/news.ts. */
  readonly news: Subscribe
  /** Wraps a handler: it is tracked, its failure reaches the person and the log, repeats of one envelope run once. */
  readonly guarded: Guarded
}

/** One click, command or view, as its handler is told about it. */
export type Call = {
  /** The same for each delivery of the same envelope. */
  readonly id: string
  /** The Slack user id, from the signed payload. */
  readonly user: string
  /** Shown with a failure and written to the log beside it. */
  readonly requestId: string
  /** Who that is; asked once, when first wanted: open a view before, its trigger lives 3 s. */
  caller(): Promise<SlackCaller>
  /** Where it was asked; null in App Home and modals. */
  readonly channel: string | null
  /** Whether Slack was told that it was received, and the milliseconds until it must be. */
  acked(): boolean
  left(): number
  /** Says it to this person only, by what the payload offers: response_url, ephemeral message, else a small view. */
  tell(message: Rendered): Promise<void>
}

/** What Bolt hands to any of our listeners, as far as all of them have it. */
type AnyArgs = { readonly body: object }

/**
 * `handler` acks by itself (`args.ack`). What it throws is told: UserError as written, anything else as an id. When
 * nothing was acked by then, the failure is the ack where the payload allows it (commands, view submissions).
 */
export type Guarded = <A extends AnyArgs>(
  name: string,
  handler: (args: A, call: Call) => Promise<void>,
) => (args: A) => Promise<void>
