// Makes the messages in the workspace match the records: one elected replica posts and updates them, everybody else
// waits to take over. What is asked of the workspace is the type Messenger (adapters/slack/messenger.ts); what a
// message says is the Renderer's (messages.ts). Each deploy and build is worked on in notifier/; here is who does it.
import type { Clock } from './clock.ts'
import type { Check } from './core.ts'
import type { Deploy } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { Keys } from './keys.ts'
import type { Kv } from './kv.ts'
import { createLeader } from './leader.ts'
import type { Rendered, Renderer } from './messages.ts'
import { notifierChecks } from './notifier/checks.ts'
import { serveTerm } from './notifier/desk.ts'
import { retryRefused } from './notifier/refused.ts'
import { stateOf } from './notifier/state.ts'
import type { Who } from './notifier/subject.ts'
import type { Replica } from './replica.ts'

/** How soon it should be seen; answers to a person who waits in front of the screen are sooner than all of these. */
export type Urgency = 'terminal' | 'waiting' | 'running'

/** What makes a message findable again: kept with it in the workspace, not shown. */
export type Mark = { readonly deploy: string; readonly key: string }

/** What became of a call. */
export type Sent =
  | { readonly kind: 'done'; readonly channel: string; readonly ts: string }
  /** It may have happened or not. */
  | { readonly kind: 'unclear'; readonly message: string }
  /** It did not happen; try again, not before `afterMs`. */
  | { readonly kind: 'later'; readonly message: string; readonly afterMs: number }
  /** The message to update is not there any more. */
  | { readonly kind: 'gone'; readonly message: string }
  /** This channel (or person) does not take it, however often it is tried. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** It was not sent: `begin` said no, or the signal aborted. */
  | { readonly kind: 'dropped' }

export type Turn = {
  /** Which message; a later call with the same key may raise the urgency of one that waits for its turn. */
  readonly key: string
  readonly urgency: () => Urgency
  readonly signal: AbortSignal
}

/** The workspace as the notifier sees it. Calls wait for their turn in the budget; none of them throws. */
export type Messenger = {
  /** Posts once. `begin` is called when its turn has come: what it gives is sent at once, null is not. */
  post(
    at: Turn & {
      readonly channel: string
      readonly thread: string | null
      readonly broadcast: boolean
      readonly mark: Mark
    },
    begin: () => Promise<Rendered | null>,
  ): Promise<Sent>
  update(
    at: Turn & { readonly channel: string; readonly ts: string },
    begin: () => Promise<Rendered | null>,
  ): Promise<Sent>
  /** Puts a text file into a thread; its beginning as a message where the workspace does not let gkube do that. */
  upload(
    at: Turn & {
      readonly channel: string
      readonly thread: string
      readonly mark: Mark
      readonly file: { readonly name: string; readonly title: string; readonly content: string }
    },
    begin: () => Promise<boolean>,
  ): Promise<Sent>
  /** Looks for a message that may have been posted. `unknown`: gkube may not read there. */
  find(
    at: Turn & {
      readonly channel: string
      readonly thread: string | null
      readonly mark: Mark
      /** A message that shares a file of this name is it, too. */
      readonly file: string | null
      /** Milliseconds: not older than this. */
      readonly since: number
    },
  ): Promise<
    | { readonly kind: 'found'; readonly ts: string }
    | { readonly kind: 'absent' }
    | { readonly kind: 'unknown' }
    | { readonly kind: 'later'; readonly message: string; readonly afterMs: number }
  >
  /** The channel of the direct messages with a person. */
  direct(
    at: Turn & { readonly user: string },
  ): Promise<
    | { readonly kind: 'done'; readonly channel: string }
    | Extract<Sent, { kind: 'later' | 'refused' | 'dropped' }>
  >
  /** Whether the workspace answers at all. */
  answers(signal: AbortSignal): Promise<boolean>
}

export type NotifierDeps = {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list' | 'commit' | 'subscribe'>
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly renderer: Renderer
  readonly messenger: Messenger
  readonly environment: (name: string) => Environment | undefined
  /** What a deploy waits for, in words; use-cases/follow.ts has it. */
  readonly waiting: (deploy: Deploy) => string | null
  /** User ids of those who may approve it: who is told by direct message. */
  readonly approversOf: (deploy: Deploy) => Promise<readonly string[]>
  /** The user id of a person, where the workspace knows them: whom a notice is told by direct message. */
  readonly userOf?: (who: Who) => Promise<string | null>
  readonly log: (message: string, error: unknown) => void
  readonly times?: Partial<Times>
}

/** Milliseconds. */
export type Times = {
  /** One message is not updated more often, unless the deploy ended. */
  readonly betweenUpdates: number
  /** What may have been posted is looked for after this: longer than a call can take. */
  readonly unclear: number
  /** Others into whose thread a message belongs are waited for this long. */
  readonly others: number
  /** What no channel takes is tried again after this, at first; the pause doubles up to an hour. */
  readonly refused: number
  /** The time that a deploy takes is shown anew after this; longer where many are open. */
  readonly refresh: number
  /** The first pause after a failure; it doubles up to half a minute. */
  readonly retry: number
}

export type Notifier = {
  /** Stands for election, and works while it is elected. */
  start(): void
  /** Ends what it does and hands over. Before the replica's own stop. */
  stop(): Promise<void>
  /** A channel may take messages now that refused them: gkube was invited. On any replica. */
  retry(channel: string): Promise<void>
  /** For metrics: what this replica has in hand; zeros while another one is elected. */
  state(): { readonly elected: boolean; readonly open: number; readonly behind: number }
  /** For doctor, on every replica: messages that no channel takes, and whether anybody is elected. */
  checks(): Promise<readonly Check[]>
}

const usual: Times = {
  betweenUpdates: 3_000,
  unclear: 15_000,
  others: 20_000,
  refused: 60_000,
  refresh: 20_000,
  retry: 1_000,
}

/** One for each replica. */
export function createNotifier(deps: NotifierDeps): Notifier {
  const { kv, keys } = deps
  const times = { ...usual, ...deps.times }
  const shared: Parameters<typeof serveTerm>[2] = { rooms: new Map(), sent: new Map(), open: null }
  const leader = createLeader({
    role: 'notifier',
    kv,
    keys,
    clock: deps.clock,
    random: deps.random,
    replica: deps.replica,
    lead: term => serveTerm({ ...deps, times }, term, shared),
    log: deps.log,
  })
  return {
    start: leader.start,
    stop: leader.stop,
    retry: channel => retryRefused({ kv, keys }, channel),
    state: () => stateOf(shared.open, leader.elected()),
    checks: () => notifierChecks({ kv, keys }),
  }
}
