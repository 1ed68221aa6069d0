// What waits for approval, the oldest first: with buttons for those who may decide it now.
import type { ApprovalRequest } from '../../../core/core.ts'
import type { Environment } from '../../../core/environment.ts'
import type { Rendered } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { md } from '../blocks/mrkdwn.ts'
import { requestBlocks } from '../messages/request-blocks.ts'
import { plainTitle } from '../messages/state.ts'
import type { At } from './at.ts'

/** Three blocks each. */
const most = 15

export function approvalsAnswer(
  list: readonly ApprovalRequest[],
  at: At & { readonly environments: ReadonlyMap<string, Environment> },
): Rendered {
  if (list.length === 0)
    return fitted('Nothing waits for approval.', [section(md`Nothing waits for approval.`)])
  // What the caller can decide stands on top; the oldest first in both halves.
  const sorted = list.toSorted((a, b) => Number(a.refusal !== null) - Number(b.refusal !== null))
  const mine = list.filter(one => one.refusal === null).length
  const names = sorted
    .slice(0, 5)
    .map(({ deploy }) => `${plainTitle(deploy)} → ${deploy.environment}`)
    .join(', ')
  const count = `${list.length} ${list.length === 1 ? 'waits' : 'wait'} for approval, ${mine} for yours`
  return fitted(`${count}: ${names}`, [
    section(md`*${count}*`),
    ...sorted.slice(0, most).flatMap(request =>
      requestBlocks(request, {
        ...at,
        environment: at.environments.get(request.deploy.environment) ?? null,
      }),
    ),
    ...(list.length > most ? [section(md`… and ${list.length - most} more, when these are decided.`)] : []),
  ])
}
