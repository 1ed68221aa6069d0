// Watches: from a resourceVersion or from now, filtered, with bookmarks, 410 for a version too long ago.
// All of them are fed by the store's one etcd watch; one timer serves all bookmarks. HTTP is in handlers.ts.
import type { ServerResponse } from 'node:http'
import type { Kind } from './kinds.ts'
import { apiVersion } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import type { Predicate } from './selectors.ts'
import { expired, failureStatus, type StatusError } from './status-error.ts'
import type { Change, Store } from './store.ts'

export type WatchRequest = {
  readonly kind: Kind
  readonly namespace?: string
  readonly matches: Predicate
  /** As the client sent it; empty or '0' begins with what is there. */
  readonly resourceVersion: string
  readonly bookmarks: boolean
  readonly timeoutMs: number
  /** How an object is written: itself, a Table, its metadata. */
  readonly shape: (object: KubeObject) => Json
}

type Watch = WatchRequest & { readonly response: ServerResponse; sent: number; end(): void }

// A client that reads too slowly is cut off, as by the real server.
const bufferLimit = 32 * 1024 * 1024

export function watchHub(store: Store, options: { bookmarkMs: number }) {
  const watches = new Set<Watch>()
  const texts = new WeakMap<KubeObject, string>()

  function text(watch: Watch, object: KubeObject): string {
    const shaped = watch.shape(object)
    if (shaped !== object) return JSON.stringify(shaped)
    const known = texts.get(object) ?? JSON.stringify(object)
    texts.set(object, known)
    return known
  }

  const write = (watch: Watch, type: string, json: string) => {
    watch.response.write(`{"type":"${type}","object":${json}}\n`)
    if (watch.response.writableLength > bufferLimit) watch.end()
  }

  function deliver(watch: Watch, change: Change) {
    if (change.kind !== watch.kind) return
    if (watch.namespace && change.object.metadata.namespace !== watch.namespace) return
    const before = change.previous !== undefined && watch.matches(change.previous)
    const after = change.type !== 'DELETED' && watch.matches(change.object)
    if (before || after) watch.sent = change.revision
    if (after) write(watch, before ? 'MODIFIED' : 'ADDED', text(watch, change.object))
    else if (before && change.previous) {
      // Out of the selection is deleted for this client: the last it saw, at the version of the change.
      const { metadata } = change.previous
      const last = { ...change.previous, metadata: { ...metadata, resourceVersion: String(change.revision) } }
      write(watch, 'DELETED', JSON.stringify(watch.shape(last)))
    }
  }

  const unsubscribe = store.subscribe(change => {
    for (const watch of watches) deliver(watch, change)
  })

  function bookmark(watch: Watch) {
    // As the real server (1.37, measured): only when something newer was written.
    if (!watch.bookmarks || store.revision() <= watch.sent) return
    watch.sent = store.revision()
    const metadata = { resourceVersion: String(watch.sent), creationTimestamp: null }
    write(
      watch,
      'BOOKMARK',
      JSON.stringify({ kind: watch.kind.kind, apiVersion: apiVersion(watch.kind), metadata }),
    )
  }

  const timer = setInterval(() => {
    for (const watch of watches) bookmark(watch)
  }, options.bookmarkMs)
  timer.unref()

  return {
    /** Serves one watch until its time is up or the client goes. */
    open(request: WatchRequest, response: ServerResponse) {
      const watch: Watch = {
        ...request,
        response,
        sent: Number(request.resourceVersion) || store.revision(),
        end: () => {
          if (!watches.delete(watch)) return
          clearTimeout(timeout)
          response.end()
        },
      }
      const timeout = setTimeout(() => {
        bookmark(watch)
        watch.end()
      }, request.timeoutMs)
      timeout.unref()
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      watches.add(watch)
      response.on('close', watch.end)
      response.on('error', watch.end)
      // No await between the replay and the subscription: nothing can be lost or come twice.
      const { resourceVersion } = request
      if (resourceVersion === '' || resourceVersion === '0') {
        for (const object of store.list(request.kind, request.namespace)) {
          if (request.matches(object)) write(watch, 'ADDED', text(watch, object))
        }
        return
      }
      const missed = store.since(Number(resourceVersion))
      if (missed) for (const change of missed) deliver(watch, change)
      else this.fail(expired(`too old resource version: ${resourceVersion} (${store.oldest()})`), watch)
    },
    /** Ends a watch (or all) with an ERROR event, or without a word. */
    fail(error?: StatusError, only?: Watch) {
      for (const watch of only ? [only] : [...watches]) {
        if (error) write(watch, 'ERROR', JSON.stringify(failureStatus(error)))
        watch.end()
      }
    },
    count: () => watches.size,
    close() {
      clearInterval(timer)
      unsubscribe()
      this.fail()
    },
  }
}
