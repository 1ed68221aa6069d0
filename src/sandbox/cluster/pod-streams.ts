// The subresources of pods that stream: log (with follow) and exec over a WebSocket.
// What is said in them comes from logs.ts and exec.ts; here is only the coming and going of it.
import type { ServerResponse } from 'node:http'
import { kindNamed } from './kinds.ts'
import { type Images, type LogOptions, type LogView, logText, logView, type Outputs } from './logs.ts'
import type { Registry } from './registry.ts'
import { target } from './requests.ts'
import type { Route } from './route.ts'
import type { Store } from './store.ts'

type Deps = {
  readonly store: Store
  readonly registry: Registry
  readonly images: Images
  readonly speed: number
  readonly outputs?: Outputs
}

const number = (text: string | null) => (text === null || text === '' ? undefined : Number(text))

function logOptions(query: URLSearchParams): LogOptions {
  return {
    container: query.get('container') ?? undefined,
    previous: query.get('previous') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: number(query.get('tailLines')),
    limitBytes: number(query.get('limitBytes')),
    sinceSeconds: number(query.get('sinceSeconds')),
    sinceTime: query.get('sinceTime') ?? undefined,
  }
}

/** Answers a GET of pods/log; with `follow` until the container ends or the client goes. */
export function serveLog(deps: Deps, route: Route, query: URLSearchParams, response: ServerResponse) {
  const options = logOptions(query)
  const pod = deps.registry.get(target(route))
  if (!pod.spec.nodeName) return void response.writeHead(204).end()
  const first = logView(pod, options, deps)
  const started = shownAt(first)
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write(logText(first.lines, options, started))
  if (query.get('follow') !== 'true' || first.ended) return void response.end()
  follow(deps, route, { options, response, first, shown: started })
}

/** Up to when lines have come: what really ran has printed all of its lines. */
const shownAt = ({ output, lines }: LogView): number => (output ? (lines.at(-1)?.at ?? 0) : Date.now())

type Following = {
  readonly options: LogOptions
  readonly response: ServerResponse
  readonly first: LogView
  shown: number
}

function follow(deps: Deps, route: Route, following: Following) {
  const { options, response } = following
  let timer: NodeJS.Timeout | undefined
  const stop = () => {
    clearTimeout(timer)
    unsubscribe()
    unlisten?.()
    response.end()
  }
  const look = () => {
    clearTimeout(timer)
    const pod = deps.store.get(kindNamed('Pod'), route.namespace, route.name ?? '')
    if (!pod) return stop()
    const view = viewOf(pod)
    if (!view || view.instance !== following.first.instance) return stop()
    const now = shownAt(view)
    const fresh = view.lines.filter(line => line.at > following.shown)
    response.write(
      logText(fresh, { ...options, tailLines: undefined }, view.ended ? Number.POSITIVE_INFINITY : now),
    )
    following.shown = now
    if (view.ended) return stop()
    const next = fresh.find(line => line.at > now)
    if (next) timer = setTimeout(look, Math.max(5, next.at - now))
  }
  const viewOf = (pod: Parameters<typeof logView>[0]) => {
    try {
      return logView(pod, options, deps)
    } catch {
      return undefined // The container waits to be started again: this log is over.
    }
  }
  const unsubscribe = deps.store.subscribe(change => {
    const { name, namespace } = change.object.metadata
    if (change.kind.kind === 'Pod' && name === route.name && namespace === route.namespace) look()
  })
  const unlisten = following.first.output?.listen(look)
  response.on('close', stop)
  look()
}
