// The API as the commands call it: one request with a time-out, retries where a repetition is safe, failures as
// errors with an exit code. Types come from the core, answers are trusted to fit them (zod stays on the server).
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { UserError, type UserErrorKind, userErrorKinds } from '../../errors.ts'
import type { Target } from './context.ts'
import { readEvents, type SseEvent } from './sse.ts'
import { send, type Upload, unreachable } from './transport.ts'

/** A failure that the server answered. */
export class ApiError extends Error {
  readonly status: number
  readonly kind: string
  readonly details: Readonly<Record<string, unknown>>
  readonly requestId: string

  constructor(
    status: number,
    body: { kind?: string; message?: string; details?: object; requestId?: string },
  ) {
    super(body.message ?? `The server answered ${status}.`)
    this.name = 'ApiError'
    this.status = status
    this.kind = body.kind ?? 'internal'
    this.details = { ...body.details }
    this.requestId = body.requestId ?? ''
  }

  get exit(): number {
    const known = userErrorKinds[this.kind as UserErrorKind] as { exit: number } | undefined // the server's kinds are more
    return known?.exit ?? (this.status < 500 && this.status !== 429 ? 2 : 75)
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>
type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'
export type Ask = {
  readonly query?: Query
  readonly body?: unknown
  /** Instead of a body: bytes as they are. */
  readonly upload?: Upload
  readonly headers?: Readonly<Record<string, string>>
  /** Sending it twice does no harm; default: GET. */
  readonly repeatable?: boolean
  readonly timeoutMs?: number
  /** How long it is repeated; default: as long as a person waits. */
  readonly patienceMs?: number
  /** Instead of the signal of the command. */
  readonly signal?: AbortSignal
}

export type Client = {
  readonly url: string
  /** The answer's JSON; undefined for 204. */
  ask<T>(method: Method, path: string, ask?: Ask): Promise<T>
  /** The text of an answer as it comes; one attempt. UserError where it ends before its time. */
  text(method: Method, path: string, ask?: Ask): AsyncGenerator<string>
  /** Server-sent events until the stream ends; one attempt. */
  events(method: Method, path: string, ask?: Ask): AsyncGenerator<SseEvent>
}

const attempts = 5
/** No further attempt is begun after this long: a person waits. */
const patienceMs = 8_000
const quietMs = 45_000

export function createClient(options: {
  target: Target
  via: 'cli' | 'jenkins'
  version: string
  signal: AbortSignal
  /** Told once when an answer did not come and it is tried again. */
  retrying: (why: string) => void
}): Client {
  const { target, via, version, retrying } = options
  /** One request; `read` makes of the answer what is wanted, within the same time limit. */
  const once = async <T>(
    [method, path, ask]: readonly [Method, string, Ask],
    accept: string,
    read: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> => {
    const signal = ask.signal ?? options.signal
    signal.throwIfAborted()
    const limit = ask.timeoutMs ?? 30_000
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), limit)
    try {
      const answer = await send(target.url + path + queryText(ask.query), {
        method,
        headers: {
          accept,
          authorization: `Bearer ${target.token}`,
          'user-agent': `gkube/${version}`,
          'x-gkube-client': via,
          ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...ask.headers,
        },
        body: bodyToSend(ask),
        signal: AbortSignal.any([signal, late.signal]),
      })
      const status = answer.statusCode ?? 0
      if (status < 200 || status > 299) throw await failure(answer, target.url)
      return await read(answer)
    } catch (error) {
      if (error instanceof ApiError || error instanceof UserError || signal.aborted) throw error
      throw unreachable(target.url, late.signal.aborted ? new Error(`nothing in ${limit / 1000} s`) : error)
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    url: target.url,
    ask: async <T>(method: Method, path: string, ask: Ask = {}): Promise<T> => {
      const send = () => once([method, path, ask], 'application/json', answer => body(answer, target.url))
      const repeatable = ask.repeatable ?? method === 'GET'
      const { signal = options.signal, patienceMs } = ask
      const answer = await (repeatable ? persist(send, { signal, patienceMs, retrying }) : send())
      return answer as T // what the route answers
    },
    text: async function* (method, path, ask = {}) {
      const answer = await once([method, path, ask], 'application/x-ndjson', async answer => answer)
      // Only while it is waited for: whoever reads may be slow.
      const watched = () => setTimeout(() => answer.destroy(new Error('it went quiet')), quietMs)
      let quiet = watched()
      answer.setEncoding('utf8')
      try {
        for await (const chunk of answer) {
          clearTimeout(quiet)
          yield String(chunk)
          quiet = watched()
        }
      } catch (error) {
        throw (ask.signal ?? options.signal).aborted ? error : unreachable(target.url, error)
      } finally {
        clearTimeout(quiet)
      }
    },
    events: async function* (method, path, ask = {}) {
      // The time limit is for the head; what limits the stream is how long it may be quiet.
      const stream = await once([method, path, ask], 'text/event-stream', async answer => answer)
      try {
        yield* readEvents(stream, quietMs)
      } catch (error) {
        throw (ask.signal ?? options.signal).aborted ? error : unreachable(target.url, error)
      }
    },
  }
}

const bodyToSend = ({ body, upload }: Ask): string | Upload | undefined =>
  upload ?? (body === undefined ? undefined : JSON.stringify(body))

/** Tries again while an answer may still come, but no longer than a person waits. */
async function persist<T>(
  send: () => Promise<T>,
  options: { signal: AbortSignal; patienceMs: number | undefined; retrying: (why: string) => void },
): Promise<T> {
  const { signal, retrying } = options
  const most = options.patienceMs === undefined ? attempts : Number.POSITIVE_INFINITY
  const end = performance.now() + (options.patienceMs ?? patienceMs)
  for (let attempt = 1; ; attempt++) {
    try {
      return await send()
    } catch (error) {
      if (attempt >= most || !mayPass(error) || performance.now() > end) throw error
      if (attempt === 1) retrying(error instanceof Error ? error.message : String(error))
      await delay(backoff(attempt), undefined, { signal })
    }
  }
}

/** 150 to 300 ms, doubling: many builds that lost the same server do not come back at once. */
export const backoff = (attempt: number, most = 5_000): number =>
  Math.min(most, 300 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2)

/** Whether another attempt may end otherwise: no answer, or one that says so. */
export const mayPass = (error: unknown): boolean =>
  error instanceof ApiError
    ? [429, 502, 503, 504].includes(error.status)
    : error instanceof UserError && error.kind === 'unavailable'

function queryText(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === false ? [] : [[name, value === true ? '1' : String(value)]],
  )
  return pairs.length > 0 ? `?${new URLSearchParams(pairs)}` : ''
}

async function body(answer: IncomingMessage, url: string): Promise<unknown> {
  const content = await text(answer)
  if (answer.statusCode === 204) return undefined
  try {
    return JSON.parse(content)
  } catch (error) {
    throw notGkube(url, answer.statusCode, error)
  }
}

async function failure(answer: IncomingMessage, url: string): Promise<Error> {
  const { statusCode: status = 0, headers } = answer
  const content = await text(answer)
  if (status >= 300 && status < 400)
    return new UserError(
      'bad_input',
      `${url} sends on to ${headers.location ?? 'elsewhere'}. Set GKUBE_URL to where the API is.`,
    )
  const error = errorIn(content)
  if (error) return new ApiError(status, error)
  // A proxy in between, or another server: the status has to do.
  const message = `${url} answers ${status}, and not as gkube does.`
  return status >= 500 ? new ApiError(status, { kind: 'unavailable', message }) : notGkube(url, status)
}

function errorIn(content: string): object | null {
  try {
    const error = JSON.parse(content)?.error
    return typeof error === 'object' ? error : null
  } catch {
    return null
  }
}

const notGkube = (url: string, status = 0, cause?: unknown): UserError =>
  new UserError(
    'bad_input',
    `${url} answers (${status}), but not as a gkube server does. Is GKUBE_URL right?`,
    { cause },
  )
