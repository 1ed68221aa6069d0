// One call of Slack's Web API and what became of it, on Slack's own client with its retries switched off: a post that
// is sent twice is seen twice. Nothing throws here; whether a failed call may have happened all the same is told apart.
// When a call is made is scheduler.ts; what an error code means for a message is messenger.ts.
import {
  type Logger,
  type LogLevel,
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
  WebClient,
} from '@slack/web-api'
import { post } from './post.ts'

type Json = Readonly<Record<string, unknown>>

export type Answer =
  /** `scopes`: what the token was granted, where Slack says so. */
  | { readonly kind: 'ok'; readonly data: Json; readonly scopes: readonly string[] | null }
  /** Slack refused it, by one of its codes (`channel_not_found`). */
  | { readonly kind: 'error'; readonly code: string; readonly data: Json }
  /** 429. It was not done. */
  | { readonly kind: 'limited'; readonly afterMs: number }
  /** Slack was not reached, or says that it did nothing. */
  | { readonly kind: 'unsent'; readonly message: string }
  /** No answer, or one that says nothing: it may have been done. */
  | { readonly kind: 'unclear'; readonly message: string }

export type Fetch = typeof globalThis.fetch

export type SlackWeb = {
  /** One attempt; `timeoutMs` default 10 s. */
  call(method: string, args: Json, options?: { readonly timeoutMs?: number }): Promise<Answer>
  /** The same with the app token (Socket Mode). */
  callAsApp(method: string, args: Json): Promise<Answer>
  /** Bytes to an upload URL of Slack's, and messages to a response_url: not methods, no token. */
  send(url: string, init: { body: string | Uint8Array; type: string; timeoutMs?: number }): Promise<Answer>
  /** How far this machine's clock is ahead of Slack's, as last seen; null: no answer yet. Milliseconds, a second's precision. */
  skewMs(): number | null
}

export type SlackWebOptions = {
  readonly botToken: string
  readonly appToken: string | null
  /** Ends in a slash. */
  readonly api: string
  readonly fetch?: Fetch
  readonly timeoutMs?: number
  /** Hears what the client warns about; never tokens or messages. */
  readonly log?: (message: string) => void
}

/** The longest a call takes, unless said otherwise: what is unclear is waited for longer than this. */
export const callTimeoutMs = 10_000
const busyMs = 30_000

export function slackWeb(options: SlackWebOptions): SlackWeb {
  const inner = options.fetch ?? globalThis.fetch
  const clients = new Map<string, WebClient>()
  let skew: number | null = null

  function seen(header: string | null | undefined): void {
    const date = Date.parse(header ?? '')
    if (Number.isFinite(date)) skew = Date.now() - date
  }

  const fetch: Fetch = async (input, init) => {
    const response = await inner(input, init)
    seen(response.headers.get('date'))
    return response
  }

  function client(token: string, timeoutMs: number): WebClient {
    const name = `${token} ${timeoutMs}`
    const known = clients.get(name)
    if (known) return known
    const made = new WebClient(token, {
      slackApiUrl: options.api,
      retryConfig: { retries: 0 },
      rejectRateLimitedCalls: true,
      timeout: timeoutMs,
      fetch,
      allowAbsoluteUrls: false,
      logger: quiet(options.log ?? (() => undefined)),
    })
    clients.set(name, made)
    return made
  }

  async function attempt(token: string, method: string, args: Json, timeoutMs: number): Promise<Answer> {
    try {
      const data: Json = { ...(await client(token, timeoutMs).apiCall(method, args)) }
      const meta = data.response_metadata as { scopes?: readonly string[] } | undefined
      return { kind: 'ok', data, scopes: meta?.scopes ?? null }
    } catch (error) {
      return failure(error)
    }
  }

  return {
    call: (method, args, { timeoutMs = options.timeoutMs ?? callTimeoutMs } = {}) =>
      attempt(options.botToken, method, args, timeoutMs),
    async callAsApp(method, args) {
      if (!options.appToken) return { kind: 'error', code: 'not_authed', data: {} }
      return attempt(options.appToken, method, args, options.timeoutMs ?? callTimeoutMs)
    },
    async send(url, { body, type, timeoutMs = options.timeoutMs ?? callTimeoutMs }) {
      try {
        const { status, headers, text } = await post(url, { body, type, timeoutMs })
        seen(headers.date)
        if (status >= 200 && status < 300) return { kind: 'ok', data: { text }, scopes: null }
        if (status === 429) return { kind: 'limited', afterMs: afterMs(headers['retry-after']) }
        if (status >= 400 && status < 500)
          return { kind: 'error', code: codeOf(text) ?? `http_${status}`, data: {} }
        return { kind: 'unclear', message: `Slack answers ${status}` }
      } catch (error) {
        return failure(error)
      }
    },
    skewMs: () => skew,
  }
}

/** What an error of the client says about the call. */
function failure(error: unknown): Answer {
  if (error instanceof WebAPIRateLimitedError) return { kind: 'limited', afterMs: error.retryAfter * 1000 }
  if (error instanceof WebAPIPlatformError) return platform(error)
  if (error instanceof WebAPIHTTPError) {
    const message = `Slack answers ${error.statusCode}`
    // 503 is said by who did not take the request; 500, 502 and 504 by who may have.
    return { kind: error.statusCode === 503 ? 'unsent' : 'unclear', message }
  }
  const cause = error instanceof WebAPIRequestError ? error.original : error
  if (cause instanceof Error && cause.message.startsWith('Retry header'))
    return { kind: 'limited', afterMs: busyMs }
  const code = networkCode(cause)
  const words = `${cause instanceof Error ? cause.message : String(cause)}${code ? ` (${code})` : ''}`
  return code !== null && unsentCodes.has(code)
    ? { kind: 'unsent', message: `Slack cannot be reached: ${words}` }
    : { kind: 'unclear', message: `no answer from Slack: ${words}` }
}

function platform({ data }: WebAPIPlatformError): Answer {
  const code = typeof data.error === 'string' ? codeOf(data.error) : null
  // The client makes an error of a body that is not JSON: a proxy's page, not Slack's answer.
  if (code === null) return { kind: 'unclear', message: 'the answer is not Slack’s' }
  if (code === 'ratelimited' || code === 'rate_limited') return { kind: 'limited', afterMs: busyMs }
  if (code === 'service_unavailable' || code === 'request_timeout')
    return { kind: 'unsent', message: `Slack says ${code}` }
  // "It's possible some aspect of the operation succeeded before the error was raised."
  if (code === 'internal_error' || code === 'fatal_error')
    return { kind: 'unclear', message: `Slack says ${code}` }
  return { kind: 'error', code, data: { ...data } }
}

const codeOf = (text: string): string | null => (/^[a-zA-Z0-9_.:-]{1,80}$/.test(text) ? text : null)

function afterMs(header: string | undefined): number {
  const seconds = Number.parseInt(header ?? '', 10)
  return Number.isFinite(seconds) ? seconds * 1000 : busyMs
}

/** The connection was never made, so nothing was sent. */
const unsentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** fetch hides the system's code in the causes. */
function networkCode(error: unknown): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as { code?: unknown }
    if (typeof code === 'string') return code
  }
  return null
}

/** The client's logger: its warnings are about arguments; requests and answers (debug) are left out. */
function quiet(warn: (message: string) => void): Logger {
  const nothing = () => undefined
  const pass = (...parts: unknown[]) => warn(parts.map(String).join(' '))
  return {
    debug: nothing,
    info: nothing,
    warn: pass,
    error: pass,
    setLevel: nothing,
    setName: nothing,
    getLevel: () => 'warn' as LogLevel,
  }
}
