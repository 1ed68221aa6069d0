// A request was taken: where to watch it. The message of the deploy itself is the notifier's.
import type { Deploy } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import { isOver, phaseText, titleOf } from '../../../core/words.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { type Mrkdwn, md, nothing } from '../blocks/mrkdwn.ts'

/** `channel`: id of the channel where its message appears; null: it is told nowhere. */
export function acceptedAnswer(
  deploy: Deploy,
  at: { readonly repeated: boolean; readonly channel: string | null },
): Rendered {
  const what = `${titleOf(deploy)} → ${deploy.environment}`
  const state = at.repeated
    ? `that was asked for already; it is ${phaseText(deploy.phase)}.`
    : isOver(deploy.phase)
      ? `${phaseText(deploy.phase)}.`
      : 'got it.'
  return fitted(`${what}: ${state}`, [
    section(
      md`*${titleOf(deploy)}* → *${deploy.environment}*: ${state}${isOver(deploy.phase) ? nothing : where(at.channel)}`,
    ),
  ])
}

const where = (channel: string | null): Mrkdwn =>
  channel !== null && /^[CGD][A-Z0-9]{2,}$/.test(channel)
    ? { mrkdwn: ` Follow it in <#${channel}>.` }
    : md` No channel shows it: invite gkube to this one. The *Home* tab shows how it goes.`
