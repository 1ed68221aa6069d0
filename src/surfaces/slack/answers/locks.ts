// Locks and freezes, each with the button that ends it.
import type { Freeze } from '../../../core/coordination.ts'
import type { Lock } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, md } from '../blocks/mrkdwn.ts'
import { freezeBlock, lockBlock } from '../messages/hold-blocks.ts'
import type { At } from './at.ts'

const most = 40

export function locksAnswer(locks: readonly Lock[], freezes: readonly Freeze[], at: At): Rendered {
  const count = locks.length + freezes.length
  if (count === 0)
    return fitted('Nothing is locked or frozen.', [
      section(
        joined([
          md`Nothing is locked or frozen. To hold something back:`,
          code(`${at.command} lock web in production for 2h looking for a leak`),
        ]),
      ),
    ])
  const rows = [
    ...freezes.map(freeze => freezeBlock(freeze, at.now)),
    ...locks.map(lock => lockBlock(lock, at.now)),
  ]
  const what = [
    freezes.length > 0 ? `${freezes.length} ${freezes.length === 1 ? 'freeze' : 'freezes'}` : '',
    locks.length > 0 ? `${locks.length} ${locks.length === 1 ? 'lock' : 'locks'}` : '',
  ]
  return fitted(what.filter(Boolean).join(', '), [
    ...rows.slice(0, most),
    ...(count > most ? [section(md`… and ${count - most} more.`)] : []),
  ])
}
