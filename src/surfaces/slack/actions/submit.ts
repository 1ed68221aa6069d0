// A dialog that was submitted: stored first, then the ack, which is the answer. What can be mended stays in the dialog
// as an error of its field; what cannot replaces it. Beyond the deadline the dialog says so and then tells the truth.
import type { ViewResponseAction } from '@slack/bolt'
import type { Rendered } from '../../../core/messages.ts'
import { UserError, type UserErrorKind } from '../../../errors.ts'
import { unconfirmedAnswer } from '../answers/refusal.ts'
import { cut, oneLine } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'
import { toldError } from '../told-errors.ts'
import type { Submitted } from '../views/state.ts'
import { inTimeFor, settle } from './settle.ts'
import { answerView, failureAnswer } from './soon.ts'
import { isMemberSoon } from './told.ts'

export type Submission = {
  readonly deps: SlackDeps
  readonly call: Call
  readonly view: Submitted
  readonly user: string
  readonly ack: (response?: ViewResponseAction) => Promise<void>
}

/** Thrown by the work where the person can mend it: texts by block id. */
export class FieldErrors extends Error {
  readonly errors: Readonly<Record<string, string>>
  constructor(errors: Readonly<Record<string, string>>) {
    super('a dialog was not filled in right')
    this.name = 'FieldErrors'
    this.errors = errors
  }
}

/** Slack names no limit of an error's text; one line is read. */
const mostError = 300
/** What a person may mend or try again without opening the dialog anew. */
const mendable: readonly UserErrorKind[] = ['bad_input', 'unavailable', 'held', 'too_large']

type Work<T> = {
  readonly title: string
  /** Idempotent: it runs again while its outcome is unknown. */
  readonly work: (caller: SlackCaller) => Promise<T>
  /** The block where an error stands; `dead`: nothing in this dialog can mend it. */
  readonly blockFor: (error: UserError) => string
  /** What to say when it is done. */
  readonly done: (result: T) => Promise<Rendered>
  /** Said where it takes longer than Slack waits; default: etcd did not tell. */
  readonly late?: Rendered
  /** Closing the dialog says enough where it was done in time. */
  readonly closes?: boolean
  /** Where to say it; null: in the dialog's place. */
  readonly channel: string | null
}

export async function submitted<T>(
  at: Submission,
  { title, work, blockFor, done, closes, channel, late: slow = unconfirmedAnswer(null) }: Work<T>,
): Promise<void> {
  const { deps, call, view, ack } = at
  let late = false
  /** In the dialog's place; where that was closed by then, where it was asked. */
  const replace = (answer: Rendered) =>
    deps.workspace.updateView({ id: view.id }, answerView(title, answer)).catch(async error => {
      deps.log.warn({ err: error }, 'a dialog could not say how it ended; trying another way')
      if (channel === null) return call.tell(answer)
      await deps.workspace.ephemeral(channel, at.user, answer).catch(() => call.tell(answer))
    })
  let result: T
  try {
    const caller = await call.caller()
    result = await settle(() => work(caller), {
      deadline: inTimeFor(call),
      late: async () => {
        late = true
        await ack({ response_action: 'update', view: answerView(title, slow) })
      },
    })
  } catch (error) {
    if (late) return void (await replace(await failureAnswer(deps, call, error)))
    return refuse(at, { title, blockFor, error })
  }
  // It is done: that its answer is lost is no refusal.
  if (late) await replace(await done(result))
  else if (closes) await ack()
  else await finish(at, { title, answer: await done(result), channel })
}

/** What can be mended is told at its field, the rest in the dialog's place. */
async function refuse(
  { deps, call, ack }: Submission,
  { title, blockFor, error }: Pick<Work<unknown>, 'title' | 'blockFor'> & { readonly error: unknown },
): Promise<void> {
  if (error instanceof FieldErrors) return ack({ response_action: 'errors', errors: { ...error.errors } })
  const told = toldError(error)
  if (!(told instanceof UserError)) throw error
  if (!mendable.includes(told.kind))
    return ack({ response_action: 'update', view: answerView(title, await failureAnswer(deps, call, error)) })
  if (told !== error) deps.log.error({ err: error, requestId: call.requestId }, 'a dialog was not taken')
  const text = cut(oneLine(slackCommands(told.message, deps.config.command)), mostError)
  await ack({ response_action: 'errors', errors: { [blockFor(told)]: text } })
}

/** Closes the dialog and says it where it was asked; where the bot cannot speak there, the dialog says it. */
async function finish(
  { deps, call, user, ack }: Submission,
  { title, answer, channel }: { title: string; answer: Rendered; channel: string | null },
): Promise<void> {
  if (channel === null || !(await isMemberSoon(deps, channel)))
    return ack({ response_action: 'update', view: answerView(title, answer) })
  await ack()
  await deps.workspace.ephemeral(channel, user, answer).catch(async error => {
    // What it is about is stored and its message follows: only this word was lost.
    deps.log.warn({ err: error, channel }, 'an answer to a dialog did not reach its person')
    await call.tell(answer)
  })
}
