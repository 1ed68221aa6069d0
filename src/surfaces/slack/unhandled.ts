// What nothing handles: a command of another name, a button or a view of another version, a shortcut. It is acked in
// time all the same, and the person hears what there is instead.
import type { Rendered } from '../../core/messages.ts'
import { UserError } from '../../errors.ts'
import { answerView } from './actions/soon.ts'
import { refusalAnswer } from './answers/refusal.ts'
import type { kindOf } from './deliver.ts'
import type { SlackDeps } from './deps.ts'

/** The payload of the ack; what has to be said otherwise is on its way. */
export function unhandledAnswer(
  deps: Pick<SlackDeps, 'config' | 'workspace' | 'log'>,
  {
    kind,
    body,
    requestId,
  }: { kind: ReturnType<typeof kindOf>; body: Record<string, unknown>; requestId: string },
): unknown {
  const { command } = deps.config
  const answer = (text: string): Rendered =>
    refusalAnswer(new UserError('not_found', text), { requestId, command })
  switch (kind) {
    case 'command':
      return {
        ...answer(
          `This gkube answers to \`${command}\`, not to \`${String(body.command).slice(0, 40)}\`. Type: \`${command} help\``,
        ),
        response_type: 'ephemeral',
      }
    case 'options':
      return { options: [] }
    case 'view':
      return body.type === 'view_submission'
        ? { response_action: 'update', view: answerView('gkube', answer(older(command))) }
        : undefined
    case 'action': {
      const url = body.response_url
      if (typeof url === 'string')
        deps.workspace
          .respond(url, answer(older(command)))
          .catch(error => deps.log.warn({ requestId, err: error }, 'an answer did not reach its person'))
      return undefined
    }
    case 'shortcut': {
      const trigger = body.trigger_id
      if (typeof trigger === 'string')
        deps.workspace
          .openView(trigger, answerView('gkube', answer(`gkube has no shortcuts. Type: \`${command} help\``)))
          .catch(error => deps.log.warn({ requestId, err: error }, 'an answer did not reach its person'))
      return undefined
    }
    default:
      return undefined
  }
}

const older = (command: string): string =>
  `This is of another version of gkube, which this one does not know. Ask again with a command: \`${command} help\``
