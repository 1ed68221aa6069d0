// What the parts of the follower share during one round: the builds that it follows, how their records are written, and
// how Jenkins is asked: a few calls at once, and none while it is known to be down.
import { backoff, type Clock } from '../clock.ts'
import type { Core } from '../core.ts'
import type { Environment } from '../environment.ts'
import type { Keys } from '../keys.ts'
import type { Compare, Kv, Revision, Write } from '../kv.ts'
import type { Term } from '../leader.ts'
import type { Stored } from '../records.ts'
import type { Replica } from '../replica.ts'
import type { Build } from './build.ts'
import { type Jenkins, JenkinsError } from './jenkins.ts'
import type { ToldByDefault } from './records.ts'

export type FollowerDeps = {
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  /** Null: builds are known from hooks only, and those are believed. */
  readonly jenkins: Jenkins | null
  /** The user of the credential: whose builds are looked for after a crash. */
  readonly user: string | null
  /** The core is made after this. */
  readonly core: () => Pick<Core, 'request'>
  readonly environments: ReadonlyMap<string, Environment>
  /** Where builds are told without anybody asking; null: nowhere. */
  readonly byDefault: ToldByDefault | null
  /** The Slack member of an e-mail address; null: none, or no Slack. */
  readonly mention: (email: string) => Promise<string | null>
  /** Who that is, by Jenkins' id of a user. */
  readonly person: (user: string) => { readonly name: string; readonly slack: string | null } | null
  readonly log: (message: string, error: unknown) => void
  readonly times?: Partial<Times>
}

/** Milliseconds. */
export type Times = {
  /** The first pause after a failure; it doubles up to a minute. */
  readonly retry: number
  /** What Jenkins may have been asked to start is looked for this long: longer than a call can take. */
  readonly unclear: number
  /** A build that Jenkins does not know is given up after this. */
  readonly missing: number
  /** A wish that Jenkins cannot be asked for is given up after this. */
  readonly patience: number
  /** A result that Jenkins does not confirm is told as that after this. */
  readonly unconfirmed: number
  /** Without a server: an end that is provisional counts after this. */
  readonly settle: number
  /** Nothing was heard of a build for so long: it is given up. */
  readonly silent: number
  /** No build is looked at more seldom, while Jenkins answers. */
  readonly slowest: number
}

export const usual: Times = {
  retry: 1_000,
  unclear: 60_000,
  missing: 60_000,
  patience: 600_000,
  unconfirmed: 3_600_000,
  settle: 120_000,
  silent: 7 * 86_400_000,
  slowest: 15_000,
}

/** A build that is followed. */
export type Item = {
  readonly id: string
  stored: Stored<Build>
  /** Of `jenkins/open/<id>`: it is only closed as it was read. */
  openRevision: Revision
  /** When it is looked at next; null: only once something happens. */
  due: number | null
  tries: number
  /** Since when Jenkins does not know it. */
  missingSince: number | null
  /** This kind of job shows none. */
  noStages: boolean
  /** How often Jenkins told of the build, but not what is nice to have of it. */
  unread: number
  /** Its deploys were looked up since it was taken. */
  deploysRead: boolean
  gone: boolean
}

export type Change = (build: Build) => Build | null
export type More = { readonly compares?: readonly Compare[]; readonly writes?: readonly Write[] }

/** Writes with the fence of the term; Fenced once another one was elected. */
export type Writer = {
  /**
   * Changes a build as it stands, with more in the same transaction; null: there is no such record. LostRace where
   * one of the further compares does not hold.
   */
  change(id: string, change: Change, more?: More): Promise<Stored<Build> | null>
  /** False where a compare does not hold. */
  commit(compares: readonly Compare[], writes: readonly Write[]): Promise<boolean>
}

export type Desk = {
  readonly deps: FollowerDeps
  readonly times: Times
  readonly term: Term
  /** Aborted to read everything again. */
  readonly round: AbortController
  readonly signal: AbortSignal
  readonly items: Map<string, Item>
  readonly writer: Writer
  readonly line: Line
  /** Looks at a build now. */
  readonly kick: (item: Item) => void
  /** Looks at it now and waits until that is done. */
  readonly settle: (item: Item) => Promise<void>
}

/** The way to Jenkins. */
export type Line = {
  ask<T>(call: () => Promise<T>): Promise<T>
  /** Milliseconds until it is worth asking again; 0: now. */
  rest(): number
  /** It gave a sign of life. */
  alive(): void
  failure(): { readonly message: string; readonly at: number } | null
}

const mostCalls = 4

export function lineTo({ clock, random }: Pick<FollowerDeps, 'clock' | 'random'>, retry: number): Line {
  let running = 0
  let failures = 0
  let until = 0
  let last: { message: string; at: number } | null = null
  const waiting: (() => void)[] = []
  async function ask<T>(call: () => Promise<T>): Promise<T> {
    while (running >= mostCalls) await new Promise<void>(done => waiting.push(done))
    running++
    try {
      const answer = await call()
      failures = 0
      until = 0
      last = null
      return answer
    } catch (error) {
      if (error instanceof JenkinsError && error.code === 'unavailable') {
        until = clock.now() + backoff(Math.min(failures++, 8), { base: retry, most: 60_000, random })
        last = { message: error.message, at: clock.now() }
      }
      throw error
    } finally {
      running--
      waiting.shift()?.()
    }
  }
  return {
    ask,
    rest: () => Math.max(0, until - clock.now()),
    alive: () => {
      until = 0
    },
    failure: () => last,
  }
}
