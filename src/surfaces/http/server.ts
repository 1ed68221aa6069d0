// The one node http server: request ids, security headers, access log, metrics, time-outs, health, an orderly end.
// The API itself is api.ts; Slack's and Jenkins' hooks get their place on the same server.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import type { Core } from '../../core/core.ts'
import { UserError } from '../../errors.ts'
import { api, type RequestFacts, routes } from './api.ts'
import { callerLimits } from './caller-limits.ts'
import { cliFile } from './cli-file.ts'
import { failureOf } from './failures.ts'
import type { Metrics } from './metrics.ts'
import { openApi } from './openapi.ts'
import { shownPath } from './shown-path.ts'
import { tokenGuard } from './token-guard.ts'

/** What it needs of a logger (pino fits). */
export type HttpLog = {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type HttpConfig = {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Bytes; default 1.5 MiB, what etcd takes in one request. */
  readonly bodyLimit?: number
  readonly limits?: Partial<typeof defaultLimits>
  /** Milliseconds. `idle` must be longer than `heartbeat`. */
  readonly timeouts?: Partial<typeof defaultTimeouts>
}

const defaultLimits = {
  /** Of one token. */
  requestsPerMinute: 600,
  /** Open event and log streams. */
  streams: 200,
}

const defaultTimeouts = {
  /** For the head of a request. */
  headers: 10_000,
  /** For a whole request to arrive. */
  request: 30_000,
  /** A connection on which nothing moves, in either direction. */
  idle: 120_000,
  keepAlive: 20_000,
  /** Between comments on an event stream. */
  heartbeat: 15_000,
  /** How long running requests may go on after `close`. */
  close: 5_000,
}

export type HttpServer = {
  /** Where it listens; known after `listen`. */
  readonly url: string
  listen(): Promise<string>
  /** Ends streams, takes no more requests, waits for the running ones. */
  close(): Promise<void>
}

export type HttpOptions = {
  readonly core: Core
  readonly config: HttpConfig
  readonly log: HttpLog
  readonly version: string
  readonly metrics: Metrics
  /** Aborted when the process begins to drain: not ready any more, streams end, connections are not kept. */
  readonly drain: { readonly closing: AbortSignal }
  /** What answers for itself: Slack's endpoint, Jenkins' hooks. */
  readonly mounts?: readonly Mount[]
}

/** A handler of raw requests; it answers each, in its own time and size. */
export type Mount = {
  readonly path: string
  /** Also everything below that path; of hooks that is a secret and never logged (shown-path.ts). */
  readonly below?: boolean
  /** A request may take so long to arrive, in milliseconds; left out: as long as any other. */
  readonly patienceMs?: number
  /** It may name the caller in the facts, and what went wrong on our side. */
  readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse, facts: RequestFacts) => Promise<void>
}

