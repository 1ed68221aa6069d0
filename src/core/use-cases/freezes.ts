// A freeze of an environment: nothing is deployed there until it ends. What waits is held by it (claim.ts compares
// the key), what runs goes on, a rollback is let through, and named people may override it (override.ts). Freezes that
// recur are not records: the operators' file and the time say whether one holds (freeze-windows.ts).
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Freeze, freezeSchema } from '../coordination.ts'
import type { Caller, Core } from '../core.ts'
import { isSameActor } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { freezeAt, nextStart, recurringFreeze } from '../freeze-windows.ts'
import { demand, may, type Person } from '../policy.ts'
import { holdsNow } from '../queue.ts'
import { decode, decodeAll, put, remove, unchanged } from '../records.ts'
import { endOf, until } from '../times.ts'
import { seconds } from '../units.ts'
import { type Deps, environmentNamed } from './deps.ts'

/** One sentence or two: what is frozen, until when, why, by whom, and who may override. */
export function freezeWords(
  freeze: Freeze,
  at: { environment: Pick<Environment, 'breakGlass'>; people: readonly Person[]; now: number },
): string {
  const { environment, by, reason, endsAt, recurring } = freeze
  const able = namesOf(at.environment, at.people)
  const who = able.length > 0 ? ` Named people may override: ${able.join(', ')}.` : ''
  const whose = recurring ? 'as gkube.yaml has it' : `by @${by.name}`
  return `${environment} is frozen until ${until(endsAt, at.now, recurring?.timeZone)}: ${reason}, ${whose}.${who}`
}

/** Who may override there, as they are called. */
export const namesOf = (
  { breakGlass }: Pick<Environment, 'breakGlass'>,
  people: readonly Person[],
): string[] => breakGlass.map(id => `@${people.find(person => person.id === id)?.name ?? id}`)

/** The freeze that holds an environment now, as this replica's view has it. */
export function freezeOf(
  { view, keys, clock, environments }: Pick<Deps, 'view' | 'keys' | 'clock' | 'environments'>,
  environment: string,
): Freeze | null {
  const record = view.live.freezes.get(keys.freeze(environment))?.value
  return freezeAt(record, environments.get(environment), clock.now())
}

export function freezes(deps: Deps): Pick<Core, 'freeze' | 'unfreeze' | 'freezes' | 'freezeWindows'> {
  const { kv, keys, clock } = deps
  const demandFreeze = (caller: Caller, environment: Environment) =>
    demand(caller, 'freeze', { app: '*', environment }, deps.people)
  const raced = (name: string) =>
    new UserError('conflict', `Someone froze or unfroze ${name} at the same moment. Look again.`)
  return {
    async freeze(caller, { environment: name, reason, endsIn }) {
      const environment = environmentNamed(deps, name)
      demandFreeze(caller, environment)
      if (!reason.trim()) throw new UserError('bad_input', `Say why ${name} is frozen: a reason is needed.`)
      if (seconds(endsIn) === 0)
        throw new UserError('bad_input', 'Say how long it is frozen, for example 24h.')
      const now = clock.now()
      const endsAt = endOf(now, endsIn)
      const key = keys.freeze(name)
      const entry = await kv.get(key)
      const before = entry ? decode(freezeSchema, entry) : null
      const others = before && !isSameActor(before.value.by, caller.actor) && holdsNow(before.value, now)
      if (others)
        throw new UserError(
          'held',
          `${freezeWords(before.value, { environment, people: deps.people, now })} Unfreeze it first.`,
          { details: { freeze: before.value } },
        )
      const value: Freeze = {
        schema: 1,
        environment: name,
        by: caller.actor,
        reason,
        at: now,
        endsAt,
      }
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'freeze',
        outcome: before ? 'changed' : 'frozen',
        environment: name,
        detail: `${reason} (until ${until(value.endsAt, now)})`,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [put(key, value), audit],
      })
      if (!committed) throw raced(name)
      return value
    },
    async unfreeze(caller, { environment: name, reason }) {
      const environment = environmentNamed(deps, name)
      const key = keys.freeze(name)
      const entry = await kv.get(key)
      if (!entry) {
        demand(caller, 'view', {}, deps.people)
        const recurring = recurringFreeze(environment, clock.now())
        if (!recurring) throw new UserError('not_found', `${name} is not frozen.`)
        throw new UserError(
          'conflict',
          `${freezeWords(recurring, { environment, people: deps.people, now: clock.now() })} It ends by itself; only environments.${name}.freezes in gkube.yaml can change it.`,
          { details: { freeze: recurring } },
        )
      }
      const before = decode(freezeSchema, entry)
      if (!isSameActor(before.value.by, caller.actor)) demandFreeze(caller, environment)
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'unfreeze',
        outcome: 'unfrozen',
        environment: name,
        detail: reason,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [remove(key), audit],
      })
      if (!committed) throw raced(name)
    },
    async freezes(caller) {
      demand(caller, 'view', {}, deps.people)
      const { entries } = await kv.list(keys.freezes)
      const now = clock.now()
      const recurring = [...deps.environments.values()].flatMap(
        environment => recurringFreeze(environment, now) ?? [],
      )
      return decodeAll(freezeSchema, entries, error => deps.log('a freeze was left out of the list', error))
        .map(stored => stored.value)
        .concat(recurring)
        .filter(freeze => holdsNow(freeze, now) && mayKnow(deps, caller, freeze.environment))
    },
    async freezeWindows(caller) {
      demand(caller, 'view', {}, deps.people)
      const now = clock.now()
      return [...deps.environments.values()]
        .filter(({ name }) => mayKnow(deps, caller, name))
        .flatMap(({ name, freezes }) =>
          freezes.map(window => ({
            ...window,
            environment: name,
            holdsUntil: recurringFreeze({ name, freezes: [window] }, now)?.endsAt ?? null,
            nextAt: nextStart(window, now),
          })),
        )
    },
  }
}

/** Whoever may look at anything there; an environment that is not configured any more is everyone's. */
function mayKnow(deps: Deps, caller: Caller, name: string): boolean {
  const environment = deps.environments.get(name)
  return !environment || may(caller, 'view', { environment: { ...environment, protected: false } })
}
