// One command of a person, as its handler is given it.
import type { Rendered } from '../../../core/messages.ts'
import type { At } from '../answers/at.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'

export type Asked = {
  readonly deps: SlackDeps
  readonly call: Call
  readonly caller: SlackCaller
  /** For a dialog; good for 3 s, once. */
  readonly trigger: string
  readonly channel: string
  readonly answerAt: At
  /** Says it to this person: as the ack, or by the response_url after it. */
  say(message: Rendered): Promise<void>
  /** Acks without a word: the answer follows. */
  acknowledge(): Promise<void>
}
