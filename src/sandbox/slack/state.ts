// What is in the workspace, in memory: people, channels, messages, views, files. Plain reads and writes that tell
// whoever listens; who may do what is decided by those who call (methods/, acting.ts).
import { randomBytes } from 'node:crypto'
import type {
  Change,
  Channel,
  Message,
  Notice,
  Person,
  SharedFile,
  SlackOptions,
  SlashCommand,
  Timing,
  UserGroup,
  View,
} from './control.ts'
import * as seed from './seed.ts'

export type StoredFile = SharedFile & {
  readonly content: Buffer
  readonly done: boolean
  readonly uploadKey: string
}
export type State = ReturnType<typeof stateOf>

export function stateOf(options: SlackOptions) {
  const people = new Map<string, Person>(
    [...(options.people ?? seed.people), seed.botPerson].map(one => [one.id, one]),
  )
  const channels = new Map<string, Channel>((options.channels ?? seed.channels).map(one => [one.id, one]))
  const groups = new Map<string, UserGroup>((options.groups ?? seed.groups).map(one => [one.id, one]))
  const messages = new Map<string, Message[]>()
  const ephemerals: Message[] = []
  const notices: Notice[] = []
  const stacks = new Map<string, View[]>()
  const homes = new Map<string, View>()
  const files = new Map<string, StoredFile>()
  const listeners = new Set<(change: Change) => void>()
  let version = 0
  let lastTs = 0
  let ids = 0

  const changed = (change: Omit<Change, 'version'>) => {
    version += 1
    for (const listener of [...listeners]) listener({ ...change, version })
  }
  const inChannel = (channel: string): Message[] => {
    const list = messages.get(channel) ?? []
    messages.set(channel, list)
    return list
  }
  const find = (channel: string, ts: string): Message | undefined =>
    messages.get(channel)?.find(message => message.ts === ts)

  return {
    team: seed.team,
    app: seed.app,
    commands: (options.commands ?? seed.commands) as readonly SlashCommand[],
    timing: { ...seed.timing, ...options.timing } as Timing,
    people,
    channels,
    groups,
    messages,
    ephemerals,
    notices,
    stacks,
    homes,
    files,
    version: () => version,
    changed,
    onChange(listener: (change: Change) => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    /** Unique and growing, as Slack's message ids: seconds and microseconds. */
    nextTs(): string {
      lastTs = Math.max(Date.now() * 1000, lastTs + 1)
      return `${Math.floor(lastTs / 1_000_000)}.${String(lastTs % 1_000_000).padStart(6, '0')}`
    },
    newId(prefix: string): string {
      ids += 1
      return `${prefix}0${randomBytes(4).toString('hex').toUpperCase()}${ids.toString(36).toUpperCase()}`
    },
    channelBy: (idOrName: string): Channel | undefined =>
      channels.get(idOrName) ??
      [...channels.values()].find(one => `#${one.name}` === `#${idOrName.replace(/^#/, '')}`),
    personBy: (idOrName: string): Person | undefined =>
      people.get(idOrName) ?? [...people.values()].find(one => one.name === idOrName.replace(/^@/, '')),
    /** The direct messages between the app and a person; begun when needed. */
    imOf(user: string): Channel {
      const known = [...channels.values()].find(one => one.im === user)
      if (known) return known
      const channel: Channel = { id: `D${user.slice(1)}`, name: '', im: user, members: [user, seed.app.user] }
      channels.set(channel.id, channel)
      changed({ what: 'workspace' })
      return channel
    },
    find,
    post(message: Message): Message {
      const list = inChannel(message.channel)
      list.push(message)
      if (message.thread_ts && message.thread_ts !== message.ts) {
        const at = list.findIndex(one => one.ts === message.thread_ts)
        const parent = list[at]
        if (parent)
          list[at] = {
            ...parent,
            thread_ts: parent.ts,
            reply_count: (parent.reply_count ?? 0) + 1,
            latest_reply: message.ts,
          }
      }
      changed({ what: 'message', channel: message.channel, ts: message.ts })
      return message
    },
    replace(message: Message) {
      const list = inChannel(message.channel)
      const at = list.findIndex(one => one.ts === message.ts)
      if (at >= 0) list[at] = message
      changed({ what: 'message', channel: message.channel, ts: message.ts })
    },
    /** A parent with replies leaves a tombstone, as in Slack. */
    remove(channel: string, ts: string): boolean {
      const list = inChannel(channel)
      const at = list.findIndex(one => one.ts === ts && one.subtype !== 'tombstone')
      const message = list[at]
      if (!message) return false
      if (message.reply_count) {
        const { type, user, thread_ts, reply_count, latest_reply } = message
        const kept = { type, channel, ts, user, thread_ts, reply_count, latest_reply }
        list[at] = { ...kept, subtype: 'tombstone', text: 'This message was deleted.' }
      } else {
        list.splice(at, 1)
        const parentAt = list.findIndex(one => one.ts === message.thread_ts)
        const parent = list[parentAt]
        if (parent?.reply_count) list[parentAt] = { ...parent, reply_count: parent.reply_count - 1 }
      }
      changed({ what: 'message', channel, ts })
      return true
    },
    tell(user: string, message: Message) {
      ephemerals.push({ ...message, only: user })
      changed({ what: 'ephemeral', channel: message.channel, user, ts: message.ts })
    },
    /** Null takes it away. */
    setEphemeral(ts: string, message: Message | null) {
      const at = ephemerals.findIndex(one => one.ts === ts)
      const old = ephemerals[at]
      if (!old) return false
      if (message) ephemerals[at] = message
      else ephemerals.splice(at, 1)
      changed({ what: 'ephemeral', channel: old.channel, user: old.only, ts })
      return true
    },
    notice(user: string, text: string, channel?: string) {
      notices.push({ at: Date.now(), user, channel, text })
      changed({ what: 'notice', user, channel })
    },
    stackOf: (user: string): readonly View[] => stacks.get(user) ?? [],
    setStack(user: string, views: readonly View[]) {
      stacks.set(user, [...views])
      changed({ what: 'view', user })
    },
    setHome(user: string, view: View) {
      homes.set(user, view)
      changed({ what: 'home', user })
    },
  }
}
