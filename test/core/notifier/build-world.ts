// Builds for the notifier's tests: records as the core writes them (builds/records.ts), told by the real renderer on the
// stand-in workspace. world.ts has the rest.
import type { Build } from '../../../src/core/builds/build.ts'
import { blankBuild, buildCommit, buildWrites, messagesId } from '../../../src/core/builds/records.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import type { Messages } from '../../../src/core/messages.ts'
import { put } from '../../../src/core/records.ts'
import { slackMention } from '../../../src/surfaces/slack/messages/names.ts'
import { slackRenderer } from '../../../src/surfaces/slack/messages/renderer.ts'
import { deployOf } from '../sample.ts'
import { staging, startWorld, type World } from './world.ts'

export const renderer = slackRenderer({
  links: { compare: null },
  mention: slackMention,
  command: '/gkube',
})

let builds = 0
let deploys = 0

export const buildOf = (over: Partial<Build> = {}): Build => ({
  ...blankBuild({ id: `b${++builds}`, now: Date.now(), job: 'shop/web', apps: ['web'] }),
  number: 200 + builds,
  url: 'https://ci.example.com/job/shop/job/web/214/',
  startedAt: Date.now(),
  told: [{ channel: staging, events: 'asked' }],
  ...over,
})

export const ending = (result: Build['result'], over: Partial<Build> = {}): Partial<Build> => ({
  phase: 'finished',
  result,
  verified: true,
  durationMs: 61_000,
  turn: result === 'SUCCESS' ? 'passed' : 'first_failure',
  endedAt: Date.now(),
  ...over,
})

export async function startBuilds(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options)
  const { kv, keys } = world
  const { control } = world.slack
  const it = {
    world,
    control,
    /** A replica with the real messages. */
    replica: (over: Parameters<World['replica']>[0] = {}) =>
      world.replica({ renderer, ...over, times: { others: 600, ...over.times } }),
    async begin(over: Partial<Build> = {}, under: ReadonlyMap<string, string> = new Map()) {
      const build = buildOf(over)
      await kv.commit(buildCommit(keys, build, under))
      return build
    },
    async move(build: Build, over: Partial<Build>, console?: readonly string[]) {
      const next = { ...build, ...over }
      const lines = console && { schema: 1, lines: console, at: 1 }
      await kv.commit({
        compares: [],
        writes: [
          ...buildWrites(keys, build, next),
          ...(lines ? [put(keys.jenkinsConsole(build.id), lines)] : []),
        ],
        repeatable: true,
      })
      return next
    },
    /** A deploy whose messages belong into the thread of others. */
    async deployUnder(under: string, over: Partial<Deploy> = {}, channels: readonly string[] = [staging]) {
      const deploy = deployOf({ id: `u${++deploys}`, requestedAt: Date.now(), ...over })
      const messages: Messages = {
        schema: 1,
        deploy: deploy.id,
        under,
        channels: [...channels],
        main: null,
        thread: {},
        direct: {},
      }
      await kv.commit({
        compares: [{ kind: 'absent', key: keys.deploy(deploy.id) }],
        writes: [
          put(keys.deploy(deploy.id), deploy),
          put(keys.message(deploy.id), messages),
          put(keys.outboxEntry(deploy.id), { schema: 1 }),
        ],
      })
      return deploy
    },
    /** Of the build, in its `deploys`. */
    seen: ({ id, app, environment, revision }: Deploy, phase: Deploy['phase']) => ({
      id,
      app,
      environment,
      revision,
      phase,
    }),
    idOf: (build: Build, channel = staging) => messagesId(build.id, channel),
    messagesOf: (build: Build, channel = staging) => world.messages(messagesId(build.id, channel)),
    texts: (channel = staging) => control.messages(channel).map(({ text }) => text),
    shows: (part: string, channel = staging) =>
      control.until(() => control.messages(channel).find(({ text }) => text.includes(part)), { what: part }),
    thread: (ts: string | null | undefined, channel = staging) => control.thread(channel, ts ?? ''),
    inThread: (ts: string, part: string, channel = staging) =>
      control.until(() => control.thread(channel, ts).find(({ text }) => text.includes(part)), {
        what: part,
      }),
  }
  return it
}
