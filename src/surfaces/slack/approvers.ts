// The Slack users who may approve a deploy: whom the notifier tells by direct message. Only as far as Slack tells; who
// may is judged again at the click (core/policy.ts).
import type { Person, SlackConfig } from '../../config.ts'
import type { Deploy } from '../../core/deploy.ts'
import type { Environment } from '../../core/environment.ts'
import { covers } from '../../core/policy.ts'
import type { Log } from '../../log.ts'
import type { Workspace } from './workspace.ts'

/**
 * User ids; never who asked, unless they count there. Where Slack tells only of some, those: a group that it never tells
 * of (a plan without groups, a scope that is not granted) keeps nobody else from hearing. Throws where it tells of none.
 */
export function slackApprovers(options: {
  readonly workspace: Pick<Workspace, 'groupMembers' | 'personByEmail'>
  readonly people: readonly Person[]
  readonly groups: SlackConfig['groups']
  readonly environments: ReadonlyMap<string, Environment>
  readonly log: Pick<Log, 'warn'>
}): (deploy: Deploy) => Promise<readonly string[]> {
  const { workspace, people, groups, environments, log } = options
  return async deploy => {
    const environment = environments.get(deploy.environment)
    if (!environment) return []
    const place = { app: deploy.app, environment }
    const may = ({ grants }: Pick<Person, 'grants'>) => grants.some(grant => covers(grant, 'approve', place))
    const { id: requester, person: asking } = deploy.requestedBy
    const counts = ({ id }: Person) => environment.approvals.requesterCounts || id !== asking
    const asked = await Promise.allSettled([
      ...people
        .filter(one => may(one) && counts(one))
        .map(async ({ slack, email }) => {
          if (slack !== null) return [slack]
          const found = email === null ? null : await workspace.personByEmail(email)
          // As callers.ts: an e-mail counts where our own workspace vouches for it.
          return found && !found.foreign && !found.deleted && !found.bot ? [found.id] : []
        }),
      ...groups.filter(may).map(group => workspace.groupMembers(group.id)),
    ])
    const ids = new Set(asked.flatMap(one => (one.status === 'fulfilled' ? one.value : [])))
    if (!environment.approvals.requesterCounts) ids.delete(requester.replace(/^slack:/, ''))
    const untold = asked.find(one => one.status === 'rejected')
    if (untold && ids.size === 0) throw untold.reason
    if (untold)
      log.warn({ err: untold.reason, deploy: deploy.id }, 'not all who may approve can be told of it')
    return [...ids]
  }
}
