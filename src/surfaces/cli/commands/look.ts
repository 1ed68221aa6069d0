// status, pods, events, history, cluster: what runs, as tables for people and as records for programs.
import type { EventFacts, PodFacts } from '../../../core/cluster.ts'
import type { ClusterInfo, Status } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import { ago, isOver, lasted, phaseText, took, until } from '../../../core/words.ts'
import { type Cli, exitCodes } from '../cli.ts'
import type { Cell } from '../output.ts'
import { clean } from '../terminal-text.ts'

type Args = readonly (string | undefined)[]
type Of = { environment?: string }

export const placeOf = (cli: Cli, app: string | undefined, options: Of): string =>
  `/v1/workloads/${encodeURIComponent(cli.environment(options.environment))}/${encodeURIComponent(app ?? '')}`

/** All workloads, or one app's; as JSON the records with what the cluster shows merged in. */
export async function status(cli: Cli, [app]: Args, options: Of): Promise<number> {
  const { status } = await cli
    .client()
    .ask<{ status: Status[] }>('GET', '/v1/status', { query: { app, environment: options.environment } })
  if (cli.out.json) cli.out.data(status.map(({ workload, ...facts }) => ({ ...workload, ...facts })))
  else if (status.length === 0) cli.out.say(nothingRuns(app, options.environment))
  else {
    cli.out.table(status.map(one => statusRow(one, cli.now())))
    for (const line of status.flatMap(one => driftLines(one, cli.now())))
      cli.out.say(cli.out.paint('yellow', clean(line)))
  }
  return exitCodes.ok
}

const mostFieldsShown = 4

/** One line an object: `drift: Deployment shop/web .spec.replicas 2 → 5 by kubectl (scale), 3 min ago`. */
function driftLines({ drift }: Status, now: number): string[] {
  return drift.map(({ object, state, fields }) => {
    if (state === 'missing') return `drift: ${object} is missing`
    if (state === 'replaced') return `drift: ${object} is another object than the one that gkube made`
    const said = fields.slice(0, mostFieldsShown).map(one => fieldText(one, now))
    const more = fields.length > said.length ? `; and ${fields.length - said.length} more` : ''
    return `drift: ${object} ${said.join('; ')}${more}`
  })
}

function fieldText(
  { path, manager, at, recorded, live }: Status['drift'][number]['fields'][number],
  now: number,
) {
  const values = recorded || live ? ` ${recorded || 'none'} → ${live || 'none'}` : ''
  const who = manager ? ` by ${manager}${at === null ? '' : `, ${ago(at, now)}`}` : ''
  return `${path}${values}${who}`
}

const nothingRuns = (app: string | undefined, environment: string | undefined): string =>
  `${app ?? 'Nothing'} ${app ? 'does not run' : 'runs'}${environment ? ` in ${environment}` : ''}${app ? '' : ' yet'}. Deploy: gkube deploy ${app ?? 'web'} 1.4.2 --environment ${environment ?? 'staging'}`

const healthColors = { ready: 'green', progressing: 'yellow', failed: 'red', unknown: 'dim' } as const

function statusRow({ workload, ready, wanted, health, message, current, lock }: Status, now: number): Cell[] {
  const count = ready === null || wanted === null ? health : `${ready}/${wanted} ready`
  const more = [
    current ? `${current.kind} ${current.revision} ${phaseText(current.phase)}`.replace('  ', ' ') : '',
    workload.state === 'ready' ? '' : workload.state,
    health === 'ready' ? '' : message,
    lock
      ? `locked: ${lock.reason} (${lock.by.name}${lock.expiresAt === null ? '' : `, ${until(lock.expiresAt, now)}`})`
      : '',
  ]
  return [
    { text: workload.app, format: 'bold' },
    workload.environment,
    workload.revision,
    { text: count, format: healthColors[health] },
    ago(workload.updatedAt, now),
    workload.deployedBy,
    more.filter(Boolean).join(' · '),
  ]
}

