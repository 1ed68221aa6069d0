// Who may look at what runs somewhere: the grant must cover the environment, but looking does not need a protected one
// to be named. What is left of an environment that is not configured any more is judged by its app alone.
import type { Caller } from '../core.ts'
import { demand, may, type Place } from '../policy.ts'
import type { Deps } from './deps.ts'

type Where = { readonly app?: string | null; readonly environment: string | null }

const placeOf = (deps: Pick<Deps, 'environments'>, { app, environment: name }: Where): Place => {
  const environment = name === null ? undefined : deps.environments.get(name)
  return {
    ...(app ? { app } : {}),
    ...(environment ? { environment: { ...environment, protected: false } } : {}),
  }
}

export const mayLook = (deps: Pick<Deps, 'environments'>, caller: Caller, where: Where): boolean =>
  may(caller, 'view', placeOf(deps, where))

/** Throws UserError `forbidden`. */
export const demandLook = (deps: Pick<Deps, 'environments' | 'people'>, caller: Caller, where: Where): void =>
  demand(caller, 'view', placeOf(deps, where), deps.people)
