// A little registry on loopback for the tests: manifests by tag, token or basic authentication, and the ways a
// registry goes wrong. It records what was asked, with the credentials that came along.
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Asked = { readonly method: string; readonly path: string; readonly authorization: string | null }
type Handler = (request: IncomingMessage, response: ServerResponse, asked: readonly Asked[]) => void

export const manifestOf = (text: string) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    annotations: { text },
  })
export const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

export async function registryServer(handler: Handler) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    asked.push({
      method: request.method ?? '',
      path: request.url ?? '',
      authorization: request.headers.authorization ?? null,
    })
    handler(request, response, asked)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    asked,
    lines: () => asked.map(a => `${a.method} ${a.path.replace(/\?.*/, '')}`),
    close: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Answers with a manifest; `headers` add to or replace what a registry sends. */
export function manifest(
  request: IncomingMessage,
  response: ServerResponse,
  options: { text?: string; headers?: Record<string, string>; digest?: string | null } = {},
): void {
  const body = options.text ?? manifestOf('1.4.2')
  const digest = options.digest === undefined ? digestOf(body) : options.digest
  response.writeHead(200, {
    'content-type': 'application/vnd.oci.image.index.v1+json',
    'content-length': Buffer.byteLength(body),
    ...(digest === null ? {} : { 'docker-content-digest': digest }),
    ...options.headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export function failure(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ errors: [{ code, message: 'x' }] }))
}
