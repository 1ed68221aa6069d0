// Runs a command in a container over the API server's WebSocket protocol (v4/v5.channel.k8s.io): one byte of
// channel, then data. `ws` (25 ms, 7 MB) is loaded at the first use, because exec is off by default.
import type { RawData, WebSocket } from 'ws'
import { ClusterError } from '../../core/cluster.ts'
import { knownResource, objectPath } from './resources.ts'
import { errorOfStatus } from './status-error.ts'
import { queryOf, type Wire } from './wire.ts'

export type ExecOptions = {
  readonly container?: string
  readonly command: readonly string[]
  readonly signal: AbortSignal
  readonly output: (text: string, stream: 'stdout' | 'stderr') => void
}

type Outcome = {
  status?: string
  message?: string
  details?: { causes?: { reason?: string; message?: string }[] }
}

const pingMs = 20_000

/** The command's exit code. Throws ClusterError when it could not be started or the connection broke. */
export async function execInPod(
  wire: Pick<Wire, 'server' | 'access' | 'error' | 'closed'>,
  namespace: string,
  pod: string,
  options: ExecOptions & { timeoutMs: number },
): Promise<number> {
  const [{ WebSocket }, access] = await Promise.all([import('ws'), wire.access()])
  const resource = knownResource({ apiVersion: 'v1', kind: 'Pod' })
  if (!resource) throw new Error('Pod is a known kind')
  const path = objectPath(resource, { apiVersion: 'v1', kind: 'Pod', namespace, name: pod })
  const query = queryOf({
    container: options.container,
    command: options.command,
    stdout: true,
    stderr: true,
  })
  const base = wire.server.href.replace(/^http/, 'ws').replace(/\/$/, '')
  const socket = new WebSocket(`${base}${path}/exec${query}`, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], {
    headers: { ...access.headers },
    handshakeTimeout: options.timeoutMs,
    agent: access.agent,
    ...access.tls,
  })
  const signal = AbortSignal.any([options.signal, wire.closed])
  return talk(socket, { ...options, signal }, cause => wire.error(cause))
}

function talk(
  socket: WebSocket,
  { signal, output }: ExecOptions,
  errorOf: (cause: unknown) => ClusterError,
): Promise<number> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  // A peer that answers no ping for two rounds is gone.
  let answered = true
  const ping = setInterval(() => {
    if (answered) socket.ping()
    else socket.terminate()
    answered = false
  }, pingMs).unref()
  const abort = () => {
    reject(signal.reason)
    socket.terminate()
  }
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  socket.on('open', () => {
    answered = true
  })
  socket.on('pong', () => {
    answered = true
  })
  socket.on('message', (data: RawData) => {
    answered = true
    const bytes = Buffer.isBuffer(data)
      ? data
      : Buffer.concat([data].flat().map(part => Buffer.from(part as Buffer)))
    const [channel] = bytes
    const payload = bytes.subarray(1)
    if (channel === 3) resolveOutcome(payload.toString('utf8'), resolve, reject)
    const stream = channel === 1 ? 'stdout' : channel === 2 ? 'stderr' : null
    if (stream && payload.length > 0) output(decoders[stream].decode(payload, { stream: true }), stream)
  })
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', chunk => {
      body += String(chunk).slice(0, 4000)
    })
    response.on('end', () => {
      reject(errorOfStatus(response.statusCode ?? 500, body))
      socket.terminate()
    })
  })
  socket.on('error', cause => reject(errorOf(cause)))
  socket.on('close', () =>
    reject(new ClusterError('unavailable', 'the connection ended before the command did')),
  )
  return promise.finally(() => {
    clearInterval(ping)
    signal.removeEventListener('abort', abort)
    socket.close()
  })
}

function resolveOutcome(text: string, resolve: (code: number) => void, reject: (error: Error) => void): void {
  const outcome: Outcome = JSON.parse(text)
  const code = outcome.details?.causes?.find(cause => cause.reason === 'ExitCode')?.message
  if (outcome.status === 'Success') resolve(0)
  else if (code !== undefined) resolve(Number(code))
  else reject(new ClusterError('invalid', outcome.message ?? 'the command could not be run'))
}
