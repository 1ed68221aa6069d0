// What somebody is told when it did not work: what happened, who may, what to do. Never only "error"; an id where it
// is our fault, by which the log has the cause.
import type { Rendered } from '../../../core/messages.ts'
import type { UserError } from '../../../errors.ts'
import { context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, md, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'

/** `more`: something to know beside it, such as that Slack did not tell somebody's groups. */
export function refusalAnswer(
  error: UserError,
  at: { readonly requestId: string; readonly command: string; readonly more?: string | null },
): Rendered {
  const words = slackCommands(error.message, at.command)
  const more = at.more ? slackCommands(at.more, at.command) : ''
  const blocks = words
    .split(/\n+/)
    .slice(0, 20)
    .flatMap(line => (line.trim() === '' ? [] : [section(prose(line, 2400))]))
  return fitted(words, [
    ...(blocks.length > 0 ? blocks : [section(md`It was refused.`)]),
    ...context(prose(more)),
    // Something of ours does not answer: whoever looks into it wants to find it.
    ...(error.kind === 'unavailable' ? context(md`id ${code(at.requestId)}`) : []),
  ])
}

/** Something of ours broke; `id` stands in the log beside the cause. */
export const faultAnswer = (id: string): Rendered =>
  fitted(`Something went wrong here, and it is not your doing. The log has it (id ${id}).`, [
    section(
      md`Something went wrong here, and it is not your doing. Try again in a minute; if it stays, give this id to who runs gkube: ${code(id)}`,
    ),
  ])

/** It may be stored or not: the replica looks until it knows, and tells then. `deploy` is its id where there is one. */
export const unconfirmedAnswer = (deploy: string | null): Rendered =>
  fitted('Not confirmed, checking: etcd did not answer in time.', [
    section(
      md`Not confirmed, checking: etcd did not answer in time. You will hear here how it ended; do not ask again before.`,
    ),
    ...(deploy ? context(md`deploy ${code(deploy)}`) : []),
  ])
