// One HTTP exchange with a registry or its token server: redirects by hand, so that no credential reaches another
// host; a size limit; https unless the operator allowed http. Retries are registry-client.ts's.

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type Answer = {
  readonly status: number
  readonly headers: Headers
  /** Empty for HEAD. */
  readonly body: Uint8Array
  readonly url: URL
}

/** The other side cannot be used: `retry` says whether a second attempt makes sense. */
export class TransportError extends Error {
  readonly retry: boolean
  constructor(message: string, retry: boolean, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TransportError'
    this.retry = retry
  }
}

type Request = {
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string>>
  /** Sent to the host of the first URL only. */
  readonly authorization?: string
  readonly signal: AbortSignal
  /** http may be spoken with loopback hosts. */
  readonly insecure: boolean
}

const redirects = [301, 302, 303, 307, 308]
const mostRedirects = 3
/** A manifest is 4 MiB at most by the specification. */
const mostBytes = 4 * 1024 * 1024

/** Sends a request and reads its answer whole. Throws TransportError. */
export async function exchange(fetch: Fetch, start: URL, request: Request): Promise<Answer> {
  let url = start
  for (let hop = 0; hop <= mostRedirects; hop++) {
    check(url, start, request.insecure)
    const own = request.authorization !== undefined && url.origin === start.origin
    const response = await send(fetch, url, request, own)
    const location = response.headers.get('location')
    if (!redirects.includes(response.status) || location === null)
      return { status: response.status, headers: response.headers, body: await read(response, url), url }
    await response.body?.cancel()
    url = target(location, url)
  }
  throw new TransportError(`${start.host} redirects more than ${mostRedirects} times`, false)
}

async function send(fetch: Fetch, url: URL, request: Request, own: boolean): Promise<Response> {
  try {
    return await fetch(url.href, {
      method: request.method,
      redirect: 'manual',
      signal: request.signal,
      headers: {
        'user-agent': 'gkube',
        ...request.headers,
        ...(own && request.authorization ? { authorization: request.authorization } : {}),
      },
    })
  } catch (error) {
    throw unreachable(error, url)
  }
}

async function read(response: Response, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength
      if (size > mostBytes) throw new TransportError(`the answer of ${url.host} is larger than 4 MiB`, false)
      chunks.push(chunk)
    }
  } catch (error) {
    throw error instanceof TransportError ? error : unreachable(error, url)
  }
  return Buffer.concat(chunks)
}

function target(location: string, from: URL): URL {
  const url = URL.parse(location, from.href)
  if (url) return url
  throw new TransportError(`${from.host} redirects to an address that is none`, false)
}

/** Refuses what a redirect or a token server's address must not lead to. */
export function check(url: URL, start: URL, insecure: boolean): void {
  const local = isLocal(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && insecure && local))
    throw new TransportError(
      `${start.host} leads to ${url.protocol}//${url.host}, and only https is allowed`,
      false,
    )
  if (local && !isLocal(start.hostname))
    throw new TransportError(
      `${start.host} leads to ${url.host}, which is this machine or its cloud's metadata`,
      false,
    )
}

/** Loopback and link-local: this machine, and where clouds serve credentials. */
const isLocal = (host: string): boolean =>
  /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|169\.254\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\[fe80:.*\]|\[::ffff:.*\])$/i.test(
    host,
  )

function unreachable(error: unknown, url: URL): TransportError {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return new TransportError(`${url.host} did not answer in time`, false, error)
  const cause =
    error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined
  const why = cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error))
  return new TransportError(`${url.host} cannot be reached (${why})`, true, error)
}
