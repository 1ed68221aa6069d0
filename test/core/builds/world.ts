// Followers of builds on a real etcd, each with a life of its own: one can be ended as by kill -9 at an exact call, and
// another takes over. Deploys are asked of the real core; nothing runs them.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { appSchema } from '../../../src/core/app.ts'
import { type Build, buildSchema } from '../../../src/core/builds/build.ts'
import type { FollowerDeps } from '../../../src/core/builds/desk.ts'
import type { BuildEvent } from '../../../src/core/builds/event.ts'
import { createFollower, type Follower } from '../../../src/core/builds/follower.ts'
import { askedBuild, buildCommit, toldIn } from '../../../src/core/builds/records.ts'
import type { Clock } from '../../../src/core/clock.ts'
import { type Deploy, deploySchema } from '../../../src/core/deploy.ts'
import { type Environment, environmentSchema } from '../../../src/core/environment.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import type { Commit, Kv } from '../../../src/core/kv.ts'
import { decode, newId, put } from '../../../src/core/records.ts'
import { createReplica } from '../../../src/core/replica.ts'
import { appsOfJob } from '../../../src/core/use-cases/apps.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { request } from '../../../src/core/use-cases/request.ts'
import { testKv } from '../../support/etcd.ts'
import { webApp } from '../../support/stack.ts'
import { bot, type Scripted, scriptedJenkins } from './scripted.ts'

export const job = 'shop/web'
export const ana = { id: 'slack:U1', name: 'ana', via: 'slack' as const }
export const ben = { id: 'slack:U2', name: 'ben', via: 'slack' as const }

export const clock: Clock = {
  now: Date.now,
  sleep: async (ms, signal) => {
    if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
  },
}

const quick = {
  retry: 20,
  unclear: 250,
  missing: 150,
  patience: 20_000,
  unconfirmed: 60_000,
  settle: 150,
  silent: 86_400_000,
  slowest: 25,
}

export type World = {
  readonly kv: Kv
  readonly keys: Keys
  readonly jenkins: Scripted
  readonly environments: Map<string, Environment>
  readonly core: Pick<ReturnType<typeof coreFor>, 'request'>
  follower(options?: FollowerOptions): Promise<TestFollower>
  /** Registers an app; `deployOn` and so on as given. */
  register(over?: Record<string, unknown>): Promise<void>
  subscribe(channel: string, events: 'all' | 'changes' | 'failures', app?: string): Promise<void>
  hook(event: Partial<BuildEvent> & Pick<BuildEvent, 'phase'>): Promise<void>
  ask(by?: typeof ana, channel?: string | null, parameters?: Record<string, string>): Promise<string>
  build(id: string): Promise<Build>
  builds(): Promise<Build[]>
  deploys(): Promise<Deploy[]>
  /** What etcd holds below a prefix, by the rest of the key. */
  under(prefix: string): Promise<string[]>
}

type FollowerOptions = {
  readonly hooksOnly?: boolean
  readonly kv?: (kv: Kv) => Kv
  readonly jenkins?: (jenkins: Scripted) => Scripted
  readonly times?: FollowerDeps['times']
  readonly mention?: FollowerDeps['mention']
  readonly ask?: FollowerDeps['core']
}

export type TestFollower = Follower & {
  readonly log: string[]
  /** Gone as by kill -9, but its lease ends at once. */
  crash(): Promise<void>
  readonly crashed: () => boolean
}

const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

let shared: Promise<Kv & { readonly root: string }> | undefined
let worlds = 0
let replicas = 0

function coreFor(kv: Kv, keys: Keys, environments: Map<string, Environment>) {
  const live = {
    deploys: new Map(),
    locks: new Map(),
    freezes: new Map(),
    active: new Map(),
    slots: new Set(),
    unreadable: new Set(),
  }
  // Only what asking for a deploy needs of them.
  const deps = { kv, keys, clock, environments, people: [], view: { live, learn: () => undefined } }
  return { request: request(deps as unknown as Deps), deps }
}

