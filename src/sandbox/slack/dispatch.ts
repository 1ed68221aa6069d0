// Sends what people do to the app, signed over HTTP or through Socket Mode, and waits for the acknowledgement: three
// seconds, no more. Events are tried again (three times, in both modes); commands and clicks never are.
import { createHmac, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { DispatchKind, Reply, Timing } from './control.ts'
import { app } from './seed.ts'
import type { Envelope, Sockets } from './socket-mode.ts'

type Json = Readonly<Record<string, unknown>>
export type Dispatch = ReturnType<typeof dispatcher>
type Outcome = Pick<Reply, 'outcome' | 'body' | 'ms'> & {
  readonly reason?: string
  readonly noRetry?: boolean
}
type Retry = { readonly attempt: number; readonly reason: string }

const envelopes: Readonly<Record<DispatchKind, Envelope['type']>> = {
  slash_commands: 'slash_commands',
  block_actions: 'interactive',
  view_submission: 'interactive',
  view_closed: 'interactive',
  block_suggestion: 'interactive',
  event: 'events_api',
}

export function dispatcher(deps: {
  readonly sockets: Sockets
  readonly signingSecret: string
  readonly timing: Timing
  readonly log?: { warn(facts: object, text: string): void }
}) {
  const { sockets, timing } = deps
  const stopped = new AbortController()
  let target: string | null = null
  let offline = false
  let skewSeconds = 0
  let repeat: DispatchKind | 'any' | undefined

  function bodyOf(kind: DispatchKind, payload: Json): { type: string; body: string } {
    if (kind === 'event') return { type: 'application/json', body: JSON.stringify(payload) }
    const fields: Record<string, string> =
      kind === 'slash_commands'
        ? Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, String(value)]))
        : { payload: JSON.stringify(payload) }
    return { type: 'application/x-www-form-urlencoded', body: new URLSearchParams(fields).toString() }
  }

  async function byHttp(url: string, kind: DispatchKind, payload: Json, retry?: Retry): Promise<Outcome> {
    const { type, body } = bodyOf(kind, payload)
    const time = String(Math.floor(Date.now() / 1000) + skewSeconds)
    const mac = createHmac('sha256', deps.signingSecret).update(`v0:${time}:${body}`).digest('hex')
    const started = performance.now()
    const ms = () => Math.round(performance.now() - started)
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': type,
          'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
          'x-slack-request-timestamp': time,
          'x-slack-signature': `v0=${mac}`,
          ...(retry
            ? { 'x-slack-retry-num': String(retry.attempt), 'x-slack-retry-reason': retry.reason }
            : {}),
        },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timing.ack), stopped.signal]),
      })
      const text = await response.text()
      const noRetry = response.headers.get('x-slack-no-retry') === '1'
      return response.ok
        ? { outcome: 'ok', body: jsonOr(text), ms: ms() }
        : { outcome: 'failed', body: text, ms: ms(), reason: 'http_error', noRetry }
    } catch (error) {
      const timedOut = error instanceof DOMException && error.name === 'TimeoutError'
      return timedOut
        ? { outcome: 'timeout', ms: ms(), reason: 'http_timeout' }
        : { outcome: 'unreachable', ms: ms(), reason: 'connection_failed' }
    }
  }

  async function bySocket(kind: DispatchKind, payload: Json, retry?: Retry): Promise<Outcome> {
    const started = performance.now()
    const ms = () => Math.round(performance.now() - started)
    if (sockets.count() === 0) return { outcome: 'unreachable', ms: 0, reason: 'connection_failed' }
    const answer = await sockets.send(
      {
        type: envelopes[kind],
        payload,
        accepts_response_payload: kind !== 'event' && kind !== 'block_actions' && kind !== 'view_closed',
        ...(kind === 'event'
          ? { retry_attempt: retry?.attempt ?? 0, retry_reason: retry?.reason ?? '' }
          : {}),
      },
      timing.ack,
    )
    return answer
      ? { outcome: 'ok', body: isEmpty(answer.payload) ? '' : answer.payload, ms: ms() }
      : { outcome: 'timeout', ms: ms(), reason: 'timeout' }
  }

  const once = (kind: DispatchKind, payload: Json, retry?: Retry): Promise<Outcome> => {
    if (offline) return Promise.resolve({ outcome: 'unreachable', ms: 0, reason: 'connection_failed' })
    return target === null ? bySocket(kind, payload, retry) : byHttp(target, kind, payload, retry)
  }

  async function again(payload: Json, first: Outcome) {
    let last = first
    for (const [index, wait] of timing.retries.entries()) {
      if (last.outcome === 'ok' || last.noRetry) return
      await pause(wait, undefined, { signal: stopped.signal, ref: false })
      last = await once('event', payload, { attempt: index + 1, reason: last.reason ?? 'unknown_error' })
    }
    if (last.outcome !== 'ok') deps.log?.warn({ outcome: last.outcome }, 'the app did not take an event')
  }

  return {
    connect(url: string | null) {
      target = url
    },
    connected: () => !offline && (target !== null || sockets.count() > 0),
    setOffline(value: boolean) {
      offline = value
    },
    skew(seconds: number) {
      skewSeconds = seconds
    },
    repeatNext(kind?: DispatchKind) {
      repeat = kind ?? 'any'
    },
    /** Resolves when the app has acknowledged or Slack has given up; never rejects. */
    async send(kind: DispatchKind, payload: Json): Promise<Outcome> {
      const sent = once(kind, payload)
      if (repeat === kind || repeat === 'any') {
        repeat = undefined
        void once(kind, payload)
      }
      return sent
    },
    /** Wraps an event; resolves after the first try, the others go on behind. */
    async event(team: string, appId: string, event: Json): Promise<Outcome & { payload: Json }> {
      const payload = {
        token: 'not-used',
        team_id: team,
        api_app_id: appId,
        event,
        type: 'event_callback',
        event_id: `Ev0${randomUUID().replaceAll('-', '').slice(0, 10).toUpperCase()}`,
        event_time: Math.floor(Date.now() / 1000),
        authorizations: [{ team_id: team, user_id: app.user, is_bot: true, is_enterprise_install: false }],
      }
      const first = await this.send('event', payload)
      if (first.outcome !== 'ok') again(payload, first).catch(() => undefined) // rejects only when it is stopped
      return { ...first, payload }
    },
    stop: () => stopped.abort(),
  }
}

const isEmpty = (value: unknown) =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
