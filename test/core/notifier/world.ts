// A notifier on a real etcd against the stand-in workspace, without a deploy core: tests write the records of deploys
// as they want them. Slack's budget runs fast, and so do the notifier's pauses; nothing else is played.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { slackAdapter } from '../../../src/adapters/slack/slack.ts'
import type { Clock } from '../../../src/core/clock.ts'
import type { Deploy, Diagnosis, Progress } from '../../../src/core/deploy.ts'
import { type Environment, environmentSchema } from '../../../src/core/environment.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import type { Kv } from '../../../src/core/kv.ts'
import {
  type MessageFacts,
  type Messages,
  messagesSchema,
  type Rendered,
  type Renderer,
} from '../../../src/core/messages.ts'
import { createNotifier, type Notifier, type NotifierDeps } from '../../../src/core/notifier.ts'
import { decode, put } from '../../../src/core/records.ts'
import { createReplica, type Replica } from '../../../src/core/replica.ts'
import type { SandboxSlack, SlackOptions } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'
import { testKv } from '../../support/etcd.ts'
import { deployOf } from '../sample.ts'

/** For `expect.poll` on a machine that is busy. */
export const patient = { timeout: 10_000 }

export const staging = 'C0STAGING'
export const production = 'C0PRODUCTION'
export const general = 'C0GENERAL'

export const allScopes = [
  'commands',
  'chat:write',
  'users:read',
  'users:read.email',
  'usergroups:read',
  'channels:read',
  'groups:read',
  'im:write',
  'files:write',
  'channels:history',
  'groups:history',
] as const

const systemClock: Clock = {
  now: Date.now,
  sleep: async (ms, signal) => {
    if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
  },
}

const cleanups: (() => unknown)[] = []
afterAll(async () => {
  await Promise.all(cleanups.splice(0).map(cleanup => cleanup()))
})

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } })
const message = (text: string): Rendered => ({ text, blocks: [section(text)] })

/** Says the phase; a failure has a cause, a file and is broadcast. */
export const plainRenderer: Renderer = {
  main: ({ deploy, progress, now }: MessageFacts) =>
    message(
      `${deploy.app} ${deploy.revision}: ${deploy.phase}${progress ? ` ${progress.ready}/${progress.wanted}` : ''} after ${Math.round((now - deploy.requestedAt) / 1000)} s`,
    ),
  thread: ({ deploy, diagnosis }) => [
    ...(deploy.startedAt
      ? [{ key: 'started', message: message('started'), broadcast: false, files: [] }]
      : []),
    ...(deploy.phase === 'failed' && diagnosis
      ? [
          {
            key: 'cause',
            message: message(`why: ${diagnosis.cause.message}`),
            broadcast: true,
            files: [
              { name: 'log.txt', title: 'Last lines', content: 'Error: <no> & `nothing`\n'.repeat(200) },
            ],
          },
        ]
      : []),
  ],
  direct: ({ deploy }, { reminder }) =>
    message(`${reminder ? 'reminder: ' : ''}${deploy.app} ${deploy.revision} ${deploy.phase}`),
  notice: ({ kind, text }) => message(`${kind}: ${text}`),
  build: { main: ({ build }) => message(`${build.job} ${build.number} ${build.phase}`), thread: () => [] },
}

export const diagnosis: Diagnosis = {
  cause: { reason: 'crash_loop', message: 'exit code 1' },
  seen: [],
  tries: [],
  events: [],
  log: null,
  at: 1,
}

export type World = {
  readonly slack: SandboxSlack
  readonly kv: Kv
  readonly keys: Keys
  readonly environments: Map<string, Environment>
  /** User ids of those who may approve. */
  approvers: readonly string[]
  /** A replica with a notifier, elected if it is the first. */
  replica(options?: Partial<ReplicaOptions>): Promise<TestReplica>
  /** Writes a request as the core does: record, messages and outbox. */
  request(over?: Partial<Deploy>, channels?: readonly string[]): Promise<Deploy>
  /** Writes the next state of a deploy, and what belongs to it, in one transaction. */
  move(
    deploy: Deploy,
    over: Partial<Deploy>,
    more?: { progress?: Progress; diagnosis?: Diagnosis },
  ): Promise<Deploy>
  messages(id: string): Promise<Messages>
  inOutbox(): Promise<number>
  /** Resolves when nothing is left to tell. */
  told(timeoutMs?: number): Promise<void>
}

