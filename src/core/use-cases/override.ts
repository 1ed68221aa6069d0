// Break-glass: a person whom the environment names starts what waits for approval or is held by a freeze, with a
// typed reason. It is recorded in the deploy, in the audit, and told loudly. Locks of people are not overridden.
import { UserError } from '../../errors.ts'
import type { Caller, Core } from '../core.ts'
import { type Deploy, isTerminal } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { ago } from '../times.ts'
import { advance, deployNamed, racing } from './decide.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { freezeOf, namesOf } from './freezes.ts'
import { nowWords } from './why-not.ts'

export function override(deps: Deps): Core['override'] {
  return async (caller, id, { reason }) => {
    const { value: first } = await deployNamed(deps, id)
    const environment = environmentNamed(deps, first.environment)
    demandNamed(deps, caller, environment)
    const why = reason.trim()
    if (!why)
      throw new UserError(
        'bad_input',
        'Overriding needs a reason: say why it cannot wait. It is kept and shown.',
      )
    return racing(deps, id, async stored => {
      const refusal = overrideRefusal(deps, stored.value, caller)
      if (refusal) throw refusal
      return advance(deps, stored, {
        event: { kind: 'override', by: caller.actor, reason: why.slice(0, 500) },
        by: caller.actor,
        detail: `BREAK-GLASS: ${why}`,
      })
    })
  }
}

/** Being an admin is not enough: the operators name those who may. */
function demandNamed({ people }: Deps, caller: Caller, environment: Environment): void {
  if (caller.person !== undefined && environment.breakGlass.includes(caller.person)) return
  const able = namesOf(environment, people)
  const who =
    able.length > 0
      ? `Who may: ${able.join(', ')}.`
      : `Nobody may: environments.${environment.name}.breakGlass in gkube.yaml names no one.`
  throw new UserError('forbidden', `${caller.actor.name} may not override in ${environment.name}. ${who}`, {
    details: { action: 'override', environment: environment.name },
  })
}

function overrideRefusal(deps: Deps, deploy: Deploy, caller: Caller): UserError | null {
  const now = deps.clock.now()
  const { phase, overridden } = deploy
  if (overridden) {
    const who =
      overridden.by.id === caller.actor.id ? 'You overrode it already' : `@${overridden.by.name} overrode it`
    return new UserError('conflict', `${who}, ${ago(overridden.at, now)}; ${nowWords(deploy)}.`)
  }
  if (isTerminal(phase)) return new UserError('conflict', `It is over: ${nowWords(deploy)}.`)
  if (phase === 'requested' || phase === 'preparing')
    return new UserError('conflict', 'It is still being prepared. Try again in a moment.')
  if (phase === 'awaiting_approval') return null
  if (phase === 'ready' && freezeOf(deps, deploy.environment) && deploy.kind !== 'rollback') return null
  return new UserError('conflict', `Neither an approval nor a freeze is in its way: ${nowWords(deploy)}.`)
}
