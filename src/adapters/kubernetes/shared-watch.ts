// One list and one watch of one kind in one namespace (or in all), for everybody who needs it: objects are
// cut to facts on arrival. Misses nothing: resumes where it was, lists again after 410 and reports what differs,
// notices a connection that died silently, restarts after any other error. watches.ts counts who uses it.
import type { IncomingMessage } from 'node:http'
import { ClusterError, type KubeObject } from '../../core/cluster.ts'
import { appLabel } from '../../core/objects/labels.ts'
import { collectionPath, type Resource } from './resources.ts'
import { pause, type Wire } from './wire.ts'

/** What is kept of an object: its metadata for `peek`, its facts for a verdict. */
export type Kept<Facts> = {
  readonly meta: KubeObject
  readonly facts: Facts
}

export type SharedWatch<Facts> = {
  readonly resource: Resource
  /** By `namespace/name`. */
  readonly items: ReadonlyMap<string, Kept<Facts>>
  /** Those that carry the label of this app: there may be hundreds of others. */
  ofApp(app: string): Iterable<Kept<Facts>>
  /** The first list arrived. */
  synced(): boolean
  /** What is shown is current: the watch runs (or was only just interrupted). */
  live(): boolean
  /** Why it does not run, in words; null when it does. */
  problem(): string | null
  /** Resolves when the first list arrived or was refused. */
  firstAnswer: Promise<void>
  /** Tells what an own write answered, so that a `peek` right after it is not behind. */
  saw(object: KubeObject): void
  /** Calls back with the item before and after each change; returns the unsubscribe. */
  listen(listener: (item: Kept<Facts>) => void): () => void
}

export type WatchTuning = {
  /** The server is asked to end a watch after about this long. */
  readonly serverSeconds: number
  /**
   * Nothing at all for this long: the connection may be dead, so the watch is asked for again from where it was. A
   * server is also silent while nothing is written: bookmarks come only with something newer.
   */
  readonly quietMs: number
  readonly firstBackoffMs: number
  readonly longestBackoffMs: number
  /** An interruption this short does not make what is shown doubtful. */
  readonly staleAfterMs: number
}
export const watchTuning: WatchTuning = {
  serverSeconds: 290,
  quietMs: 90_000,
  firstBackoffMs: 250,
  longestBackoffMs: 30_000,
  staleAfterMs: 10_000,
}

type Options<Facts> = {
  readonly wire: Pick<Wire, 'call' | 'stream' | 'error'>
  /** The same kind in older versions follows: the first that the server has is used. */
  readonly resources: readonly [Resource, ...Resource[]]
  readonly namespace: string
  readonly selector: string
  /** Only metadata is sent where the server can do that. */
  readonly metadataOnly: boolean
  readonly project: (object: never) => Kept<Facts>
  readonly signal: AbortSignal
  readonly tuning: WatchTuning
  readonly log: (problem: string) => void
}

// biome-ignore lint/suspicious/noExplicitAny: the objects of a list or watch as they arrive
type Json = any
type WatchEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: Json }

const pageSize = 500
/** A stream that lived this long was healthy: the next failure starts with a short wait again. */
const healthyMs = 5_000

