// All apps, as a table: the same words and order as `gkube list`.
import type { App } from '../../../core/app.ts'
import type { Rendered } from '../../../core/messages.ts'
import type { Workload } from '../../../core/workload.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, md } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import { table } from './table.ts'

export function appsAnswer(
  list: readonly { readonly app: App; readonly workloads: readonly Workload[] }[],
  at: At,
): Rendered {
  if (list.length === 0)
    return fitted('No apps yet. Register one: gkube app apply -f app.yaml', [
      section(md`No apps yet. Register one on the command line: ${code('gkube app apply -f app.yaml')}`),
    ])
  const rows = list.map(({ app, workloads }) => [
    app.app,
    app.kind,
    workloads.map(one => `${one.environment} ${one.revision}`).join(', ') || 'not deployed',
    app.jobs.join(', '),
  ])
  return fitted(
    `${list.length} ${list.length === 1 ? 'app' : 'apps'}: ${list.map(({ app }) => app.app).join(', ')}`,
    table(rows),
    md`… and more: ${list.length} apps in all. One of them: ${code(`${at.command} status web`)}`,
  )
}
