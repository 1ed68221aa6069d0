// The way into the stand-in cluster for a browser or curl: one port, where the Host says which Service is meant
// (`<service>.<namespace>.localhost`, or the host of an Ingress). Requests go in turn to the ready endpoints of its
// EndpointSlices, on a new connection each; one that is refused before anything was sent is tried on the next.
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { kindNamed } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import type { Store } from '../store.ts'

export type FrontDoor = { readonly port: number; close(): Promise<void> }

type Deps = {
  readonly store: Pick<Store, 'get' | 'list'>
  /** Where a pod's web server listens, by its uid. */
  readonly portOf: (uid: string) => number | undefined
}

type Endpoint = { readonly port: number; readonly pod: string }

const answerMs = 60_000
/** Between this hop and the next only. */
const hopHeaders = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade']

/** `port` 0: a free one. Rejects with EADDRINUSE where it is taken. */
export async function openFrontDoor(deps: Deps, port: number): Promise<FrontDoor> {
  const turns = new Map<string, number>()
  const server = createServer((request, response) => serve(request, response))

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase()
    const service = serviceFor(deps.store, host, request.url ?? '/')
    if (!service) return void say(response, 404, `${notFound(host)}${known(deps.store, listening())}`)
    const { namespace = '', name } = service.metadata
    const { ready, others } = endpointsOf(deps, service)
    const turn = (turns.get(service.metadata.uid) ?? -1) + 1
    turns.set(service.metadata.uid, turn)
    const from = ready.length > 0 ? turn % ready.length : 0
    const order = [...ready.slice(from), ...ready.slice(0, from)]
    if (order.length === 0)
      return void say(response, 503, `${name} in ${namespace} has no pod that is ready; ${others} not ready.`)
    forward(request, response, order)
  }

  const listening = () => (server.address() as AddressInfo).port // not a pipe: it listens on TCP
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: listening(),
    close: () =>
      new Promise(done => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  [to, ...rest]: readonly Endpoint[],
): void {
  if (!to) return void say(response, 503, 'No pod took the connection.')
  const headers = { ...request.headers }
  for (const name of hopHeaders) delete headers[name]
  const outgoing = send({
    host: '127.0.0.1',
    port: to.port,
    method: request.method,
    path: request.url,
    // No kept connection: a pod that ends must not be sent one more request on it.
    agent: false,
    headers: { ...headers, connection: 'close', 'x-forwarded-for': request.socket.remoteAddress ?? '' },
  })
  let sent = false
  outgoing.setTimeout(answerMs, () => outgoing.destroy(new Error(`no answer within ${answerMs / 1000} s`)))
  outgoing.once('socket', socket =>
    socket.once('connect', () => {
      sent = true
      request.pipe(outgoing)
    }),
  )
  outgoing.once('response', answer => {
    const { connection: _, 'keep-alive': __, ...kept } = answer.headers
    response.writeHead(answer.statusCode ?? 502, kept)
    answer.pipe(response)
    answer.once('error', error => response.destroy(error))
  })
  outgoing.once('error', (error: NodeJS.ErrnoException) => {
    if (!sent && error.code === 'ECONNREFUSED') return void forward(request, response, rest)
    if (response.headersSent) response.destroy(error)
    else say(response, 502, `The pod ${to.pod} gave no answer: ${error.message}.`)
  })
  // Who asked has gone.
  response.once('close', () => {
    if (!response.writableFinished) outgoing.destroy()
  })
}

/** By an Ingress, the longest path first, or by name. */
function serviceFor(store: Deps['store'], host: string, url: string): KubeObject | undefined {
  const path = url.split('?')[0] ?? '/'
  const rules = store
    .list(kindNamed('Ingress'))
    .flatMap(({ metadata, spec }) =>
      ((spec.rules ?? []) as Json[])
        .filter(rule => rule.host?.toLowerCase() === host)
        .flatMap(rule =>
          ((rule.http?.paths ?? []) as Json[]).map(one => ({ ...one, namespace: metadata.namespace })),
        ),
    )
    .filter(({ path: wanted = '/', pathType }) =>
      pathType === 'Exact'
        ? path === wanted
        : path === wanted || path.startsWith(wanted.replace(/\/?$/, '/')),
    )
    .sort((a, b) => (b.path ?? '/').length - (a.path ?? '/').length)
  const [rule] = rules
  if (rule) return store.get(kindNamed('Service'), rule.namespace, rule.backend?.service?.name ?? '')
  const [, name, namespace] = /^([a-z0-9-]+)\.([a-z0-9-]+)\.localhost$/.exec(host) ?? []
  return name ? store.get(kindNamed('Service'), namespace, name) : undefined
}

function endpointsOf(
  { store, portOf }: Deps,
  { metadata }: KubeObject,
): { ready: readonly Endpoint[]; others: number } {
  const all: Json[] = store
    .list(kindNamed('EndpointSlice'), metadata.namespace)
    .filter(slice => slice.metadata.labels?.['kubernetes.io/service-name'] === metadata.name)
    .flatMap(slice => slice.endpoints ?? [])
  const ready = all
    .filter(one => one.conditions?.ready)
    .flatMap(one => {
      const port = portOf(one.targetRef?.uid)
      return port === undefined ? [] : [{ port, pod: one.targetRef.name }]
    })
  return { ready, others: all.length - ready.length }
}

const notFound = (host: string): string =>
  host === 'localhost' || /^[\d.]+$/.test(host)
    ? 'Say which Service: the host is <service>.<namespace>.localhost.'
    : `There is no Service for the host ${host}.`

/** What could be asked instead. */
function known(store: Deps['store'], port: number): string {
  const services = store
    .list(kindNamed('Service'))
    .filter(({ spec, metadata }) => spec.selector && metadata.namespace !== 'kube-system')
    .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.localhost`)
  const hosts = store
    .list(kindNamed('Ingress'))
    .flatMap(({ spec }) => ((spec.rules ?? []) as Json[]).flatMap(rule => rule.host ?? []))
  const all = [...new Set([...services, ...hosts])].sort()
  if (all.length === 0) return '\nNo app with a port is deployed yet.'
  return `\nThere are:\n${all.map(host => `  http://${host}:${port}/`).join('\n')}`
}

function say(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(`gkube sandbox: ${text}\n`)
}