export function httpServer({
  core,
  config,
  log,
  version,
  metrics,
  drain,
  mounts = [],
}: HttpOptions): HttpServer {
  const timeouts = { ...defaultTimeouts, ...config.timeouts }
  const stopping = new AbortController()
  const shutdown = AbortSignal.any([stopping.signal, drain.closing])
  const measure = httpMetrics(metrics)
  const limits = { ...defaultLimits, ...config.limits }

  const app = api({
    core,
    guard: tokenGuard(Date.now),
    limits: callerLimits({ ...limits, now: Date.now }),
    bodyLimit: config.bodyLimit ?? 1_572_864,
    heartbeatMs: timeouts.heartbeat,
    shutdown,
  })
  const ready = readiness(core, shutdown)
  const cli = { file: cliFile(version), limits: callerLimits({ ...limits, now: Date.now }) }
  let document: object | undefined
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/cli'])
    app.use(path, async (ask, next) => {
      ask.env.facts.route = path
      await next()
    })
  app.get('/healthz', ask => ask.json({ ok: true, version }))
  app.get('/readyz', async ask => {
    const health = await ready()
    return ask.json(health, health.ok ? 200 : 503)
  })
  app.get('/metrics', ask => ask.text(metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4' }))
  app.get('/openapi.json', ask => {
    document ??= openApi(routes, version)
    return ask.json(document)
  })
  // Open: it is the same for everybody and holds no secret.
  app.get('/cli', async ask => {
    const { incoming } = ask.env
    cli.limits.request(incoming.socket.remoteAddress ?? '', 'This address')
    const { body, etag } = await cli.file()
    const headers = { etag, 'cache-control': 'no-cache' }
    if (ask.req.header('if-none-match')?.split(/, */).includes(etag)) return ask.body(null, 304, headers)
    return ask.body(body, 200, { ...headers, 'content-type': 'text/javascript; charset=utf-8' })
  })

  const mountOf = (incoming: IncomingMessage): Mount | undefined => {
    const asked = (incoming.url ?? '').split('?')[0] ?? ''
    return mounts.find(({ path, below }) => asked === path || (below && asked.startsWith(`${path}/`)))
  }
  const longest = Math.max(timeouts.request, ...mounts.map(mount => mount.patienceMs ?? 0))

  const answer = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    facts: RequestFacts,
  ): Promise<void> => {
    const mount = mountOf(incoming)
    if (longest > timeouts.request) hurry(incoming, mount?.patienceMs ?? timeouts.request)
    if (mount) {
      facts.route = mount.path
      return mount.handle(incoming, outgoing, facts)
    }
    return getRequestListener(request => app.fetch(request, { incoming, outgoing, facts }), {
      overrideGlobalObjects: false,
      // What the adapter itself refuses: an address or a Host that is none.
      errorHandler: () => {
        const error = new UserError('bad_input', 'The address of the request is not valid.')
        const { status, body } = failureOf(error, facts.requestId)
        return Response.json(body, { status })
      },
    })(incoming, outgoing)
  }

  function respond(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const facts: RequestFacts = {
      requestId: requestIdOf(incoming),
      route: 'unmatched',
      caller: null,
      fault: undefined,
    }
    const started = performance.now()
    outgoing.setHeader('x-request-id', facts.requestId)
    for (const [name, value] of securityHeaders) outgoing.setHeader(name, value)
    if (shutdown.aborted) outgoing.setHeader('connection', 'close')
    measure.begin()
    busy.add(incoming.socket)
    outgoing.once('close', () => {
      const seconds = (performance.now() - started) / 1000
      measure.end({
        method: incoming.method ?? '',
        route: facts.route,
        status: outgoing.statusCode,
        seconds,
      })
      writeLine(log, incoming, outgoing, facts, seconds)
      busy.delete(incoming.socket)
      if (stopping.signal.aborted) setImmediate(closeIdle)
    })
    answer(incoming, outgoing, facts).catch((error: unknown) => {
      log.error({ requestId: facts.requestId, err: error }, 'a request could not be answered')
      outgoing.destroy()
    })
  }

  const server = createServer(
    {
      headersTimeout: timeouts.headers,
      // Of the most patient mount; others have a timer of their own then.
      requestTimeout: longest,
      keepAliveTimeout: timeouts.keepAlive,
      connectionsCheckingInterval: Math.min(5_000, timeouts.headers),
    },
    respond,
  )
  // `Expect: 100-continue`: who may refuse an upload by its head says itself when it may come.
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (mountOf(incoming)?.patienceMs === undefined) outgoing.writeContinue()
    respond(incoming, outgoing)
  })
  server.timeout = timeouts.idle
  // Node's own closeIdleConnections leaves those that never asked anything, and they would hold up `close`.
  const open = new Set<Socket>()
  const busy = new Set<Socket>()
  server.on('connection', socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  const closeIdle = () => {
    for (const socket of open) if (!busy.has(socket)) socket.destroySoon()
  }

  let url = ''
  return {
    get url() {
      return url
    },
    listen: async () => {
      server.listen(config.port, config.host)
      try {
        await once(server, 'listening')
      } catch (error) {
        throw listenFailure(error, config)
      }
      const { address, port, family } = server.address() as AddressInfo // a TCP server has an address object
      const host = ['0.0.0.0', '::'].includes(address)
        ? 'localhost'
        : family === 'IPv6'
          ? `[${address}]`
          : address
      url = `http://${host}:${port}`
      return url
    },
    close: async () => {
      stopping.abort()
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      closeIdle()
      const patience = new AbortController()
      await Promise.race([
        closed,
        delay(timeouts.close, undefined, { signal: patience.signal }).catch(() => undefined),
      ])
      patience.abort()
      server.closeAllConnections()
      await closed
    },
  }
}

