// The HTTP server of the stand-in Jenkins, on 127.0.0.1 only: faults first, then who asks, then routes.ts. People may
// open its pages without a password; the remote API wants one. Other hosts' names (DNS rebinding) are refused.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Access } from './access.ts'
import { Answer, json } from './answer.ts'
import type { Ask, RouteDeps } from './asked.ts'
import type { Faults } from './faults.ts'
import { answerTo } from './routes.ts'

export type HttpDeps = RouteDeps & {
  readonly access: Access
  readonly faults: Faults
  readonly seen: (request: string) => void
  readonly fail: (error: unknown, path: string) => void
}

const mostBody = 1_000_000

export async function listen(deps: HttpDeps, wanted: number) {
  const server = createServer((request, response) => {
    serve(deps, request, response).catch(error => {
      deps.fail(error, request.url ?? '')
      response.destroy()
    })
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(wanted, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP, not on a pipe
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function serve(deps: HttpDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = request.url ?? '/'
  deps.seen(`${request.method} ${asked}`)
  const fault = deps.faults.take(request.method ?? 'GET', asked)
  if (fault?.kind === 'down') return void request.socket.destroy()
  if (fault?.kind === 'slow') await deps.faults.wait(fault.ms ?? 2000)
  const answer =
    fault?.kind === 'error'
      ? new Answer(500, 'java.lang.NullPointerException')
      : await answered(deps, request)
  if (fault?.kind === 'cut') return void request.socket.destroy()
  response.writeHead(answer.status, {
    'x-jenkins': '2.479.3',
    'x-content-type-options': 'nosniff',
    ...(answer.status >= 400 ? { 'content-type': 'text/html;charset=utf-8' } : {}),
    ...answer.headers,
  })
  response.end(answer.body)
}

async function answered(deps: HttpDeps, request: IncomingMessage): Promise<Answer> {
  try {
    const own = [`127.0.0.1:${request.socket.localPort}`, `localhost:${request.socket.localPort}`]
    if (!own.includes(request.headers.host ?? ''))
      throw new Answer(403, 'It answers to its own address only.')
    if (
      request.headers.origin !== undefined &&
      !own.some(host => request.headers.origin === `http://${host}`)
    )
      throw new Answer(403, 'No valid crumb was included in the request')
    const url = new URL(request.url ?? '/', 'http://jenkins')
    // Jetty takes no encoded slash: a branch's comes encoded twice.
    if (/%2f/i.test(url.pathname)) throw new Answer(400, 'Ambiguous URI path separator')
    const segments = segmentsOf(url.pathname)
    const user = deps.access.who(request)
    const isPage = request.method === 'GET' && !segments.includes('api') && !segments.includes('wfapi')
    if (user === null && !isPage)
      throw new Answer(403, 'Authentication required', {
        'x-required-permission': 'hudson.model.Hudson.Read',
      })
    if (segments.join('/') === 'crumbIssuer/api/json') {
      const { body, headers } = deps.access.crumb(request)
      return json(body, headers)
    }
    const form = request.method === 'POST' ? await formOf(request) : new URLSearchParams()
    const ask: Ask = {
      method: request.method ?? 'GET',
      segments,
      query: url.searchParams,
      given: name => [...url.searchParams.getAll(name), ...form.getAll(name)],
      user: user ?? 'anonymous',
    }
    return answerTo(deps, ask)
  } catch (error) {
    if (error instanceof Answer) return error
    throw error
  }
}

function segmentsOf(path: string): string[] {
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    throw new Answer(400, 'Bad URI')
  }
}

/** Fields of a form, of either encoding; other bodies are not looked at, as in Jenkins. */
async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > mostBody) throw new Answer(413, 'Form is larger than max length')
    parts.push(part)
  }
  const body = Buffer.concat(parts)
  const type = request.headers['content-type'] ?? ''
  if (type.startsWith('application/x-www-form-urlencoded')) return new URLSearchParams(body.toString('utf8'))
  if (!type.startsWith('multipart/form-data')) return new URLSearchParams()
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
  const fields = new URLSearchParams()
  for (const [name, value] of form) fields.append(name, typeof value === 'string' ? value : value.name)
  return fields
}