const itemKey = (metadata: { namespace?: string; name: string }): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`

const appOf = ({ meta }: Kept<unknown>): string | undefined => meta.metadata.labels?.[appLabel]

/** Starts watching at once; ends when `signal` aborts. */
export function sharedWatch<Facts>(options: Options<Facts>): SharedWatch<Facts> {
  const { wire, signal, tuning } = options
  const items = new Map<string, Kept<Facts>>()
  const byApp = new Map<string, Map<string, Kept<Facts>>>()
  const listeners = new Set<(item: Kept<Facts>) => void>()
  const { promise: firstAnswer, resolve: answered } = Promise.withResolvers<void>()
  const accept = (as: string) => (options.metadataOnly ? metadataAccept(as) : undefined)
  let choice = 0
  let resource: Resource = options.resources[0]
  let version: string | null = null
  let synced = false
  let brokenAt: number | null = null
  let failure: ClusterError | null = null

  const tell = (item: Kept<Facts>): void => {
    for (const listener of [...listeners]) listener(item)
  }

  function put(object: Json): void {
    const item = options.project(object as never)
    const key = itemKey(item.meta.metadata)
    const before = items.get(key)
    if (before && !isNewer(item, before)) return
    unlist(key, before)
    items.set(key, item)
    const app = appOf(item)
    if (app !== undefined) byApp.set(app, (byApp.get(app) ?? new Map()).set(key, item))
    tell(item)
  }

  function drop(key: string, item: Kept<Facts>): void {
    unlist(key, items.get(key))
    items.delete(key)
    tell(item)
  }

  function unlist(key: string, item: Kept<Facts> | undefined): void {
    const app = item && appOf(item)
    if (app === undefined) return
    const others = byApp.get(app)
    others?.delete(key)
    if (others?.size === 0) byApp.delete(app)
  }

  /** Reads everything; what is gone since the last list is dropped, what is new or changed is told. */
  async function list(): Promise<void> {
    const found = new Set<string>()
    let token: string | undefined
    let listed = ''
    do {
      const answer = await wire.call({
        method: 'GET',
        path: collectionPath(resource, options.namespace),
        query: { labelSelector: options.selector, limit: pageSize, continue: token },
        accept: accept('PartialObjectMetadataList'),
        counter: `list ${resource.plural}`,
        repeatable: true,
      })
      const page: Json = JSON.parse(answer.body)
      for (const object of page.items ?? []) {
        found.add(itemKey(object.metadata))
        put(object)
      }
      token = page.metadata?.continue || undefined
      // A later page may be of a later version: watching from the first repeats changes, but misses none.
      listed ||= page.metadata?.resourceVersion ?? ''
    } while (token)
    for (const [key, item] of [...items]) if (!found.has(key)) drop(key, item)
    version = listed
    synced = true
    answered()
  }

  /** Follows changes until the stream ends. */
  async function follow(): Promise<void> {
    const quiet = new AbortController()
    const response = await wire.stream(
      {
        method: 'GET',
        path: collectionPath(resource, options.namespace),
        query: {
          watch: true,
          labelSelector: options.selector,
          resourceVersion: version ?? undefined,
          allowWatchBookmarks: true,
          timeoutSeconds: Math.ceil(tuning.serverSeconds * (1 + Math.random() / 10)),
        },
        accept: accept('PartialObjectMetadata'),
        counter: `watch ${resource.plural}`,
        repeatable: true,
      },
      AbortSignal.any([signal, quiet.signal]),
    )
    failure = null
    brokenAt = null
    const timer = setTimeout(
      () => quiet.abort(new Error(`nothing came for ${tuning.quietMs / 1000} s`)),
      tuning.quietMs,
    ).unref()
    try {
      for await (const line of linesOf(response, () => timer.refresh())) apply(JSON.parse(line))
    } finally {
      clearTimeout(timer)
    }
  }

  function apply({ type, object }: WatchEvent): void {
    if (type === 'ERROR') throw refusalIn(object)
    version = object.metadata.resourceVersion
    if (type === 'DELETED') deleted(options.project(object as never))
    else if (type !== 'BOOKMARK') put(object)
  }

  function deleted(item: Kept<Facts>): void {
    const key = itemKey(item.meta.metadata)
    const before = items.get(key)
    // Deleted and created again, and the own write was seen first.
    if (before && before.meta.metadata.uid !== item.meta.metadata.uid) return
    drop(key, before ?? item)
  }

  /** One round: list if needed, then watch until the stream ends. Returns how long to wait before the next. */
  async function round(backoff: number): Promise<number> {
    const began = performance.now()
    try {
      if (version === null) await list()
      await follow()
      // The server ends a watch now and then; one that it ends at once again and again is not asked in a hot loop.
      return performance.now() - began > 1_000 ? 0 : backoff
    } catch (cause) {
      if (signal.aborted) return 0
      const error = wire.error(cause)
      if (error.kind !== 'gone') return fellOver(error, backoff)
      version = null
      // At once, unless it happens again and again.
      return performance.now() - began > healthyMs ? 0 : backoff
    }
  }

  /** Notes why; returns how long to wait. */
  function fellOver(error: ClusterError, backoff: number): number {
    const older = options.resources[choice + 1]
    if (error.kind === 'not_found' && older && !synced) {
      choice += 1
      resource = older
      return 0
    }
    brokenAt ??= performance.now()
    if (failure?.message !== error.message) options.log(`watch of ${resource.plural}: ${error.message}`)
    failure = error
    answered()
    // A refusal will not change soon.
    const refused = ['forbidden', 'unauthorized', 'not_found'].includes(error.kind)
    return refused ? tuning.longestBackoffMs : backoff
  }

  async function run(): Promise<void> {
    let backoff = tuning.firstBackoffMs
    while (!signal.aborted) {
      const began = performance.now()
      const wait = await round(backoff)
      if (performance.now() - began > healthyMs) backoff = tuning.firstBackoffMs
      else if (wait > 0) backoff = Math.min(backoff * 2, tuning.longestBackoffMs)
      // Half to whole, so that many watches do not come back together.
      if (wait > 0) await pause(wait * (0.5 + Math.random() / 2), signal).catch(() => undefined)
    }
    answered()
  }
  void run()

  return {
    get resource() {
      return resource
    },
    items,
    ofApp: app => byApp.get(app)?.values() ?? [],
    firstAnswer,
    synced: () => synced,
    live: () => synced && (brokenAt === null || performance.now() - brokenAt < tuning.staleAfterMs),
    problem: () => failure && `${resource.plural}: ${failure.message}`,
    saw: object => {
      if (synced) put(object)
    },
    listen: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** A watch that asks for a list is answered, and then sent nothing at all. */
const metadataAccept = (as: string): string => `application/json;as=${as};v=v1;g=meta.k8s.io,application/json`

/** Resource versions of one server only grow; one that is no number (an older or other server) is taken as newer. */
function isNewer(item: Kept<unknown>, before: Kept<unknown>): boolean {
  const [a, b] = [item.meta.metadata.resourceVersion ?? '', before.meta.metadata.resourceVersion ?? '']
  if (item.meta.metadata.uid !== before.meta.metadata.uid || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return true
  return BigInt(a) > BigInt(b)
}

function refusalIn(status: { code?: number; message?: string }): ClusterError {
  const kind = status.code === 410 ? 'gone' : 'unavailable'
  return new ClusterError(kind, status.message ?? 'the watch ended with an error', {
    status: status.code ?? 0,
  })
}

/** The lines of a response as they arrive; `alive` is called for every chunk. */
export async function* linesOf(response: IncomingMessage, alive: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response as AsyncIterable<Buffer>) {
    alive()
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line) yield line
  }
  if (rest) yield rest
}
