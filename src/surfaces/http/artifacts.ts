// /v1/artifacts/<sha256>: PUT takes an upload, HEAD says whether it is there (both with an API token that may deploy some
// app), GET gives it to a publish Job (with a one-time token). Streams, so it is no route of the table: an artifact has
// another size and another time than a request of the API. The store is adapters/artifacts/.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { type ArtifactStore, sha256Shape } from '../../core/artifacts/store.ts'
import type { Caller, Core } from '../../core/core.ts'
import { demand, type Person } from '../../core/policy.ts'
import { UserError } from '../../errors.ts'
import type { RequestFacts } from './api.ts'
import { failureOf, Refusal } from './failures.ts'
import type { Mount } from './server.ts'
import { tokenGuard } from './token-guard.ts'

const path = '/v1/artifacts'
/** Uploads and downloads at once: each is disk and network. */
const mostAtOnce = 16
/** An upload may take so long. */
const patienceMs = 15 * 60_000

export function artifactRoutes(options: {
  readonly store: ArtifactStore
  readonly redeem: (token: string, sha256: string) => Promise<{ readonly deploy: string }>
  readonly authenticate: Core['authenticate']
  readonly people: readonly Person[]
  readonly maxBytes: number
  readonly now: () => number
  /** Each upload, before it is answered. */
  readonly uploaded: (
    caller: Caller,
    artifact: { readonly sha256: string; readonly size: number },
  ) => Promise<void>
  /** Whoever may not upload. */
  readonly refused: (caller: Caller, error: UserError) => Promise<void>
}): Mount {
  const { store, redeem, people, maxBytes, now } = options
  const guard = tokenGuard(now)
  let running = 0

  /** Who asks, by a token of either kind; bad ones are slowed down. */
  async function known<T>(incoming: IncomingMessage, check: (token: string) => Promise<T>): Promise<T> {
    const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(incoming.headers.authorization ?? '')?.[1]
    if (token === undefined)
      throw new UserError('unauthenticated', 'Send a token: `Authorization: Bearer <token>`.')
    const address = incoming.socket.remoteAddress ?? ''
    const wait = guard.wait(address, token)
    if (wait > 0)
      throw new Refusal(429, 'unauthenticated', `Too many bad tokens from here. Try again in ${wait} s.`, {
        headers: { 'retry-after': String(wait) },
      })
    try {
      const found = await check(token)
      guard.good(token)
      return found
    } catch (error) {
      if (error instanceof UserError && error.kind === 'unauthenticated') guard.bad(address, token)
      throw error
    }
  }

  async function deployer(incoming: IncomingMessage, facts: RequestFacts): Promise<Caller> {
    const caller = await known(incoming, token => options.authenticate(token, 'api'))
    facts.caller = caller.actor.id
    // Any app anywhere: what is uploaded is bound to an app by the deploy that names its hash.
    try {
      demand(caller, 'deploy', {}, people)
    } catch (error) {
      if (error instanceof UserError && incoming.method === 'PUT') await options.refused(caller, error)
      throw error
    }
    return caller
  }

  async function take(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { sha256, caller }: { sha256: string; caller: Caller },
  ): Promise<void> {
    const there = await store.touch(sha256)
    if (there !== null) return send(outgoing, 200, { sha256, size: there, repeated: true })
    if (Number(incoming.headers['content-length'] ?? 0) > maxBytes)
      throw new UserError(
        'too_large',
        `The artifact is larger than ${maxBytes} bytes (artifacts.maxSize in gkube.yaml).`,
      )
    if (incoming.headers.expect) outgoing.writeContinue()
    const { size } = await store.put(sha256, arriving(incoming))
    await options.uploaded(caller, { sha256, size })
    send(outgoing, 201, { sha256, size, repeated: false })
  }

  async function give(outgoing: ServerResponse, sha256: string): Promise<void> {
    const artifact = await store.read(sha256)
    if (!artifact) throw gone(sha256)
    outgoing.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': artifact.size })
    // Whoever reads may go at any time; that is not ours to report.
    await pipeline(artifact.content, outgoing).catch((error: NodeJS.ErrnoException) => {
      outgoing.destroy()
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
    })
  }

  async function answer(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    facts: RequestFacts,
  ): Promise<void> {
    const sha256 = (incoming.url ?? '').split('?')[0]?.slice(path.length + 1) ?? ''
    const { method } = incoming
    if (method !== 'PUT' && method !== 'GET' && method !== 'HEAD')
      throw new Refusal(405, 'bad_input', 'An artifact takes PUT, HEAD and GET.', {
        headers: { allow: 'PUT, HEAD, GET' },
      })
    if (!sha256Shape.test(sha256))
      throw new UserError('bad_input', 'The address is /v1/artifacts/<sha256>: 64 digits from 0 to f.')
    if (method === 'GET') {
      const { deploy } = await known(incoming, token => redeem(token, sha256))
      facts.caller = `deploy:${deploy}`
      return give(outgoing, sha256)
    }
    const caller = await deployer(incoming, facts)
    if (method === 'PUT') return take(incoming, outgoing, { sha256, caller })
    const size = await store.size(sha256)
    if (size === null) throw gone(sha256)
    outgoing.writeHead(200, { 'content-length': size }).end()
  }

  return {
    path,
    below: true,
    patienceMs,
    handle: async (incoming, outgoing, facts) => {
      running++
      try {
        if (running > mostAtOnce)
          throw new Refusal(
            429,
            'too_many_requests',
            `${mostAtOnce} artifacts are on their way. Try again in 5 s.`,
            {
              headers: { 'retry-after': '5' },
            },
          )
        await answer(incoming, outgoing, facts)
      } catch (error) {
        const { status, headers, body, ours } = failureOf(error, facts.requestId)
        if (ours) facts.fault = error
        if (outgoing.headersSent || outgoing.destroyed) return void outgoing.destroy()
        send(outgoing, status, body, headers)
      } finally {
        running--
      }
    },
  }
}

/** The body; UserError where whoever sends it goes. */
async function* arriving(incoming: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    // Not destroyed on return: the answer still has to leave on the same connection.
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) yield chunk
  } catch (cause) {
    throw new UserError('bad_input', 'The artifact ended before its time.', { cause })
  }
}

const gone = (sha256: string): UserError =>
  new UserError('not_found', `There is no artifact ${sha256}. Upload it: gkube artifact push <file>`)

function send(
  outgoing: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(JSON.stringify(body))
  // What was not read yet would stand between this answer and the next request.
  const rest = outgoing.req.complete ? {} : { connection: 'close' }
  outgoing.writeHead(status, {
    ...headers,
    ...rest,
    'content-type': 'application/json; charset=utf-8',
    'content-length': text.byteLength,
  })
  outgoing.end(text)
}