export type ReplicaOptions = {
  readonly kv: Kv
  readonly timeoutMs: number
  readonly ttlSeconds: number
  readonly times: NotifierDeps['times']
  readonly fetch: typeof globalThis.fetch
  /** How much faster than Slack's the budget runs. */
  readonly speed: number
  readonly renderer: Renderer
  /** Another workspace than the stand-in. */
  readonly workspace: { readonly api: string; readonly botToken: string }
}
export type TestReplica = {
  readonly notifier: Notifier
  readonly replica: Replica
  readonly adapter: ReturnType<typeof slackAdapter>
  readonly log: string[]
  stop(): Promise<void>
}

/** Faster than time, for the budget only. */
export const fastTimers = (speed: number) => ({
  now: () => performance.now() * speed,
  after(ms: number, work: () => void) {
    const timer = setTimeout(work, ms / speed)
    return () => clearTimeout(timer)
  },
})

let replicas = 0
let deploys = 0

export async function startWorld(options: SlackOptions = {}): Promise<World> {
  const kv = await testKv()
  const keys = keysBelow(kv.root)
  const slack = await startSlack({ rates: 'off', scopes: [...allScopes], ...options })
  cleanups.push(() => slack.stop())
  const environments = new Map<string, Environment>([
    ['staging', { ...environmentSchema.parse({ channel: staging }), name: 'staging' }],
  ])

  async function replica(over: Partial<ReplicaOptions> = {}): Promise<TestReplica> {
    const log: string[] = []
    const note = (text: string, error: unknown) =>
      void log.push(`${text}${error instanceof Error ? `: ${error.message}` : ''}`)
    const own = over.kv ?? kv
    const it = createReplica({
      name: `replica-${++replicas}`,
      kv: own,
      ttlSeconds: over.ttlSeconds ?? 2,
      clock: systemClock,
      random: Math.random,
      renewed: () => undefined,
      failed: error => note('lease', error),
    })
    await it.start()
    const adapter = slackAdapter({
      botToken: (over.workspace ?? slack).botToken,
      appToken: null,
      signingSecret: slack.signingSecret,
      api: (over.workspace ?? slack).api,
      channels: [],
      groups: [],
      log: note,
      timeoutMs: over.timeoutMs ?? 3_000,
      timers: fastTimers(over.speed ?? 50),
      ...(over.fetch ? { fetch: over.fetch } : {}),
    })
    const notifier = createNotifier({
      kv: own,
      keys,
      clock: systemClock,
      random: Math.random,
      replica: it,
      renderer: over.renderer ?? plainRenderer,
      messenger: adapter.messenger,
      environment: name => environments.get(name),
      waiting: () => null,
      approversOf: async () => world.approvers,
      userOf: async ({ id }) => /^slack:(U\w+)$/.exec(id)?.[1] ?? null,
      log: note,
      times: { betweenUpdates: 100, unclear: 500, refused: 300, retry: 30, ...over.times },
    })
    notifier.start()
    const made = {
      notifier,
      replica: it,
      adapter,
      log,
      async stop() {
        await notifier.stop()
        adapter.close()
        await it.stop()
      },
    }
    // One that is played dead does not come back from its last call.
    cleanups.push(() => Promise.race([made.stop(), wait(1_000)]))
    return made
  }

  const world: World = {
    approvers: ['U0BEN', 'U0CHO'],
    slack,
    kv,
    keys,
    environments,
    replica,
    async request(over = {}, channels = [staging]) {
      const deploy = deployOf({ id: `d${++deploys}`, requestedAt: Date.now(), ...over })
      const messages = { schema: 1, deploy: deploy.id, channels, main: null, thread: {}, direct: {} }
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
    async move(deploy, over, more = {}) {
      const next = { ...deploy, ...over }
      await kv.commit({
        compares: [],
        writes: [
          put(keys.deploy(deploy.id), next),
          ...(more.progress ? [put(keys.progress(deploy.id), more.progress)] : []),
          ...(more.diagnosis ? [put(keys.diagnosis(deploy.id), more.diagnosis)] : []),
        ],
        repeatable: true,
      })
      return next
    },
    async messages(id) {
      const entry = await kv.get(keys.message(id))
      if (!entry) throw new Error(`no messages of ${id}`)
      return decode(messagesSchema, entry).value
    },
    inOutbox: async () => (await kv.list(keys.outbox, { keysOnly: true })).entries.length,
    async told(timeoutMs = 12_000) {
      const until = Date.now() + timeoutMs
      for (;;) {
        const { entries } = await kv.list(keys.outbox, { keysOnly: true })
        if (entries.length === 0) return
        if (Date.now() > until) throw new Error(`${entries.length} deploys are not told: ${entries[0]?.key}`)
        await new Promise(done => setTimeout(done, 20))
      }
    },
  }
  return world
}

/** The end of a deploy, as the core writes it. */
export const ended = (phase: Deploy['phase']): Partial<Deploy> => ({ phase, endedAt: Date.now() })
