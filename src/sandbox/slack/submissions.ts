// A modal that is submitted or closed, and what the app's answer does to it: errors, update, push, clear, or nothing,
// which closes it. The checks of Slack's client come before: acting.ts.
import type { DispatchKind, Person, Reply, View } from './control.ts'
import type { Dispatch } from './dispatch.ts'
import { closedPayload, submissionPayload } from './payloads.ts'
import { SlackError } from './slack-error.ts'
import type { State } from './state.ts'
import type { Triggers } from './triggers.ts'
import { openOne, pushView, replaceView } from './views.ts'

type Json = Readonly<Record<string, unknown>>
type Outcome = Awaited<ReturnType<Dispatch['send']>>

/** What Slack writes into a modal whose app did not answer, or not as it must. */
const trouble = 'We had some trouble connecting. Try again?'

export function submissions(deps: {
  readonly state: State
  readonly triggers: Triggers
  readonly dispatch: Dispatch
  readonly person: Person
  readonly topView: () => View
  told(kind: DispatchKind, payload: Json, outcome: Outcome, shown: string | undefined): Reply
}) {
  const { state, triggers, dispatch, person, told } = deps
  const stack = () => state.stackOf(person.id)

  /** Errors by block id, undefined when the answer was followed; throws SlackError for what Slack does not take. */
  function follow(view: View, body: unknown): Readonly<Record<string, string>> | undefined {
    const answer = (typeof body === 'object' && body !== null ? body : {}) as Json
    const now = openOne(state, one => one.id === view.id)?.view
    switch (answer.response_action) {
      case undefined:
        if (typeof body === 'string' && body.trim() !== '') throw new SlackError('invalid_response')
        return void state.setStack(
          person.id,
          stack().filter(one => one.id !== view.id),
        )
      case 'clear':
        return void state.setStack(person.id, [])
      case 'push':
        return void pushView(state, person.id, answer.view)
      case 'update':
        return void (now && replaceView(state, person.id, now, answer.view))
      case 'errors':
        return errorsFor(view, answer.errors)
      default:
        throw new SlackError('invalid_response')
    }
  }

  async function submit(view: View): Promise<Reply> {
    const payload = submissionPayload(state, { person, view, trigger: triggers.issue(person.id) })
    const outcome = await dispatch.send('view_submission', payload)
    if (outcome.outcome !== 'ok') return told('view_submission', payload, outcome, trouble)
    try {
      const errors = follow(view, outcome.body)
      const reply = told('view_submission', payload, outcome, undefined)
      return errors ? { ...reply, errors } : reply
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      const messages = JSON.stringify(error.fields.response_metadata ?? {})
      return told(
        'view_submission',
        payload,
        { ...outcome, outcome: 'failed' },
        `${trouble} (${error.code} ${messages})`,
      )
    }
  }

  /** Closes the top view, or all; the app hears of those that asked for it. */
  async function close(all = false): Promise<Reply | undefined> {
    const top = deps.topView()
    const cleared = all || top.clear_on_close === true
    const closing = cleared ? [...stack()].reverse() : [top]
    state.setStack(person.id, cleared ? [] : stack().slice(0, -1))
    const replies = closing
      .filter(view => view.notify_on_close === true)
      .map(async view => {
        const payload = closedPayload(state, { person, view, cleared })
        return told('view_closed', payload, await dispatch.send('view_closed', payload), undefined)
      })
    return (await Promise.all(replies))[0]
  }

  return { submit, close }
}

/** An error for what is not an input of this view: Slack shows its trouble instead. */
function errorsFor(view: View, errors: unknown): Readonly<Record<string, string>> {
  const inputs = view.blocks.filter(block => block.type === 'input').map(block => block.block_id)
  const all = typeof errors === 'object' && errors !== null ? Object.entries(errors) : []
  if (all.length === 0 || !all.every(([id, text]) => inputs.includes(id) && typeof text === 'string'))
    throw new SlackError('invalid_response')
  return Object.fromEntries(all)
}
