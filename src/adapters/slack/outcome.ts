// What an answer of Slack's means for a message: done, try again, gone, or not in this channel. Pure.
// Codes: the error lists of chat.postMessage, chat.update, conversations.open and files.completeUploadExternal.
import type { Sent } from '../../core/notifier.ts'
import type { Dropped } from './scheduler.ts'
import type { Answer } from './web.ts'

type NotDone = Extract<Sent, { kind: 'later' | 'refused' | 'dropped' }>

/** Something is wrong with the app, not with the message: it is told by doctor, and tried again. */
const ofTheApp: ReadonlySet<string> = new Set([
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'org_login_required',
  'missing_scope',
  'not_allowed_token_type',
  'team_added_to_org',
  'two_factor_setup_required',
  'accesslimited',
  'deprecated_endpoint',
])

const missing: ReadonlySet<string> = new Set([
  'message_not_found',
  'cant_update_message',
  'edit_window_closed',
  'thread_not_found',
  'cannot_reply_to_message',
])

/** The message itself is at fault: it is told as plain text instead. */
export const badContent: ReadonlySet<string> = new Set([
  'invalid_blocks',
  'invalid_blocks_format',
  'blocks_too_long',
  'msg_blocks_too_long',
  'msg_too_long',
  'invalid_attachments',
])

/** This channel or person takes no messages of gkube's. */
const ofTheChannel: ReadonlySet<string> = new Set([
  'channel_not_found',
  'not_in_channel',
  'is_archived',
  'is_inactive',
  'restricted_action',
  'restricted_action_read_only_channel',
  'restricted_action_thread_only_channel',
  'restricted_action_non_threadable_channel',
  'team_access_not_granted',
  'ekm_access_denied',
  'access_denied',
])

/** An edit that fails for a reason that is not the channel's may work later: the message is there. */
export const ofAnEdit = (sent: Sent): Sent =>
  sent.kind === 'refused' && !ofTheChannel.has(sent.code)
    ? { kind: 'later', message: sent.message, afterMs: appPauseMs }
    : sent

const pauseMs = 2_000
const appPauseMs = 30_000

/** `where`: what the answer says of where it is; the answers of the methods differ. */
export function outcomeOf(
  answer: Answer | Dropped,
  where: (data: Readonly<Record<string, unknown>>) => { readonly channel: unknown; readonly ts: unknown },
): Sent {
  if (answer.kind === 'ok') {
    const { channel, ts } = where(answer.data)
    return typeof ts === 'string' && ts !== '' && typeof channel === 'string'
      ? { kind: 'done', channel, ts }
      : { kind: 'unclear', message: 'Slack’s answer does not say where the message is' }
  }
  if (answer.kind === 'error' && missing.has(answer.code)) return { kind: 'gone', message: answer.code }
  if (answer.kind === 'unclear') return { kind: 'unclear', message: answer.message }
  return notDone(answer)
}

/** The same for what can be repeated without harm: unclear is simply tried again. */
export function notDone(answer: Exclude<Answer, { kind: 'ok' }> | Dropped): NotDone {
  switch (answer.kind) {
    case 'dropped':
      return answer.why === 'aborted'
        ? { kind: 'dropped' }
        : { kind: 'later', message: 'too many messages wait already', afterMs: appPauseMs }
    case 'limited':
      return { kind: 'later', message: 'Slack limits how often it may be called', afterMs: answer.afterMs }
    case 'unsent':
    case 'unclear':
      return { kind: 'later', message: answer.message, afterMs: pauseMs }
    case 'error':
      return ofTheApp.has(answer.code)
        ? { kind: 'later', message: `Slack says ${answer.code}`, afterMs: appPauseMs }
        : { kind: 'refused', code: answer.code, message: `Slack says ${answer.code}` }
  }
}
