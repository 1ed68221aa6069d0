// The Slack workspace as one adapter: this file is the table of contents. web.ts makes calls, scheduler.ts (with
// limits.ts) says when, directory.ts knows who is who; messenger.ts serves the notifier, workspace.ts the surface,
// checks.ts doctor.
import type { Check } from '../../core/core.ts'
import type { Messenger } from '../../core/notifier.ts'
import { type ChecksOptions, slackChecks } from './checks.ts'
import { slackDirectory } from './directory.ts'
import { slackMessenger } from './messenger.ts'
import { createScheduler, type Scheduler, systemTimers, type Timers } from './scheduler.ts'
import { type SlackWebOptions, slackWeb } from './web.ts'
import { type SlackWorkspace, slackWorkspace } from './workspace.ts'

export type SlackAdapter = {
  readonly messenger: Messenger
  readonly workspace: SlackWorkspace
  /** The member of an e-mail, to be mentioned; null: nobody's, or Slack does not tell now. Never throws. */
  memberOf(email: string): Promise<string | null>
  /** Takes some seconds at most. */
  checks(): Promise<readonly Check[]>
  /** By method of the Web API, for metrics. */
  counts: Scheduler['counts']
  /** Drops calls that wait for their turn. */
  close(): void
}

/** One for each process: all calls of this replica share its budget. */
export function slackAdapter(
  options: Omit<SlackWebOptions, 'log'> &
    ChecksOptions & {
      readonly log: (message: string, error: unknown) => void
      readonly timers?: Timers
    },
): SlackAdapter {
  const { log, timers = systemTimers } = options
  const web = slackWeb({ ...options, log: message => log(`Slack’s client: ${message}`, null) })
  const scheduler = createScheduler(timers)
  const directory = slackDirectory({ web, scheduler, now: timers.now })
  return {
    messenger: slackMessenger({ web, scheduler, log }),
    workspace: slackWorkspace({ web, scheduler, directory }),
    async memberOf(email) {
      try {
        const person = await directory.personByEmail(email)
        return person && !person.deleted && !person.bot && !person.foreign ? person.id : null
      } catch (error) {
        log('Slack does not tell whose e-mail that is: nobody is mentioned', error)
        return null
      }
    },
    checks: () => slackChecks({ web, scheduler, directory }, options),
    counts: scheduler.counts,
    close: scheduler.close,
  }
}
