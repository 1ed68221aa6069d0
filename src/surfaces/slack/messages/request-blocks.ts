// One request for approval as it stands in a list (App Home, the answer to `approvals`): what, who asks, what changes,
// and buttons for those who may decide it now; else why not. Pure.
import type { ApprovalRequest } from '../../../core/core.ts'
import type { Environment } from '../../../core/environment.ts'
import { actions, type Block, context, section } from '../blocks/elements.ts'
import { joined, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { approvalButtons, diffButtons, shownId } from './buttons.ts'
import { whatLine, whoLine } from './lines.ts'
import { approvalsLeft, titled } from './state.ts'

/** At most three blocks. `environment`: null where it is not configured any more. */
export function requestBlocks(
  { deploy, planned, refusal }: ApprovalRequest,
  at: { readonly now: number; readonly command: string; readonly environment: Environment | null },
): Block[] {
  const facts = {
    deploy,
    planned,
    environment: at.environment,
    progress: null,
    diagnosis: null,
    waiting: null,
    now: at.now,
  }
  const left = approvalsLeft(deploy)
  const changes = planned?.changes ?? []
  const some = changes.slice(0, 4).map(line => prose(line, 120))
  return [
    section(
      joined(
        [
          md`${titled(deploy)} · *${deploy.environment}* · needs ${left} ${left === 1 ? 'approval' : 'approvals'}`,
          some.length > 0
            ? md`${joined(some, '; ')}${changes.length > some.length ? `; and ${changes.length - some.length} more` : ''}`
            : nothing,
        ],
        '\n',
      ),
    ),
    ...context(
      whoLine(facts, { links: { compare: null }, command: at.command }),
      whatLine(facts),
      refusal === null ? nothing : prose(slackCommands(refusal, at.command), 300),
    ),
    ...actions(
      [...(refusal === null ? approvalButtons(facts, { override: false }) : []), ...diffButtons(facts)],
      shownId(deploy),
    ),
  ]
}
