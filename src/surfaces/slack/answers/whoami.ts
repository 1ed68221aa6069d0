// What somebody may do and why, place by place.
import type { Whoami } from '../../../core/access/verbs.ts'
import type { Rendered } from '../../../core/messages.ts'
import { type Block, context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, type Mrkdwn, md, nothing } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'

export function whoamiAnswer(whoami: Whoami, at: At): Rendered {
  const { actor, environments } = whoami
  const known = environments.filter(one => one.may.length > 0 || one.breakGlass)
  const text = `You are ${actor.name}. ${known.length === 0 ? 'You may do nothing here yet.' : `You may act in ${known.map(one => one.environment).join(', ')}.`}`
  const none = md`You may do nothing here yet. Ask an operator for a role (gkube.yaml: people, groups, or slack.members), and give them your id.`
  return fitted(text, [
    section(
      joined([md`You are *${actor.name}*, ${code(actor.id)}.`, known.length === 0 ? none : nothing], '\n'),
    ),
    ...known.flatMap(environmentBlocks),
    ...context(md`Everything else: ${code(`${at.command} help`)}`),
  ])
}

function environmentBlocks({
  environment,
  may,
  breakGlass,
  ...one
}: Whoami['environments'][number]): Block[] {
  const lines: Mrkdwn[] = [
    md`*${environment}*${one.protected ? ' · protected' : ''}`,
    ...may.slice(0, 20).map(({ app, actions, by }) => {
      const roles = [...new Set(by.map(grant => grant.role))].join(', ')
      return md`• ${app === '*' ? 'all apps' : app}: ${actions.map(action => action.replaceAll('_', ' ')).join(', ')}${roles ? ` (as ${roles})` : ''}`
    }),
    may.length > 20 ? md`• and ${may.length - 20} more apps` : nothing,
    breakGlass ? md`• may override approvals and freezes, with a reason that all see` : nothing,
  ]
  return [section(joined(lines, '\n'))]
}
