// What a method of the Web API is to web-api.ts: its scope and tier as data, and a function from arguments to answer.
import type { Args } from '../arguments.ts'
import type { Rates, Tier } from '../rates.ts'
import type { State } from '../state.ts'
import type { Triggers } from '../triggers.ts'

export type Context = {
  readonly state: State
  readonly triggers: Triggers
  readonly rates: Rates
  /** Whether a scope was granted. */
  has(scope: string): boolean
  /** Such as `http://127.0.0.1:34567`. */
  readonly base: string
  /** A new address for Socket Mode, good for one connection. */
  socketUrl(): string
}

export type Method = {
  /** One of these is enough (Slack has one a kind of channel). */
  readonly scopes?: readonly string[]
  readonly tier: Tier
  /** Called with the app-level token (xapp-…). */
  readonly appToken?: boolean
  /** Throws SlackError for what is not ok. */
  call(args: Args, context: Context): object
}
