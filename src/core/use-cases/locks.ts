// A person's lock on everything, an environment, or an app there: owner, reason, expiry. A deploy that waits is held
// by it (claim.ts compares the keys); one that runs goes on. Who loses a lock is told (notices.ts), and so is who forgot
// theirs, before it ends (sweeper.ts). Without an end are only those that a rollback leaves behind (ledger.ts).
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Caller, type Core, type Lock, lockSchema } from '../core.ts'
import { isSameActor } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Write } from '../kv.ts'
import { gkubeItself } from '../ledger.ts'
import { nagTime } from '../lock-nag.ts'
import { noticeWrites } from '../notices.ts'
import { demand } from '../policy.ts'
import { lasts } from '../queue.ts'
import { decode, decodeAll, put, remove, unchanged } from '../records.ts'
import { endOf } from '../times.ts'
import { seconds } from '../units.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { mayLook } from './sight.ts'

/** `web in production`, `production`, `everything`. */
const placeWords = ({ app, environment }: Pick<Lock, 'app' | 'environment'>): string =>
  [app, environment].filter(Boolean).join(' in ') || 'everything'

const timeText = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** One sentence or two: what is locked, by whom, why, until when, and how it ends. */
export function lockWords(lock: Lock): string {
  const { by, reason, expiresAt } = lock
  const end = expiresAt === null ? 'until somebody unlocks it' : `until ${timeText(expiresAt)}`
  const who = by.id === gkubeItself.id ? 'An operator' : 'They or an operator'
  const what = placeWords(lock).replace(/^everything$/, 'Everything')
  return `${what} is locked by ${by.name}: ${reason} (${end}). ${who} can unlock it.`
}

function lockKey(keys: Keys, { app, environment }: { app?: string; environment?: string }): string {
  if (app && environment) return keys.lockApp(environment, app)
  if (app) throw new UserError('bad_input', `Say where: gkube lock ${app} --environment <name>`)
  return environment ? keys.lockEnv(environment) : keys.lockAll
}

/** Tells whose lock it was, where that is a person and it still held; they took it away themselves: nothing. */
function tellsLoser(
  keys: Keys,
  before: Lock,
  { caller, now, did, reason }: { caller: Caller; now: number; did: string; reason: string },
): Write[] {
  if (before.by.id === gkubeItself.id || isSameActor(before.by, caller.actor) || !lasts(before, now))
    return []
  const why = reason.trim() ? `: ${reason.trim()}` : ''
  const end = before.expiresAt === null ? '' : `, until ${timeText(before.expiresAt)}`
  return noticeWrites(keys, {
    kind: 'lock_lost',
    to: before.by,
    environment: before.environment,
    text: `@${caller.actor.name} ${did} ${placeWords(before)}${why}. You had locked it: ${before.reason}${end}.`,
    at: now,
  })
}

function newLock(
  { actor, person = actor.person }: Caller,
  { app, environment, reason }: { app?: string; environment?: string; reason: string },
  { at, expiresAt }: { at: number; expiresAt: number },
): Lock {
  const { id, name } = actor
  const nagAt = nagTime(at, expiresAt)
  return {
    schema: 1,
    scope: app ? 'app' : environment ? 'env' : 'all',
    environment: environment ?? null,
    app: app ?? null,
    by: { id, name, ...(person ? { person } : {}) },
    reason,
    at,
    expiresAt,
    ...(nagAt === null ? {} : { nagAt }),
  }
}

export function locks(deps: Deps): Pick<Core, 'lock' | 'unlock' | 'locks'> {
  const { kv, keys, clock } = deps
  /** A lock of everything is asked for as if each environment were locked whole. */
  const demandLock = (caller: Caller, input: { app?: string; environment?: string }) => {
    const named = input.environment ? [environmentNamed(deps, input.environment)] : deps.environments.values()
    for (const environment of named)
      demand(caller, 'lock', { app: input.app ?? '*', environment }, deps.people)
  }
  /** Of an environment that is not configured any more: who may everywhere. Nobody could end it otherwise. */
  const demandUnlock = (
    caller: Caller,
    { app = '*', environment }: { app?: string; environment?: string },
  ) => {
    if (environment === undefined || deps.environments.has(environment))
      demandLock(caller, { app, ...(environment === undefined ? {} : { environment }) })
    else demand(caller, 'lock', { app, environment: 'all' }, deps.people)
  }
  return {
    async lock(caller, input) {
      const key = lockKey(keys, input)
      demandLock(caller, input)
      if (seconds(input.expiresIn) === 0)
        throw new UserError('bad_input', 'Say how long it is locked, for example 2h.')
      const now = clock.now()
      const expiresAt = endOf(now, input.expiresIn)
      const entry = await kv.get(key)
      const before = entry ? decode(lockSchema, entry) : null
      const others = before && lasts(before.value, now) && !isSameActor(before.value.by, caller.actor)
      if (others && !input.steal) {
        throw new UserError('held', `${lockWords(before.value)} To take it over: --steal.`, {
          details: { lock: before.value },
        })
      }
      const value = newLock(caller, input, { at: now, expiresAt })
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'lock',
        outcome: others ? 'stolen' : 'locked',
        app: input.app,
        environment: input.environment,
        detail: others
          ? `${input.reason} (from ${before.value.by.name}: ${before.value.reason})`
          : input.reason,
      })
      const told = others
        ? tellsLoser(keys, before.value, { caller, now, did: 'took over your lock of', reason: input.reason })
        : []
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [put(key, value), audit, ...told],
      })
      if (!committed)
        throw new UserError('conflict', 'Someone locked or unlocked it at the same moment. See: gkube locks')
      return value
    },
    async unlock(caller, input) {
      const key = lockKey(keys, input)
      const entry = await kv.get(key)
      if (!entry) throw new UserError('not_found', 'There is no such lock. See: gkube locks')
      const before = decode(lockSchema, entry)
      if (!isSameActor(before.value.by, caller.actor)) demandUnlock(caller, input)
      const now = clock.now()
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'unlock',
        outcome: 'unlocked',
        app: input.app,
        environment: input.environment,
        detail: input.reason,
      })
      const told = tellsLoser(keys, before.value, { caller, now, did: 'unlocked', reason: input.reason })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [remove(key), audit, ...told],
      })
      if (!committed)
        throw new UserError('conflict', 'Someone locked or unlocked it at the same moment. See: gkube locks')
    },
    async locks(caller) {
      demand(caller, 'view', {}, deps.people)
      const { entries } = await kv.list(keys.locks)
      const now = clock.now()
      return decodeAll(lockSchema, entries, error => deps.log('a lock was left out of the list', error))
        .map(stored => stored.value)
        .filter(lock => lasts(lock, now) && mayLook(deps, caller, lock))
    },
  }
}
