// Storage of apps as people see it: where it lies, how full it is, and deleting what no app uses any more. Making and
// growing it is steps/volume.ts.
import { UserError } from '../../errors.ts'
import type { Core } from '../core.ts'
import { demand } from '../policy.ts'
import { type Deps, environmentNamed } from './deps.ts'

export function volumes(deps: Deps): Pick<Core, 'volumes' | 'deleteVolume'> {
  return {
    async volumes(caller, { environment }) {
      if (environment) environmentNamed(deps, environment)
      demand(caller, 'view', {}, deps.people)
      return []
    },
    async deleteVolume(caller, { app, environment }) {
      demand(caller, 'delete', { app, environment: environmentNamed(deps, environment) }, deps.people)
      throw new UserError('not_found', `${app} has no storage on a pool in ${environment}.`)
    },
  }
}
