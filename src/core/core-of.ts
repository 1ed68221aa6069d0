// All verbs put together: the one object that every surface is given.
import type { Core } from './core.ts'
import { adoption } from './use-cases/adopt.ts'
import { apps } from './use-cases/apps.ts'
import { decisions } from './use-cases/decide.ts'
import type { Deps } from './use-cases/deps.ts'
import { follow } from './use-cases/follow.ts'
import { history } from './use-cases/history.ts'
import { locks } from './use-cases/locks.ts'
import { logs, look } from './use-cases/look.ts'
import { planning } from './use-cases/plan.ts'
import { release } from './use-cases/release.ts'
import { request } from './use-cases/request.ts'
import { run } from './use-cases/run.ts'
import { tokens } from './use-cases/tokens.ts'

export const coreOf = (deps: Deps): Core => parts(deps) as Core

const parts = (deps: Deps) => ({
  ...adoption(deps),
  ...apps(deps),
  ...decisions(deps),
  ...follow(deps),
  ...locks(deps),
  ...logs(deps),
  ...look(deps),
  ...planning(deps),
  ...run(deps),
  ...tokens(deps),
  history: history(deps),
  release: release(deps),
  request: request(deps),
})
