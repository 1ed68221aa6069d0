// Objects as they arrive from a watch, cut to the facts of core/cluster.ts (2 KB at most): what is not needed
// for a verdict or a `peek` is never kept. Pure; times become epoch milliseconds of the server's clocks.
import type {
  ConditionFacts,
  ContainerFacts,
  EventFacts,
  KubeObject,
  PodFacts,
  WorkloadFacts,
} from '../../core/cluster.ts'

// biome-ignore lint/suspicious/noExplicitAny: objects arrive as untyped JSON; every field is read with a default
type Json = any

const time = (text: unknown): number => (typeof text === 'string' ? Date.parse(text) || 0 : 0)
const cut = (text: unknown, most: number): string => String(text ?? '').slice(0, most)

const droppedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'
const longestAnnotation = 256

/** Labels and annotations that fit: long values are somebody's data, not state. */
function short(map: Json, most: number): Record<string, string> {
  const entries = Object.entries<Json>(map ?? {}).filter(
    ([key, value]) => key !== droppedAnnotation && String(value).length <= longestAnnotation,
  )
  return Object.fromEntries(entries.slice(0, most))
}

/** What `peek` returns: identity, version and labels of an object, without spec and status. */
export function metadataOf(object: Json, type: { apiVersion: string; kind: string }): KubeObject {
  const { metadata } = object
  return {
    apiVersion: type.apiVersion,
    kind: type.kind,
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      resourceVersion: metadata.resourceVersion,
      generation: metadata.generation,
      labels: short(metadata.labels, 24),
      annotations: short(metadata.annotations, 24),
      ...(metadata.deletionTimestamp ? { deletionTimestamp: metadata.deletionTimestamp } : {}),
    },
  }
}

const ownerOf = (metadata: Json): Json =>
  metadata.ownerReferences?.find((owner: Json) => owner.controller) ?? null

const shownLabels =
  /^(app\.kubernetes\.io\/|gkube\.|pod-template-hash$|controller-revision-hash$|pod-template-generation$)/

