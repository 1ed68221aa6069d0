// Objects as they arrive from a watch, cut to the facts of core/cluster.ts: what is not needed for a verdict or a
// `peek` is never kept, and `kept` holds metadata and facts together below 2 KB, whatever a server sends: long messages
// go first, then what is healthy; what fails is told to the end. Pure; times become epoch milliseconds of the server's.
import type {
  ConditionFacts,
  ContainerFacts,
  EventFacts,
  KubeObject,
  PodFacts,
  WorkloadFacts,
} from '../../core/cluster.ts'
import { appLabel, managedBy } from '../../core/objects/labels.ts'

// biome-ignore lint/suspicious/noExplicitAny: objects arrive as untyped JSON; every field is read with a default
type Json = any

const time = (text: unknown): number => (typeof text === 'string' ? Date.parse(text) || 0 : 0)
const cut = (text: unknown, most: number): string => String(text ?? '').slice(0, most)

/** Bytes of JSON that are kept of one object at most. */
export const mostKept = 2_048
const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** The first of ever shorter versions that fits; the shortest where none does. */
function fitting<T>(versions: Iterable<T>, room: number): T {
  let shortest: T | undefined
  for (const version of versions) {
    shortest = version
    if (bytes(version) <= room) break
  }
  return shortest as T
}

/** An object's metadata, and its facts in the room that this leaves. */
export function kept<Facts>(
  object: Json,
  type: { apiVersion: string; kind: string },
  facts: (object: Json, kind: string, room: number) => Facts,
): { meta: KubeObject; facts: Facts } {
  const meta = metadataOf(object, type)
  // What its braces and its name take.
  return { meta, facts: facts(object, type.kind, mostKept - bytes(meta) - 40) }
}

/** Ours say whose an object is and who wrote it; others are somebody's data. */
const read = new RegExp(`^(gkube\\.|${managedBy.replaceAll('.', '\\.')}$)`)

const own = (map: Json): Record<string, string> =>
  Object.fromEntries(
    Object.entries<Json>(map ?? {})
      .filter(([key]) => read.test(key))
      .map(([key, value]) => [key, cut(value, 128)]),
  )

/** What `peek` returns: identity, version and gkube's own labels and annotations, without spec and status. */
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
      labels: own(metadata.labels),
      annotations: own(metadata.annotations),
      ...(metadata.deletionTimestamp ? { deletionTimestamp: metadata.deletionTimestamp } : {}),
    },
  }
}

const ownerOf = (metadata: Json): Json =>
  metadata.ownerReferences?.find((owner: Json) => owner.controller) ?? null

/** Within `room` bytes of JSON. */
export function podFacts(pod: Json, room = mostKept): PodFacts {
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
  const containers = [
    ...(status.initContainerStatuses ?? []).map(facts(true)),
    ...(status.containerStatuses ?? []).map(facts(false)),
  ]
  const whole = {
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
    containers,
    more: { containers: 0, ready: 0 },
  }
  return fitting(shorterPods(whole, labels[appLabel] ?? ''), room)
}

/** The same pod, ever shorter. `main` is the container that bears the app's name, if there is one. */
function* shorterPods(pod: PodFacts, main: string): Generator<PodFacts> {
  yield pod
  const brief = (length: number): PodFacts => ({
    ...pod,
    message: cut(pod.message, length),
    unscheduled: pod.unscheduled && { ...pod.unscheduled, message: cut(pod.unscheduled.message, length) },
    containers: pod.containers.map(one => ({
      ...one,
      // An image that cannot be had is named in the diagnosis; others are in the spec.
      image: one.state === 'waiting' ? one.image : '',
      message: cut(one.message, length),
    })),
  })
  yield brief(300)
  yield brief(120)
  const least = brief(120)
  const byWorth = least.containers.toSorted((a, b) => worth(b, main) - worth(a, main))
  for (let count = byWorth.length - 1; count > 0; count--) {
    const listed = new Set(byWorth.slice(0, count))
    const left = least.containers.filter(one => !listed.has(one) && !one.init)
    yield {
      ...least,
      containers: least.containers.filter(one => listed.has(one)),
      more: { containers: left.length, ready: left.filter(one => one.ready).length },
    }
  }
}

/** What fails is told first, then what the app is named after, then what still runs or waits. */
function worth(container: ContainerFacts, main: string): number {
  const { exit, init, name, ready, restarts, state } = container
  const failed = (exit !== null && exit.code !== 0) || restarts > 0 || (state === 'waiting' && !init)
  const over = init && state === 'terminated'
  return (failed ? 8 : 0) + (ready || over ? 0 : 4) + (name === main ? 2 : 0) + (init ? 0 : 1)
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

/** Those that somebody asks for; controllers of others may add theirs. */
const readConditions = [
  'Progressing',
  'Available',
  'ReplicaFailure',
  'Complete',
  'SuccessCriteriaMet',
  'Failed',
]

/** Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, CronJob, Job; within `room` bytes of JSON. */
export function workloadFacts(object: Json, kind: string, room = mostKept): WorkloadFacts {
  const { metadata, spec = {}, status = {} } = object
  const labels: Record<string, string> = metadata.labels ?? {}
  const annotations: Record<string, string> = metadata.annotations ?? {}
  const generation: number = metadata.generation ?? 1
  const conditions = (status.conditions ?? []).filter((one: Json) => readConditions.includes(one.type))
  const whole = {
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
    conditions: conditions.map(conditionFacts) as ConditionFacts[],
  }
  const brief = (length: number): WorkloadFacts => ({
    ...whole,
    conditions: whole.conditions.map(one => ({ ...one, message: cut(one.message, length) })),
  })
  return fitting([whole, brief(150), brief(60)], room)
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
