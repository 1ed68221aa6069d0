// What runs, as a table: the same words and order as `gkube status`.
import type { Status } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { ago, phaseText, until } from '../../../core/words.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, md } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import { boxes, table } from './table.ts'

/** All workloads, or those that were asked for. */
export function statusAnswer(
  list: readonly Status[],
  at: At & { readonly app?: string; readonly environment?: string },
): Rendered {
  if (list.length === 0) return nothingRuns(at)
  const drift = list.flatMap(one => driftLines(one, at.now))
  const ready = list.filter(one => one.health === 'ready').length
  return fitted(
    list.length === 1
      ? statusRow(list[0] as Status, at.now).join(' ')
      : `${ready} of ${list.length} are ready`,
    [...table(list.map(one => statusRow(one, at.now))), ...(drift.length > 0 ? boxes(drift) : [])],
    md`… and more. One app: ${code(`${at.command} status web`)}`,
  )
}

function nothingRuns({ app, environment, command }: Parameters<typeof statusAnswer>[1]): Rendered {
  const where = environment ? ` in ${environment}` : ''
  const what = app ? `${app} does not run${where}.` : `Nothing runs${where} yet.`
  const next = `${command} deploy ${app ?? 'web'} 1.4.2 to ${environment ?? 'staging'}`
  return fitted(`${what} Deploy: ${next}`, [section(joined([md`${what}`, md`Deploy:`, code(next)]))])
}

/** `web  production  1.4.1  6/6 ready  3 d ago  ben   locked: …` */
export function statusRow(
  { workload, ready, wanted, health, message, current, lock, freeze }: Status,
  now: number,
): string[] {
  const count = ready === null || wanted === null ? health : `${ready}/${wanted} ready`
  const more = [
    current ? [current.kind, current.revision, phaseText(current.phase)].filter(Boolean).join(' ') : '',
    workload.state === 'ready' ? '' : workload.state,
    health === 'ready' ? '' : message,
    lock
      ? `locked: ${lock.reason} (${lock.by.name}${lock.expiresAt === null ? '' : `, ${until(lock.expiresAt, now)}`})`
      : '',
    freeze ? `frozen: ${freeze.reason} (${freeze.by.name}, ${until(freeze.endsAt, now)})` : '',
  ]
  return [
    workload.app,
    workload.environment,
    workload.revision,
    count,
    ago(workload.updatedAt, now),
    workload.deployedBy,
    more.filter(Boolean).join(' · '),
  ]
}

const mostFieldsShown = 4

/** One line an object: `drift: Deployment shop/web .spec.replicas 2 → 5 by kubectl (scale), 3 min ago`. */
function driftLines({ drift }: Status, now: number): string[] {
  return drift.map(({ object, state, fields }) => {
    if (state === 'missing') return `drift: ${object} is missing`
    if (state === 'replaced') return `drift: ${object} is another object than the one that gkube made`
    const said = fields.slice(0, mostFieldsShown).map(({ path, manager, at, recorded, live }) => {
      const values = recorded || live ? ` ${recorded || 'none'} → ${live || 'none'}` : ''
      const who = manager ? ` by ${manager}${at === null ? '' : `, ${ago(at, now)}`}` : ''
      return `${path}${values}${who}`
    })
    const more = fields.length > said.length ? `; and ${fields.length - said.length} more` : ''
    return `drift: ${object} ${said.join('; ')}${more}`
  })
}
