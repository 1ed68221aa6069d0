// The adapter's front: `kubernetesCluster(options)` is the `Cluster` of core/cluster.ts on a real API server.
// Writes carry the caller's fence as it is; nothing here decides what to write. wire.ts talks, watches.ts watches.
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Cluster,
  ClusterError,
  type EventFacts,
  type JsonOperation,
  type KubeObject,
  type ObjectRef,
  type Written,
} from '../../core/cluster.ts'
import { type CredentialSource, kubernetesCredentials } from './credentials.ts'
import { execInPod } from './exec.ts'
import { followLog, readLog } from './logs.ts'
import { observeApp } from './observe.ts'
import { claimFirst, manager, ownedByApply } from './ownership.ts'
import { eventFacts, metadataOf } from './projection.ts'
import { collectionPath, discovery, objectPath, requireNamespace } from './resources.ts'
import { type WatchTuning, watchTuning } from './shared-watch.ts'
import { kubernetesWatches } from './watches.ts'
import { kubernetesWire, type WireRequest, type WireResponse } from './wire.ts'

export type KubernetesOptions = CredentialSource & {
  readonly name: string
  /** Watch each kind once for all namespaces (needs a ClusterRole) instead of once a namespace. */
  readonly watchEverywhere?: boolean
  readonly callTimeoutMs?: number
  /** How long a watch stays after its last use. */
  readonly warmMs?: number
  readonly tuning?: Partial<WatchTuning>
  /** Told once for each new problem of a watch, and where an own field could not be claimed. */
  readonly log: (message: string) => void
}

/** A Cluster with what only its owner (main.ts, benchmarks, tests) calls. */
export type KubernetesCluster = Cluster & {
  /** Requests sent so far, by verb and resource: `patch deployments`. */
  counts(): Readonly<Record<string, number>>
  /** How many watches run now. */
  watching(): number
  /** Starts the watches of these kinds before anybody asks, and resolves when they are filled. */
  warm(namespace: string, kinds: readonly string[]): Promise<void>
  /** Ends every watch, stream and connection. */
  close(): void
}

const mergePatch = 'application/merge-patch+json'
const jsonPatch = 'application/json-patch+json'
const applyPatch = 'application/apply-patch+yaml'
const serverTtlMs = 10 * 60_000
const listPage = 500
/** More names than this are found by one list of the namespace's events instead of one request each. */
const mostNameQueries = 4

