// What the caller may do and by which of their grants: the same rule that refuses (policy.ts), asked for everything.

import type { Whoami } from '../access/verbs.ts'
import type { Caller, Core } from '../core.ts'
import type { Environment } from '../environment.ts'
import { type Action, actions, covers, everywhere, type Place } from '../policy.ts'
import type { Deps } from './deps.ts'

export function whoami(deps: Pick<Deps, 'environments'>): Core['whoami'] {
  return async caller => ({
    actor: caller.actor,
    environments: [...deps.environments.values()].map(environment => ({
      environment: environment.name,
      protected: environment.protected,
      may: mayThere(caller, environment),
      breakGlass: caller.person !== undefined && environment.breakGlass.includes(caller.person),
    })),
  })
}

type MayDo = Whoami['environments'][number]['may']

/** Those that a grant names. */
const appsOf = ({ grants }: Caller): string[] =>
  [...new Set(grants.flatMap(grant => grant.apps))].filter(app => app !== '*').toSorted()

/** What holds for all apps, then the apps that may be done more with. */
function mayThere(caller: Caller, environment: Environment): MayDo {
  const all = mayDo(caller, environment, '*')
  const known = all[0]?.actions ?? []
  const named = appsOf(caller).flatMap(app => mayDo(caller, environment, app))
  return [...all, ...named.filter(one => one.actions.length > known.length)]
}

function mayDo(caller: Caller, environment: Environment, app: string): MayDo {
  const by = (action: Action) =>
    caller.grants.filter(grant => covers(grant, action, placeOf(action, environment, app)))
  const allowed = actions.filter(action => by(action).length > 0)
  if (allowed.length === 0) return []
  const grants = caller.grants.filter(grant => allowed.some(action => by(action).includes(grant)))
  return [{ app, actions: allowed, by: grants }]
}

/** As the use cases ask: looking does not need a protected environment to be named, tokens are about everything. */
function placeOf(action: Action, environment: Environment, app: string): Place {
  if (action === 'tokens') return everywhere
  return { app, environment: action === 'view' ? { ...environment, protected: false } : environment }
}
