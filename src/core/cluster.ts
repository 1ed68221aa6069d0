// What the core needs of one Kubernetes cluster: writes that can be fenced, and facts to judge a rollout by.
// Shapes only; rollout.ts judges the facts, objects.ts renders what is written, adapters/kubernetes/ does it.

/** Any Kubernetes object as JSON. */
export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly generation?: number
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

export type ObjectRef = {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** One operation of a JSON patch (RFC 6902). */
export type JsonOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }

/** What the server answered to a write, with its `Warning` headers (PodSecurity and others). */
export type Written = { readonly object: KubeObject; readonly warnings: readonly string[] }

export const clusterErrorKinds = [
  'not_found',
  'already_exists',
  /** The resourceVersion or a precondition did not match. */
  'stale',
  /** Another field manager owns a field (`managers` and `fields` say which). */
  'field_conflict',
  'invalid',
  'forbidden',
  'unauthorized',
  'gone',
  'too_many_requests',
  /** No answer, a time-out or a 5xx: the write may or may not have happened. */
  'unavailable',
] as const

/** A refusal or failure of a cluster call. `message` is the server's, shown after redaction. */
export class ClusterError extends Error {
  readonly kind: (typeof clusterErrorKinds)[number]
  readonly status: number
  readonly fields: readonly string[]
  readonly managers: readonly string[]
  constructor(
    kind: (typeof clusterErrorKinds)[number],
    message: string,
    more: { status?: number; fields?: readonly string[]; managers?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'ClusterError'
    this.kind = kind
    this.status = more.status ?? 0
    this.fields = more.fields ?? []
    this.managers = more.managers ?? []
  }
}

/** Trying again can help. */
export const isTransient = (error: unknown): error is ClusterError =>
  error instanceof ClusterError && ['unavailable', 'too_many_requests', 'gone'].includes(error.kind)

/** The state of one container of a pod, projected. */
export type ContainerFacts = {
  readonly name: string
  readonly init: boolean
  readonly image: string
  readonly ready: boolean
  readonly started: boolean
  readonly restarts: number
  readonly state: 'waiting' | 'running' | 'terminated' | 'unknown'
  /** `state.waiting.reason` or `state.terminated.reason`. */
  readonly reason: string
  readonly message: string
  /** The last termination: of `lastState`, or of `state` where it is terminated. */
  readonly exit: {
    readonly code: number
    readonly reason: string
    readonly startedAt: number
    readonly finishedAt: number
  } | null
}

/** A pod, projected to what a verdict needs (2 KB at most). Times are epoch milliseconds. */
export type PodFacts = {
  readonly name: string
  readonly uid: string
  readonly createdAt: number
  readonly terminating: boolean
  readonly phase: string
  readonly reason: string
  readonly message: string
  readonly node: string
  readonly ready: boolean
  readonly readyAt: number | null
  /** `PodScheduled=False`: its reason and message. */
  readonly unscheduled: { readonly reason: string; readonly message: string; readonly since: number } | null
  /** pod-template-hash or controller-revision-hash. */
  readonly templateHash: string
  readonly owner: { readonly kind: string; readonly name: string; readonly uid: string } | null
  /** What fails is always among them; healthy ones of a pod with very many are only counted, in `more`. */
  readonly containers: readonly ContainerFacts[]
  readonly more: { readonly containers: number; readonly ready: number }
}

export type ConditionFacts = {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly since: number
}

/** A Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, CronJob or Job, projected. */
export type WorkloadFacts = {
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  readonly observedGeneration: number
  readonly paused: boolean
  readonly wanted: number
  readonly replicas: number
  readonly updated: number
  readonly ready: number
  readonly available: number
  readonly partition: number
  readonly onDelete: boolean
  readonly currentRevision: string
  readonly updateRevision: string
  /** Of a ReplicaSet: its pod-template-hash and its `deployment.kubernetes.io/revision`. */
  readonly templateHash: string
  readonly revision: string
  readonly owner: string
  readonly createdAt: number
  /** When gkube last applied it, by the API server's clock (which also stamps `createdAt` of pods): older pods are not of this rollout. */
  readonly appliedAt: number | null
  readonly conditions: readonly ConditionFacts[]
}

/** Everything seen of one app in one namespace, from the shared watches. */
export type Observed = {
  readonly workload: WorkloadFacts | null
  readonly replicaSets: readonly WorkloadFacts[]
  readonly pods: readonly PodFacts[]
  /** Ready addresses per Service port name, over all EndpointSlices of the app's Services. */
  readonly endpoints: readonly { readonly service: string; readonly port: string; readonly ready: number }[]
  readonly claims: readonly { readonly name: string; readonly phase: string; readonly since: number }[]
}

export type EventFacts = {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly object: string
  readonly count: number
  readonly lastAt: number
}

export type LogOptions = {
  readonly container?: string
  readonly previous?: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
  readonly limitBytes?: number
  readonly timestamps?: boolean
}

export type Observer = {
  /** The latest facts; null until the first list arrived. */
  current(): Observed | null
  /** Why the facts are missing or may be old (no answer, no right to list), in words; null when the watches run. */
  problem(): string | null
  stop(): void
}

/** One cluster. Every call has a time-out; failures are ClusterError. */
export type Cluster = {
  readonly name: string
  /** A live read. */
  get(ref: ObjectRef): Promise<KubeObject | null>
  /** Metadata only: what the shared watch last saw of an object it watches, else a live read. May be stale: only a resourceVersion from it makes a write safe. */
  peek(ref: ObjectRef): Promise<KubeObject | null>
  create(object: KubeObject, options?: { dryRun?: boolean }): Promise<Written>
  /** Server-side apply as manager `gkube` (or the one named). A `metadata.resourceVersion` in the object is the fence. */
  apply(
    object: KubeObject,
    options?: { dryRun?: boolean; force?: boolean; manager?: string },
  ): Promise<Written>
  /** A merge patch of metadata (epoch stamps); the resourceVersion is the fence. */
  stamp(
    ref: ObjectRef,
    annotations: Readonly<Record<string, string>>,
    resourceVersion: string,
  ): Promise<Written>
  /** A JSON patch; an operation on `/metadata/resourceVersion` is the fence. */
  patch(
    ref: ObjectRef,
    operations: readonly JsonOperation[],
    options?: { dryRun?: boolean },
  ): Promise<Written>
  /** Deletes; an object that is already gone is no error, one that changed is `stale`. */
  remove(
    ref: ObjectRef,
    preconditions: {
      uid?: string
      resourceVersion?: string
      propagation?: 'Background' | 'Foreground' | 'Orphan'
    },
  ): Promise<void>
  list(query: {
    apiVersion: string
    kind: string
    namespace?: string
    labels?: Readonly<Record<string, string>>
    limit?: number
  }): Promise<KubeObject[]>
  /** Watches an app's workload, pods and endpoints by shared watches; `changed` is called (coalesced) after each change. */
  observe(
    scope: {
      namespace: string
      app: string
      workload: { apiVersion: string; kind: string; name: string }
      /** Pods that do not carry gkube's labels: how they are found instead. */
      podLabels?: Readonly<Record<string, string>>
    },
    changed: () => void,
  ): Observer
  /** Events about an app's objects, newest last. Read only for a diagnosis or when a person asks. */
  events(namespace: string, names: readonly string[]): Promise<EventFacts[]>
  /** A container's log, whole (bounded by `limitBytes`). */
  logs(namespace: string, pod: string, options: LogOptions): Promise<string>
  /** Follows a container's log until it ends or the signal aborts. */
  followLogs(
    namespace: string,
    pod: string,
    options: LogOptions & { signal: AbortSignal },
  ): AsyncIterable<string>
  /** Runs a command in a container; ends with its exit code. */
  exec(
    namespace: string,
    pod: string,
    options: {
      container?: string
      command: readonly string[]
      signal: AbortSignal
      output: (text: string, stream: 'stdout' | 'stderr') => void
    },
  ): Promise<number>
  /** The server's version and what it can do; cached. */
  server(): Promise<{ readonly version: string; readonly minor: number }>
}

/** Which object an API call is about, in one line: `Deployment shop/web`. */
export const nameOf = (ref: ObjectRef | KubeObject): string => {
  const { name, namespace } = 'metadata' in ref ? ref.metadata : (ref as ObjectRef)
  return `${ref.kind} ${namespace ? `${namespace}/` : ''}${name}`
}

/** The reference of an object. */
export const refOf = (object: KubeObject): ObjectRef => ({
  apiVersion: object.apiVersion,
  kind: object.kind,
  namespace: object.metadata.namespace,
  name: object.metadata.name,
})
