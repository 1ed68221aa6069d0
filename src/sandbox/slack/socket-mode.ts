// Socket Mode: up to ten connections of the app, each payload to one of them, in turn. An envelope is acknowledged by
// its id; it can be delivered twice on demand, as happens in the world.
import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { app } from './seed.ts'

export type Envelope = {
  readonly type: 'slash_commands' | 'interactive' | 'events_api'
  readonly payload: object
  readonly accepts_response_payload: boolean
  readonly retry_attempt?: number
  readonly retry_reason?: string
}
export type Sockets = ReturnType<typeof socketMode>

const connectionLimit = 10
const pingEvery = 10_000
/** How long Slack waits for the app to go by itself after it was asked to. */
const closeAfter = 10_000

/** `changed` is called when a connection has begun or ended. */
export function socketMode(changed: () => void) {
  const server = new WebSocketServer({ noServer: true })
  const tickets = new Set<string>()
  const open: WebSocket[] = []
  const waiting = new Map<string, (payload: unknown) => void>()
  let turn = 0
  let twice = 0

  const heartbeat = setInterval(() => {
    for (const socket of open) socket.ping()
  }, pingEvery)
  heartbeat.unref()

  function welcome(socket: WebSocket) {
    socket.on('error', () => socket.terminate()) // 'close' follows
    socket.on('close', () => {
      const at = open.indexOf(socket)
      if (at >= 0) open.splice(at, 1)
      changed()
    })
    socket.on('message', data => {
      const { envelope_id: id, payload } = parsed(String(data))
      waiting.get(id)?.(payload)
    })
    if (open.length >= connectionLimit) {
      socket.send(JSON.stringify({ type: 'disconnect', reason: 'too_many_websockets' }))
      return socket.close()
    }
    open.push(socket)
    socket.send(
      JSON.stringify({
        type: 'hello',
        num_connections: open.length,
        connection_info: { app_id: app.id },
        debug_info: { host: 'sandbox', approximate_connection_time: 18_060 },
      }),
    )
    changed()
  }

  return {
    count: () => open.length,
    /** The path and query of an address that works once. */
    ticket(): string {
      const ticket = randomBytes(18).toString('base64url')
      tickets.add(ticket)
      return `/link/?ticket=${ticket}&app_id=${app.id}`
    },
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
      const url = new URL(request.url ?? '/', 'http://slack')
      if (url.pathname !== '/link/' || !tickets.delete(url.searchParams.get('ticket') ?? ''))
        return void socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
      server.handleUpgrade(request, socket, head, welcome)
    },
    deliverTwice(times: number) {
      twice += times
    },
    /** Resolves with what the app answered, with undefined when it took too long, rejects when nobody is connected. */
    send(envelope: Envelope, ackMs: number): Promise<{ readonly payload: unknown } | undefined> {
      if (open.length === 0) return Promise.reject(new Error('the app is not connected'))
      const id = randomUUID()
      const text = JSON.stringify({ envelope_id: id, ...envelope })
      return new Promise(resolve => {
        const timer = setTimeout(() => finish(undefined), ackMs)
        const finish = (answer: { payload: unknown } | undefined) => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(answer)
        }
        waiting.set(id, payload => finish({ payload }))
        open[turn++ % open.length]?.send(text)
        if (twice > 0) {
          twice -= 1
          open[turn++ % open.length]?.send(text)
        }
      })
    },
    refresh(which: 'all' | 'oldest') {
      for (const socket of which === 'all' ? [...open] : open.slice(0, 1)) {
        // It gets nothing more; what it was given before is still acknowledged over it.
        open.splice(open.indexOf(socket), 1)
        socket.send(JSON.stringify({ type: 'disconnect', reason: 'refresh_requested', debug_info: {} }))
        setTimeout(() => socket.terminate(), closeAfter).unref()
      }
    },
    cut() {
      for (const socket of [...open]) socket.terminate()
    },
    close() {
      clearInterval(heartbeat)
      for (const socket of server.clients) socket.terminate()
      server.close()
    },
  }
}

function parsed(text: string): { envelope_id: string; payload: unknown } {
  try {
    const { envelope_id, payload } = JSON.parse(text) as { envelope_id?: unknown; payload?: unknown }
    return { envelope_id: String(envelope_id ?? ''), payload }
  } catch {
    return { envelope_id: '', payload: undefined } // not an acknowledgement: Slack ignores it too
  }
}
