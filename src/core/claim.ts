// Claiming: from ready to running in one transaction that compares everything it was decided by — the queue entry,
// `active`, every lock and freeze, a slot, and what the plan was made from — and makes this replica the owner.
import { type Active, activeSchema, type Freeze, type Owner } from './coordination.ts'
import type { Lock } from './core.ts'
import type { Deploy } from './deploy.ts'
import type { Environment } from './environment.ts'
import { freezeAt } from './freeze-windows.ts'
import type { Keys } from './keys.ts'
import type { Compare, Lease, Write } from './kv.ts'
import { type Ledger, LostRace, type Ownership } from './ledger.ts'
import { freeSlot, frozenBy, heldBy } from './queue.ts'
import { put, type Stored, unchanged } from './records.ts'
import type { View } from './view.ts'
import { noOverrides, type Workload } from './workload.ts'

export type Owned = {
  readonly stored: Stored<Deploy>
  readonly ownership: Ownership
  readonly takenOver: boolean
}

export type ClaimDeps = {
  readonly keys: Keys
  readonly ledger: Ledger
  readonly view: Pick<View, 'live'>
  readonly clock: { now(): number }
  readonly replica: string
}

/** Claims a ready deploy; null while something holds it, `replan` when what it was planned from has changed. */
export async function claim(
  deps: ClaimDeps,
  stored: Stored<Deploy>,
  environment: Environment,
  lease: Lease,
): Promise<Owned | 'held' | 'replan'> {
  const { keys, ledger, view, clock } = deps
  const deploy = stored.value
  const { app, environment: env, id, prepared } = deploy
  if (!prepared) return 'replan'
  const now = clock.now()
  if (whatHolds(deps, deploy, environment)) return 'held'
  const activeKey = keys.active(env, app)
  const active = view.live.active.get(activeKey) ?? null
  // Deploys that are claimed at the same moment begin to look at different slots.
  const from = Number.parseInt(id.slice(-4), 36) || 0
  const slot = freeSlot(takenSlots(view, keys, env), environment.parallel, from)
  if (slot === null) return 'held'
  const epoch = (active?.value.epoch ?? 0) + 1
  const basis: Compare[] = [
    basisCompare(keys.workload(env, app), prepared.basis.workload),
    ...(prepared.basis.app ? [basisCompare(keys.app(app), prepared.basis.app)] : []),
  ]
  const lockKeys = [keys.lockAll, keys.lockEnv(env), keys.lockApp(env, app)]
  const freezeKey = keys.freeze(env)
  const compares: Compare[] = [
    { kind: 'present', key: keys.queueEntry(env, app, id) },
    unchanged(activeKey, active),
    { kind: 'absent', key: keys.slot(env, slot) },
    { kind: 'absent', key: keys.owner(id) },
    ...lockKeys.map(key => unchanged(key, view.live.locks.get(key) ?? null)),
    ...(frozenBy(deploy) ? [unchanged(freezeKey, view.live.freezes.get(freezeKey) ?? null)] : []),
    ...basis,
  ]
  const writes: Write[] = [
    ownerPut(deps, id, lease),
    put(keys.slot(env, slot), { schema: 1, deploy: id }),
    ...(prepared.basis.workload === '0' ? [put(keys.workload(env, app), newWorkload(deploy, now))] : []),
  ]
  try {
    const claimed = await ledger.advance(stored, { kind: 'claim', epoch, slot }, { compares, writes })
    return owned(deps, claimed, epoch, false)
  } catch (error) {
    const changed = error instanceof LostRace ? error.keys : []
    if (changed.some(key => basis.some(compare => compare.key === key))) return 'replan'
    throw error
  }
}

/** Why a ready deploy cannot start now, as far as this replica's view goes; null when it can try. */
export function whatHolds(
  deps: Pick<ClaimDeps, 'keys' | 'view' | 'clock'>,
  deploy: Deploy,
  environment: Environment,
):
  | { readonly kind: 'lock'; readonly lock: Lock }
  | { readonly kind: 'freeze'; readonly freeze: Freeze }
  | { readonly kind: 'unreadable'; readonly key: string }
  | { readonly kind: 'active'; readonly deploy: string }
  | { readonly kind: 'slots' }
  | null {
  const { live } = deps.view
  const locks = [...live.locks.values()].map(stored => stored.value)
  const lock = heldBy(locks, deploy, deps.clock.now())
  if (lock) return { kind: 'lock', lock }
  const freeze = frozenNow(deps, deploy, environment)
  if (freeze) return { kind: 'freeze', freeze }
  const key = unreadableOf(deps, deploy)
  if (key) return { kind: 'unreadable', key }
  const running = live.active.get(deps.keys.active(deploy.environment, deploy.app))?.value.deploy
  if (running) return { kind: 'active', deploy: running }
  const full = freeSlot(takenSlots(deps.view, deps.keys, deploy.environment), environment.parallel) === null
  return full ? { kind: 'slots' } : null
}

