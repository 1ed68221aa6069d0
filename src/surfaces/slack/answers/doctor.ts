// What was checked, what is wrong and how to mend it: trouble first.
import type { Check } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { joined, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { At } from './at.ts'

const order = ['failed', 'warning', 'ok'] as const
const marks = { ok: ':white_check_mark:', warning: ':warning:', failed: ':x:' } as const

export function doctorAnswer(checks: readonly Check[], at: At): Rendered {
  const count = (state: Check['state']) => checks.filter(check => check.state === state).length
  const failed = count('failed')
  const warnings = count('warning')
  const verdict =
    failed + warnings === 0
      ? checks.length === 1
        ? '1 check is fine'
        : `All ${checks.length} checks are fine`
      : `${failed} of ${checks.length} checks failed${warnings > 0 ? `, ${warnings} to look at` : ''}`
  const inOrder = order.flatMap(state => checks.filter(check => check.state === state))
  return fitted(verdict, [section(md`*${verdict}*`), ...inOrder.map(check => section(line(check, at)))])
}

const line = ({ name, state, message, mend }: Check, at: At): Mrkdwn =>
  joined(
    [
      { mrkdwn: `${marks[state]} ${md`*${name}*: ${prose(slackCommands(message, at.command))}`.mrkdwn}` },
      mend ? md`Mend: ${prose(slackCommands(mend, at.command))}` : nothing,
    ],
    '\n',
  )
