// The HTTP server of the stand-in cluster, on 127.0.0.1: token, faults, routing, errors as Status objects.
// Everything it answers is decided elsewhere: handlers.ts (resources), discovery.ts, pod-streams.ts, exec.ts.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { discover } from './discovery.ts'
import { type Faults, faultError } from './faults.ts'
import { handle, unknownPath } from './handlers.ts'
import { reviews } from './kinds.ts'
import type { Images, Outputs } from './logs.ts'
import { serveLog } from './pod-streams.ts'
import type { Registry } from './registry.ts'
import type { Answer } from './requests.ts'
import { type Route, routeOf } from './route.ts'
import { failureStatus, StatusError } from './status-error.ts'
import type { Store } from './store.ts'
import { review } from './subresources.ts'
import type { watchHub } from './watch.ts'

export type HttpDeps = {
  readonly store: Store
  readonly registry: Registry
  readonly watches: ReturnType<typeof watchHub>
  readonly faults: Faults
  readonly images: Images
  readonly speed: number
  readonly outputs?: Outputs
  readonly token?: string
  readonly log: { error(facts: object, text: string): void }
}

const bodyLimit = 3 * 1024 * 1024

export type HttpServer = { readonly port: number; readonly server: Server; close(): Promise<void> }

export async function listen(deps: HttpDeps, port: number): Promise<HttpServer> {
  const server = createServer((request, response) => {
    serve(deps, request, response).catch(error => fail(deps, response, error))
  })
  server.keepAliveTimeout = 60_000
  server.requestTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** True when the request carries the token, where one is asked for. */
export const isAllowed = (token: string | undefined, headers: IncomingMessage['headers']): boolean =>
  token === undefined || headers.authorization === `Bearer ${token}`

async function serve(deps: HttpDeps, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', 'http://cluster')
  if (['/healthz', '/livez', '/readyz'].includes(url.pathname)) return void response.end('ok')
  if (!isAllowed(deps.token, request.headers)) throw new StatusError(401, 'Unauthorized', 'Unauthorized')
  const body = await readBody(request)
  const route = routeOf(request.method ?? 'GET', url.pathname, url.searchParams)
  if (!route) {
    const found = request.method === 'GET' ? discover(url.pathname, request.headers.accept ?? '') : undefined
    if (!found) throw unknownPath()
    return send(response, { status: 200, body: found.body }, [], found.contentType)
  }
  deps.faults.count(route)
  const fault = deps.faults.take(route)
  if (fault?.latency) await new Promise(done => setTimeout(done, fault.latency))
  const refused = fault && faultError(fault)
  if (refused) throw refused
  if (fault?.reset === 'before') return void request.socket.destroy()
  const warnings: string[] = []
  const answer = await respond(deps, route, { url, request, response, body, warnings })
  if (fault?.reset === 'after') return void request.socket.destroy()
  if (answer) send(response, answer, warnings)
}

type Exchange = {
  readonly url: URL
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: string
  readonly warnings: string[]
}

async function respond(deps: HttpDeps, route: Route, exchange: Exchange): Promise<Answer> {
  const { url, request, response, body, warnings } = exchange
  const input = { route, query: url.searchParams, headers: request.headers, body, response, warnings }
  if (reviews.includes(route.kind)) {
    if (route.verb !== 'create') throw unknownPath()
    return review(input)
  }
  if (route.subresource === 'log') {
    serveLog(deps, route, url.searchParams, response)
    return undefined
  }
  if (route.subresource === 'exec') throw new StatusError(400, 'BadRequest', 'Upgrade request required')
  return handle(deps, input)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimit)
      throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bodyLimit}`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function send(
  response: ServerResponse,
  answer: NonNullable<Answer>,
  warnings: readonly string[],
  type = 'application/json',
) {
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
  if (warnings.length > 0)
    response.setHeader(
      'warning',
      warnings.map(one => `299 - ${JSON.stringify(one)}`),
    )
  response.writeHead(answer.status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function fail(deps: HttpDeps, response: ServerResponse, error: unknown) {
  const known = error instanceof StatusError
  if (!known) deps.log.error({ err: error }, 'a request to the stand-in cluster failed')
  const status = known
    ? error
    : new StatusError(500, 'InternalError', `Internal error occurred: ${(error as Error).message}`)
  if (response.headersSent) return void response.destroy()
  const retry = status.details?.retryAfterSeconds
  if (retry) response.setHeader('retry-after', String(retry))
  send(response, { status: status.code, body: failureStatus(status) }, [])
}
