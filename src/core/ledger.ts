// Writes a deploy's next state to etcd: one transition, one transaction, with all its effects. Whoever is not the
// owner of a running deploy is refused by the compares, not by good manners.
import { auditPut } from './audit.ts'
import type { Clock } from './clock.ts'
import type { Active } from './coordination.ts'
import { type Lock, lockSchema } from './core.ts'
import { type Actor, type Deploy, isTerminal } from './deploy.ts'
import { withinSize } from './deploy-size.ts'
import type { Keys } from './keys.ts'
import type { Compare, Entry, Kv, Write } from './kv.ts'
import { lasts } from './queue.ts'
import { decode, put, remove, type Stored, UnreadableRecord, unchanged } from './records.ts'
import { type DeployEvent, type Effect, transition } from './transition.ts'

/** The right to write a running deploy: the owner key as this replica created it, and `active` as it left it. */
export type Ownership = {
  readonly createRevision: string
  readonly active: Stored<Active> | null
}

/** Someone else wrote first, or this replica is no longer the owner: read again, or stop. */
export class LostRace extends Error {
  readonly keys: readonly string[]
  constructor(keys: readonly string[]) {
    super(`changed meanwhile: ${keys.join(', ') || 'a compared key'}`)
    this.name = 'LostRace'
    this.keys = keys
  }
}

/** The event is not legal in the record's phase. */
export class IllegalEvent extends Error {}

export type More = {
  readonly compares?: readonly Compare[]
  readonly writes?: readonly Write[]
  readonly owner?: Ownership
  /** Who did it, for the audit; the owner's own steps are gkube's. */
  readonly by?: Actor
  readonly detail?: string
}

export type Ledger = ReturnType<typeof createLedger>

export function createLedger(deps: {
  kv: Pick<Kv, 'commit' | 'get'>
  keys: Keys
  clock: Pick<Clock, 'now'>
  /** Told of each deploy whose end was written here. */
  ended?: (deploy: Deploy) => void
}) {
  const { kv, keys, clock } = deps

  const effectWrites = (deploy: Deploy, effects: readonly Effect[], active: Stored<Active> | null): Write[] =>
    effects.flatMap(effect => effectWrite(keys, deploy, effect, active))

  function auditWrite(before: Deploy, after: Deploy, event: DeployEvent, more: More): Write[] {
    // Steps are in the record; every change of phase, and of who drives it, is told.
    const worthTelling = more.by || after.phase !== before.phase || event.kind === 'take_over'
    if (!worthTelling) return []
    return [
      auditPut(keys, clock.now(), {
        by: more.by ?? { id: 'gkube', name: 'gkube', via: 'gkube' },
        action: event.kind,
        app: before.app,
        environment: before.environment,
        deploy: before.id,
        outcome: after.phase,
        detail: more.detail ?? after.cause?.message,
      }),
    ]
  }

  /**
   * Applies `event` to the record as it was read and writes the outcome.
   * Throws IllegalEvent, LostRace (nothing was written), OutcomeUnknown or UserError `unavailable`.
   */
  async function advance(
    stored: Stored<Deploy>,
    event: DeployEvent,
    more: More = {},
  ): Promise<Stored<Deploy>> {
    for (let races = 0; ; races++) {
      try {
        return await write(stored, event, more)
      } catch (error) {
        // A person locked or unlocked at that very moment: nothing of the deploy itself has changed.
        const { environment, app } = stored.value
        const lock = keys.lockApp(environment, app)
        const onlyLock = error instanceof LostRace && error.keys.join() === lock
        if (!onlyLock || event.kind === 'claim' || races >= mostLockRaces) throw error
      }
    }
  }

  /** The lock that a rollback leaves behind. A person's that is there stays theirs, but does not end by itself any more. */
  async function lockAfter(deploy: Deploy): Promise<Required<Pick<More, 'compares' | 'writes'>>> {
    const key = keys.lockApp(deploy.environment, deploy.app)
    const now = clock.now()
    const known = await kv.get(key)
    const before = known ? lockIn(known) : null
    const compares = [unchanged(key, known)]
    // One that this version cannot read holds what comes next as well.
    if (before === 'unreadable') return { compares, writes: [] }
    const theirs = before && lasts(before, now) ? before : null
    if (theirs?.expiresAt === null) return { compares, writes: [] }
    const left = lockOfRollback(deploy, now)
    const { by, reason } = left
    const lock = theirs ? withoutEnd(theirs, reason) : left
    const audit = auditPut(keys, now, {
      by: { ...by, via: 'gkube' },
      action: 'lock',
      outcome: 'locked',
      app: deploy.app,
      environment: deploy.environment,
      deploy: deploy.id,
      detail: reason,
    })
    return { compares, writes: [put(key, lock), audit] }
  }

  async function write(stored: Stored<Deploy>, event: DeployEvent, more: More): Promise<Stored<Deploy>> {
    const before = stored.value
    const result = transition(before, event, clock.now())
    if (result.kind === 'refused') throw new IllegalEvent(result.why)
    const after = withinSize(result.deploy)
    const activeKey = keys.active(before.environment, before.app)
    const ownerCompares: Compare[] = more.owner
      ? [
          { kind: 'created', key: keys.owner(before.id), createRevision: more.owner.createRevision },
          ...(more.owner.active ? [unchanged(activeKey, more.owner.active)] : []),
        ]
      : []
    const lock = result.effects.includes('lock') ? await lockAfter(after) : null
    const commit = {
      compares: [
        unchanged(stored.key, stored),
        ...ownerCompares,
        ...(more.compares ?? []),
        ...(lock?.compares ?? []),
      ],
      writes: [
        put(stored.key, after),
        ...effectWrites(after, result.effects, more.owner?.active ?? null),
        ...auditWrite(before, after, event, more),
        ...(more.writes ?? []),
        ...(lock?.writes ?? []),
      ],
    }
    const outcome = await kv.commit(commit)
    if (!outcome.committed) {
      const moved = commit.compares.filter(compare => !holds(compare, outcome.seen.get(compare.key)))
      throw new LostRace(moved.map(compare => compare.key))
    }
    if (isTerminal(after.phase) && !isTerminal(before.phase)) deps.ended?.(after)
    return {
      key: stored.key,
      value: after,
      createRevision: stored.createRevision,
      modRevision: outcome.revision,
    }
  }

  return { advance }
}

