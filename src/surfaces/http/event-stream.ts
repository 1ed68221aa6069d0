// Server-sent events from an async iterable: heartbeats, back-pressure, an end on shutdown, no leak on disconnect. Or JSON
// lines, which have neither heartbeats nor a place for an error: what does not end well is cut, so that nobody takes a
// part for the whole.
// The source is pulled only when the client has room; whoever stops reading is cut by the server's idle time-out.
import { setTimeout as delay } from 'node:timers/promises'
import type { SseMessage } from './route.ts'

export type StreamOptions = {
  /** Default: server-sent events. */
  readonly format?: 'events' | 'lines'
  /** Cuts the connection: how lines end that are not whole. */
  readonly cut?: () => void
  /** Tells the source to stop: the stream aborts it when it ends, for whatever reason. */
  readonly abort: AbortController
  /** Ends the stream and tells the client to come back. */
  readonly shutdown: AbortSignal
  readonly heartbeatMs: number
  /** The data of the `error` event, where the source fails after the head was sent. */
  readonly failed: (error: unknown) => unknown
}

const retryHint = 'retry: 2000\n\n'
/** A source that fails within this time fails the request itself, with a status. */
const firstWaitMs = 300
const roomBytes = 64 * 1024
const over = Symbol('over')

/** The body of the answer. Rejects where the source fails before its first message. */
export async function eventStream(
  messages: AsyncIterable<SseMessage>,
  options: StreamOptions,
): Promise<ReadableStream<Uint8Array>> {
  const { abort, shutdown, heartbeatMs, failed, format = 'events' } = options
  const isLines = format === 'lines'
  const source = messages[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  const ended = new Promise<typeof over>(resolve => {
    const end = () => resolve(over)
    for (const signal of [abort.signal, shutdown]) {
      if (signal.aborted) end()
      else signal.addEventListener('abort', end, { once: true })
    }
  })
  let next: Promise<IteratorResult<SseMessage>> | undefined = source.next()
  try {
    await Promise.race([next, ended, delay(firstWaitMs)])
  } catch (error) {
    abort.abort()
    throw error
  }
  let heartbeat: NodeJS.Timeout | undefined
  const finish = () => {
    clearInterval(heartbeat)
    abort.abort()
    // The source may hang in a read that ignores its signal: it is told, not waited for. What it still
    // throws is about a client that is gone.
    next?.catch(() => undefined)
    source.return?.()?.catch(() => undefined)
  }
  abort.signal.addEventListener('abort', () => clearInterval(heartbeat), { once: true })
  return new ReadableStream<Uint8Array>(
    {
      start: controller => {
        if (isLines) return
        controller.enqueue(encoder.encode(retryHint))
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': still here\n\n'))
        }, heartbeatMs)
      },
      pull: async controller => {
        try {
          next ??= source.next()
          const result = await Promise.race([next, ended])
          if (result !== over && !result.done) {
            next = undefined
            controller.enqueue(encoder.encode(isLines ? lineOf(result.value) : frame(result.value)))
            return
          }
          if (isLines && result === over) throw new Error('the stream was cut by the end of the server')
          if (shutdown.aborted && !isLines)
            controller.enqueue(encoder.encode(`: the server stops, come back\n${retryHint}`))
        } catch (error) {
          const data = failed(error)
          if (isLines) options.cut?.()
          else controller.enqueue(encoder.encode(frame({ event: 'error', data })))
        }
        finish()
        controller.close()
      },
      cancel: finish,
    },
    { highWaterMark: roomBytes, size: chunk => chunk.byteLength },
  )
}

const lineOf = ({ data }: SseMessage): string => `${JSON.stringify(data)}\n`

// JSON never holds a raw line break, so one data line is enough.
const frame = ({ event, id, data }: SseMessage): string =>
  `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