export function podFacts(pod: Json): PodFacts {
  const { metadata, status = {}, spec = {} } = pod
  const owner = ownerOf(metadata)
  const labels: Record<string, string> = metadata.labels ?? {}
  const condition = (type: string): Json => status.conditions?.find((c: Json) => c.type === type)
  const ready = condition('Ready')
  const scheduled = condition('PodScheduled')
  const images = new Map<string, string>(
    [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map((c: Json) => [c.name, c.image]),
  )
  const facts = (init: boolean) => (container: Json) => containerFacts(container, init, images)
  return {
    name: metadata.name,
    uid: metadata.uid,
    createdAt: time(metadata.creationTimestamp),
    terminating: Boolean(metadata.deletionTimestamp),
    phase: cut(status.phase, 20),
    reason: cut(status.reason, 60),
    message: cut(status.message, 300),
    node: cut(spec.nodeName, 253),
    ready: ready?.status === 'True',
    readyAt: ready?.status === 'True' ? time(ready.lastTransitionTime) : null,
    unscheduled:
      scheduled?.status === 'False'
        ? {
            reason: cut(scheduled.reason, 60),
            message: cut(scheduled.message, 300),
            since: time(scheduled.lastTransitionTime),
          }
        : null,
    templateHash: labels['pod-template-hash'] ?? labels['controller-revision-hash'] ?? '',
    owner: owner ? { kind: owner.kind, name: owner.name, uid: owner.uid } : null,
    labels: Object.fromEntries(Object.entries(labels).filter(([key]) => shownLabels.test(key))),
    containers: [
      ...(status.initContainerStatuses ?? []).map(facts(true)),
      ...(status.containerStatuses ?? []).map(facts(false)),
    ].slice(0, 10),
  }
}

function containerFacts(container: Json, init: boolean, images: ReadonlyMap<string, string>): ContainerFacts {
  const state = container.state ?? {}
  const name = (['waiting', 'running', 'terminated'] as const).find(one => state[one]) ?? 'unknown'
  const detail = state.waiting ?? state.terminated ?? {}
  const exit = state.terminated ?? container.lastState?.terminated
  return {
    name: container.name,
    init,
    image: cut(images.get(container.name) ?? container.image, 300),
    ready: container.ready === true,
    started: container.started === true,
    restarts: container.restartCount ?? 0,
    state: name,
    reason: cut(detail.reason, 60),
    message: cut(detail.message, 300),
    exit: exit
      ? {
          code: exit.exitCode ?? 0,
          reason: cut(exit.reason, 60),
          startedAt: time(exit.startedAt),
          finishedAt: time(exit.finishedAt),
        }
      : null,
  }
}

/** Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, CronJob, Job. */
export function workloadFacts(object: Json, kind: string): WorkloadFacts {
  const { metadata, spec = {}, status = {} } = object
  const labels: Record<string, string> = metadata.labels ?? {}
  const annotations: Record<string, string> = metadata.annotations ?? {}
  const generation: number = metadata.generation ?? 1
  return {
    kind,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation,
    // Jobs and CronJobs do not say what they observed.
    observedGeneration: kind === 'Job' || kind === 'CronJob' ? generation : (status.observedGeneration ?? 0),
    paused: spec.paused === true || spec.suspend === true,
    ...counts(kind, spec, status),
    partition: spec.updateStrategy?.rollingUpdate?.partition ?? 0,
    onDelete: spec.updateStrategy?.type === 'OnDelete',
    currentRevision: status.currentRevision ?? '',
    updateRevision: status.updateRevision ?? '',
    templateHash: labels['pod-template-hash'] ?? '',
    revision: annotations['deployment.kubernetes.io/revision'] ?? '',
    owner: ownerOf(metadata)?.name ?? '',
    createdAt: time(metadata.creationTimestamp),
    appliedAt: appliedAt(metadata),
    annotations: short(annotations, 16),
    conditions: (status.conditions ?? []).slice(0, 8).map(conditionFacts),
  }
}

function counts(kind: string, spec: Json, status: Json) {
  if (kind === 'DaemonSet')
    return {
      wanted: status.desiredNumberScheduled ?? 0,
      replicas: status.currentNumberScheduled ?? 0,
      updated: status.updatedNumberScheduled ?? 0,
      ready: status.numberReady ?? 0,
      available: status.numberAvailable ?? 0,
    }
  if (kind === 'Job')
    return {
      wanted: spec.completions ?? 1,
      replicas: status.active ?? 0,
      updated: status.active ?? 0,
      ready: status.succeeded ?? 0,
      available: status.succeeded ?? 0,
    }
  return {
    wanted: spec.replicas ?? (kind === 'CronJob' ? 0 : 1),
    replicas: status.replicas ?? 0,
    // A ReplicationController has no revisions: whatever runs is what it makes.
    updated: (kind === 'ReplicationController' ? status.replicas : status.updatedReplicas) ?? 0,
    ready: status.readyReplicas ?? 0,
    available: status.availableReplicas ?? 0,
  }
}

const conditionFacts = (condition: Json): ConditionFacts => ({
  type: cut(condition.type, 60),
  status: cut(condition.status, 10),
  reason: cut(condition.reason, 60),
  message: cut(condition.message, 300),
  since: time(condition.lastUpdateTime ?? condition.lastTransitionTime),
})

/** Its last apply; where there is none yet its creation. Stamps (`Update`) only change annotations. */
function appliedAt(metadata: Json): number | null {
  const own = (metadata.managedFields ?? []).filter(
    (entry: Json) => entry.manager === 'gkube' && !entry.subresource,
  )
  const applied = own.filter((entry: Json) => entry.operation === 'Apply')
  const times = (applied.length > 0 ? applied : own).map((entry: Json) => time(entry.time))
  return times.length > 0 ? Math.max(...times) : null
}

export type SliceFacts = {
  readonly service: string
  readonly addressType: string
  readonly ports: readonly string[]
  readonly ready: number
}

/** An EndpointSlice: how many addresses are ready, behind which ports of which Service. */
export function sliceFacts(slice: Json): SliceFacts {
  const endpoints: Json[] = slice.endpoints ?? []
  return {
    service: slice.metadata.labels?.['kubernetes.io/service-name'] ?? ownerOf(slice.metadata)?.name ?? '',
    addressType: slice.addressType ?? 'IPv4',
    ports: (slice.ports ?? []).map((port: Json) => port.name ?? ''),
    // No `ready` condition means unknown, which the API tells consumers to take as ready.
    ready: endpoints.filter(endpoint => endpoint.conditions?.ready !== false).length,
  }
}

export type ClaimFacts = { readonly name: string; readonly phase: string; readonly since: number }

export const claimFacts = (claim: Json): ClaimFacts => ({
  name: claim.metadata.name,
  phase: cut(claim.status?.phase ?? 'Pending', 20),
  since: time(claim.metadata.creationTimestamp),
})

export function eventFacts(event: Json): EventFacts {
  const about = event.involvedObject ?? event.regarding ?? {}
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime
  return {
    type: cut(event.type, 20),
    reason: cut(event.reason, 100),
    message: cut(event.message ?? event.note, 1000),
    object: `${cut(about.kind, 60)} ${cut(about.name, 253)}`,
    count: event.series?.count ?? event.count ?? 1,
    lastAt: time(last ?? event.firstTimestamp ?? event.metadata.creationTimestamp),
  }
}