/** What the claim compares and this version cannot read: a newer replica knows what it means. */
export function unreadableOf(
  { keys, view }: Pick<ClaimDeps, 'keys' | 'view'>,
  deploy: Pick<Deploy, 'app' | 'environment' | 'kind' | 'overridden'>,
): string | null {
  const { app, environment: env } = deploy
  const compared = [keys.lockAll, keys.lockEnv(env), keys.lockApp(env, app), keys.active(env, app)]
  if (frozenBy(deploy)) compared.push(keys.freeze(env))
  return compared.find(key => view.live.unreadable.has(key)) ?? null
}

/** The freeze that holds this deploy now, by a person or recurring, as far as this replica's view and clock go. */
export function frozenNow(
  { keys, view, clock }: Pick<ClaimDeps, 'keys' | 'view' | 'clock'>,
  deploy: Deploy,
  environment: Environment | undefined,
): Freeze | null {
  if (!frozenBy(deploy)) return null
  const record = view.live.freezes.get(keys.freeze(deploy.environment))?.value
  return freezeAt(record, environment, clock.now())
}

/**
 * Takes a deploy over whose owner is gone: a higher epoch first, then everything else. LostRace while the view does
 * not show it as the active one: it is behind, or `active` cannot be read (an operator can release it).
 */
export async function takeOver(deps: ClaimDeps, stored: Stored<Deploy>, lease: Lease): Promise<Owned> {
  const { keys, ledger, view } = deps
  const { app, environment: env, id } = stored.value
  const activeKey = keys.active(env, app)
  const active = view.live.active.get(activeKey)
  if (active?.value.deploy !== id) throw new LostRace([activeKey])
  const epoch = active.value.epoch + 1
  const taken = await ledger.advance(
    stored,
    { kind: 'take_over', epoch },
    {
      compares: [{ kind: 'absent', key: keys.owner(id) }, unchanged(activeKey, active)],
      writes: [ownerPut(deps, id, lease)],
    },
  )
  return owned(deps, taken, epoch, true)
}

/** The owner key of a deploy, tied to this replica's lease. */
export const ownerPut = (
  deps: Pick<ClaimDeps, 'keys' | 'clock' | 'replica'>,
  id: string,
  lease: Lease,
): Write =>
  put(
    deps.keys.owner(id),
    { schema: 1, replica: deps.replica, at: deps.clock.now() } satisfies Owner,
    lease.id,
  )

function owned(deps: ClaimDeps, stored: Stored<Deploy>, epoch: number, takenOver: boolean): Owned {
  const { app, environment, id } = stored.value
  const key = deps.keys.active(environment, app)
  const value = activeSchema.parse({ schema: 1, epoch, deploy: id } satisfies Active)
  const active = { key, value, modRevision: stored.modRevision, createRevision: stored.modRevision }
  return { stored, ownership: { createRevision: stored.modRevision, active }, takenOver }
}

const basisCompare = (key: string, modRevision: string): Compare =>
  modRevision === '0' ? { kind: 'absent', key } : { kind: 'unchanged', key, modRevision }

function takenSlots(view: Pick<View, 'live'>, keys: Keys, env: string): Set<number> {
  const prefix = keys.slots(env)
  const mine = [...view.live.slots].filter(key => key.startsWith(prefix))
  return new Set(mine.map(key => Number(key.slice(prefix.length))))
}

/** The record comes before its first object, so that a crash leaves something to resume. */
function newWorkload(deploy: Deploy, now: number): Workload {
  const { prepared } = deploy
  if (!prepared) throw new Error('a deploy is prepared before it is claimed')
  return {
    schema: 1,
    app: deploy.app,
    environment: deploy.environment,
    state: 'creating',
    cluster: prepared.cluster,
    namespace: prepared.namespace,
    revision: deploy.revision,
    image: prepared.image,
    digest: prepared.digest,
    spec: prepared.spec,
    good: null,
    inventory: [],
    overrides: noOverrides,
    initialisedAt: null,
    deploy: deploy.id,
    deployedBy: deploy.requestedBy.name,
    createdAt: now,
    updatedAt: now,
  }
}
