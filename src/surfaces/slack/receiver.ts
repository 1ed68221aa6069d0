// HTTP mode: POST /slack/events on gkube's own server. Takes the raw body within its size and time, checks the
// signature, and hands over what is in it; nothing else of the request is believed. Socket Mode is socket.ts, what
// happens with an envelope is deliver.ts.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../../log.ts'
import type { Deliver } from './deliver.ts'
import { signatureProblem } from './signature.ts'

export const eventsPath = '/slack/events'

/** For the whole body to arrive: Slack itself gives up after 3 s. */
const bodyMs = 5_000

export function slackReceiver(options: {
  readonly secret: string
  /** Bytes. */
  readonly bodyLimit: number
  readonly deliver: Deliver
  readonly now: () => number
  readonly log: Log
}): (incoming: IncomingMessage, outgoing: ServerResponse, at: { requestId: string }) => Promise<void> {
  const { secret, bodyLimit, deliver, now, log } = options

  return async (incoming, outgoing, { requestId }) => {
    const refuse = (status: number, why: string, headers: Record<string, string> = {}) => {
      log.warn(
        { requestId, status, why, remote: incoming.socket.remoteAddress },
        'a request to Slack’s endpoint was refused',
      )
      answer(outgoing, status, undefined, headers)
    }
    if (incoming.method !== 'POST') return refuse(405, 'method', { allow: 'POST' })
    const raw = await bodyOf(incoming, bodyLimit)
    if (raw === 'large') return refuse(413, `more than ${bodyLimit} bytes`, { connection: 'close' })
    if (raw === 'late') return refuse(408, `not there after ${bodyMs} ms`, { connection: 'close' })
    if (raw === 'cut') return void outgoing.destroy()
    const problem = signatureProblem(incoming.headers, raw, { secret, now: now() })
    if (problem) return refuse(401, problem)
    const body = parsed(raw, String(incoming.headers['content-type'] ?? ''))
    if (!body) return refuse(400, 'not a payload of Slack')
    if (body.ssl_check !== undefined) return answer(outgoing, 200)
    if (body.type === 'url_verification') return answer(outgoing, 200, { challenge: String(body.challenge) })
    await deliver({
      body,
      requestId,
      retry: Number(incoming.headers['x-slack-retry-num'] ?? 0) || 0,
      ack: async payload => {
        if (outgoing.destroyed || outgoing.writableEnded) throw new Error('Slack does not wait any more')
        answer(outgoing, 200, payload)
      },
    })
  }
}

function answer(
  outgoing: ServerResponse,
  status: number,
  payload?: unknown,
  headers: Record<string, string> = {},
): void {
  for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value)
  if (payload === undefined || payload === '') {
    outgoing.writeHead(status, { 'content-length': 0 })
    outgoing.end()
    return
  }
  const text = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const type = typeof payload === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8'
  outgoing.writeHead(status, { 'content-type': type, 'content-length': text.byteLength })
  outgoing.end(text)
}

/** All bytes, or why there are none. */
async function bodyOf(
  incoming: IncomingMessage,
  limit: number,
): Promise<Buffer<ArrayBuffer> | 'large' | 'late' | 'cut'> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) return 'large'
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    let size = 0
    const end = (outcome: Buffer<ArrayBuffer> | 'large' | 'late' | 'cut') => {
      clearTimeout(timer)
      incoming.removeAllListeners('data')
      incoming.resume()
      resolve(outcome)
    }
    const timer = setTimeout(() => end('late'), bodyMs)
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) end('large')
      else chunks.push(chunk)
    })
    incoming.once('end', () => end(Buffer.concat(chunks)))
    incoming.once('close', () => end('cut'))
    incoming.once('error', () => end('cut'))
  })
}

/** A form with `payload` (interactions), a form (commands), or JSON (events). Null: none of them. */
function parsed(raw: Buffer, type: string): Record<string, unknown> | null {
  try {
    const text = raw.toString('utf8')
    const json = (from: string) => {
      const value: unknown = JSON.parse(from)
      return value !== null && typeof value === 'object' && !Array.isArray(value) ? { ...value } : null
    }
    if (!type.startsWith('application/x-www-form-urlencoded')) return json(text)
    const form = new URLSearchParams(text)
    const payload = form.get('payload')
    return payload === null ? Object.fromEntries(form) : json(payload)
  } catch {
    return null
  }
}
