// One app's view of the shared watches: its workload, replica sets, pods, endpoints and claims as one `Observed`.
// It only filters what is already in memory; shared-watch.ts fetches, core/rollout.ts judges.
import type { Observed, Observer, PodFacts, WorkloadFacts } from '../../core/cluster.ts'
import { appLabel } from '../../core/objects/labels.ts'
import type { ClaimFacts, SliceFacts } from './projection.ts'
import type { Kept, SharedWatch } from './shared-watch.ts'
import type { Facts, Watches } from './watches.ts'

type Scope = {
  readonly namespace: string
  readonly app: string
  readonly workload: { readonly apiVersion: string; readonly kind: string; readonly name: string }
  readonly podLabels?: Readonly<Record<string, string>>
}

/** A workload of no known kind (a custom resource) is judged by its pods alone. */
const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job', 'ReplicationController']

/** Starts (or joins) the watches an app needs. */
export function observeApp(watches: Watches, scope: Scope, changed: () => void): Observer {
  const { kind, name } = scope.workload
  const kinds = [
    ...(workloadKinds.includes(kind) ? [kind] : []),
    ...(kind === 'Deployment' ? ['ReplicaSet'] : []),
    'Pod',
    ...(kind === 'Job' || kind === 'CronJob' ? [] : ['EndpointSlice']),
    'PersistentVolumeClaim',
  ]
  const { podLabels } = scope
  const held = kinds.map(one => ({
    kind: one,
    ...watches.use(scope.namespace, one, one === 'Pod' ? podLabels : undefined),
  }))
  const ofKind = (one: string): SharedWatch<Facts> | undefined => held.find(use => use.kind === one)?.watch

  let stopped = false
  let scheduled = false
  let current: Observed | null = null
  let stale = true

  /** Several changes of one moment are told once. */
  function notify(): void {
    stale = true
    if (scheduled || stopped) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      if (!stopped) changed()
    })
  }

  const isOurs = ({ meta, facts }: Kept<Facts>): boolean => {
    const { metadata } = meta
    if (metadata.namespace !== scope.namespace) return false
    if (metadata.labels?.[appLabel] === scope.app || (podLabels && facts.pod)) return true
    return facts.workload?.kind === kind && metadata.name === name
  }
  const unsubscribe = held.map(({ watch }) => watch.listen(item => isOurs(item) && notify()))
  // The first lists do not always bring an object of this app.
  for (const { watch } of held) void watch.firstAnswer.then(notify)

  const ours = (one: string): Facts[] => [...candidates(one)].filter(isOurs).map(item => item.facts)

  /** By its label; by its name the workload alone; pods of other labels have a watch of their own. */
  function candidates(one: string): Iterable<Kept<Facts>> {
    const watch = ofKind(one)
    if (!watch) return []
    if (one === 'Pod' && podLabels) return watch.items.values()
    const named = one === kind ? watch.items.get(`${scope.namespace}/${name}`) : undefined
    return new Set([...watch.ofApp(scope.app), ...(named ? [named] : [])])
  }

  function read(): Observed | null {
    if (!held.every(({ watch }) => watch.synced() || isOptional(watch))) return null
    const workloads = ours(kind).flatMap(({ workload }) => (workload?.name === name ? [workload] : []))
    const replicaSets = ours('ReplicaSet')
      .flatMap(({ workload }): WorkloadFacts[] => (workload ? [workload] : []))
      .filter(set => set.owner === name)
    return {
      workload: workloads[0] ?? null,
      replicaSets,
      pods: ours('Pod')
        .flatMap(({ pod }): PodFacts[] => (pod ? [pod] : []))
        .filter(pod => isOwned(pod, scope.workload, replicaSets)),
      endpoints: endpointsOf(ours('EndpointSlice').flatMap(({ slice }) => (slice ? [slice] : []))),
      claims: ours('PersistentVolumeClaim').flatMap(({ claim }): ClaimFacts[] => (claim ? [claim] : [])),
    }
  }

  return {
    current: () => {
      if (stale) {
        current = read()
        stale = current === null
      }
      return current
    },
    problem: () => held.map(({ watch }) => watch.problem()).find(problem => problem !== null) ?? null,
    stop: () => {
      stopped = true
      for (const off of unsubscribe) off()
      for (const { release } of held) release()
    },
  }
}

/** Claims are evidence, not the verdict: a role that may not list them does not stop a rollout. */
const isOptional = (watch: SharedWatch<Facts>): boolean =>
  watch.resource.kind === 'PersistentVolumeClaim' && watch.problem() !== null

/** Pods of hooks, of one-off Jobs and of an app's other workloads carry the same labels. */
function isOwned(
  { owner }: PodFacts,
  workload: Scope['workload'],
  replicaSets: readonly WorkloadFacts[],
): boolean {
  if (!owner) return false
  if (workload.kind === 'Deployment') return replicaSets.some(set => set.uid === owner.uid)
  if (workload.kind === 'CronJob') return owner.kind === 'Job' && owner.name.startsWith(`${workload.name}-`)
  if (workloadKinds.includes(workload.kind))
    return owner.kind === workload.kind && owner.name === workload.name
  return true
}

/** A dual-stack Service has slices per address family with the same pods in them: the larger counts. */
function endpointsOf(slices: readonly SliceFacts[]): Observed['endpoints'] {
  const families = new Map<string, { service: string; port: string; ready: number }>()
  for (const { service, addressType, ports, ready } of slices)
    for (const port of ports) {
      const key = `${service}/${port}/${addressType}`
      families.set(key, { service, port, ready: (families.get(key)?.ready ?? 0) + ready })
    }
  const endpoints = new Map<string, { service: string; port: string; ready: number }>()
  for (const { service, port, ready } of families.values()) {
    const key = `${service}/${port}`
    endpoints.set(key, { service, port, ready: Math.max(ready, endpoints.get(key)?.ready ?? 0) })
  }
  return [...endpoints.values()]
}
