// One HTTP exchange with Jenkins: Basic credentials to the configured address and nowhere else (redirects are never
// followed), a time-out, a cap on what is read, and the crumb where a Jenkins wants one. What an answer means is
// answers.ts's; nothing here retries.
import { JenkinsError } from '../../core/builds/jenkins.ts'
import { notInTime, unreachable } from './answers.ts'

export type Server = { readonly url: string; readonly user: string; readonly token: string }
export type Log = (message: string, error?: unknown) => void

export type Ask = {
  /** Below the configured address, encoded, without a slash in front. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly form?: Readonly<Record<string, string>>
  readonly ms: number
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }

/** An answer whose body is still to be read, or not. */
export type Opened = Omit<Answer, 'text'> & {
  /** The body; `cut` where it is longer than `most` bytes: the rest is not fetched. */
  read(most: number): Promise<{ readonly bytes: Uint8Array; readonly cut: boolean }>
  close(): Promise<void>
}

export type Transport = {
  /** Throws `unavailable` where the body is longer than 4 MB. */
  get(ask: Ask): Promise<Answer>
  open(ask: Ask): Promise<Opened>
  /** Of the body only what tells why is read. Without an answer: `unavailable` and `unclear`. */
  post(ask: Ask): Promise<Answer>
}

const mostBytes = 4 * 1024 * 1024
/** Enough of an error page to find its words. */
const mostWords = 64 * 1024

type Crumb = { readonly field: string; readonly value: string; readonly cookie: string }

export function jenkinsTransport(server: Server, log: Log): Transport {
  const base = new URL(server.url.endsWith('/') ? server.url : `${server.url}/`)
  const authorization = `Basic ${Buffer.from(`${server.user}:${server.token}`).toString('base64')}`
  /** Kept while Jenkins takes it: a session of its own. */
  let crumb: Crumb | null = null

  async function open(ask: Ask, method: 'GET' | 'POST' = 'GET'): Promise<Opened> {
    const url = new URL(ask.path, base)
    for (const [name, value] of Object.entries(ask.query ?? {})) url.searchParams.set(name, value)
    const failed = (error: unknown) =>
      failure(error, { host: base.host, ms: ask.ms, posted: method === 'POST' })
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(ask.ms),
      headers: {
        authorization,
        accept: 'application/json, text/plain',
        'user-agent': 'gkube',
        ...(method === 'POST' && crumb ? { [crumb.field]: crumb.value, cookie: crumb.cookie } : {}),
      },
      ...(method === 'POST' && ask.form ? { body: new URLSearchParams(ask.form) } : {}),
    }).catch((error: unknown) => {
      throw failed(error)
    })
    return {
      status: response.status,
      headers: response.headers,
      read: most =>
        readAtMost(response, most).catch((error: unknown) => {
          throw failed(error)
        }),
      close: () => closed(response),
    }
  }

  async function get(ask: Ask): Promise<Answer> {
    const opened = await open(ask)
    const { bytes, cut } = await opened.read(mostBytes)
    if (cut) throw new JenkinsError('unavailable', `Jenkins (${base.host}) answers more than 4 MB`)
    return { status: opened.status, headers: opened.headers, text: utf8(bytes) }
  }

  async function postOnce(ask: Ask): Promise<Answer> {
    const { status, headers, read, close } = await open(ask, 'POST')
    if (status < 400) {
      await close()
      return { status, headers, text: '' }
    }
    // The status was answered: a page that breaks off tells less, and changes nothing.
    const text = await read(mostWords).then(
      ({ bytes }) => utf8(bytes),
      () => '',
    )
    return { status, headers, text }
  }

  async function post(ask: Ask): Promise<Answer> {
    const answer = await postOnce(ask)
    if (answer.status !== 403 || !wantsCrumb(answer)) return answer
    const fresh = await newCrumb(ask.ms)
    if (!fresh) return answer
    if (!crumb) log('jenkins: asks for a crumb, as it does of passwords; an API token needs none')
    crumb = fresh
    return postOnce(ask)
  }

  async function newCrumb(ms: number): Promise<Crumb | null> {
    const answer = await get({ path: 'crumbIssuer/api/json', ms })
    if (answer.status !== 200) return null
    const { crumbRequestField, crumb } = parsed(answer.text) ?? {}
    if (typeof crumbRequestField !== 'string' || typeof crumb !== 'string') return null
    // A header's name and value, and nothing else.
    if (!/^[\w-]{1,100}$/.test(crumbRequestField) || !/^[\x21-\x7e]{1,500}$/.test(crumb)) return null
    const cookies = answer.headers.getSetCookie().map(cookie => cookie.split(';', 1)[0] ?? '')
    return { field: crumbRequestField, value: crumb, cookie: cookies.join('; ') }
  }

  return { get, open: ask => open(ask), post }
}

const wantsCrumb = ({ text, headers }: Answer): boolean =>
  /no valid crumb/i.test(text) || /no valid crumb/i.test(headers.get('x-error') ?? '')

/** Bytes as text; what is no UTF-8 becomes U+FFFD. */
export const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

function parsed(text: string): { readonly [key: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    // Not JSON: the callers say what that means for them.
    return null
  }
}

async function readAtMost(
  response: Response,
  most: number,
): Promise<{ readonly bytes: Uint8Array; readonly cut: boolean }> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop cancels the body: the rest is not fetched.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    chunks.push(chunk)
    if (size > most) return { bytes: Buffer.concat(chunks).subarray(0, most), cut: true }
  }
  return { bytes: Buffer.concat(chunks), cut: false }
}

/** A body that cannot be let go of properly is gone all the same. */
const closed = async (response: Response): Promise<void> => {
  await response.body?.cancel().catch(() => {})
}

/** Before anything of the request was sent. */
const neverSent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL)/

function failure(
  error: unknown,
  about: { readonly host: string; readonly ms: number; readonly posted: boolean },
): JenkinsError {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return notInTime(about, error)
  // fetch keeps what happened in `cause`.
  const cause =
    error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined
  const why = cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error))
  return unreachable(about.host, why, { cause: error, unclear: about.posted && !neverSent.test(why) })
}
