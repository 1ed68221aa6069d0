// The shared watches of one cluster: started at first need, kept warm after the last use, all ended by close().
// Which kinds are watched and what is kept of each is the table below; observe.ts puts an app together from them.
import type { KubeObject, ObjectRef, PodFacts, WorkloadFacts } from '../../core/cluster.ts'
import { managedBy } from '../../core/objects/labels.ts'
import {
  type ClaimFacts,
  claimFacts,
  kept,
  podFacts,
  type SliceFacts,
  sliceFacts,
  workloadFacts,
} from './projection.ts'
import { knownResource, type Resource } from './resources.ts'
import { type Kept, type SharedWatch, sharedWatch, type WatchTuning } from './shared-watch.ts'
import type { Wire } from './wire.ts'

/** What is kept of an object besides its metadata; each kind fills one field. */
export type Facts = {
  readonly workload?: WorkloadFacts
  readonly pod?: PodFacts
  readonly slice?: SliceFacts
  readonly claim?: ClaimFacts
}

// biome-ignore lint/suspicious/noExplicitAny: objects arrive as untyped JSON
type Json = any
type Projector = (object: Json, kind: string, room: number) => Facts

const workload: Projector = (object, kind, room) => ({ workload: workloadFacts(object, kind, room) })
const nothing: Projector = () => ({})

const watched: Readonly<Record<string, { versions: readonly string[]; facts: Projector }>> = {
  Deployment: { versions: ['apps/v1'], facts: workload },
  StatefulSet: { versions: ['apps/v1'], facts: workload },
  DaemonSet: { versions: ['apps/v1'], facts: workload },
  ReplicaSet: { versions: ['apps/v1'], facts: workload },
  Job: { versions: ['batch/v1'], facts: workload },
  CronJob: { versions: ['batch/v1'], facts: workload },
  ReplicationController: { versions: ['v1'], facts: workload },
  Pod: { versions: ['v1'], facts: (object, _, room) => ({ pod: podFacts(object, room) }) },
  // v1beta1 is for servers before 1.21.
  EndpointSlice: {
    versions: ['discovery.k8s.io/v1', 'discovery.k8s.io/v1beta1'],
    facts: object => ({ slice: sliceFacts(object) }),
  },
  PersistentVolumeClaim: { versions: ['v1'], facts: object => ({ claim: claimFacts(object) }) },
  Service: { versions: ['v1'], facts: nothing },
  ConfigMap: { versions: ['v1'], facts: nothing },
  Ingress: { versions: ['networking.k8s.io/v1'], facts: nothing },
  HorizontalPodAutoscaler: { versions: ['autoscaling/v2'], facts: nothing },
  PodDisruptionBudget: { versions: ['policy/v1'], facts: nothing },
}

const ownSelector = `${managedBy}=gkube`
const selectorOf = (labels: Readonly<Record<string, string>> | undefined): string =>
  labels
    ? Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(',')
    : ownSelector

export type Watches = {
  /**
   * The watch of a kind in a namespace, started if need be; `release` it when done. What gkube did not label itself
   * (pods of an adopted ReplicationController) is watched by the labels that are given.
   */
  use(
    namespace: string,
    kind: string,
    labels?: Readonly<Record<string, string>>,
  ): { watch: SharedWatch<Facts>; release: () => void }
  /** The watch for a `peek`, started if need be and kept warm; null for a kind that is not watched. */
  touch(ref: ObjectRef): SharedWatch<Facts> | null
  /** An own write's answer, given to the watch that will see it. */
  saw(object: KubeObject): void
  /** How many watches run: for metrics. */
  running(): number
}

type Options = {
  readonly wire: Pick<Wire, 'call' | 'stream' | 'error'>
  /** One watch a kind for all namespaces: needs the right to list them cluster-wide. */
  readonly everywhere: boolean
  readonly warmMs: number
  readonly tuning: WatchTuning
  readonly signal: AbortSignal
  readonly log: (problem: string) => void
}

type Entry = {
  readonly watch: SharedWatch<Facts>
  readonly stop: AbortController
  users: number
  idle: NodeJS.Timeout | undefined
}

export function kubernetesWatches(options: Options): Watches {
  const entries = new Map<string, Entry>()
  /** By other labels always in its namespace: a right to watch all others' objects everywhere is not asked for. */
  const isEverywhere = (selector: string) => options.everywhere && selector === ownSelector
  const keyOf = (namespace: string, kind: string, selector = ownSelector) =>
    `${isEverywhere(selector) ? '' : namespace}/${kind}${selector === ownSelector ? '' : `?${selector}`}`

  function start(key: string, namespace: string, kind: string, selector: string): Entry {
    const row = watched[kind]
    const [first, ...more] = (row?.versions ?? []).flatMap(apiVersion => {
      const resource = knownResource({ apiVersion, kind })
      return resource ? [resource] : []
    })
    if (!row || !first) throw new Error(`${kind} is not a kind that is watched`)
    const stop = new AbortController()
    const watch = sharedWatch<Facts>({
      wire: options.wire,
      resources: [first, ...more],
      namespace: isEverywhere(selector) ? '' : namespace,
      selector,
      metadataOnly: row.facts === nothing,
      project: (object: Json): Kept<Facts> => kept(object, first, row.facts),
      signal: AbortSignal.any([options.signal, stop.signal]),
      tuning: options.tuning,
      log: problem => options.log(options.everywhere ? problem : `${namespace}: ${problem}`),
    })
    const entry: Entry = { watch, stop, users: 0, idle: undefined }
    entries.set(key, entry)
    return entry
  }

  /** Ends it when nobody used it for a while. */
  function rest(key: string, entry: Entry): void {
    clearTimeout(entry.idle)
    if (entry.users > 0) return
    entry.idle = setTimeout(() => {
      entries.delete(key)
      entry.stop.abort()
    }, options.warmMs).unref()
  }

  function entryFor(namespace: string, kind: string, selector = ownSelector): [string, Entry] {
    const key = keyOf(namespace, kind, selector)
    const entry = entries.get(key) ?? start(key, namespace, kind, selector)
    clearTimeout(entry.idle)
    return [key, entry]
  }

  return {
    use: (namespace, kind, labels) => {
      const [key, entry] = entryFor(namespace, kind, selectorOf(labels))
      entry.users += 1
      let held = true
      return {
        watch: entry.watch,
        release: () => {
          if (!held) return
          held = false
          entry.users -= 1
          rest(key, entry)
        },
      }
    },
    touch: ref => {
      if (!ref.namespace || !watched[ref.kind]?.versions.includes(ref.apiVersion)) return null
      const [key, entry] = entryFor(ref.namespace, ref.kind)
      rest(key, entry)
      return entry.watch
    },
    saw: object => {
      const entry = entries.get(keyOf(object.metadata.namespace ?? '', object.kind))
      if (entry && object.metadata.labels?.[managedBy] === 'gkube') entry.watch.saw(object)
    },
    running: () => entries.size,
  }
}

/** Exported for rbac.ts and the docs: the kinds that a namespace's watches read. */
export const watchedResources = (): Resource[] =>
  Object.entries(watched).flatMap(([kind, { versions }]) => {
    const resource = knownResource({ apiVersion: versions[0] ?? '', kind })
    return resource ? [resource] : []
  })
