// Sends hooks as Jenkins and people do, each by its own proof of who it is.
import { createHmac } from 'node:crypto'
import { request } from 'node:http'

export type Sent = {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what is answered is looked at field by field
  readonly body: any
}

export async function post(
  base: string,
  options: {
    readonly path?: string
    readonly headers?: Record<string, string>
    readonly body?: unknown
    readonly method?: string
  } = {},
): Promise<Sent> {
  const { path = '/hooks/jenkins', headers = {}, body = {}, method = 'POST' } = options
  const answer = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body:
      method === 'GET'
        ? undefined
        : typeof body === 'string' || body instanceof Uint8Array
          ? (body as string)
          : JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
}

/** The headers of a signature, as docs/jenkins.md makes them with openssl. */
export function signed(
  secret: string,
  body: string | Uint8Array,
  seconds = Math.floor(Date.now() / 1000),
): Record<string, string> {
  const mac = createHmac('sha256', secret).update(`v1:${seconds}:`).update(body).digest('hex')
  return { 'x-gkube-timestamp': String(seconds), 'x-gkube-signature': `v1=${mac}` }
}

export const basic = (secret: string, user = 'jenkins'): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
})

/** A request whose address is sent as it is written; the status. */
export function raw(base: string, path: string): Promise<number> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, path, method: 'POST', headers: { 'content-type': 'application/json' } },
      answer => {
        answer.resume()
        answer.once('end', () => resolve(answer.statusCode ?? 0))
      },
    )
    outgoing.once('error', reject)
    outgoing.end('{}')
  })
}
