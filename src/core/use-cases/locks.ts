// A person's lock on everything, an environment, or an app there: owner, reason, expiry. A deploy that waits is held
// by it (claim.ts compares the keys); one that runs goes on.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Caller, type Core, type Lock, lockSchema } from '../core.ts'
import type { Keys } from '../keys.ts'
import { demand } from '../policy.ts'
import { decode, decodeAll, put, remove, unchanged } from '../records.ts'
import { endOf } from '../times.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { mayLook } from './sight.ts'

/** One sentence: what is locked, by whom, why, until when, and how it ends. */
export function lockWords(lock: Lock): string {
  const what = [lock.app, lock.environment].filter(Boolean).join(' in ') || 'Everything'
  const until = new Date(lock.expiresAt).toISOString().slice(0, 16).replace('T', ' ')
  return `${what} is locked by ${lock.by.name}: ${lock.reason} (until ${until} UTC). They or an operator can unlock it.`
}

function lockKey(keys: Keys, { app, environment }: { app?: string; environment?: string }): string {
  if (app && environment) return keys.lockApp(environment, app)
  if (app) throw new UserError('bad_input', `Say where: gkube lock ${app} --environment <name>`)
  return environment ? keys.lockEnv(environment) : keys.lockAll
}

export function locks(deps: Deps): Pick<Core, 'lock' | 'unlock' | 'locks'> {
  const { kv, keys, clock } = deps
  /** A lock of everything is asked for as if each environment were locked whole. */
  const demandLock = (caller: Caller, input: { app?: string; environment?: string }) => {
    const named = input.environment ? [environmentNamed(deps, input.environment)] : deps.environments.values()
    for (const environment of named)
      demand(caller, 'lock', { app: input.app ?? '*', environment }, deps.people)
  }
  return {
    async lock(caller, input) {
      const key = lockKey(keys, input)
      demandLock(caller, input)
      const now = clock.now()
      const expiresAt = endOf(now, input.expiresIn)
      const entry = await kv.get(key)
      const before = entry ? decode(lockSchema, entry) : null
      if (before && before.value.expiresAt > now && before.value.by.id !== caller.actor.id && !input.steal) {
        throw new UserError('held', `${lockWords(before.value)} To take it over: --steal.`, {
          details: { lock: before.value },
        })
      }
      const value: Lock = {
        schema: 1,
        scope: input.app ? 'app' : input.environment ? 'env' : 'all',
        environment: input.environment ?? null,
        app: input.app ?? null,
        by: { id: caller.actor.id, name: caller.actor.name },
        reason: input.reason,
        at: now,
        expiresAt,
      }
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'lock',
        outcome: before && before.value.by.id !== caller.actor.id ? 'stolen' : 'locked',
        ...input,
        detail: input.reason,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [put(key, value), audit],
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
      if (before.value.by.id !== caller.actor.id) demandLock(caller, input)
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'unlock',
        outcome: 'unlocked',
        app: input.app,
        environment: input.environment,
        detail: input.reason,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [remove(key), audit],
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
        .filter(lock => lock.expiresAt > now && mayLook(deps, caller, lock))
    },
  }
}
