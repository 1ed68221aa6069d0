// What a deploy would change: the same words and order as `gkube plan`. The diff of each object, as far as it fits.
import type { Plan } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { artifactText } from '../../../core/words.ts'
import { type Block, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { At } from './at.ts'
import { boxes } from './table.ts'

const marks = { create: '+', change: '~', delete: '-', replace: '±', none: '=' } as const
const mostLines = 20

export function planAnswer(plan: Plan, at: At): Rendered {
  const { app, environment, from, revision, refusals } = plan
  const change = from && from !== revision ? `${from} → ${revision}` : revision
  const digest = plan.digest ? joined([md`image`, code(plan.digest, 24)]) : md`the tag is not pinned`
  const lines = (list: readonly string[], lead: string) =>
    list.slice(0, mostLines).map(line => md`${lead} ${prose(slackCommands(line, at.command), 300)}`)
  const about = joined(
    [
      md`*${app}* ${code(change, 280)} · *${environment}* · ${plan.kind} · ${digest}`,
      plan.artifact ? md`Publishes: ${code(artifactText(plan.artifact))}` : nothing,
      md`Steps: ${plan.steps.join(' → ')}`,
      ...lines(refusals, '*Refused*:'),
      ...lines(plan.changes, '•'),
      plan.changes.length === 0 && plan.objects.every(({ action }) => action === 'none')
        ? md`Nothing would change but the restart of its pods.`
        : nothing,
      ...lines(plan.notes, '*Note*:'),
    ],
    '\n',
  )
  const blocks: Block[] = [section(about), ...boxes(objectLines(plan))]
  const verdict = refusals.length > 0 ? `refused: ${refusals[0]}` : `${plan.changes.length} changes`
  return fitted(
    `${app} ${change} → ${environment}: ${verdict}`,
    blocks,
    md`… and more. All of it: ${code(`gkube plan ${app} ${revision} -E ${environment}`)} on the command line.`,
  )
}

const objectLines = ({ objects }: Plan): string[] =>
  objects.flatMap(({ object, action, diff, warnings }) => [
    `${marks[action]} ${object}${action === 'none' ? ' (no change)' : ''}`,
    ...(diff ? diff.trimEnd().split('\n') : []).map(line => `    ${line}`.slice(0, 500)),
    ...warnings.map(warning => `    warning: ${warning}`.slice(0, 500)),
  ])
