// The HTTP server of the stand-in Slack, on 127.0.0.1 only: the Web API, response_urls, uploads, Socket Mode, the
// control and the page share its port. Requests of other hosts' names (DNS rebinding) and other origins are refused.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { argumentsOf, readBody } from './arguments.ts'
import { uploaded } from './methods/files.ts'
import { servePage } from './page/serve.ts'
import type { ResponseUrls } from './response-urls.ts'
import { SlackError } from './slack-error.ts'
import type { Sockets } from './socket-mode.ts'
import type { State } from './state.ts'
import type { Access, webApi } from './web-api.ts'

export type HttpDeps = {
  readonly state: State
  readonly access: Access
  readonly api: ReturnType<typeof webApi>
  readonly urls: ResponseUrls
  readonly sockets: Sockets
  readonly isOffline: () => boolean
  readonly control: (request: IncomingMessage, response: ServerResponse, path: string) => Promise<void>
  readonly log?: { error(facts: object, text: string): void }
}

/** What Slack serves, and what is gone while it is offline; the page and the control stay. */
const slackPaths = ['/api/', '/response/', '/upload/', '/files/', '/link/']

export async function listen(deps: HttpDeps, wanted: number) {
  const server = createServer((request, response) => {
    serve(deps, request, response).catch(error => {
      if (error instanceof SlackError && !response.headersSent)
        return void response.writeHead(400).end(error.code)
      deps.log?.error({ err: error, path: request.url }, 'the stand-in Slack failed')
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    })
  })
  server.keepAliveTimeout = 60_000
  server.on('upgrade', (request, socket, head) => {
    if (deps.isOffline() || !isLocal(request)) return void socket.destroy()
    deps.sockets.upgrade(request, socket, head)
  })
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

/** The name it was asked by is its own, and so is the page that asks, if any. */
function isLocal({ headers, socket }: IncomingMessage): boolean {
  const own = [`127.0.0.1:${socket.localPort}`, `localhost:${socket.localPort}`]
  if (!own.includes(headers.host ?? '')) return false
  if (headers.origin !== undefined && !own.some(host => headers.origin === `http://${host}`)) return false
  const site = headers['sec-fetch-site']
  return (
    site === undefined ||
    site === 'same-origin' ||
    site === 'none' ||
    headers['sec-fetch-mode'] === 'navigate'
  )
}

async function serve(deps: HttpDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://slack')
  const path = url.pathname
  const plain = (status: number, text: string) =>
    void response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  if (!isLocal(request)) return plain(403, 'This workspace answers only to its own address, 127.0.0.1.')
  if (deps.isOffline() && slackPaths.some(one => path.startsWith(one))) return void request.socket.destroy()
  if (path.startsWith('/control/')) return deps.control(request, response, path)
  if (path.startsWith('/api/')) return deps.api.serve(request, response, url)
  if (path.startsWith('/response/') && request.method === 'POST') {
    const fields = await argumentsOf(request, new URLSearchParams(), await readBody(request))
    const given = typeof fields.payload === 'string' ? (JSON.parse(fields.payload) as typeof fields) : fields
    const { status, body } = deps.urls.use(path.slice('/response/'.length), given)
    return plain(status, body)
  }
  if (path.startsWith('/upload/v1/') && request.method === 'POST') {
    const content = await contentIn(request)
    const taken = uploaded(deps.state, path.slice('/upload/v1/'.length), content)
    return taken ? plain(200, `OK - ${content.length}`) : plain(404, 'not found')
  }
  if (path.startsWith('/files/')) {
    const file = deps.state.files.get(path.slice('/files/'.length))
    if (request.headers.authorization !== `Bearer ${deps.access.botToken}` || !file?.done)
      return plain(404, 'not found')
    return void response.writeHead(200, { 'content-type': file.mimetype }).end(file.content)
  }
  if (!(await servePage(request, response))) plain(404, 'Not found.')
}

/** The bytes as they are, or the one file of a form, as the SDK sends it. */
async function contentIn(request: IncomingMessage): Promise<Buffer> {
  const body = await readBody(request)
  const type = request.headers['content-type'] ?? ''
  if (!type.startsWith('multipart/form-data')) return body
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
  const file = [...form.values()].find(one => typeof one !== 'string')
  return file ? Buffer.from(await file.arrayBuffer()) : Buffer.alloc(0)
}
