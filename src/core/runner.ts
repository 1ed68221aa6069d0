// The loop of a replica: looks at what is live, prepares what was asked, claims what is ready, takes over what lost
// its owner, and drives it. It decides from its view and commits by compare-and-swap, so a stale view costs a retry.

import { UserError } from '../errors.ts'
import { claim, type Owned, ownerPut, takeOver, whatHolds } from './claim.ts'
import { backoff } from './clock.ts'
import { ClusterError } from './cluster.ts'
import { ownerSchema } from './coordination.ts'
import type { Cause, Deploy } from './deploy.ts'
import { type DriveDeps, drive } from './drive.ts'
import { type Lease, OutcomeUnknown } from './kv.ts'
import { IllegalEvent, LostRace } from './ledger.ts'
import { type PrepareDeps, prepare } from './prepare.ts'
import { decide } from './queue.ts'
import { read, remove, type Stored } from './records.ts'
import { Fenced, type Replica } from './replica.ts'
import type { View } from './view.ts'

export type RunnerDeps = DriveDeps &
  PrepareDeps & {
    readonly view: View
    readonly replica: Replica
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

/** Preparing ends within this time, one way or the other. */
const prepareMs = 30_000

type InHand = { readonly cancel: AbortController; readonly done: Promise<void> }

export function createRunner(deps: RunnerDeps): Runner {
  const { keys, view, replica, clock } = deps
  const inHand = new Map<string, InHand>()
  const failures = new Map<string, number>()
  const stopping = new AbortController()
  let scheduled = false
  const claimDeps = { keys, ledger: deps.ledger, view, clock, replica: replica.name }

  function changed(key: string): void {
    if (key.startsWith(keys.intents)) {
      const id = key.slice(keys.intents.length).split('/')[0] ?? ''
      if (view.live.intents.has(`${id}/cancel`)) inHand.get(id)?.cancel.abort()
    }
    wake()
  }

  function wake(): void {
    if (scheduled || stopping.signal.aborted) return
    scheduled = true
    queueMicrotask(() => {
      scheduled = false
      look()
    })
  }

  function look(): void {
    const lease = replica.lease()
    if (!lease || stopping.signal.aborted) return
    for (const stored of view.live.deploys.values()) {
      const { id, phase } = stored.value
      if (inHand.has(id) || view.live.owners.has(id)) continue
      if (phase === 'requested' || phase === 'preparing')
        take(id, lease, signals => prepareOne(stored, lease, signals))
      if (phase === 'running' || phase === 'rolling_back')
        take(id, lease, signals => resume(stored, lease, signals))
    }
    for (const group of queues().values()) lookAtQueue(group, lease)
  }

  /** By app and environment: what is ready, and what is on its way there. */
  function queues(): Map<string, Stored<Deploy>[]> {
    const groups = new Map<string, Stored<Deploy>[]>()
    for (const stored of view.live.deploys.values()) {
      const { phase, environment, app } = stored.value
      const comes = phase === 'requested' || phase === 'preparing'
      if (!comes && phase !== 'ready') continue
      const key = keys.active(environment, app)
      groups.set(key, [...(groups.get(key) ?? []), stored])
    }
    return groups
  }

  function lookAtQueue(group: readonly Stored<Deploy>[], lease: Lease): void {
    const first = group[0]
    const environment = first && deps.environment(first.value.environment)
    if (!environment) return
    const waiting = group.map(({ value, createRevision }) => ({ deploy: value, position: createRevision }))
    const { next, superseded } = decide(waiting, environment.queue)
    const storedOf = (deploy: Deploy) => group.find(stored => stored.value.id === deploy.id)
    for (const { deploy, by } of superseded) {
      const stored = storedOf(deploy)
      if (stored) take(deploy.id, lease, () => supersede(stored, by))
    }
    const chosen = next && storedOf(next)
    if (!chosen || whatHolds(claimDeps, chosen.value, environment)) return
    take(chosen.value.id, lease, signals => claimOne(chosen, lease, signals))
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
    inHand.set(id, { cancel, done })
  }

  async function pauseAfter(id: string, error: unknown, lease: Lease): Promise<void> {
    if (stopping.signal.aborted) return
    const tries = (failures.get(id) ?? 0) + 1
    failures.set(id, tries)
    const expected = error instanceof LostRace || error instanceof Fenced || error instanceof IllegalEvent
    if (!expected || tries > 20) deps.log(`deploy ${id} is tried again (${tries})`, error)
    const base = expected ? 10 : 250
    await clock.sleep(
      backoff(Math.min(tries, 8), { base, most: 5_000, random: deps.random }),
      stopping.signal,
    )
    await disown(id, lease)
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

  const signalsFor = (lease: Lease, cancelled: AbortSignal) => ({
    lease,
    cancelled,
    stopped: AbortSignal.any([stopping.signal, lease.lost]),
  })

  async function prepareOne(stored: Stored<Deploy>, lease: Lease, cancelled: AbortSignal): Promise<void> {
    const { id } = stored.value
    const owner = ownerPut(claimDeps, id, lease)
    const begun = await deps.ledger.advance(
      stored,
      { kind: 'prepare' },
      { compares: [{ kind: 'absent', key: keys.owner(id) }], writes: [owner] },
    )
    view.learn(begun)
    const ownership = { createRevision: begun.modRevision, active: null }
    const { event, writes } = await prepareWithin(begun.value)
    const intent = cancelled.aborted ? view.live.intents.get(`${id}/cancel`)?.value : undefined
    const final = intent ? ({ kind: 'cancel', by: intent.by, clean: true, good: null } as const) : event
    learned(
      await deps.ledger.advance(begun, final, {
        owner: ownership,
        writes: intent ? [] : writes,
        by: intent?.by,
      }),
    )
  }

  /** What is not prepared in time is refused: others wait behind it. Failures of etcd are not its fault. */
  async function prepareWithin(deploy: Deploy): ReturnType<typeof prepare> {
    const until = clock.now() + prepareMs
    for (let attempt = 0; ; attempt++) {
      try {
        return await prepare(deps, deploy)
      } catch (error) {
        const away = error instanceof ClusterError
        if (error instanceof UserError || error instanceof OutcomeUnknown || stopping.signal.aborted)
          throw error
        if (!away) deps.log(`deploy ${deploy.id} could not be prepared`, error)
        if (!away || clock.now() > until)
          return { event: { kind: 'refuse', cause: unprepared(deploy, error) }, writes: [] }
        await clock.sleep(backoff(attempt, { base: 200, most: 5_000, random: deps.random }), stopping.signal)
      }
    }
  }

  async function claimOne(stored: Stored<Deploy>, lease: Lease, cancelled: AbortSignal): Promise<void> {
    const environment = deps.environment(stored.value.environment)
    if (!environment) return
    const claimed = await claim(claimDeps, stored, environment, lease)
    if (claimed === 'held') return
    if (claimed === 'replan') return learned(await deps.ledger.advance(stored, { kind: 'replan' }))
    await driveOwned(claimed, lease, cancelled)
  }

  async function resume(stored: Stored<Deploy>, lease: Lease, cancelled: AbortSignal): Promise<void> {
    const taken = await takeOver(claimDeps, stored, lease)
    if (taken) await driveOwned(taken, lease, cancelled)
  }

  async function driveOwned(owned: Owned, lease: Lease, cancelled: AbortSignal): Promise<void> {
    learned(owned.stored)
    const ended = await drive({ ...deps, learned }, owned, signalsFor(lease, cancelled))
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
      const all = Promise.allSettled([...inHand.values()].map(work => work.done))
      await Promise.race([all, clock.sleep(limitMs)])
      view.stop()
      await replica.stop()
    },
  }
}

const unprepared = (deploy: Deploy, error: unknown): Cause =>
  error instanceof ClusterError
    ? {
        reason: 'cluster_unavailable',
        message: `The cluster did not answer: ${error.message}`.slice(0, 1000),
      }
    : { reason: 'internal', message: `gkube itself failed to prepare deploy ${deploy.id}; its log says why.` }
