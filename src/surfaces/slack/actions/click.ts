// One click on a button, as the handlers read it: who did it is in `Call`, this is what was clicked and where. The
// value is an id and nothing more is believed of it; the state behind it is read again.
import type { BlockAction, ButtonAction } from '@slack/bolt'
import type { Caller, Core } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import { UserError } from '../../../errors.ts'
import type { Call } from '../deps.ts'
import { shownHash } from '../messages/buttons.ts'

export type Click = {
  readonly value: string
  readonly user: string
  readonly trigger: string
  /** When Slack saw it, in ms: the same for each delivery. */
  readonly at: number
  /** Null on App Home and in modals. */
  readonly message: ClickedMessage | null
  readonly view: { readonly id: string; readonly home: boolean } | null
  /** Hash of what was shown beside the button: an approval binds it. */
  readonly shown?: string
}

type ClickedMessage = {
  readonly channel: string
  readonly ts: string
  /** The root of its thread; null: nobody else sees the message, so it has none. */
  readonly thread: string | null
}

export function clickOf(
  body: BlockAction,
  action: Pick<ButtonAction, 'value' | 'action_ts'> & { readonly block_id?: string },
): Click {
  const { container, channel, message, view } = body
  const ts = String(container.message_ts ?? message?.ts ?? '')
  const place = channel?.id ?? (container.channel_id as string | undefined)
  const shown = shownHash(action.block_id)
  const root = String(message?.thread_ts ?? container.thread_ts ?? ts)
  return {
    value: action.value ?? '',
    user: body.user.id,
    trigger: body.trigger_id,
    at: Math.round(Number(action.action_ts) * 1000) || 0,
    message:
      place && ts && !view
        ? { channel: place, ts, thread: container.is_ephemeral === true ? null : root }
        : null,
    view: view ? { id: view.id, home: view.type === 'home' } : null,
    ...(shown ? { shown } : {}),
  }
}

/** `environment/app`, `environment/`, `/` as a value; UserError for anything else. */
export function placeOf(value: string): { environment?: string; app?: string } {
  const [environment = '', app = '', ...rest] = value.split('/')
  if (rest.length > 0 || (app && !environment)) throw unreadable()
  return { ...(environment ? { environment } : {}), ...(app ? { app } : {}) }
}

export const unreadable = (): UserError =>
  new UserError('bad_input', 'This button is of another version of gkube. Ask again with a command.')

/** A click sees the state of a moment before: what ended later than this before it could not be seen yet. */
const seenAfterMs = 3_000

/**
 * What makes a click unique and yet survives a double click. Two clicks of one person on the same button of the same
 * message are one request as long as what they were shown is the same. Not the message is asked for that (a message of
 * a finished deploy never changes again, though a restart from it may be wanted every day), but what it stands for:
 * the newest deploy of that app and environment that had ended when they clicked. While the first click's deploy waits
 * or runs, each further click is that deploy again; once it ended, and a person could see it, a click is a new one.
 * Slack's own time of the click decides, so a delivery that is repeated much later has the same key. The core adds who
 * clicked, and keeps the key for a day.
 */
export async function clickKey(
  core: Pick<Core, 'history'>,
  caller: Caller,
  at: {
    readonly action: string
    readonly click: Click
    readonly call: Pick<Call, 'id'>
    readonly deploy: Deploy
  },
): Promise<string> {
  const { click, deploy } = at
  const { app, environment } = deploy
  // An envelope without a time is only ever itself.
  if (click.at === 0) return `click:${at.call.id}`
  const past = await core.history(caller, { app, environment, limit: 20 })
  const ended = past
    .filter(one => one.endedAt !== null && one.endedAt <= click.at - seenAfterMs)
    .toSorted((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
  const where = click.message ? `${click.message.channel}:${click.message.ts}` : 'home'
  return `click:${at.action}:${deploy.id}:${where}:${ended[0]?.id ?? 'none'}`
}
