// What runs now: workloads beside what the cluster shows, pods, events, logs, clusters. Reads only, from the shared
// watches where they run.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Cluster, ClusterError, type KubeObject, type Observed, type PodFacts } from '../cluster.ts'
import type { Caller, ClusterInfo, Core, LogsInput, Status } from '../core.ts'
import type { Deploy } from '../deploy.ts'
import { specIfReadable } from '../frozen.ts'
import { watchedOf } from '../inventory.ts'
import type { Entry } from '../kv.ts'
import { demand } from '../policy.ts'
import { heldBy } from '../queue.ts'
import { decode, decodeAll } from '../records.ts'
import { redactText as redact } from '../redact.ts'
import { seconds } from '../units.ts'
import { type Workload, workloadSchema } from '../workload.ts'
import { appNamed } from './apps.ts'
import { clusterOf, type Deps, environmentNamed } from './deps.ts'
import { type Drifts, driftIfKnown, drifts } from './drift.ts'
import { freezeOf } from './freezes.ts'
import { demandLook, mayLook } from './sight.ts'

/** A first list of a watch takes this long at most; then what is known is shown. */
const firstLookMs = 3_000

/** The workload of an app in an environment, with its cluster; UserError if nothing runs there. */
export async function workloadNamed(
  deps: Deps,
  caller: Caller,
  place: { app: string; environment: string },
): Promise<{ workload: Workload; cluster: Cluster }> {
  const environment = environmentNamed(deps, place.environment)
  demandLook(deps, caller, place)
  const entry = await deps.kv.get(deps.keys.workload(place.environment, place.app))
  if (!entry) {
    await appNamed(deps, place.app)
    throw new UserError(
      'not_found',
      `${place.app} does not run in ${place.environment}. Deploy it: gkube deploy ${place.app} <revision> --environment ${place.environment}`,
    )
  }
  const workload = decode(workloadSchema, entry).value
  // Where it runs, even if the environment has another cluster by now.
  return { workload, cluster: clusterOf(deps, { ...environment, cluster: workload.cluster }) }
}

/** One look through the shared watch; null if the cluster does not answer in time. */
export async function lookAt(
  deps: Pick<Deps, 'clock' | 'specs' | 'log'>,
  cluster: Cluster,
  workload: Workload,
): Promise<{ observed: Observed | null; problem: string | null }> {
  const scope = watchedOf(workload, await specIfReadable(deps.specs, workload.spec, deps.log))
  if (!scope) return { observed: null, problem: null }
  const wake = new AbortController()
  const observer = cluster.observe(scope, () => {
    if (observer.current()) wake.abort()
  })
  try {
    if (!observer.current()) await deps.clock.sleep(firstLookMs, wake.signal)
    return { observed: observer.current(), problem: observer.problem() }
  } finally {
    observer.stop()
  }
}

export function look(
  deps: Deps,
): Pick<Core, 'status' | 'pods' | 'events' | 'deletePod' | 'clusters' | 'health'> {
  const { kv, keys, clock } = deps
  const get = (hash: string) => specIfReadable(deps.specs, hash, deps.log)
  const driftsOf = drifts({ specs: { get }, environment: name => deps.environments.get(name) })
  return {
    async status(caller, { app, environment }) {
      if (environment) environmentNamed(deps, environment)
      if (app) demandLook(deps, caller, { app, environment: environment ?? null })
      const entries = await workloadEntries(deps, app, environment)
      const found = decodeAll(workloadSchema, entries, error =>
        deps.log('a workload was left out of the status', error),
      )
        .map(stored => stored.value)
        .filter(workload => (!app || workload.app === app) && mayLook(deps, caller, workload))
      if (app && found.length === 0) await appNamed(deps, app)
      const order = [...deps.environments.keys()]
      const rank = (workload: Workload) => order.indexOf(workload.environment)
      const sorted = found.toSorted((a, b) => a.app.localeCompare(b.app) || rank(a) - rank(b))
      return Promise.all(sorted.map(workload => statusOf(deps, driftsOf, workload)))
    },
    async pods(caller, place) {
      const { workload, cluster } = await workloadNamed(deps, caller, place)
      return podsOf(deps, cluster, workload)
    },
    async events(caller, place) {
      const { workload, cluster } = await workloadNamed(deps, caller, place)
      const { observed } = await lookAt(deps, cluster, workload)
      const names = [
        ...workload.inventory.map(item => item.name),
        ...(observed?.replicaSets ?? []).map(set => set.name),
        ...(observed?.pods ?? []).map(pod => pod.name),
      ]
      return cluster.events(workload.namespace, [...new Set(names)])
    },
    async deletePod(caller, { app, environment, pod }) {
      const env = environmentNamed(deps, environment)
      demand(caller, 'delete_pod', { app, environment: env }, deps.people)
      const { workload, cluster } = await workloadNamed(deps, caller, { app, environment })
      const found = podNamed(await podsOf(deps, cluster, workload), pod, app)
      // Before it goes: an effect without its entry would be worse than an entry without its effect.
      const entry = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'delete_pod',
        outcome: 'deleted',
        app,
        environment,
        detail: pod,
      })
      await kv.commit({ compares: [{ kind: 'absent', key: entry.key }], writes: [entry] })
      await cluster.remove(
        { apiVersion: 'v1', kind: 'Pod', namespace: workload.namespace, name: found.name },
        { uid: found.uid },
      )
    },
    async clusters(caller) {
      demand(caller, 'view', {}, deps.people)
      return Promise.all([...deps.clusters.values()].map(cluster => clusterInfo(deps, cluster)))
    },
    async health() {
      const etcd = kv.get(keys.lockAll).then(
        () => ({ name: 'etcd', ok: true, message: '' }),
        (error: Error) => ({ name: 'etcd', ok: false, message: error.message }),
      )
      const clusters = [...deps.clusters.values()].map(cluster =>
        cluster.server().then(
          ({ version }) => ({ name: `cluster ${cluster.name}`, ok: true, message: version }),
          (error: Error) => ({ name: `cluster ${cluster.name}`, ok: false, message: error.message }),
        ),
      )
      const checks = await Promise.all([etcd, ...clusters])
      // One cluster that is down must not take the bot away from the others.
      return { ok: checks[0]?.ok ?? false, checks }
    },
  }
}

