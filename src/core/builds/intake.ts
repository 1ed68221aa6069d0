// What the follower is given: the builds of jenkins/open/ and the hooks of inbox/, then the feed from that revision on:
// new builds, wishes, hooks, and the deploys of builds. A gap in the feed ends the round, and everything is read again.
import { backoff } from '../clock.ts'
import { type Deploy, deploySchema } from '../deploy.ts'
import { type Change, type Entry, newer, type Revision } from '../kv.ts'
import { LostRace } from '../ledger.ts'
import { decode, read, remove, type Stored, UnreadableRecord, unchanged } from '../records.ts'
import { Fenced } from '../replica.ts'
import { type Build, buildRefSchema, buildSchema } from './build.ts'
import { buildOf } from './build-key.ts'
import type { Desk, Item } from './desk.ts'
import { takeIn } from './inbox.ts'
import { withDeploy } from './settling.ts'
import { hasWish } from './wishes.ts'
import { keep } from './writer.ts'

const page = 500
/** Hooks and deploys that are worked on at once. */
const mostAtOnce = 16

/** Returns when the round ends. Throws when etcd cannot be read. */
export async function followBuilds(desk: Desk, counts: { inbox: number }): Promise<void> {
  const { deps, items, signal, writer } = desk
  const { kv, keys, clock } = deps
  /** Builds that are being read, with what changed meanwhile. */
  const loading = new Map<string, Entry | null>()
  /** Entries of the inbox that are in hand. */
  const inHand = new Set<string>()
  const chains = new Map<string, Promise<void>>()
  const work = new Set<Promise<void>>()
  let free = mostAtOnce
  const queue: (() => void)[] = []

  /** One after the other for the same name, and not too many at once. */
  function inTurn(name: string, job: () => Promise<void>): void {
    const before = chains.get(name) ?? Promise.resolve()
    const after = before.then(() => surely(job))
    chains.set(name, after)
    work.add(after)
    void after.finally(() => {
      work.delete(after)
      if (chains.get(name) === after) chains.delete(name)
    })
  }

  /** Until it is done, or the round ends. */
  async function surely(job: () => Promise<void>): Promise<void> {
    while (free <= 0) await new Promise<void>(done => queue.push(done))
    free--
    try {
      for (let attempt = 0; !signal.aborted; attempt++) {
        try {
          return await job()
        } catch (error) {
          if (isFinal(error)) return
          if (!(error instanceof LostRace) || attempt > 5)
            deps.log('what was told of a build is taken again', error)
          await clock.sleep(
            backoff(Math.min(attempt, 8), { base: 100, most: 10_000, random: deps.random }),
            signal,
          )
        }
      }
    } finally {
      free++
      queue.shift()?.()
    }
  }

  /** Whether trying again does not mend it. */
  function isFinal(error: unknown): boolean {
    if (error instanceof Fenced) desk.round.abort()
    // Left for the next round: it holds up nobody.
    else if (error instanceof UnreadableRecord) deps.log('what was told of a build is left alone', error)
    else return false
    return true
  }

  async function take(id: string): Promise<void> {
    if (items.has(id)) return
    loading.set(id, null)
    try {
      const openKey = keys.jenkinsOpenEntry(id)
      const found = await kv.getMany([openKey, keys.jenkinsBuild(id)])
      const open = found.get(openKey)
      const entry = found.get(keys.jenkinsBuild(id))
      if (!open) return
      if (!entry) return void (await writer.commit([unchanged(openKey, open)], [remove(openKey)]))
      const early = loading.get(id)
      const stored = readable(early && newer(early.modRevision, entry.modRevision) ? early : entry)
      if (!stored || signal.aborted) return
      const item = newItem(id, stored, open.modRevision)
      items.set(id, item)
      desk.kick(item)
    } finally {
      loading.delete(id)
    }
  }

  function readable(entry: Entry): Stored<Build> | null {
    try {
      return decode(buildSchema, entry)
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log('a build is left alone', error)
      return null
    }
  }

  function hook(entry: Entry): void {
    if (inHand.has(entry.key)) return
    inHand.add(entry.key)
    counts.inbox++
    inTurn(`job ${jobOf(entry)}`, async () => {
      await takeIn(desk, entry)
      counts.inbox--
    })
  }

  /** The state of a deploy goes into the record of its build, where there is one. */
  function deployMoved(entry: Entry): void {
    // Most deploys are of no build: not worth reading.
    if (entry.value.includes('"build":null')) return
    const deploy = deployIn(entry)
    const build = deploy && buildOf(deploy)
    if (!deploy || !build) return
    inTurn(`build ${build.job} ${build.number}`, async () => {
      const ref = await read(kv, buildRefSchema, keys.jenkinsNumber(build.job, build.number))
      if (!ref) return
      await writer.change(ref.value.id, one => withDeploy(one, deploy))
      const item = items.get(ref.value.id)
      if (item) desk.kick(item)
    })
  }

  function deployIn(entry: Entry): Deploy | null {
    try {
      return decode(deploySchema, entry).value
    } catch {
      // The view tells of it.
      return null
    }
  }

  function opened({ key, modRevision }: Entry): void {
    const id = key.slice(keys.jenkinsOpen.length)
    const item = items.get(id)
    if (!item) {
      inTurn(`open ${id}`, () => take(id))
      return
    }
    if (newer(modRevision, item.openRevision)) item.openRevision = modRevision
    desk.kick(item)
  }

  function built(entry: Entry): void {
    const id = entry.key.slice(keys.jenkinsBuilds.length)
    if (loading.has(id)) loading.set(id, entry)
    const item = items.get(id)
    if (!item || !newer(entry.modRevision, item.stored.modRevision)) return
    const stored = readable(entry)
    if (!stored) return
    keep(item, stored)
    if (hasWish(stored.value)) desk.kick(item)
  }

  function changed(change: Change): void {
    if (change.kind === 'delete') return void inHand.delete(change.key)
    const { entry } = change
    if (entry.key.startsWith(keys.inbox)) hook(entry)
    else if (entry.key.startsWith(keys.jenkinsOpen)) opened(entry)
    else if (entry.key.startsWith(keys.jenkinsBuilds)) built(entry)
    else if (entry.key.startsWith(keys.deploys)) deployMoved(entry)
  }

  async function readAll(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    const entries: Entry[] = []
    let revision: Revision | null = null
    let after: string | undefined
    for (;;) {
      const found = await kv.list(prefix, { limit: page, ...(after ? { after } : {}) })
      revision ??= found.revision
      entries.push(...found.entries)
      after = found.entries.at(-1)?.key
      if (found.entries.length < page || after === undefined) return { entries, revision }
    }
  }

  const jobOf = ({ value }: Entry): string => /"job":"((?:[^"\\]|\\.)*)"/.exec(value)?.[1] ?? ''

  const open = await readAll(keys.jenkinsOpen)
  const inbox = await readAll(keys.inbox)
  const listener = { change: changed, reset: () => desk.round.abort() }
  const unsubscribe = kv.subscribe(keys.root, listener, { from: open.revision })
  try {
    for (const { key } of open.entries) {
      const id = key.slice(keys.jenkinsOpen.length)
      inTurn(`open ${id}`, () => take(id))
    }
    // Builds first: a hook may be of one that is followed.
    await Promise.allSettled([...work])
    for (const entry of inbox.entries) hook(entry)
    if (!signal.aborted)
      await new Promise<void>(done => signal.addEventListener('abort', () => done(), { once: true }))
  } finally {
    unsubscribe()
    desk.round.abort()
    for (const go of queue.splice(0)) go()
    await Promise.allSettled([...work])
  }
}

const newItem = (id: string, stored: Stored<Build>, openRevision: Revision): Item => ({
  id,
  stored,
  openRevision,
  due: null,
  tries: 0,
  missingSince: null,
  noStages: false,
  unread: 0,
  deploysRead: false,
  gone: false,
})
