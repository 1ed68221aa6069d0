// An API server of a few lines, for what the stand-in does not do: odd answers, headers, TLS, silence. Each test
// says how it answers; requests are kept as they came.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach } from 'vitest'

export type Seen = {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
export type Answer = {
  readonly status?: number
  readonly headers?: Record<string, string | string[]>
  readonly body?: unknown
}
export type TinyApi = {
  readonly url: string
  readonly seen: Seen[]
  readonly server: Server
}

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
})

/** Answers each request with what `answer` returns; never, when it returns null. */
export async function tinyApi(
  answer: (request: Seen, n: number) => Answer | null,
  tls?: ServerOptions,
): Promise<TinyApi> {
  const seen: Seen[] = []
  const serve: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://tiny')
    const one = { method: request.method ?? '', url, headers: request.headers, body: await text(request) }
    seen.push(one)
    const given = answer(one, seen.length)
    if (!given) return
    response.writeHead(given.status ?? 200, { 'Content-Type': 'application/json', ...given.headers })
    response.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body ?? {}))
  }
  const server = tls ? createSecureServer(tls, serve) : createServer(serve)
  open.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, seen, server }
}

export const status = (code: number, reason: string, message: string, details: object = {}): Answer => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details },
})
