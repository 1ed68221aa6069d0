// The records of a build, for everybody: makes a Build with its indexes and its messages, and changes one by
// compare-and-swap. Surfaces make wishes with it (start, stop, answer); the follower fulfils them and writes the rest
// with its fence (writer.ts).
import { UserError } from '../../errors.ts'
import type { Actor } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Compare, Kv, Write } from '../kv.ts'
import type { Messages } from '../messages.ts'
import { decodeAll, put, read, type Stored, type UnreadableRecord, unchanged } from '../records.ts'
import { type Build, buildSchema, isOver, type Subscription, subscriptionSchema } from './build.ts'

/** Where builds are told without anybody asking, as the configuration says it. */
export type ToldByDefault = { readonly channel: string | null; readonly events: Subscription['events'] }
export type Told = Build['told'][number]

/** etcd takes 128 operations a transaction. */
const mostChannels = 20

/** A wish to build: nothing was asked of Jenkins yet. */
export const askedBuild = (wish: {
  readonly id: string
  readonly now: number
  readonly by: Actor
  readonly job: string
  readonly apps: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  readonly told: readonly Told[]
  /** Where to look while it has no address of its own: that of its job. */
  readonly url?: string | null
}): Build => ({
  ...blankBuild(wish),
  url: wish.url ?? null,
  phase: 'asked',
  askedBy: wish.by,
  parameters: { ...wish.parameters },
  told: [...wish.told],
})

/** A build of which nothing is known but its job. */
export const blankBuild = ({
  id,
  now,
  job,
  apps,
}: {
  readonly id: string
  readonly now: number
  readonly job: string
  readonly apps: readonly string[]
}): Build => ({
  schema: 1,
  id,
  job,
  apps: apps.slice(0, 20),
  number: null,
  queueId: null,
  url: null,
  displayName: null,
  phase: 'running',
  result: null,
  verified: false,
  postingAt: null,
  startedAt: null,
  durationMs: null,
  usualMs: null,
  commit: null,
  branch: null,
  cause: '',
  askedBy: null,
  startedBy: null,
  parameters: {},
  changes: [],
  changesTotal: 0,
  tests: null,
  stages: null,
  inputs: [],
  turn: null,
  failingSince: null,
  deploys: [],
  offers: [],
  stop: null,
  told: [],
  joined: null,
  toldAt: null,
  settled: false,
  note: '',
  seenAt: now,
  endedAt: null,
})

/** The id of a build's messages in one channel. */
export const messagesId = (build: string, channel: string): string => `${build}.${channel}`

/** Where a build of these apps is told: where it was asked for, where it is subscribed to, and by default. */
export async function toldIn(
  deps: { readonly kv: Pick<Kv, 'list'>; readonly keys: Keys; readonly byDefault: ToldByDefault | null },
  { apps, asked }: { readonly apps: readonly string[]; readonly asked: string | null },
  unreadable: (error: UnreadableRecord) => void = () => undefined,
): Promise<Told[]> {
  const { kv, keys, byDefault } = deps
  const { entries } = await kv.list(keys.subscriptions)
  const told = new Map<string, Told['events']>()
  const widest = ['failures', 'changes', 'all', 'asked']
  const tell = (channel: string, events: Told['events']) => {
    const known = told.get(channel)
    if (!known || widest.indexOf(events) > widest.indexOf(known)) told.set(channel, events)
  }
  if (asked) tell(asked, 'asked')
  for (const { value } of decodeAll(subscriptionSchema, entries, unreadable))
    if (value.app === '*' ? apps.length > 0 : apps.includes(value.app)) tell(value.channel, value.events)
  if (byDefault?.channel && apps.length > 0 && !told.has(byDefault.channel))
    tell(byDefault.channel, byDefault.events)
  return [...told].slice(0, mostChannels).map(([channel, events]) => ({ channel, events }))
}

/** What makes a build known: its record, that it is followed, its indexes, and its messages where it is told. */
export function buildCommit(
  keys: Keys,
  build: Build,
  /** Ids of messages, by channel: the build's own go into the thread of those. */
  under: ReadonlyMap<string, string> = new Map(),
): { readonly compares: readonly Compare[]; readonly writes: readonly Write[] } {
  const { id, job, number, queueId } = build
  return {
    compares: [{ kind: 'absent', key: keys.jenkinsBuild(id) }],
    writes: [
      put(keys.jenkinsBuild(id), build),
      put(keys.jenkinsOpenEntry(id), { schema: 1 }),
      ...(number === null ? [] : [put(keys.jenkinsNumber(job, number), { schema: 1, id })]),
      ...(queueId === null ? [] : [put(keys.jenkinsQueue(queueId), { schema: 1, id })]),
      ...build.told.flatMap(({ channel }) => messageWrites(keys, build, channel, under.get(channel))),
    ],
  }
}

/** One channel is told of it from now on. */
export function messageWrites(keys: Keys, { id }: Build, channel: string, under?: string): Write[] {
  const own = messagesId(id, channel)
  const messages: Messages = {
    schema: 1,
    deploy: id,
    of: 'build',
    ...(under ? { under } : {}),
    channels: [channel],
    main: null,
    thread: {},
    direct: {},
  }
  return [put(keys.message(own), messages), put(keys.outboxEntry(own), { schema: 1 })]
}

/** What a change of a build writes: once it is over, its messages are to be looked at again. */
export const buildWrites = (keys: Keys, before: Build, after: Build): Write[] => [
  put(keys.jenkinsBuild(after.id), after),
  ...(isOver(before.phase)
    ? before.told.map(({ channel }) => put(keys.outboxEntry(messagesId(after.id, channel)), { schema: 1 }))
    : []),
]

const mostAttempts = 5

/**
 * Changes a build as it stands; null from `change` leaves it. UserError `not_found` where there is none, `conflict`
 * where others were faster again and again; `change` may throw its own.
 */
export async function changeBuild(
  { kv, keys }: { readonly kv: Pick<Kv, 'get' | 'commit'>; readonly keys: Keys },
  id: string,
  change: (build: Build) => { readonly build: Build; readonly writes?: readonly Write[] } | null,
): Promise<Build> {
  const key = keys.jenkinsBuild(id)
  for (let attempt = 1; attempt <= mostAttempts; attempt++) {
    const stored: Stored<Build> | null = await read(kv, buildSchema, key)
    if (!stored) throw new UserError('not_found', `There is no build ${id}, or it is not kept any more.`)
    const next = change(stored.value)
    if (!next) return stored.value
    const result = await kv.commit({
      compares: [unchanged(key, stored)],
      writes: [...buildWrites(keys, stored.value, next.build), ...(next.writes ?? [])],
    })
    if (result.committed) return next.build
  }
  throw new UserError('conflict', 'That build is changing right now. Try again.')
}
