// The loop of a replica: looks at what is live, prepares what was asked, claims what is ready, takes over what lost
// its owner, and drives it. It decides from its view and commits by compare-and-swap, so a stale view costs a retry.
import { isAsApproved } from './approved.ts'
import { basisWatch } from './basis-watch.ts'
import { claim, frozenNow, type Owned, ownerPut, takeOver, whatHolds } from './claim.ts'
import { backoff } from './clock.ts'
import { ownerSchema } from './coordination.ts'
import type { Deploy } from './deploy.ts'
import { type DriveDeps, drive } from './drive.ts'
import { type Lease, newer, type Revision } from './kv.ts'
import { IllegalEvent, LostRace } from './ledger.ts'
import type { PrepareDeps } from './prepare.ts'
import { finishPreparing } from './preparing.ts'
import { decide } from './queue.ts'
import { read, remove, type Stored } from './records.ts'
import { Fenced, type Replica } from './replica.ts'
import type { View } from './view.ts'

export type RunnerDeps = DriveDeps &
  PrepareDeps & {
    readonly view: View
    readonly replica: Replica
    /** Resolves when work that nobody waits for may begin: requests go first (pace.ts). */
    readonly turn?: (signal: AbortSignal) => Promise<void>
    /** Told after a deploy ended, for housekeeping. */
    readonly ended?: (deploy: Deploy) => void
  }

export type Runner = {
  start(): Promise<void>
  /** Looks for work now; cheap, coalesced. */
  wake(): void
  /** Takes no new work and waits up to `limitMs` for steps to reach a safe point; hands the rest over. */
  stop(limitMs: number): Promise<void>
  /** Deploys in hand. */
  busy(): number
}

/** A deploy of an environment that is not configured here is left to other replicas for this long, then refused. */
const unknownMs = 10 * 60_000
/** Prepared at once by one replica, the oldest first: more would only make each slower, and the people who ask too. */
const mostPreparing = 16
/**
 * Claimed and taken over at once: when a lease is lost with a thousand in flight all of them are due at that moment, and
 * an etcd that is asked for all at once answers none in time, again and again.
 */
const mostTaken = 32
/** A look goes over all that is live: of so many a millisecond passes between two looks, so that bursts share one. */
const liveAMillisecond = 20

const isToPrepare = ({ phase }: Deploy): boolean => phase === 'requested' || phase === 'preparing'

type InHand = {
  readonly cancel: AbortController
  /** Its owner key was taken away: an operator released it. */
  readonly lost: AbortController
  /** Create revision of the owner key while it is driven. */
  owns: Revision | null
  readonly done: Promise<void>
}

