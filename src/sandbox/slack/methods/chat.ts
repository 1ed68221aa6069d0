// chat.*: messages in channels, threads and direct messages, and for one person's eyes.
import type { Args } from '../arguments.ts'
import { flagOf, needed, textOf } from '../arguments.ts'
import type { Message } from '../control.ts'
import { contentOf, fromApp } from '../messages.ts'
import { SlackError } from '../slack-error.ts'
import type { State } from '../state.ts'
import { joined, visible, writable } from './access.ts'
import type { Context, Method } from './method.ts'

const scopes = ['chat:write']
/** Slack takes 40,000 characters for a new message and 4,000 for the text of an edit. */
const editLimit = 4000

/** What the API shows of a message: without the parts that are only this workspace's. */
export function wire({ channel: _, only: __, ...message }: Message, withMetadata = true) {
  const { metadata, ...rest } = message
  return withMetadata && metadata ? message : rest
}

/** A new message also takes `#name`, and a user id for direct messages. */
function target(context: Context, given: string) {
  const { state } = context
  if (state.people.has(given)) return state.imOf(given)
  const id = state.channelBy(given)?.id ?? given
  return writable(state, id, context.has('chat:write.public') && !state.channels.get(id)?.private)
}

const rootOf = (state: State, channel: string, ts: string): string => state.find(channel, ts)?.thread_ts ?? ts

function post(args: Args, context: Context) {
  const { state } = context
  const channel = target(context, needed(args, 'channel'))
  const thread = textOf(args, 'thread_ts')
  const root = thread && rootOf(state, channel.id, thread)
  const message = state.post({
    ...fromApp(state, channel.id, contentOf(args)),
    ...(root ? { thread_ts: root } : {}),
    ...(root && flagOf(args, 'reply_broadcast') ? { subtype: 'thread_broadcast' } : {}),
  })
  return { channel: channel.id, ts: message.ts, message: wire(message) }
}

/** An edit with text and no blocks takes the blocks away; metadata stays unless it is given. */
function update(args: Args, context: Context) {
  const { state } = context
  const channel = visible(state, needed(args, 'channel'))
  const ts = needed(args, 'ts')
  const old = state.find(channel.id, ts)
  if (!old || old.subtype === 'tombstone') throw new SlackError('message_not_found')
  if (old.user !== state.app.user) throw new SlackError('cant_update_message')
  if (channel.archived) throw new SlackError('is_archived')
  const content = contentOf(args, editLimit)
  const { blocks: _, attachments: __, ...kept } = old
  const edited = { user: state.app.user, ts: state.nextTs() }
  const message = { ...kept, ...content, edited }
  state.replace(message)
  return { channel: channel.id, ts, text: message.text, message: wire(message) }
}

function remove(args: Args, { state }: Context) {
  const channel = visible(state, needed(args, 'channel'))
  const ts = needed(args, 'ts')
  const old = state.find(channel.id, ts)
  if (!old || old.subtype === 'tombstone') throw new SlackError('message_not_found')
  if (old.user !== state.app.user) throw new SlackError('cant_delete_message')
  state.remove(channel.id, ts)
  return { channel: channel.id, ts }
}

function ephemeral(args: Args, { state }: Context) {
  const channel = joined(state, needed(args, 'channel'))
  const user = needed(args, 'user')
  if (channel.archived) throw new SlackError('is_archived')
  if (!channel.members.includes(user)) throw new SlackError('user_not_in_channel')
  const thread = textOf(args, 'thread_ts')
  const message = fromApp(state, channel.id, contentOf(args))
  state.tell(user, { ...message, ...(thread ? { thread_ts: thread } : {}) })
  return { message_ts: message.ts }
}

function permalink(args: Args, { state, base }: Context) {
  const channel = visible(state, needed(args, 'channel'))
  const ts = needed(args, 'message_ts')
  if (!state.find(channel.id, ts)) throw new SlackError('message_not_found')
  return { channel: channel.id, permalink: `${base}/archives/${channel.id}/p${ts.replace('.', '')}` }
}

export const chat: Readonly<Record<string, Method>> = {
  'chat.postMessage': { scopes, tier: 'post', call: post },
  'chat.update': { scopes, tier: 3, call: update },
  'chat.delete': { scopes, tier: 3, call: remove },
  'chat.postEphemeral': { scopes, tier: 4, call: ephemeral },
  'chat.getPermalink': { tier: 4, call: permalink },
}
