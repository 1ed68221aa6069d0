// The Slack user behind an actor of the records: whom the notifier tells something by direct message. Only as far as
// gkube.yaml and Slack know them; whoever is not known is told in the channel.
import type { Person } from '../../config.ts'
import type { Log } from '../../log.ts'
import type { Workspace } from './workspace.ts'

export function slackUser(options: {
  readonly workspace: Pick<Workspace, 'personByEmail'>
  readonly people: readonly Person[]
  readonly log: Pick<Log, 'warn'>
}): (who: { readonly id: string; readonly person?: string | undefined }) => Promise<string | null> {
  const { workspace, people, log } = options
  return async ({ id, person }) => {
    const [, user] = /^slack:([UW][A-Z0-9]{2,})$/.exec(id) ?? []
    if (user) return user
    const known = people.find(one => one.id === person)
    if (!known || known.slack !== null) return known?.slack ?? null
    try {
      const found = known.email === null ? null : await workspace.personByEmail(known.email)
      // As callers.ts: an e-mail counts where our own workspace vouches for it.
      return found && !found.foreign && !found.deleted && !found.bot ? found.id : null
    } catch (error) {
      log.warn({ err: error, person }, 'Slack did not tell who somebody is: they are told in the channel')
      return null
    }
  }
}