export function createRunner(deps: RunnerDeps): Runner {
  const { keys, view, replica, clock } = deps
  const inHand = new Map<string, InHand>()
  const failures = new Map<string, number>()
  const stopping = new AbortController()
  const strangers = new Set<string>()
  const preparing = new Set<string>()
  const taking = new Set<string>()
  let scheduled = false
  const bases = basisWatch({ kv: deps.kv, keys, view })
  const claimDeps = { keys, ledger: deps.ledger, view, clock, replica: replica.name }

  const turn = async (): Promise<void> => deps.turn?.(stopping.signal)

  function changed(key: string, revision: Revision): void {
    // After a reset any intent may be new.
    if (key.startsWith(keys.intents) || key === keys.root)
      for (const [id, { cancel }] of inHand) if (view.live.intents.has(`${id}/cancel`)) cancel.abort()
    bases.changed(key)
    if (key.startsWith(keys.owners)) ownerChanged(key.slice(keys.owners.length), revision)
    // That it was taken away may be what the feed missed.
    if (key === keys.root) for (const id of inHand.keys()) ownerChanged(id, revision)
    wake()
  }

  function ownerChanged(id: string, revision: Revision): void {
    const hand = inHand.get(id)
    if (hand?.owns && newer(revision, hand.owns) && !view.live.owners.has(id)) hand.lost.abort()
  }

  function wake(): void {
    if (scheduled || stopping.signal.aborted) return
    scheduled = true
    const pause = Math.floor(view.live.deploys.size / liveAMillisecond)
    const rested = pause > 0 ? clock.sleep(pause, stopping.signal) : Promise.resolve()
    void rested.then(() => {
      scheduled = false
      look()
    })
  }

  function look(): void {
    const lease = replica.lease()
    if (!lease || stopping.signal.aborted) return
    for (const stored of view.live.deploys.values()) lookAt(stored, lease)
    for (const stored of bases.doubtful()) take(stored.value.id, lease, () => compareBasis(stored))
    for (const group of queues().values()) lookAtQueue(group, lease)
  }

  function lookAt(stored: Stored<Deploy>, lease: Lease): void {
    const { id, phase } = stored.value
    if (inHand.has(id) || view.live.owners.has(id) || leaves(stored.value)) return
    if (isToPrepare(stored.value) && preparing.size < mostPreparing) {
      preparing.add(id)
      take(id, lease, signals => prepareOne(id, lease, signals).finally(() => preparing.delete(id)))
    }
    if ((phase === 'running' || phase === 'rolling_back') && taking.size < mostTaken)
      take(id, lease, signals => resume(stored, lease, signals))
  }

  /** Replicas are not configured anew at the same moment: what this one does not know, another may. */
  function leaves({ id, environment, prepared, phase, requestedAt }: Deploy): boolean {
    const known = deps.environment(environment) && (!prepared || deps.cluster(prepared.cluster))
    if (known) return false
    const runs = phase === 'running' || phase === 'rolling_back'
    if (!runs) return clock.now() - requestedAt < unknownMs
    if (!strangers.has(id))
      deps.log(`deploy ${id} runs in ${environment}, which is not configured here: it is left alone`, null)
    strangers.add(id)
    return true
  }

  /** By app and environment: what is ready, and what is on its way there. */
  function queues(): Map<string, Stored<Deploy>[]> {
    const groups = new Map<string, Stored<Deploy>[]>()
    for (const stored of view.live.deploys.values()) {
      const { phase, environment, app } = stored.value
      if (!isToPrepare(stored.value) && phase !== 'ready') continue
      const key = keys.active(environment, app)
      const group = groups.get(key)
      if (group) group.push(stored)
      else groups.set(key, [stored])
    }
    return groups
  }

  function lookAtQueue(group: readonly Stored<Deploy>[], lease: Lease): void {
    // Nothing to decide: bursts of requests are mostly this.
    if (!group.some(({ value }) => value.phase === 'ready')) return
    const first = group[0]
    const environment = first && deps.environment(first.value.environment)
    if (!environment) {
      for (const stored of group) refuseStranger(stored, lease)
      return
    }
    const waiting = group.map(({ value, createRevision }) => ({ deploy: value, position: createRevision }))
    const { next, superseded } = decide(waiting, environment.queue, deploy =>
      Boolean(frozenNow(claimDeps, deploy, environment)),
    )
    const storedOf = (deploy: Deploy) => group.find(stored => stored.value.id === deploy.id)
    for (const { deploy, by } of superseded) {
      const stored = storedOf(deploy)
      if (stored) take(deploy.id, lease, () => turn().then(() => supersede(stored, by)))
    }
    // Not before they are gone: once the newer one is claimed it supersedes no more, and they would run after it.
    if (superseded.length > 0) return
    const chosen = next && storedOf(next)
    if (!chosen || taking.size >= mostTaken || whatHolds(claimDeps, chosen.value, environment)) return
    take(chosen.value.id, lease, signals => claimOne(chosen, lease, signals))
  }

  /** Its environment is gone for good: planning it again refuses it, in words. */
  function refuseStranger(stored: Stored<Deploy>, lease: Lease): void {
    if (stored.value.phase !== 'ready' || leaves(stored.value)) return
    take(stored.value.id, lease, async () => learned(await deps.ledger.advance(stored, { kind: 'replan' })))
  }

  /** Runs work on one deploy, once at a time; what fails is logged and looked at again after a pause. */
  function take(id: string, lease: Lease, work: (signals: AbortSignal) => Promise<void>): void {
    if (inHand.has(id)) return
    const cancel = new AbortController()
    if (view.live.intents.has(`${id}/cancel`)) cancel.abort()
    const done = work(cancel.signal)
      .then(() => void failures.delete(id))
      .catch(error => pauseAfter(id, error, lease))
      .finally(() => {
        inHand.delete(id)
        wake()
      })
    inHand.set(id, { cancel, lost: new AbortController(), owns: null, done })
  }

  async function pauseAfter(id: string, error: unknown, lease: Lease): Promise<void> {
    if (stopping.signal.aborted) return
    const tries = (failures.get(id) ?? 0) + 1
    failures.set(id, tries)
    const expected = error instanceof LostRace || error instanceof Fenced || error instanceof IllegalEvent
    if (!expected || tries % 20 === 0) deps.log(`deploy ${id} is tried again (${tries})`, error)
    const base = expected ? 10 : 250
    await clock.sleep(
      backoff(Math.min(tries, 8), { base, most: 5_000, random: deps.random }),
      stopping.signal,
    )
    await disown(id, lease)
    if (!view.live.deploys.has(id)) failures.delete(id)
  }

  /** The work was dropped but the owner key may still be ours: let go of it, so that it is taken over. */
  async function disown(id: string, lease: Lease): Promise<void> {
    for (let attempt = 0; !lease.lost.aborted && !stopping.signal.aborted; attempt++) {
      try {
        const owner = await read(deps.kv, ownerSchema, keys.owner(id))
        if (owner?.value.replica !== replica.name) return
        await deps.kv.commit({
          compares: [{ kind: 'created', key: owner.key, createRevision: owner.createRevision }],
          writes: [remove(owner.key)],
        })
        return
      } catch (error) {
        deps.log(`deploy ${id} could not be let go of yet`, error)
        await clock.sleep(backoff(attempt, { base: 200, most: 2_000, random: deps.random }), stopping.signal)
      }
    }
  }

  async function prepareOne(id: string, lease: Lease, cancelled: AbortSignal): Promise<void> {
    await turn()
    const stored = stopping.signal.aborted ? undefined : view.live.deploys.get(id)
    // Meanwhile another replica may have begun, or somebody cancelled it: the next look sees what it is now.
    if (!stored || !isToPrepare(stored.value) || view.live.owners.has(id)) return
    const begun = await deps.ledger.advance(
      stored,
      { kind: 'prepare' },
      {
        compares: [{ kind: 'absent', key: keys.owner(id) }],
        writes: [ownerPut(claimDeps, id, lease)],
      },
    )
    view.learn(begun)
    const owner = { createRevision: begun.modRevision, active: null }
    learned(await finishPreparing(deps, { begun, owner, cancelled, stopped: stopping.signal }))
  }

  async function compareBasis(stored: Stored<Deploy>): Promise<void> {
    if (await bases.isStale(stored)) learned(await deps.ledger.advance(stored, { kind: 'replan' }))
  }

  async function claimOne(stored: Stored<Deploy>, lease: Lease, cancelled: AbortSignal): Promise<void> {
    const environment = deps.environment(stored.value.environment)
    if (!environment) return
    const claimed = await oneOfFew(stored, async () => {
      const same = await isAsApproved(deps, stored.value, environment)
      return same ? claim(claimDeps, stored, environment, lease) : 'replan'
    })
    if (claimed === 'held') return
    if (claimed === 'replan') return learned(await deps.ledger.advance(stored, { kind: 'replan' }))
    await driveOwned(claimed, lease, cancelled)
  }

  async function resume(stored: Stored<Deploy>, lease: Lease, cancelled: AbortSignal): Promise<void> {
    const owned = await oneOfFew(stored, () => takeOver(claimDeps, stored, lease))
    await driveOwned(owned, lease, cancelled)
  }

  /** Counts among those that are claimed or taken over now; the next look goes on with the others. */
  async function oneOfFew<T>({ value }: Stored<Deploy>, work: () => Promise<T>): Promise<T> {
    taking.add(value.id)
    try {
      return await work()
    } finally {
      taking.delete(value.id)
      wake()
    }
  }

  async function driveOwned(owned: Owned, lease: Lease, cancelled: AbortSignal): Promise<void> {
    learned(owned.stored)
    const hand = inHand.get(owned.stored.value.id)
    if (hand) hand.owns = owned.ownership.createRevision
    const stops = [stopping.signal, lease.lost, ...(hand ? [hand.lost.signal] : [])]
    const signals = { lease, cancelled, stopped: AbortSignal.any(stops) }
    const ended = await drive({ ...deps, learned }, owned, signals)
    deps.ended?.(ended)
  }

  async function supersede(stored: Stored<Deploy>, by: Deploy): Promise<void> {
    const byKey = keys.queueEntry(by.environment, by.app, by.id)
    const present = { kind: 'present' as const, key: byKey }
    learned(await deps.ledger.advance(stored, { kind: 'supersede', by: by.id }, { compares: [present] }))
  }

  function learned(stored: Stored<Deploy>): void {
    view.learn(stored)
    deps.learned(stored)
    wake()
  }

  return {
    wake,
    busy: () => inHand.size,
    async start() {
      await replica.start()
      await view.start(changed)
      wake()
    },
    async stop(limitMs) {
      stopping.abort()
      const ended = new AbortController()
      const all = Promise.allSettled([...inHand.values()].map(work => work.done))
      await Promise.race([all.then(() => ended.abort()), clock.sleep(limitMs, ended.signal)])
      view.stop()
      await replica.stop()
    },
  }
}