const securityHeaders = Object.entries({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})

/** Ends a connection whose request is not all there in time. */
function hurry(incoming: IncomingMessage, ms: number): void {
  const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers
  if (length === undefined && coding === undefined) return
  const late = setTimeout(() => incoming.complete || incoming.socket.destroy(), ms)
  late.unref()
  incoming.once('close', () => clearTimeout(late))
}

/** The client's own id if it is a sane one, so that a request can be followed through systems. */
function requestIdOf(incoming: IncomingMessage): string {
  const given = incoming.headers['x-request-id']
  return typeof given === 'string' && /^[A-Za-z0-9._-]{4,64}$/.test(given)
    ? given
    : randomBytes(6).toString('hex')
}

/** One look at etcd and the clusters serves everyone who asks within a second: the route is open. */
function readiness(core: Core, shutdown: AbortSignal) {
  let last: { at: number; health: ReturnType<Core['health']> } | undefined
  return async () => {
    if (shutdown.aborted)
      return { ok: false, checks: [{ name: 'drain', ok: false, message: 'shutting down' }] }
    if (last && performance.now() - last.at <= 1000) return last.health
    const asked = { at: performance.now(), health: core.health() }
    last = asked
    // A no is not kept: that it is over must be seen at once.
    const forget = () => {
      if (last === asked) last = undefined
    }
    asked.health.then(({ ok }) => ok || forget(), forget)
    return asked.health
  }
}

function writeLine(
  log: HttpLog,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  facts: RequestFacts,
  seconds: number,
): void {
  const line = {
    requestId: facts.requestId,
    method: incoming.method,
    // Without its query: names go there, but so might what somebody pasted.
    path: shownPath(incoming.url ?? ''),
    status: outgoing.statusCode,
    ms: Math.round(seconds * 1000),
    caller: facts.caller,
    remote: incoming.socket.remoteAddress,
    ...(outgoing.writableFinished ? {} : { cut: true }),
  }
  if (facts.fault !== undefined) log.error({ ...line, err: facts.fault }, 'a request failed')
  else if (facts.caller === null && outgoing.statusCode < 400) log.debug(line, 'request')
  else log.info(line, 'request')
}

function listenFailure(error: unknown, { host, port }: HttpConfig): Error {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  if (code === 'EADDRINUSE')
    return new UserError('unavailable', `Port ${port} on ${host} is taken. Name another one with --port.`, {
      cause: error,
    })
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return new UserError('bad_input', `Cannot listen on ${host} port ${port} (${code}).`, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

function httpMetrics(metrics: Metrics) {
  const requests = metrics.counter(
    'gkube_http_requests_total',
    'Requests answered, by route pattern and status',
  )
  const seconds = metrics.histogram('gkube_http_request_seconds', 'Time to answer, streams included')
  let running = 0
  metrics.gauge('gkube_http_requests_running', 'Requests and streams that run now', () => running)
  metrics.gauge('process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss())
  metrics.gauge('process_uptime_seconds', 'Time since the process started', () => process.uptime())
  return {
    begin: () => void running++,
    end: (one: { method: string; route: string; status: number; seconds: number }) => {
      running--
      requests.add({ method: one.method, route: one.route, status: String(one.status) })
      seconds.observe(one.seconds, { route: one.route })
    },
  }
}