/** Reads the credentials now (UserError names what to fix); nothing is sent before the first call. */
export function kubernetesCluster(options: KubernetesOptions): KubernetesCluster {
  const callTimeoutMs = options.callTimeoutMs ?? 10_000
  const wire = kubernetesWire({
    name: options.name,
    credentials: kubernetesCredentials(options),
    callTimeoutMs,
  })
  const resourceOf = discovery(wire)
  const closing = new AbortController()
  const watches = kubernetesWatches({
    wire,
    everywhere: options.watchEverywhere ?? false,
    warmMs: options.warmMs ?? 10 * 60_000,
    tuning: { ...watchTuning, ...options.tuning },
    signal: closing.signal,
    log: options.log,
  })
  let server: { at: number; answer: ReturnType<Cluster['server']> } | null = null

  /** A request about one object; `verb` counts it. */
  async function send(
    verb: string,
    ref: ObjectRef,
    request: Omit<WireRequest, 'path' | 'counter' | 'repeatable'> & { fenced: boolean },
  ): Promise<WireResponse> {
    const resource = await resourceOf(ref)
    requireNamespace(resource, ref.namespace)
    const { fenced, ...rest } = request
    const path =
      request.method === 'POST' ? collectionPath(resource, ref.namespace) : objectPath(resource, ref)
    return wire.call({ ...rest, path, counter: `${verb} ${resource.plural}`, repeatable: fenced })
  }

  async function get(ref: ObjectRef): Promise<KubeObject | null> {
    try {
      return objectIn(await send('get', ref, { method: 'GET', fenced: true }))
    } catch (error) {
      if (error instanceof ClusterError && error.kind === 'not_found') return null
      throw error
    }
  }

  async function peek(ref: ObjectRef): Promise<KubeObject | null> {
    const watch = watches.touch(ref)
    const kept = watch?.live() ? watch.items.get(`${ref.namespace ?? ''}/${ref.name}`) : undefined
    if (kept) return kept.meta
    const object = await get(ref)
    return object && metadataOf(object, ref)
  }

  /** Remembers the answer of a real write for `peek`. */
  function written(response: WireResponse, dryRun: boolean): Written {
    const object = objectIn(response)
    if (!dryRun) watches.saw(object)
    return { object, warnings: response.warnings }
  }

  async function create(object: KubeObject, { dryRun = false } = {}): Promise<Written> {
    const { metadata } = object
    const { resourceVersion: _, managedFields: __, ...rest } = metadata
    const ref = { ...object, namespace: metadata.namespace, name: metadata.name }
    const answer = await send('create', ref, {
      method: 'POST',
      query: { fieldManager: manager, fieldValidation: 'Strict', ...dry(dryRun) },
      body: { ...object, metadata: rest },
      fenced: false,
    })
    const created = written(answer, dryRun)
    if (dryRun || isWrittenOnce(object)) return created
    return { ...created, object: await claim(ref, created.object) }
  }

  /** Makes a created object's fields ours by `Apply`. If that fails, the next apply mends it. */
  async function claim(ref: ObjectRef, created: KubeObject): Promise<KubeObject> {
    const body = claimFirst(managedFieldsOf(created))
    if (!body) return created
    try {
      const query = { fieldManager: manager }
      const answer = await send('patch', ref, {
        method: 'PATCH',
        query,
        body,
        contentType: jsonPatch,
        fenced: true,
      })
      return written(answer, false).object
    } catch (error) {
      options.log(`the fields of ${ref.kind} ${ref.name} are claimed by the next apply: ${wordsOf(error)}`)
      return created
    }
  }

  async function apply(
    object: KubeObject,
    { dryRun = false, force = false, manager: as = manager }: Parameters<Cluster['apply']>[1] = {},
  ): Promise<Written> {
    const ref = { ...object, namespace: object.metadata.namespace, name: object.metadata.name }
    const once = async (version: string | undefined, forced: boolean): Promise<Written> => {
      const { managedFields: _, resourceVersion: __, ...metadata } = object.metadata
      const body = { ...object, metadata: { ...metadata, ...(version ? { resourceVersion: version } : {}) } }
      const answer = await send('patch', ref, {
        method: 'PATCH',
        query: { fieldManager: as, force: forced, ...dry(dryRun) },
        body,
        contentType: applyPatch,
        fenced: version !== undefined,
      })
      return written(answer, dryRun)
    }
    const fence = object.metadata.resourceVersion
    const first = await once(fence, force).catch(error => {
      // Only our own stamps or an interrupted create are in the way: nobody else loses a field.
      if (!isOwnConflict(error)) throw error
      return once(fence, true)
    })
    const mended = dryRun || as !== manager ? null : ownedByApply(managedFieldsOf(first.object))
    if (!mended) return first
    const claimed = await patchMetadata(ref, first.object.metadata.resourceVersion, { managedFields: mended })
    return once(claimed.object.metadata.resourceVersion, force)
  }

  async function patchMetadata(
    ref: ObjectRef,
    resourceVersion: string | undefined,
    metadata: Record<string, unknown>,
  ): Promise<Written> {
    const answer = await send('patch', ref, {
      method: 'PATCH',
      query: { fieldManager: manager },
      body: { metadata: { ...metadata, resourceVersion } },
      contentType: mergePatch,
      fenced: true,
    })
    return written(answer, false)
  }

  async function patch(
    ref: ObjectRef,
    operations: readonly JsonOperation[],
    { dryRun = false } = {},
  ): Promise<Written> {
    const answer = await send('patch', ref, {
      method: 'PATCH',
      query: { fieldManager: manager, ...dry(dryRun) },
      body: operations,
      contentType: jsonPatch,
      fenced: operations.some(one => one.path === '/metadata/resourceVersion'),
    })
    return written(answer, dryRun)
  }

  async function remove(ref: ObjectRef, preconditions: Parameters<Cluster['remove']>[1]): Promise<void> {
    const { uid, resourceVersion, propagation = 'Background' } = preconditions
    const fenced = uid !== undefined || resourceVersion !== undefined
    try {
      await send('delete', ref, {
        method: 'DELETE',
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: propagation,
          ...(fenced ? { preconditions: { uid, resourceVersion } } : {}),
        },
        fenced,
      })
    } catch (error) {
      if (!(error instanceof ClusterError && error.kind === 'not_found')) throw error
    }
  }

  async function list(query: Parameters<Cluster['list']>[0]): Promise<KubeObject[]> {
    const resource = await resourceOf(query)
    const labelSelector = Object.entries(query.labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',')
    return listAll(collectionPath(resource, query.namespace), `list ${resource.plural}`, {
      most: query.limit ?? Number.POSITIVE_INFINITY,
      type: { apiVersion: query.apiVersion, kind: query.kind },
      query: { labelSelector: labelSelector || undefined },
    })
  }

  async function listAll(
    path: string,
    counter: string,
    {
      most,
      type,
      query,
    }: {
      most: number
      type: { apiVersion: string; kind: string }
      query: WireRequest['query']
    },
  ): Promise<KubeObject[]> {
    const found: KubeObject[] = []
    let token: string | undefined
    do {
      const limit = Math.min(listPage, most - found.length)
      const answer = await wire.call({
        method: 'GET',
        path,
        query: { ...query, limit, continue: token },
        counter,
        repeatable: true,
      })
      const page = JSON.parse(answer.body)
      // The items of a list carry neither apiVersion nor kind; who wrote which field is of no use here.
      for (const { metadata, ...rest } of page.items ?? []) {
        const { managedFields: _, ...kept } = metadata
        found.push({ ...type, ...rest, metadata: kept })
      }
      token = page.metadata?.continue || undefined
    } while (token && found.length < most)
    return found.slice(0, most)
  }

  async function events(namespace: string, names: readonly string[]): Promise<EventFacts[]> {
    const wanted = new Set(names)
    const resource = await resourceOf({ apiVersion: 'v1', kind: 'Event' })
    const read = (fieldSelector?: string) =>
      listAll(collectionPath(resource, namespace), 'list events', {
        most: 2_000,
        type: { apiVersion: 'v1', kind: 'Event' },
        query: { fieldSelector },
      })
    const few = wanted.size <= mostNameQueries
    const pages = few ? [...wanted].map(name => read(`involvedObject.name=${name}`)) : [read()]
    const found = (await Promise.all(pages)).flat()
    return found
      .filter(event => wanted.has((event.involvedObject as { name?: string } | undefined)?.name ?? ''))
      .map(eventFacts)
      .sort((a, b) => a.lastAt - b.lastAt)
  }

  async function readServer(): ReturnType<Cluster['server']> {
    const answer = await wire.call({
      method: 'GET',
      path: '/version',
      counter: 'get version',
      repeatable: true,
    })
    const { gitVersion = '', minor = '0' } = JSON.parse(answer.body)
    return { version: gitVersion, minor: Number.parseInt(minor, 10) || 0 }
  }

  return {
    name: options.name,
    get,
    peek,
    create,
    apply,
    stamp: (ref, annotations, resourceVersion) => patchMetadata(ref, resourceVersion, { annotations }),
    patch,
    remove,
    list,
    observe: (scope, changed) => observeApp(watches, scope, changed),
    events,
    logs: (namespace, pod, logOptions) => readLog(wire, namespace, pod, logOptions),
    followLogs: (namespace, pod, logOptions) => followLog(wire, namespace, pod, logOptions),
    exec: (namespace, pod, execOptions) =>
      execInPod(wire, namespace, pod, { ...execOptions, timeoutMs: callTimeoutMs }),
    server: () => {
      if (!server || performance.now() - server.at > serverTtlMs) {
        const answer = readServer()
        server = { at: performance.now(), answer }
        // A failure is not kept: the next call asks again.
        answer.catch(() => {
          server = null
        })
      }
      return server.answer
    },
    counts: wire.counts,
    watching: watches.running,
    warm: async (namespace, kinds) => {
      const used = kinds.map(kind => watches.use(namespace, kind))
      const giveUp = new AbortController()
      const late = wait(callTimeoutMs, undefined, { signal: giveUp.signal, ref: false }).catch(
        () => undefined,
      )
      await Promise.race([Promise.all(used.map(({ watch }) => watch.firstAnswer)), late])
      giveUp.abort()
      for (const { release } of used) release()
    },
    close: () => {
      closing.abort()
      wire.close()
    },
  }
}

const dry = (dryRun: boolean) => (dryRun ? { dryRun: 'All' } : {})

function objectIn(response: WireResponse): KubeObject {
  return JSON.parse(response.body)
}

const managedFieldsOf = (object: KubeObject) => object.metadata.managedFields as unknown[] | undefined

/** Never applied again, so it does not matter how its fields are owned. */
const isWrittenOnce = (object: KubeObject): boolean =>
  object.kind === 'Job' || object.kind === 'Pod' || object.immutable === true

const isOwnConflict = (error: unknown): boolean =>
  error instanceof ClusterError &&
  error.kind === 'field_conflict' &&
  error.managers.length > 0 &&
  error.managers.every(name => name === manager)

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
