// Everything about Jenkins builds that people ask for. Without a Jenkins each of them says so.
import { UserError } from '../../errors.ts'
import type { BuildVerbs } from '../builds/verbs.ts'

const none = async (): Promise<never> => {
  throw new UserError('unavailable', 'No Jenkins is configured: set `jenkins` in gkube.yaml.')
}

export const builds = (): BuildVerbs => ({
  receiveBuild: none,
  build: none,
  job: none,
  jobs: none,
  showBuild: none,
  builds: none,
  stopBuild: none,
  answerInput: none,
  buildLog: none,
  subscribe: none,
  unsubscribe: none,
  subscriptions: none,
})
