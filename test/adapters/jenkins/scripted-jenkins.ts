// A tiny HTTP server that answers what a test scripts, by method and path, and keeps what it was sent: for the odd answers
// that no proper Jenkins gives on request. The sandbox's Jenkins is the other half (contract.test.ts).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jenkinsAdapter } from '../../../src/adapters/jenkins/jenkins.ts'
import { JenkinsError } from '../../../src/core/builds/jenkins.ts'

export type Seen = {
  readonly method: string
  /** As it was sent, encoded, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
export type Reply =
  | {
      readonly status?: number
      readonly headers?: Readonly<Record<string, string | readonly string[]>>
      readonly body?: string | Buffer
      readonly json?: unknown
    }
  /** Writes the answer itself, or none. */
  | ((response: ServerResponse, seen: Seen) => void)

export type Scripted = Awaited<ReturnType<typeof scriptedJenkins>>

/** `GET /job/web/api/json` → its reply; what is not scripted is 404. A list of replies: one after the other. */
export async function scriptedJenkins(
  first: Readonly<Record<string, Reply | readonly Reply[]>> = {},
  options: {
    readonly timeouts?: { readonly call?: number; readonly person?: number }
    readonly base?: string
  } = {},
) {
  let script: Readonly<Record<string, Reply | readonly Reply[]>> = first
  const seen: Seen[] = []
  const lines: string[] = []
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const [path = '', query = ''] = (request.url ?? '').split('?', 2)
      const one: Seen = {
        method: request.method ?? '',
        path,
        query: new URLSearchParams(query),
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      }
      seen.push(one)
      const key = `${one.method} ${path}`
      const replies = script[key]
      const at = counts.get(key) ?? 0
      counts.set(key, at + 1)
      const reply = isList(replies) ? (replies[at] ?? replies.at(-1)) : replies
      answer(response, one, reply ?? { status: 404, body: '<html>Not Found</html>' })
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}${options.base ?? '/'}`
  const jenkins = jenkinsAdapter({
    server: { url, user: 'gkube', token: 'the-api-token' },
    log: (message, error) => void lines.push(`${message} ${String(error ?? '')}`),
    ...(options.timeouts ? { timeouts: options.timeouts } : {}),
  })
  return {
    url,
    jenkins,
    seen,
    lines,
    /** From now on. */
    script(next: Readonly<Record<string, Reply | readonly Reply[]>>) {
      script = next
      counts.clear()
      seen.length = 0
    },
    /** `POST /job/web/build` */
    asked: () => seen.map(({ method, path }) => `${method} ${path}`),
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const isList = (value: Reply | readonly Reply[] | undefined): value is readonly Reply[] =>
  Array.isArray(value)

function answer(response: ServerResponse, seen: Seen, reply: Reply): void {
  if (typeof reply === 'function') {
    reply(response, seen)
    return
  }
  response.statusCode = reply.status ?? 200
  for (const [name, value] of Object.entries(reply.headers ?? {}))
    response.setHeader(name, typeof value === 'string' ? value : [...value])
  response.end(reply.json === undefined ? reply.body : JSON.stringify(reply.json))
}

/** What a call threw: its code, its words and whether it is unclear. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ readonly code: string; readonly message: string; readonly unclear: boolean }> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof JenkinsError)) throw error
    return { code: error.code, message: error.message, unclear: error.unclear }
  }
  throw new Error('it was not refused')
}
