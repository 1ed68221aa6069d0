// What every part of the page may know and do: the snapshot, who acts, where we are. Handed down as a preact context.
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Act, Channel, Message, Person, Snapshot } from '../../control.ts'
import type { Confirm } from './block-kit.ts'
import type { Answer } from './control-client.ts'

export type Route = {
  readonly me: string
  /** A channel's id, or `home`. */
  readonly at: string
  /** The ts of an open thread. */
  readonly thread: string | null
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never
export type Deed = DistributiveOmit<Act, 'as'>

export type Workspace = {
  readonly snapshot: Snapshot
  readonly me: Person
  readonly route: Route
  go(route: Partial<Route>): void
  /** Acts as `me`. What went wrong is told in a toast unless `quiet`. */
  act(deed: Deed, quiet?: boolean): Promise<Answer>
  /** Shows a confirmation; whether it was given. */
  ask(confirm: Confirm): Promise<boolean>
  openFile(file: { readonly id: string; readonly title: string }): void
}

const context = createContext<Workspace | null>(null)
export const WorkspaceContext = context.Provider

/** The workspace around this component. */
export function useWorkspace(): Workspace {
  const workspace = useContext(context)
  if (!workspace) throw new Error('used outside of the page')
  return workspace
}

/** The channels that a person sees, without direct messages. */
export const channelsOf = (snapshot: Snapshot, me: Person): readonly Channel[] =>
  snapshot.channels.filter(channel => !channel.im && channel.members.includes(me.id))

export const directOf = (snapshot: Snapshot, me: Person): Channel | undefined =>
  snapshot.channels.find(channel => channel.im === me.id)

/** What the channel shows: top-level messages and broadcast replies, with what only `me` sees; oldest first. */
export function timeline(snapshot: Snapshot, me: string, channel: string): readonly Message[] {
  const all = (snapshot.messages[channel] ?? []).filter(
    message =>
      !message.thread_ts || message.thread_ts === message.ts || message.subtype === 'thread_broadcast',
  )
  const mine = (snapshot.ephemerals[me] ?? []).filter(
    message => message.channel === channel && !message.thread_ts,
  )
  const told = (snapshot.notices[me] ?? [])
    .filter(notice => notice.channel === channel)
    .map(notice => noticeMessage(notice.text, notice.at, channel, me))
  return [...all, ...mine, ...told].sort((a, b) => Number(a.ts) - Number(b.ts))
}

/** The replies of a thread, with what only `me` sees there. */
export function replies(
  snapshot: Snapshot,
  me: string,
  at: { channel: string; ts: string },
): readonly Message[] {
  const inThread = (message: Message) => message.thread_ts === at.ts && message.ts !== at.ts
  const mine = (snapshot.ephemerals[me] ?? []).filter(message => message.channel === at.channel)
  return [...(snapshot.messages[at.channel] ?? []), ...mine]
    .filter(inThread)
    .sort((a, b) => Number(a.ts) - Number(b.ts))
}

/** What Slack itself says to one person looks like a message to them only. */
const noticeMessage = (text: string, at: number, channel: string, me: string): Message => ({
  type: 'message',
  subtype: 'notice',
  channel,
  ts: (at / 1000).toFixed(6),
  user: 'slackbot',
  text,
  only: me,
})
