// The API as a Hono app: who calls, what is asked, one call of the core, one answer or one failure.
// The table of routes is routes-*.ts, the node server below it is server.ts.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Caller, Core } from '../../core/core.ts'
import type { Actor } from '../../core/deploy.ts'
import { suggest } from '../../core/suggest.ts'
import { UserError } from '../../errors.ts'
import type { CallerLimits } from './caller-limits.ts'
import { eventStream } from './event-stream.ts'
import { failureOf, Refusal } from './failures.ts'
import { type Body, parseInput, parseJson, parseYaml, readBody, readQuery } from './input.ts'
import type { Route, SseMessage } from './route.ts'
import { accessRoutes } from './routes-access.ts'
import { appRoutes } from './routes-apps.ts'
import { auditRoutes } from './routes-audit.ts'
import { buildRoutes } from './routes-builds.ts'
import { deployRoutes } from './routes-deploys.ts'
import { volumeRoutes } from './routes-volumes.ts'
import { workloadRoutes } from './routes-workloads.ts'
import { shownPath } from './shown-path.ts'
import type { TokenGuard } from './token-guard.ts'

/** What is known about a request, for its log line and metrics; filled in on the way. */
export type RequestFacts = {
  readonly requestId: string
  route: string
  caller: string | null
  /** What went wrong on our side, with its cause. */
  fault: unknown
}

export type ApiEnv = {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse; facts: RequestFacts }
}
type Ask = Context<ApiEnv>

export const routes: readonly Route[] = [
  ...appRoutes,
  ...deployRoutes,
  ...workloadRoutes,
  ...volumeRoutes,
  ...buildRoutes,
  ...accessRoutes,
  ...auditRoutes,
]

export type ApiOptions = {
  readonly core: Core
  readonly guard: TokenGuard
  readonly limits: CallerLimits
  readonly bodyLimit: number
  readonly heartbeatMs: number
  /** Ends every stream. */
  readonly shutdown: AbortSignal
}

/** Every route of the table below /v1; server.ts adds health, metrics and the document. */
export function api(options: ApiOptions): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>()
  for (const route of routes)
    app.on(route.method, route.path.replace(/\{(\w+)\}/g, ':$1'), ask => answer(route, ask, options))
  app.notFound(ask => fail(ask, noRoute(ask)))
  app.onError((error, ask) => fail(ask, error))
  return app
}

async function answer(route: Route, ask: Ask, options: ApiOptions): Promise<Response> {
  const { incoming, outgoing, facts } = ask.env
  facts.route = route.path
  const caller = await authenticate(ask, options)
  facts.caller = caller.actor.id
  options.limits.request(caller.actor.id)
  const params = parseInput(route.params, { data: ask.req.param() }, 'address')
  const query = parseInput(route.query, { data: readQuery(ask.req.url) }, 'query')
  const body = route.body
    ? parseInput(route.body, await bodyOf(route, ask, options.bodyLimit), 'body')
    : undefined
  const abort = new AbortController()
  outgoing.once('close', () => abort.abort())
  if (outgoing.closed || incoming.errored) abort.abort()
  const result = await route.handle(options.core, {
    caller,
    params,
    query,
    body,
    signal: abort.signal,
    header: name => ask.req.header(name),
  })
  if (result.kind === 'none') return ask.body(null, 204)
  if (result.kind === 'json') {
    if (result.location) ask.header('location', result.location)
    return ask.json(result.body, result.status ?? 200)
  }
  const release = options.limits.stream()
  abort.signal.addEventListener('abort', release, { once: true })
  const isLines = result.kind === 'lines'
  const stream = await eventStream(isLines ? valuesOf(result.values) : result.messages, {
    format: isLines ? 'lines' : 'events',
    cut: () => outgoing.destroy(),
    abort,
    shutdown: options.shutdown,
    heartbeatMs: options.heartbeatMs,
    failed: error => noted(facts, error).body,
  })
  const type = isLines ? 'application/x-ndjson' : 'text/event-stream'
  return ask.body(stream, 200, { 'content-type': type, 'x-accel-buffering': 'no' })
}

async function* valuesOf(values: AsyncIterable<unknown>): AsyncGenerator<SseMessage> {
  for await (const data of values) yield { event: 'line', data }
}

const clients: Readonly<Record<string, Actor['via']>> = { cli: 'cli', jenkins: 'jenkins' }

async function authenticate(ask: Ask, { core, guard }: ApiOptions): Promise<Caller> {
  const client = ask.req.header('x-gkube-client')
  const via = client === undefined ? 'api' : clients[client]
  if (via === undefined)
    throw new UserError('bad_input', 'X-Gkube-Client is `cli` or `jenkins`, or not sent.')
  const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(ask.req.header('authorization') ?? '')?.[1]
  if (token === undefined)
    throw new UserError(
      'unauthenticated',
      'Send a token: `Authorization: Bearer <token>`. `gkube token create` makes one.',
    )
  const address = ask.env.incoming.socket.remoteAddress ?? ''
  const wait = guard.wait(address, token)
  if (wait > 0)
    throw new Refusal(429, 'unauthenticated', `Too many bad tokens from here. Try again in ${wait} s.`, {
      headers: { 'retry-after': String(wait) },
    })
  try {
    const caller = await core.authenticate(token, via)
    guard.good(token)
    return caller
  } catch (error) {
    if (error instanceof UserError && error.kind === 'unauthenticated') guard.bad(address, token)
    throw error
  }
}

async function bodyOf(route: Route, ask: Ask, limit: number): Promise<Body> {
  const type = (ask.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const isYaml = /^(application|text)\/(x-)?yaml$/.test(type)
  if (isYaml ? !route.yaml : type !== '' && type !== 'application/json')
    throw new Refusal(415, 'bad_input', `The body must be JSON${route.yaml ? ' or YAML' : ''}, not ${type}.`)
  const text = await readBody(ask.env.incoming, limit)
  return isYaml ? parseYaml(text) : parseJson(text)
}

/** Writes down what went wrong; only our own faults keep their cause. */
function noted(facts: RequestFacts, error: unknown) {
  const failure = failureOf(error, facts.requestId)
  if (failure.ours) facts.fault = error
  return failure
}

function fail(ask: Ask, error: unknown): Response {
  const { status, headers, body } = noted(ask.env.facts, error)
  return ask.json(body, status as ContentfulStatusCode, headers) // failures.ts only makes 4xx and 5xx
}

function noRoute(ask: Ask): Refusal {
  const { path, method } = ask.req
  const allowed = routes.filter(route => pattern(route.path).test(path)).map(route => route.method)
  if (allowed.length > 0)
    return new Refusal(405, 'bad_input', `${path} takes ${allowed.join(', ')}, not ${method}.`, {
      headers: { allow: allowed.join(', ') },
      details: { allowed },
    })
  const known = [
    ...new Set(routes.map(route => route.path)),
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/cli',
  ]
  const near = suggest(path, known)
  return new Refusal(
    404,
    'not_found',
    `There is no ${shownPath(path).slice(0, 100)}${near ? ` (did you mean ${near}?)` : ''}. All routes are in /openapi.json.`,
  )
}

const pattern = (path: string): RegExp =>
  new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`)
