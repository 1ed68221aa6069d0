// What was deployed, as a table: the same words and order as `gkube history`.
import type { Deploy } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import { ago, lasted, phaseText, took } from '../../../core/words.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, md } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import { table } from './table.ts'

export function historyAnswer(
  deploys: readonly Deploy[],
  at: At & { readonly app: string; readonly environment?: string },
): Rendered {
  const { app, environment } = at
  if (deploys.length === 0) {
    const what = `${app} was never deployed${environment ? ` to ${environment}` : ''}.`
    const next = `${at.command} deploy ${app} 1.4.2 to ${environment ?? 'staging'}`
    return fitted(what, [section(md`${what} ${code(next)}`)])
  }
  return fitted(
    `The last ${deploys.length} of ${app}${environment ? ` in ${environment}` : ''}`,
    table(deploys.map(deploy => historyRow(deploy, at.now))),
    md`… and more. All of them: ${code(`gkube history ${app} --limit 100`)} on the command line.`,
  )
}

/** Without the id: nobody types it, and a line is short. */
function historyRow(deploy: Deploy, now: number): string[] {
  const { source } = deploy
  return [
    deploy.environment,
    deploy.kind,
    deploy.revision || '-',
    phaseText(deploy.phase),
    took(lasted(deploy, now)),
    ago(deploy.requestedAt, now),
    deploy.requestedBy.name,
    [source.job, source.build === null ? '' : `#${source.build}`, source.note].filter(Boolean).join(' '),
  ]
}