/** Pods that exist now, newest first. */
export async function podsOf(deps: Deps, cluster: Cluster, workload: Workload): Promise<PodFacts[]> {
  const { observed, problem } = await lookAt(deps, cluster, workload)
  if (!observed)
    throw new UserError(
      'unavailable',
      `Cluster ${cluster.name} does not answer${problem ? ` (${problem})` : ''}. Try again in a minute.`,
    )
  return observed.pods.toSorted((a, b) => b.createdAt - a.createdAt || a.name.localeCompare(b.name))
}

export function podNamed(pods: readonly PodFacts[], name: string, app: string): PodFacts {
  const found = pods.find(pod => pod.name === name)
  if (found) return found
  throw new UserError(
    'not_found',
    `${name} is not a pod of ${app}. Its pods: ${pods.map(pod => pod.name).join(', ') || 'none'}.`,
  )
}

/** Of one app only its own records are read and parsed: there may be hundreds of others. */
async function workloadEntries(
  { kv, keys, environments, view }: Pick<Deps, 'kv' | 'keys' | 'environments' | 'view'>,
  app: string | undefined,
  environment: string | undefined,
): Promise<readonly Entry[]> {
  if (!app) return (await kv.list(environment ? keys.workloadsIn(environment) : keys.workloads)).entries
  // Where it ever ran `active` is kept: an environment that is not configured any more is still looked into.
  const end = `/${app}`
  const ran = [...view.live.active.keys()].flatMap(key =>
    key.endsWith(end) ? [key.slice(keys.actives.length, -end.length)] : [],
  )
  const names = environment ? [environment] : new Set([...environments.keys(), ...ran])
  return [...(await kv.getMany([...names].map(name => keys.workload(name, app)))).values()]
}

/** Of hundreds that are open no lists are made. */
function openAt({ view }: Pick<Deps, 'view'>, at: { app: string; environment: string }): readonly Deploy[] {
  const found: Deploy[] = []
  for (const { value } of view.live.deploys.values())
    if (value.app === at.app && value.environment === at.environment) found.push(value)
  return found
}

async function statusOf(deps: Deps, driftsOf: Drifts, workload: Workload): Promise<Status> {
  const { live } = deps.view
  const { app, environment } = workload
  const locks = [...live.locks.values()].map(stored => stored.value)
  const running = openAt(deps, workload)
  const current = running.find(d => d.phase === 'running' || d.phase === 'rolling_back') ?? running[0] ?? null
  const facts = {
    workload,
    current: current
      ? { id: current.id, kind: current.kind, revision: current.revision, phase: current.phase }
      : null,
    lock: heldBy(locks, { app, environment }, deps.clock.now()),
    freeze: freezeOf(deps, environment),
  }
  const cluster = deps.clusters.get(workload.cluster)
  if (!cluster) {
    return {
      ...facts,
      ready: null,
      wanted: null,
      health: 'unknown',
      message: `cluster ${workload.cluster} is not configured`,
      drift: [],
    }
  }
  const { observed, problem } = await lookAt(deps, cluster, workload)
  const writing = running.some(d => d.phase === 'running' || d.phase === 'rolling_back')
  const drift = writing || !observed ? [] : await driftIfKnown(driftsOf, cluster, workload)
  const seen = observed?.workload
  if (!seen) {
    const message =
      problem ?? (observed ? 'the workload is not on the cluster' : 'the cluster does not answer')
    const health = observed ? 'failed' : 'unknown'
    return { ...facts, ready: null, wanted: null, health, message, drift }
  }
  const { ready, wanted } = seen
  const settled = seen.observedGeneration >= seen.generation && seen.updated >= wanted
  const health = ready >= wanted && settled ? 'ready' : current || ready > 0 ? 'progressing' : 'failed'
  return { ...facts, ready, wanted, health, message: problem ?? `${ready}/${wanted} ready`, drift }
}