const mostLockRaces = 5

/** Who locks where no person does. */
export const gkubeItself = { id: 'gkube', name: 'gkube' } as const

function lockIn(entry: Entry): Lock | 'unreadable' {
  try {
    return decode(lockSchema, entry).value
  } catch (error) {
    if (error instanceof UnreadableRecord) return 'unreadable'
    throw error
  }
}

function withoutEnd({ nagAt: _, ...lock }: Lock, why: string): Lock {
  return { ...lock, reason: `${lock.reason}; ${why}`.slice(0, 500), expiresAt: null }
}

/** Until a person unlocks it: somebody has to look first. */
function lockOfRollback(deploy: Deploy, now: number): Lock {
  const { app, environment, id, revision, cause, phase } = deploy
  const what = phase === 'rolled_back' ? 'failed and was rolled back' : 'failed, and so did going back'
  const why = cause ? `: ${cause.message.replace(/\.$/, '')}` : ''
  return {
    schema: 1,
    scope: 'app',
    environment,
    app,
    by: gkubeItself,
    reason: `${revision} ${what}${why}`.slice(0, 300),
    at: now,
    expiresAt: null,
    deploy: id,
  }
}

type Seen = { readonly modRevision: string; readonly createRevision: string } | undefined

/** Whether a compare held on what the same transaction saw. */
export function holds(compare: Compare, seen: Seen): boolean {
  switch (compare.kind) {
    case 'absent':
      return !seen
    case 'present':
      return Boolean(seen)
    case 'unchanged':
      return seen?.modRevision === compare.modRevision
    case 'created':
      return seen?.createRevision === compare.createRevision
  }
}

function effectWrite(keys: Keys, deploy: Deploy, effect: Effect, active: Stored<Active> | null): Write[] {
  const { id, environment: env, app } = deploy
  switch (effect) {
    case 'enqueue':
      return [put(keys.queueEntry(env, app, id), { schema: 1, kind: deploy.kind })]
    case 'dequeue':
      return [remove(keys.queueEntry(env, app, id))]
    case 'disown':
      return [remove(keys.owner(id)), remove(keys.intent(id, 'cancel'))]
    case 'close':
      return [remove(keys.openEntry(id))]
    case 'lock':
      // Read first: lockAfter.
      return []
    case 'activate':
      return [put(keys.active(env, app), { schema: 1, epoch: deploy.epoch, deploy: id } satisfies Active)]
    case 'deactivate': {
      const idle: Active = { schema: 1, epoch: active?.value.epoch ?? deploy.epoch, deploy: null }
      const slot = deploy.slot === null ? [] : [remove(keys.slot(env, deploy.slot))]
      return [put(keys.active(env, app), idle), ...slot]
    }
  }
}
