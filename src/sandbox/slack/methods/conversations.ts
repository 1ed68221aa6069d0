// conversations.*: channels and what was said in them, as far as the app may see.
import { type Args, flagOf, needed, page, textOf } from '../arguments.ts'
import type { Channel, Message } from '../control.ts'
import { SlackError } from '../slack-error.ts'
import { isMember, joined, visible } from './access.ts'
import { wire } from './chat.ts'
import type { Context, Method } from './method.ts'

/** The scope depends on the kind of channel: it is checked here, once that is known. */
function allowed(context: Context, channel: Channel, what: 'read' | 'history') {
  const scope = `${channel.im ? 'im' : channel.private ? 'groups' : 'channels'}:${what}`
  if (!context.has(scope)) throw new SlackError('missing_scope', { needed: scope })
  return channel
}

const described = ({ state }: Context, channel: Channel) => ({
  id: channel.id,
  ...(channel.im
    ? { is_im: true, user: channel.im, is_open: true }
    : { name: channel.name, name_normalized: channel.name, is_channel: !channel.private }),
  is_private: channel.private ?? Boolean(channel.im),
  is_archived: channel.archived ?? false,
  is_member: isMember(state, channel),
  is_ext_shared: channel.members.some(id => state.people.get(id)?.foreign),
  num_members: channel.members.length,
  context_team_id: state.team.id,
})

const info = (args: Args, context: Context) => ({
  channel: described(context, allowed(context, visible(context.state, needed(args, 'channel')), 'read')),
})

function list(args: Args, context: Context) {
  const types = (textOf(args, 'types') ?? 'public_channel').split(',').map(one => one.trim())
  const kind = (one: Channel) => (one.im ? 'im' : one.private ? 'private_channel' : 'public_channel')
  const shown = [...context.state.channels.values()].filter(
    one =>
      types.includes(kind(one)) &&
      !(one.private && !isMember(context.state, one)) &&
      !(one.archived && flagOf(args, 'exclude_archived')),
  )
  const { items, response_metadata } = page(args, shown, 100)
  return { channels: items.map(one => described(context, one)), response_metadata }
}

function members(args: Args, context: Context) {
  const channel = allowed(context, visible(context.state, needed(args, 'channel')), 'read')
  const { items, response_metadata } = page(args, channel.members, 100)
  return { members: items, response_metadata }
}

function between(args: Args, messages: readonly Message[]): Message[] {
  const oldest = Number(textOf(args, 'oldest') ?? 0)
  const latest = Number(textOf(args, 'latest') ?? Infinity)
  const inclusive = flagOf(args, 'inclusive')
  return messages.filter(({ ts }) =>
    inclusive ? Number(ts) >= oldest && Number(ts) <= latest : Number(ts) > oldest && Number(ts) < latest,
  )
}

function said(args: Args, messages: readonly Message[]) {
  const { items, more, response_metadata } = page(args, messages, 100)
  const withMetadata = flagOf(args, 'include_all_metadata')
  return { messages: items.map(one => wire(one, withMetadata)), has_more: more, response_metadata }
}

/** Newest first; replies only where they were broadcast. */
function history(args: Args, context: Context) {
  const channel = allowed(context, joined(context.state, needed(args, 'channel')), 'history')
  const all = context.state.messages.get(channel.id) ?? []
  const top = all.filter(
    one => !one.thread_ts || one.thread_ts === one.ts || one.subtype === 'thread_broadcast',
  )
  return said(args, between(args, top).reverse())
}

/** The parent, then its replies, oldest first. */
function replies(args: Args, context: Context) {
  const channel = allowed(context, joined(context.state, needed(args, 'channel')), 'history')
  const ts = needed(args, 'ts')
  const all = context.state.messages.get(channel.id) ?? []
  if (!all.some(one => one.ts === ts)) throw new SlackError('thread_not_found')
  const thread = all.filter(one => one.ts === ts || one.thread_ts === ts)
  return said(args, [...thread.slice(0, 1), ...between(args, thread.slice(1))])
}

function open(args: Args, context: Context) {
  const users = (textOf(args, 'users') ?? '').split(',').filter(Boolean)
  const [user, another] = users
  if (!user) throw new SlackError('users_list_not_supplied')
  if (another) throw new SlackError('not_enough_users') // several people at once: not here
  const person = context.state.people.get(user)
  if (!person) throw new SlackError('user_not_found')
  if (person.deleted) throw new SlackError('user_disabled')
  return { channel: described(context, context.state.imOf(user)) }
}

const anyRead = ['channels:read', 'groups:read', 'im:read', 'mpim:read']
const anyHistory = ['channels:history', 'groups:history', 'im:history', 'mpim:history']

export const conversations: Readonly<Record<string, Method>> = {
  'conversations.info': { scopes: anyRead, tier: 3, call: info },
  'conversations.list': { scopes: anyRead, tier: 2, call: list },
  'conversations.members': { scopes: anyRead, tier: 4, call: members },
  'conversations.history': { scopes: anyHistory, tier: 3, call: history },
  'conversations.replies': { scopes: anyHistory, tier: 3, call: replies },
  'conversations.open': { scopes: ['im:write'], tier: 3, call: open },
}