async function clusterInfo(deps: Deps, cluster: Cluster): Promise<ClusterInfo> {
  const environments = [...deps.environments.values()]
    .filter(e => e.cluster === cluster.name)
    .map(e => e.name)
  try {
    const { version } = await cluster.server()
    const nodes = await cluster.list({ apiVersion: 'v1', kind: 'Node' }).catch(error => {
      if (error instanceof ClusterError && error.kind === 'forbidden') return null
      throw error
    })
    const message = nodes ? '' : 'gkube may not list nodes here'
    return {
      name: cluster.name,
      version,
      reachable: true,
      message,
      environments,
      nodes: (nodes ?? []).map(nodeInfo),
    }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return {
      name: cluster.name,
      version: '',
      reachable: false,
      message: error.message,
      environments,
      nodes: [],
    }
  }
}

type NodeShape = {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly nodeInfo?: { readonly kubeletVersion?: string }
    readonly allocatable?: Readonly<Record<string, string>>
  }
}

function nodeInfo(node: KubeObject): ClusterInfo['nodes'][number] {
  const { status } = node as KubeObject & NodeShape
  const roles = Object.keys(node.metadata.labels ?? {})
    .filter(key => key.startsWith('node-role.kubernetes.io/'))
    .map(key => key.slice('node-role.kubernetes.io/'.length))
  return {
    name: node.metadata.name,
    ready:
      status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') ??
      false,
    version: status?.nodeInfo?.kubeletVersion ?? '',
    cpu: status?.allocatable?.cpu ?? '',
    memory: status?.allocatable?.memory ?? '',
    pods: Number(status?.allocatable?.pods ?? 0),
    roles: roles.join(','),
  }
}

export function logs(deps: Deps): Pick<Core, 'logs' | 'followLogs'> {
  return {
    async logs(caller, input) {
      const { cluster, workload, targets } = await logTargets(deps, caller, input)
      const options = {
        previous: input.previous,
        tailLines: input.tail,
        sinceSeconds: since(input),
        limitBytes: 1_000_000,
      }
      return Promise.all(
        targets.map(async target => {
          const text = await cluster
            .logs(workload.namespace, target.pod, { ...options, container: target.container })
            .catch(unreadableLog)
          return { ...target, text: redact(text) }
        }),
      )
    },
    async *followLogs(caller, input, signal) {
      const { cluster, workload, targets } = await logTargets(deps, caller, input)
      const [target, ...others] = targets
      if (!target) return
      const options = {
        container: target.container,
        previous: input.previous,
        tailLines: input.tail,
        sinceSeconds: since(input),
        signal,
      }
      if (others.length > 0) {
        const names = others.map(other => other.pod).join(', ')
        yield { ...target, text: `following ${target.pod}; also running: ${names} (choose with --pod)\n` }
      }
      for await (const text of cluster.followLogs(workload.namespace, target.pod, options))
        yield { ...target, text: redact(text) }
    },
  }
}

const since = (input: LogsInput): number | undefined => (input.since ? seconds(input.since) : undefined)

function unreadableLog(error: unknown): string {
  if (error instanceof ClusterError && error.kind !== 'unavailable') return `(no log: ${error.message})\n`
  throw error
}

async function logTargets(deps: Deps, caller: Caller, input: LogsInput) {
  const { workload, cluster } = await workloadNamed(deps, caller, input)
  const pods = await podsOf(deps, cluster, workload)
  if (pods.length === 0)
    throw new UserError(
      'not_found',
      `${input.app} has no pods in ${input.environment} now. See: gkube events ${input.app} --environment ${input.environment}`,
    )
  const chosen = input.pod ? [podNamed(pods, input.pod, input.app)] : pods.slice(0, 10)
  const targets = chosen.map(pod => {
    const names = pod.containers.map(container => container.name)
    const container =
      input.container ??
      pod.containers.find(c => !c.init && c.name === input.app)?.name ??
      pod.containers.find(c => !c.init)?.name ??
      ''
    if (!names.includes(container) && pod.more.containers === 0)
      throw new UserError(
        'not_found',
        `${pod.name} has no container ${container}. It has: ${names.join(', ')}.`,
      )
    return { pod: pod.name, container }
  })
  return { workload, cluster, targets }
}
