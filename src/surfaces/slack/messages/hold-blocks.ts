// Locks and freezes as rows with the button that ends them: in App Home and in the answer about locks. Pure.
import type { Freeze } from '../../../core/coordination.ts'
import type { Lock } from '../../../core/core.ts'
import { ago, until } from '../../../core/words.ts'
import { type Block, section } from '../blocks/elements.ts'
import { md } from '../blocks/mrkdwn.ts'
import { unfreezeButton, unlockButton } from './buttons.ts'
import { nameOf } from './names.ts'

/** One block a lock. */
export function lockBlock({ app, environment, by, reason, at, expiresAt }: Lock, now: number): Block {
  const what = [app, environment].filter(Boolean).join(' in ') || 'everything'
  const value = `${environment ?? ''}/${app ?? ''}`
  return section(
    md`*${what}* is locked by ${nameOf(by)}: “${reason}” · ${ago(at, now)}, ${expiresAt === null ? 'until somebody unlocks it' : `ends ${until(expiresAt, now)}`}`,
    unlockButton({ value, what }),
  )
}

/** One block a freeze; one that recurs ends by itself. */
export const freezeBlock = (
  { environment, by, reason, at, endsAt, recurring }: Freeze,
  now: number,
): Block =>
  recurring
    ? section(
        md`*${environment}* is frozen: “${reason}” · recurs (${recurring.cron}, ${recurring.timeZone}), ends ${until(endsAt, now)}`,
      )
    : section(
        md`*${environment}* is frozen by ${nameOf(by)}: “${reason}” · ${ago(at, now)}, ends ${until(endsAt, now)}`,
        unfreezeButton(environment),
      )
