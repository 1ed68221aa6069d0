// One HTTP exchange with an API server on node:http(s): deadline, retries, counters, errors in words.
// Knows nothing of kinds; resources.ts makes the paths. Streams (watch, logs) end by their own rules: shared-watch.ts.
import http from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { ClusterError } from '../../core/cluster.ts'
import type { Access, Credentials } from './credentials.ts'
import { errorOfNetwork, errorOfStatus, warningsOf } from './status-error.ts'

export type WireRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below the server's address: `/apis/apps/v1/namespaces/shop/deployments/web`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  /** What it counts as: `patch deployments`. */
  readonly counter: string
  /** A 429 or 503 may be asked again: reads, and writes that a resourceVersion or precondition fences. */
  readonly repeatable: boolean
}

export type WireResponse = {
  readonly status: number
  readonly body: string
  readonly warnings: readonly string[]
}

export type Wire = {
  readonly server: URL
  /** The whole answer, or a ClusterError. */
  call(request: WireRequest): Promise<WireResponse>
  /** The answer's body as it arrives; the headers must come before the call's time-out. Aborting `signal` destroys it. */
  stream(request: WireRequest, signal: AbortSignal): Promise<http.IncomingMessage>
  /** Headers and TLS for a connection of another protocol (exec's WebSocket). */
  access(): Promise<Access>
  error(cause: unknown): ClusterError
  counts(): Readonly<Record<string, number>>
  /** Aborts when the client closes; its reason is a ClusterError. */
  readonly closed: AbortSignal
  close(): void
}

const connectTimeoutMs = 2_000
const attempts = 4
const longestWaitMs = 5_000
const largestBody = 64 * 2 ** 20
/** Shorter than any server or balancer keeps an idle connection, so that no request meets one just closed. */
const idleMs = 25_000

type Options = { readonly name: string; readonly credentials: Credentials; readonly callTimeoutMs: number }