export async function startWorld(): Promise<World> {
  shared ??= testKv()
  const store = await shared
  const keys = keysBelow(`${store.root}${++worlds}/`)
  const kv: Kv = store
  const jenkins = scriptedJenkins()
  const environments = new Map<string, Environment>()
  for (const [name, over] of Object.entries({
    staging: {},
    production: { protected: true, channel: 'C0PROD' },
  }))
    environments.set(name, { ...environmentSchema.parse(over), name })
  const core = coreFor(kv, keys, environments)
  const byDefault = { channel: 'C0BUILDS', events: 'changes' as const }
  const list = async (prefix: string) => (await kv.list(prefix)).entries
  return {
    kv,
    keys,
    jenkins,
    environments,
    core,
    async register(over = {}) {
      const app = appSchema.parse(
        webApp({ app: 'web', jobs: [job], environments: { staging: {}, production: {} }, ...over }),
      )
      const writes = [
        put(keys.app(app.app), app),
        ...app.jobs.map(one => put(keys.job(one, app.app), { schema: 1 })),
      ]
      await kv.commit({ compares: [], writes, repeatable: true })
    },
    async subscribe(channel, events, app = 'web') {
      const value = { schema: 1, channel, app, events, by: ana, at: 1 }
      await kv.commit({
        compares: [],
        writes: [put(keys.subscription(channel, app), value)],
        repeatable: true,
      })
    },
    async hook(event) {
      const full: BuildEvent = {
        job,
        number: 1,
        queueId: null,
        result: null,
        startedAt: null,
        durationMs: null,
        commit: null,
        branch: null,
        parameters: {},
        tests: null,
        ...event,
      }
      const key = keys.inboxEntry(newId(Date.now()))
      const value = { schema: 1, hook: 'default', event: full, at: Date.now() }
      await kv.commit({ compares: [{ kind: 'absent', key }], writes: [put(key, value)] })
    },
    async ask(by = ana, channel = 'C0ASK', parameters = {}) {
      const apps = await appsOfJob({ kv, keys }, job)
      const told = await toldIn({ kv, keys, byDefault }, { apps, asked: channel })
      const now = Date.now()
      const build = askedBuild({ id: newId(now), now, by, job, apps, parameters, told })
      const { compares, writes } = buildCommit(keys, build)
      await kv.commit({ compares, writes })
      return build.id
    },
    async build(id) {
      const entry = await kv.get(keys.jenkinsBuild(id))
      if (!entry) throw new Error(`there is no build ${id}`)
      return decode(buildSchema, entry).value
    },
    builds: async () => (await list(keys.jenkinsBuilds)).map(entry => decode(buildSchema, entry).value),
    deploys: async () => (await list(keys.deploys)).map(entry => decode(deploySchema, entry).value),
    under: async prefix => (await list(prefix)).map(entry => entry.key.slice(prefix.length)),
    async follower(options = {}) {
      let dead = false
      const mortal = <T extends object>(inner: T): T =>
        new Proxy(inner, {
          get(target, name) {
            const value = Reflect.get(target, name)
            if (typeof value !== 'function') return value
            return (...args: unknown[]) => {
              if (dead) return new Promise(() => undefined)
              const answer = value.apply(target, args)
              // What a dead process asked for may happen; it does not hear of it.
              return answer instanceof Promise
                ? answer.then(
                    found => (dead ? new Promise(() => undefined) : found),
                    error => (dead ? new Promise(() => undefined) : Promise.reject(error)),
                  )
                : answer
            }
          },
        })
      const log: string[] = []
      let revoke: () => Promise<void> = async () => undefined
      const leasing: Kv = {
        ...kv,
        lease: async ttl => {
          const lease = await kv.lease(ttl)
          revoke = () => lease.revoke()
          return lease
        },
      }
      const own = mortal((options.kv ?? (same => same))(leasing))
      const replica = createReplica({
        name: `replica-${++replicas}`,
        kv: own,
        ttlSeconds: 5,
        clock,
        random: Math.random,
        renewed: () => undefined,
        failed: error => void log.push(String(error)),
      })
      await replica.start()
      const follower = createFollower({
        kv: own,
        keys,
        clock,
        random: Math.random,
        replica,
        jenkins: options.hooksOnly ? null : mortal((options.jenkins ?? (same => same))(jenkins)),
        user: bot,
        core: options.ask ?? (() => ({ request: coreFor(own, keys, environments).request })),
        environments,
        byDefault,
        mention: options.mention ?? (async email => (email === 'ana@example.com' ? 'U1' : null)),
        person: user => (user === 'ana.j' ? { name: 'ana', slack: 'U1' } : null),
        log: (message, error) => void log.push(`${message}: ${error}`),
        times: { ...quick, ...options.times },
      })
      follower.start()
      const stop = async () => {
        if (dead) return
        await follower.stop()
        await replica.stop()
      }
      cleanups.push(stop)
      return {
        ...follower,
        stop,
        log,
        crashed: () => dead,
        async crash() {
          if (dead) return
          dead = true
          await revoke()
        },
      }
    },
  }
}

/** What a crash is to come before, or after it was carried out. */
export type Moment = 'before' | 'after'

/** A store that ends its follower at the first commit that fits. */
export const crashingKv =
  (fits: (commit: Commit) => boolean, moment: Moment, crash: () => Promise<void>) =>
  (kv: Kv): Kv => {
    let done = false
    return {
      ...kv,
      async commit(commit) {
        if (done || !fits(commit)) return kv.commit(commit)
        done = true
        if (moment === 'after') await kv.commit(commit)
        await crash()
        return await new Promise<never>(() => undefined)
      },
    }
  }

/** Waits until it holds. */
export async function until(holds: () => boolean | Promise<boolean>, seconds = 8): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not come true in time')
    await wait(8)
  }
}

/** The only build once it is so. */
export async function only(world: World, holds: (build: Build) => boolean, seconds = 8): Promise<Build> {
  let last: Build[] = []
  await until(async () => {
    last = await world.builds()
    return last.length === 1 && last[0] !== undefined && holds(last[0])
  }, seconds).catch(error => {
    throw new Error(`${error}: ${JSON.stringify(last)}`)
  })
  const [build] = last
  if (!build) throw new Error('there is none')
  return build
}

/** The build of that id once it is so. */
export async function when(
  world: World,
  id: string,
  holds: (build: Build) => boolean,
  seconds = 8,
): Promise<Build> {
  let last: Build | null = null
  await until(async () => {
    last = await world.build(id)
    return holds(last)
  }, seconds).catch(error => {
    throw new Error(`${error}: ${JSON.stringify(last)}`)
  })
  return await world.build(id)
}

/** Ends a deploy as the runner would. */
export async function endDeploy({ kv, keys }: World, id: string, phase: Deploy['phase']): Promise<void> {
  const entry = await kv.get(keys.deploy(id))
  if (!entry) throw new Error(`there is no deploy ${id}`)
  const value = { ...decode(deploySchema, entry).value, phase }
  await kv.commit({ compares: [], writes: [put(keys.deploy(id), value)], repeatable: true })
}
