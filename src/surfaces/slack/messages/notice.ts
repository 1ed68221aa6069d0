// A notice: one or two sentences to whom it concerns, with the button that ends the lock it is about. Pure; whom it
// reaches is the notifier's (core/notices.ts).
import type { Actor } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import type { Notice } from '../../../core/notices.ts'
import { actions, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { unlockButton } from './buttons.ts'

const marks: Readonly<Record<Notice['kind'], string>> = {
  lock_ends: ':hourglass_flowing_sand:',
  lock_lost: ':double_vertical_bar:',
  volume_full: ':x:',
}

export function noticeMessage(
  { kind, to, text, lock, environment }: Notice,
  options: { readonly mention: (actor: Actor) => string; readonly command: string },
): Rendered {
  const words = slackCommands(text, options.command, environment ?? undefined)
  const who = to ? md`${{ mrkdwn: options.mention({ id: to.id, name: to.name, via: 'gkube' }) }}: ` : nothing
  const mark = { mrkdwn: marks[kind] }
  return fitted(words, [
    section(md`${mark} ${who}${prose(words, 1000)}`),
    ...actions(lock === undefined ? [] : [unlockButton({ value: lock, what: placeOf(lock) })]),
  ])
}

/** `web in production`, as the button's dialog says it. */
function placeOf(lock: string): string {
  const [environment, app] = lock.split('/')
  return [app, environment].filter(Boolean).join(' in ') || 'everything'
}
