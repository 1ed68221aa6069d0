// All verbs put together: the one object that every surface is given.
import { createRefusals } from './audit/refusals.ts'
import { withRefusals } from './audit/refused.ts'
import type { Core } from './core.ts'
import { adoption } from './use-cases/adopt.ts'
import { apps } from './use-cases/apps.ts'
import { artifacts } from './use-cases/artifacts.ts'
import { audit } from './use-cases/audit.ts'
import { builds } from './use-cases/builds.ts'
import { decisions } from './use-cases/decide.ts'
import type { Deps } from './use-cases/deps.ts'
import { doctor } from './use-cases/doctor.ts'
import { follow } from './use-cases/follow.ts'
import { freezes } from './use-cases/freezes.ts'
import { history } from './use-cases/history.ts'
import { locks } from './use-cases/locks.ts'
import { logs, look } from './use-cases/look.ts'
import { override } from './use-cases/override.ts'
import { planning } from './use-cases/plan.ts'
import { receiveBuild } from './use-cases/receive-build.ts'
import { release } from './use-cases/release.ts'
import { request } from './use-cases/request.ts'
import { run } from './use-cases/run.ts'
import { subscriptions } from './use-cases/subscriptions.ts'
import { tokens } from './use-cases/tokens.ts'
import { volumes } from './use-cases/volumes.ts'
import { waiting } from './use-cases/waiting.ts'
import { whoami } from './use-cases/whoami.ts'

/** Groups come first among those who may: a denial names the team before its members. */
export function coreOf(given: Deps): Core {
  const deps: Deps = { ...given, people: [...(given.groups ?? []), ...given.people] }
  const core: Core = {
    ...adoption(deps),
    ...apps(deps),
    ...artifacts(deps),
    ...audit(deps),
    ...builds(deps),
    ...decisions(deps),
    ...follow(deps),
    ...freezes(deps),
    ...locks(deps),
    ...logs(deps),
    ...look(deps),
    ...planning(deps),
    ...run(deps),
    ...subscriptions(deps),
    ...tokens(deps),
    ...volumes(deps),
    ...waiting(deps),
    doctor: doctor(deps),
    history: history(deps),
    override: override(deps),
    receiveBuild: receiveBuild(deps),
    release: release(deps),
    request: request(deps),
    whoami: whoami(deps),
  }
  return withRefusals(core, {
    environments: deps.environments,
    refusals: deps.refusals ?? createRefusals(deps),
  })
}
