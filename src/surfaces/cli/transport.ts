// One HTTP request by node's own client: fetch would cost a command 50 ms more to load (measured). No redirects, no
// retries, no JSON; client.ts knows about those. https is loaded only where the address asks for it.
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Readable } from 'node:stream'
import { UserError } from '../../errors.ts'

// Not `import`: that reads every export of node:http, WebSocket among them, which loads all of undici (27 ms measured).
const { request } = process.getBuiltinModule('node:http')

/** A body that is sent when the server says that it takes it (`Expect: 100-continue`). */
export type Upload = { readonly size: number; open(): Readable }

/** A proxy in between may never say so. */
const continueMs = 2_000

/** Resolves with the head of the answer; the body is its stream. Rejects where there was none. */
export async function send(
  url: string,
  options: {
    method: string
    headers: Readonly<Record<string, string>>
    body: string | Upload | undefined
    signal: AbortSignal
  },
): Promise<IncomingMessage> {
  const { body, signal } = options
  const start = url.startsWith('https:') ? (await import('node:https')).request : request
  const headers =
    body === undefined
      ? options.headers
      : typeof body === 'string'
        ? { ...options.headers, 'content-length': Buffer.byteLength(body) }
        : { ...options.headers, 'content-length': body.size, expect: '100-continue' }
  const how: RequestOptions = { method: options.method, headers, signal }
  return new Promise((resolve, reject) => {
    const asked = start(url, how)
      .on('response', answer => {
        // After this, whoever reads the body hears of its errors; nobody reading is no reason to crash.
        answer.on('error', () => undefined)
        resolve(answer)
      })
      .on('error', reject)
    if (typeof body === 'object') upload(asked, body)
    else asked.end(body)
  })
}

function upload(asked: ClientRequest, body: Upload): void {
  let begun = false
  const begin = () => {
    if (begun || asked.destroyed) return
    begun = true
    const content = body.open()
    content.on('error', error => asked.destroy(error))
    asked.once('close', () => content.destroy())
    content.pipe(asked)
  }
  const patience = setTimeout(begin, continueMs)
  asked.once('continue', begin)
  // Answered by its head alone: there is nothing more to send.
  asked.once('response', answer => {
    begun = true
    clearTimeout(patience)
    answer.once('close', () => asked.destroy())
  })
  asked.once('close', () => clearTimeout(patience))
  asked.flushHeaders()
}

const known: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'takes no connections (is it running?)',
  ENOTFOUND: 'has a name that nobody knows',
  EAI_AGAIN: 'has a name that cannot be looked up now',
  ECONNRESET: 'cut the connection',
  EPIPE: 'cut the connection',
  ETIMEDOUT: 'cannot be reached in time',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  EPROTO: 'does not speak TLS as expected (http or https?)',
  ERR_SSL_WRONG_VERSION_NUMBER: 'does not speak TLS (http instead of https?)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'has a certificate that is not trusted (NODE_EXTRA_CA_CERTS names more)',
  SELF_SIGNED_CERT_IN_CHAIN: 'has a certificate that is not trusted (NODE_EXTRA_CA_CERTS names more)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'has a certificate that is not trusted (NODE_EXTRA_CA_CERTS names more)',
  CERT_HAS_EXPIRED: 'has a certificate that has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'has a certificate for another name',
}

/** Whatever went wrong on the way, as a UserError that says it in words. */
export function unreachable(url: string, error: unknown): UserError {
  // Several addresses (IPv6, IPv4) fail as one error with a list.
  const first = error instanceof AggregateError ? error.errors[0] : error
  const code = first instanceof Error && 'code' in first ? String(first.code) : ''
  const why = known[code] ?? (first instanceof Error ? `gave no answer (${first.message})` : 'gave no answer')
  return new UserError('unavailable', `The gkube server at ${url} ${why}.`, { cause: error })
}
