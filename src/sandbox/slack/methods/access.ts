// Which channels the app sees, and how Slack refuses the others.

import type { Channel } from '../control.ts'
import { SlackError } from '../slack-error.ts'
import type { State } from '../state.ts'

export const isMember = (state: State, channel: Channel): boolean => channel.members.includes(state.app.user)

/** The channel by its id; private ones are hidden from an app that is not in them. */
export function visible(state: State, id: string): Channel {
  const channel = state.channels.get(id)
  if (!channel || (channel.private && !isMember(state, channel))) throw new SlackError('channel_not_found')
  return channel
}

/** As `visible`, where the app must be a member. */
export function joined(state: State, id: string): Channel {
  const channel = visible(state, id)
  if (!isMember(state, channel)) throw new SlackError('not_in_channel')
  return channel
}

/** As `joined`, where something is written. */
export function writable(state: State, id: string, mayPostAnywhere = false): Channel {
  const channel = visible(state, id)
  if (channel.archived) throw new SlackError('is_archived')
  if (!mayPostAnywhere && !isMember(state, channel)) throw new SlackError('not_in_channel')
  return channel
}