export async function pods(cli: Cli, [app]: Args, options: Of): Promise<number> {
  const { pods } = await cli.client().ask<{ pods: PodFacts[] }>('GET', `${placeOf(cli, app, options)}/pods`)
  if (cli.out.json) cli.out.data(pods)
  else if (pods.length === 0) cli.out.say(`${app} has no pods`)
  else cli.out.table(pods.map(pod => podRow(pod, cli.now())))
  return exitCodes.ok
}

function podRow(pod: PodFacts, now: number): Cell[] {
  const own = pod.containers.filter(container => !container.init)
  const restarts = pod.containers.reduce((sum, container) => sum + container.restarts, 0)
  const waiting = pod.containers.find(container => container.state === 'waiting' && container.reason)
  const exit = pod.containers.find(container => container.exit && container.exit.code !== 0)?.exit
  const state = pod.terminating
    ? 'terminating'
    : pod.ready
      ? 'ready'
      : (waiting?.reason ?? (pod.reason || pod.phase))
  const more = [
    !pod.ready && exit ? `last exit code ${exit.code}` : '',
    pod.unscheduled?.message ?? '',
    pod.ready ? '' : pod.message,
  ]
  return [
    pod.name,
    { text: state, format: pod.ready && !pod.terminating ? 'green' : pod.terminating ? 'dim' : 'red' },
    `${own.filter(container => container.ready).length + pod.more.ready}/${own.length + pod.more.containers}`,
    restarts === 1 ? '1 restart' : `${restarts} restarts`,
    ago(pod.createdAt, now),
    pod.node,
    more.filter(Boolean).join(' · '),
  ]
}

export async function events(cli: Cli, [app]: Args, options: Of): Promise<number> {
  const { events } = await cli
    .client()
    .ask<{ events: EventFacts[] }>('GET', `${placeOf(cli, app, options)}/events`)
  if (cli.out.json) cli.out.data(events)
  else if (events.length === 0) cli.out.say(`No events about ${app} (Kubernetes keeps them for an hour)`)
  else
    cli.out.table(
      events.map(event => [
        ago(event.lastAt, cli.now()),
        { text: event.reason, format: event.type === 'Normal' ? 'dim' : 'yellow' },
        event.object,
        event.count > 1 ? `${event.count}×` : '',
        event.message,
      ]),
    )
  return exitCodes.ok
}

export async function history(cli: Cli, [app]: Args, options: Of & { limit?: string }): Promise<number> {
  const { deploys } = await cli.client().ask<{ deploys: Deploy[] }>('GET', '/v1/deploys', {
    query: { app, environment: options.environment, limit: options.limit },
  })
  if (cli.out.json) cli.out.data(deploys)
  else if (deploys.length === 0)
    cli.out.say(`${app} was never deployed${options.environment ? ` to ${options.environment}` : ''}`)
  else cli.out.table(deploys.map(deploy => historyRow(deploy, cli.now())))
  return exitCodes.ok
}

function historyRow(deploy: Deploy, now: number): Cell[] {
  const { source } = deploy
  return [
    deploy.id,
    deploy.environment,
    deploy.kind,
    deploy.revision || '-',
    {
      text: phaseText(deploy.phase),
      format: deploy.phase === 'succeeded' ? 'green' : isOver(deploy.phase) ? 'red' : 'cyan',
    },
    took(lasted(deploy, now)),
    ago(deploy.requestedAt, now),
    deploy.requestedBy.name,
    [source.job, source.build === null ? '' : `#${source.build}`, source.note].filter(Boolean).join(' '),
  ]
}

export async function cluster(cli: Cli): Promise<number> {
  const { clusters } = await cli.client().ask<{ clusters: ClusterInfo[] }>('GET', '/v1/clusters')
  if (cli.out.json) cli.out.data(clusters)
  else
    for (const one of clusters) {
      const state = one.reachable ? one.version : `not reachable: ${one.message}`
      cli.out.table([[{ text: one.name, format: 'bold' }, state, one.environments.join(', ')]])
      cli.out.table(
        one.nodes.map(node => [
          `  ${node.name}`,
          { text: node.ready ? 'ready' : 'not ready', format: node.ready ? 'green' : 'red' },
          node.version,
          `${node.cpu} cpu`,
          `${node.memory} memory`,
          `${node.pods} pods`,
          node.roles,
        ]),
      )
    }
  return exitCodes.ok
}
