// The Slack users who may approve a deploy: whom the notifier tells by direct message. Only as far as Slack tells; who
// may is judged again at the click (core/policy.ts).
import type { Person, SlackConfig } from '../../config.ts'
import type { Deploy } from '../../core/deploy.ts'
import type { Environment } from '../../core/environment.ts'
import { covers } from '../../core/policy.ts'
import type { Workspace } from './workspace.ts'

/** User ids; never who asked, unless they count there. Throws where Slack does not tell: then it is tried again. */
export function slackApprovers(options: {
  readonly workspace: Pick<Workspace, 'groupMembers' | 'personByEmail'>
  readonly people: readonly Person[]
  readonly groups: SlackConfig['groups']
  readonly environments: ReadonlyMap<string, Environment>
}): (deploy: Deploy) => Promise<readonly string[]> {
  const { workspace, people, groups, environments } = options
  return async deploy => {
    const environment = environments.get(deploy.environment)
    if (!environment) return []
    const place = { app: deploy.app, environment }
    const may = ({ grants }: Pick<Person, 'grants'>) => grants.some(grant => covers(grant, 'approve', place))
    const [named, grouped] = await Promise.all([
      Promise.all(
        people.filter(may).map(async ({ slack, email }) => {
          if (slack !== null) return slack
          return email === null ? null : ((await workspace.personByEmail(email))?.id ?? null)
        }),
      ),
      Promise.all(groups.filter(may).map(group => workspace.groupMembers(group.id))),
    ])
    const ids = new Set([...named, ...grouped.flat()].filter(id => id !== null))
    if (!environment.approvals.requesterCounts) ids.delete(deploy.requestedBy.id.replace(/^slack:/, ''))
    return [...ids]
  }
}
