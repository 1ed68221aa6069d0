// Break-glass: a person whom the environment names starts what waits for approval or is held by a freeze, with a
// typed reason. It is recorded in the deploy, in the audit, and told loudly. Locks of people are not overridden.
import { UserError } from '../../errors.ts'
import { frozenNow } from '../claim.ts'
import type { Caller, Core } from '../core.ts'
import type { Deploy } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { advance, deployNamed, racing } from './decide.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { namesOf } from './freezes.ts'
import { changedSinceShown, overrideRefusal } from './why-not.ts'

export function override(deps: Deps): Core['override'] {
  return async (caller, id, { reason, hash }) => {
    const { value: first } = await deployNamed(deps, id)
    const environment = environmentNamed(deps, first.environment)
    demandNamed(deps, caller, { app: first.app, environment })
    const why = reason.trim()
    if (!why)
      throw new UserError(
        'bad_input',
        'Overriding needs a reason: say why it cannot wait. It is kept and shown.',
      )
    return racing(deps, id, async stored => {
      const frozen = frozenNow(deps, stored.value, environment) !== null
      const at = { by: caller.actor, frozen, now: deps.clock.now() }
      const refusal = overrideRefusal(stored.value, at)
      if (refusal) throw refusal
      const changed = changedSinceShown(stored.value, hash)
      if (changed) throw changed
      return advance(deps, stored, {
        event: { kind: 'override', by: caller.actor, reason: why.slice(0, 500) },
        by: caller.actor,
        detail: `BREAK-GLASS: ${why}`,
      })
    })
  }
}

/** Whoever is named may override there, and so look at what they would override, without any role. */
export const isNamed = (
  { environments }: Pick<Deps, 'environments'>,
  { person }: Caller,
  { environment }: Pick<Deploy, 'environment'>,
): boolean => person !== undefined && (environments.get(environment)?.breakGlass.includes(person) ?? false)

/** Being an admin is not enough: the operators name those who may. */
function demandNamed(
  deps: Deps,
  caller: Caller,
  { app, environment }: { readonly app: string; readonly environment: Environment },
): void {
  const { people } = deps
  if (isNamed(deps, caller, { environment: environment.name })) return
  const able = namesOf(environment, people)
  const who =
    able.length > 0
      ? `Who may: ${able.join(', ')}.`
      : `Nobody may: environments.${environment.name}.breakGlass in gkube.yaml names no one.`
  throw new UserError('forbidden', `${caller.actor.name} may not override in ${environment.name}. ${who}`, {
    details: { action: 'override', app, environment: environment.name },
  })
}
