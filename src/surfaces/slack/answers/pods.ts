// The pods of an app, as a table: the same words and order as `gkube pods`.
import type { PodFacts } from '../../../core/cluster.ts'
import type { Rendered } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import { ago } from '../../../core/words.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, md } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import { table } from './table.ts'

export type Place = { readonly app: string; readonly environment: string }

export function podsAnswer(pods: readonly PodFacts[], at: At & Place): Rendered {
  const { app, environment } = at
  if (pods.length === 0)
    return fitted(`${app} has no pods in ${environment}`, [
      section(md`*${app}* has no pods in *${environment}*.`),
    ])
  const ready = pods.filter(pod => pod.ready && !pod.terminating).length
  return fitted(
    `${app} in ${environment}: ${ready}/${pods.length} pods ready`,
    [
      section(md`*${app}* in *${environment}*: ${ready}/${pods.length} pods ready`),
      ...table(troubleFirst(pods).map(pod => podRow(pod, at.now))),
    ],
    md`… and more. All of them: ${code(`gkube pods ${app} -E ${environment}`)} on the command line.`,
  )
}

/** What needs a look stands on top; in the order they came otherwise. */
const troubleFirst = (pods: readonly PodFacts[]): PodFacts[] =>
  pods.toSorted((a, b) => Number(a.ready) - Number(b.ready))

function podRow(pod: PodFacts, now: number): string[] {
  const own = pod.containers.filter(container => !container.init)
  const restarts = pod.containers.reduce((sum, container) => sum + container.restarts, 0)
  const waiting = pod.containers.find(container => container.state === 'waiting' && container.reason)
  const exit = pod.containers.find(container => container.exit && container.exit.code !== 0)?.exit
  const state = pod.ready ? 'ready' : (waiting?.reason ?? (pod.reason || pod.phase))
  const more = [
    !pod.ready && exit ? `last exit code ${exit.code}` : '',
    pod.unscheduled?.message ?? '',
    pod.ready ? '' : pod.message,
  ]
  return [
    pod.name,
    pod.terminating ? 'terminating' : state,
    `${own.filter(container => container.ready).length + pod.more.ready}/${own.length + pod.more.containers}`,
    restarts === 1 ? '1 restart' : `${restarts} restarts`,
    ago(pod.createdAt, now),
    pod.node,
    redactText(more.filter(Boolean).join(' · ')),
  ]
}
