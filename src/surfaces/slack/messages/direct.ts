// What those who may approve are told by direct message: the request with its buttons, the same again before it
// expires, and what became of it. Pure; who is told is the notifier's.
import type { MessageFacts, Rendered } from '../../../core/messages.ts'
import { actions, context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { md } from '../blocks/mrkdwn.ts'
import { approvalButtons, diffButtons, shownId } from './buttons.ts'
import { changesLines, type Options, overrideLine, whatLine, whoLine } from './lines.ts'
import { clockTime, nameOf } from './names.ts'
import { stateOf, titled } from './state.ts'

/** Null: it never asked for approval. */
export function directMessage(
  facts: MessageFacts,
  options: Options & { readonly reminder: boolean },
): Rendered | null {
  const { deploy, planned, now } = facts
  const asksAgain = deploy.approval === null && (planned?.voided.length ?? 0) > 0
  if (!deploy.approval && !asksAgain) return null
  const state = stateOf(facts, options.command)
  if (deploy.phase !== 'awaiting_approval' || !deploy.approval)
    return fitted(state.text, [
      section(state.headline),
      ...[overrideLine(deploy)].filter(line => line.mrkdwn !== '').map(line => section(line)),
      ...context(whoLine(facts, options)),
    ])
  const lead = options.reminder
    ? md`:hourglass_flowing_sand: *Reminder*: ${titled(deploy)} · *${deploy.environment}* still needs your approval, by ${clockTime(deploy.approval.expiresAt, now)}`
    : md`:hourglass_flowing_sand: ${nameOf(deploy.requestedBy)} asks for your approval: ${titled(deploy)} · *${deploy.environment}*`
  const changes = changesLines(planned, {
    command: options.command,
    environment: deploy.environment,
    inThread: false,
  })
  const asked = `${deploy.requestedBy.name} asks for your approval: ${state.text}`
  return fitted(options.reminder ? `Reminder: ${state.text}` : asked, [
    section(lead),
    ...context(whoLine(facts, options), whatLine(facts)),
    ...(changes.mrkdwn === '' ? [] : [section(changes)]),
    ...actions([...approvalButtons(facts, { override: false }), ...diffButtons(facts)], shownId(deploy)),
  ])
}