export function kubernetesWire({ name, credentials, callTimeoutMs }: Options): Wire {
  const { server } = credentials
  const secure = server.protocol === 'https:'
  const agentOptions = { keepAlive: true, timeout: idleMs, scheduling: 'lifo' } as const
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions)
  const counters = new Map<string, number>()
  const closing = new AbortController()
  const prefix = server.pathname.replace(/\/$/, '')
  const error = (cause: unknown) => errorOfNetwork(cause, name, server)
  const late = (what: string) =>
    new ClusterError(
      'unavailable',
      `cluster ${name} at ${server.host} did not answer ${what} within ${callTimeoutMs / 1000} s`,
    )

  /** Sends it and resolves with the response once its headers are there; `signal` destroys it at any time. */
  async function send(request: WireRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const access = await credentials.access().catch(cause => {
      throw new ClusterError('unauthorized', `no credentials for cluster ${name}: ${wordsOf(cause)}`, {
        cause,
      })
    })
    if (signal.aborted) throw signal.reason
    counters.set(request.counter, (counters.get(request.counter) ?? 0) + 1)
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
    const options: https.RequestOptions = {
      protocol: server.protocol,
      hostname: server.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: server.port || (secure ? 443 : 80),
      method: request.method,
      path: prefix + request.path + queryOf(request.query),
      agent: access.agent ?? agent,
      ...(secure ? access.tls : {}),
      headers: {
        ...access.headers,
        Accept: request.accept ?? 'application/json',
        'User-Agent': 'gkube',
        ...(body
          ? { 'Content-Type': request.contentType ?? 'application/json', 'Content-Length': body.length }
          : {}),
      },
    }
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? https : http).request(options, response => {
        clearTimeout(connecting)
        response.once('close', () => signal.removeEventListener('abort', abort))
        resolve(response)
      })
      const abort = () =>
        outgoing.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      let connecting: NodeJS.Timeout | undefined
      outgoing.once('socket', socket => {
        if (!socket.connecting) return
        const slow = () => outgoing.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' }))
        connecting = setTimeout(slow, connectTimeoutMs)
        socket.once('connect', () => clearTimeout(connecting))
      })
      // An `error` after the response was given belongs to the response, which its reader sees.
      outgoing.on('error', cause => {
        clearTimeout(connecting)
        signal.removeEventListener('abort', abort)
        reject(cause)
      })
      signal.addEventListener('abort', abort, { once: true })
      outgoing.end(body)
    })
  }

  /** As `send`, but a refusal (400 or more) becomes a ClusterError, and a 401 is asked once more with fresh credentials. */
  async function accepted(request: WireRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    for (let fresh = false; ; fresh = true) {
      const response = await sendOnce(request, signal)
      const status = response.statusCode ?? 0
      if (status < 400) return response
      const body = await bodyOf(response)
      if (status === 401 && !fresh) {
        credentials.forget()
        continue
      }
      const refusal = errorOfStatus(status, body)
      throw Object.assign(refusal, { retryAfter: retryAfterOf(response) })
    }
  }

  /** A kept connection that the server just closed says nothing about the server: reads go again on a new one. */
  async function sendOnce(request: WireRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    try {
      return await send(request, signal)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (request.method !== 'GET' || signal.aborted || (code !== 'ECONNRESET' && code !== 'EPIPE'))
        throw cause
      return send(request, signal)
    }
  }

  async function call(request: WireRequest): Promise<WireResponse> {
    const deadline = AbortSignal.timeout(callTimeoutMs)
    const signal = AbortSignal.any([deadline, closing.signal])
    const end = performance.now() + callTimeoutMs
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await accepted(request, signal)
        const body = await bodyOf(response)
        const warnings = warningsOf(response.headersDistinct.warning ?? [])
        return { status: response.statusCode ?? 0, body, warnings }
      } catch (cause) {
        if (deadline.aborted) throw late(request.counter)
        const failure = error(cause)
        const wait = request.repeatable ? waitBefore(failure, attempt) : null
        if (wait === null || performance.now() + wait > end) throw failure
        await pause(wait, signal)
      }
    }
  }

  async function stream(request: WireRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const headersLate = new AbortController()
    const timer = setTimeout(() => headersLate.abort(late(request.counter)), callTimeoutMs)
    try {
      return await accepted(request, AbortSignal.any([signal, closing.signal, headersLate.signal]))
    } catch (cause) {
      throw error(headersLate.signal.aborted ? headersLate.signal.reason : cause)
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    server,
    call,
    stream,
    access: () => credentials.access(),
    error,
    closed: closing.signal,
    counts: () => Object.fromEntries([...counters].sort(([a], [b]) => (a < b ? -1 : 1))),
    close: () => {
      closing.abort(
        new ClusterError('unavailable', `the connection to cluster ${name} was closed: gkube is stopping`),
      )
      agent.destroy()
    },
  }
}

const wordsOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).trim().slice(0, 500)

/** `?a=1&b=x&b=y`, leaving out what is undefined or false. */
export function queryOf(query: WireRequest['query'] = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue
    for (const one of Array.isArray(value) ? value : [value]) search.append(key, String(one))
  }
  return search.size > 0 ? `?${search}` : ''
}

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > largestBody) response.destroy(new Error('the answer is larger than 64 MiB'))
  })
  return text(response)
}

function retryAfterOf(response: http.IncomingMessage): number | null {
  const seconds = Number(response.headers['retry-after'])
  return Number.isFinite(seconds) ? seconds * 1000 : null
}

/** Milliseconds to wait before the next attempt; null when there is none. */
function waitBefore(failure: ClusterError & { retryAfter?: number | null }, attempt: number): number | null {
  if (attempt >= attempts || (failure.status !== 429 && failure.status !== 503)) return null
  const asked = failure.retryAfter ?? 100 * 2 ** attempt
  // Up to a fifth more, so that those who were refused together do not return together.
  return Math.min(asked, longestWaitMs) * (1 + Math.random() / 5)
}

/** Waits, or rejects with the signal's reason. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
