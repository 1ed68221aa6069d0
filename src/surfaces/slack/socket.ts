// Socket Mode: the connections over which Slack sends envelopes when it cannot reach gkube. Bolt's receiver speaks the
// protocol; its own reconnecting waits 5 s each time and dies with the network, so the loop here makes each connection
// anew: at once when Slack asks for it, while the old one still takes acks. HTTP mode is receiver.ts.
import { type App, type Logger, SocketModeReceiver } from '@slack/bolt'
import { backoff, type Clock } from '../../core/clock.ts'
import { errorId, type Log } from '../../log.ts'
import type { Deliver } from './deliver.ts'

/** From asking for an address to Slack's hello. */
const connectMs = 15_000
const callMs = 10_000

type Connection = {
  /** Resolves on Slack's hello. */
  readonly open: Promise<unknown>
  /** Resolves when it is about to end: Slack asks for a new one, or it is gone. */
  readonly ending: Promise<'refresh' | 'gone'>
  readonly gone: Promise<void>
  close(): void
}

export function slackSocket(options: {
  readonly appToken: string
  /** Ends in a slash. */
  readonly api: string
  readonly deliver: Deliver
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly logger: Logger
}) {
  const { clock, random, log } = options
  const stopping = new AbortController()
  const stopped = aborted(stopping.signal)
  const live = new Set<Connection>()
  let connected = 0
  let loop: Promise<void> | undefined

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const connection = connect(options)
      live.add(connection)
      void connection.gone.then(() => live.delete(connection))
      try {
        if ((await Promise.race([inTime(connection.open, connectMs), stopped])) === 'stop') return
        connected++
        failures = 0
        log.info({}, 'connected to Slack (Socket Mode)')
        const why = await Promise.race([connection.ending, stopped])
        connected--
        // The old one goes on to take acks until it is closed by Slack.
        if (why === 'refresh') {
          log.info({}, 'Slack asks for a new connection')
          continue
        }
        if (why === 'stop') return
        log.warn({}, 'the connection to Slack was lost')
      } catch (error) {
        failures++
        log.warn({ err: error, failures }, 'no connection to Slack (Socket Mode); trying again')
      }
      live.delete(connection)
      connection.close()
      await clock.sleep(backoff(failures, { base: 500, most: 30_000, random }), stopping.signal)
    }
  }

  return {
    start: (): void => {
      loop ??= run().catch(error => log.error({ err: error }, 'Socket Mode ended; restart gkube'))
    },
    connected: (): boolean => connected > 0,
    /** Takes nothing more. Call when what was received is acked: acks need the connection. */
    stop: async (): Promise<void> => {
      stopping.abort()
      for (const connection of live) connection.close()
      await loop
    },
  }
}

function connect(options: Parameters<typeof slackSocket>[0]): Connection {
  const { appToken, api, deliver, logger, log } = options
  const receiver = new SocketModeReceiver({
    appToken,
    logger,
    autoReconnectEnabled: false,
    installerOptions: {
      clientOptions: {
        slackApiUrl: api,
        timeout: callMs,
        retryConfig: { retries: 0 },
        rejectRateLimitedCalls: true,
      },
    },
  })
  // Of the app the receiver only calls processEvent: deliver.ts stands in its place.
  receiver.init({
    processEvent: (event: {
      body: Record<string, unknown>
      ack: (payload?: unknown) => Promise<void>
      retryNum?: number
    }) => deliver({ body: event.body, ack: event.ack, retry: event.retryNum ?? 0, requestId: errorId() }),
  } as unknown as App)
  const { client } = receiver
  const { promise: ending, resolve } = Promise.withResolvers<'refresh' | 'gone'>()
  client.on('ws_message', (data: unknown) => {
    if (typeof data === 'string' && isDisconnect(data)) resolve('refresh')
  })
  const { promise: gone, resolve: ended } = Promise.withResolvers<void>()
  client.on('disconnected', () => {
    resolve('gone')
    ended()
  })
  const disconnect = () =>
    void client.disconnect().catch(error => log.debug({ err: error }, 'a socket was closed badly'))
  let closed = false
  const open = client.start()
  // One that was closed before it was open would open all the same.
  open.then(
    () => closed && disconnect(),
    // Whoever waits for it hears of it.
    () => undefined,
  )
  return {
    open,
    ending,
    gone,
    close: () => {
      closed = true
      disconnect()
    },
  }
}

/** `{"type":"disconnect","reason":"refresh_requested"}` */
function isDisconnect(data: string): boolean {
  if (!data.includes('disconnect') || data.length > 2_000) return false
  try {
    return (JSON.parse(data) as { type?: unknown }).type === 'disconnect'
  } catch {
    return false
  }
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`Slack did not say hello within ${ms} ms`)), ms)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const aborted = (signal: AbortSignal): Promise<'stop'> =>
  new Promise(resolve => {
    if (signal.aborted) resolve('stop')
    else signal.addEventListener('abort', () => resolve('stop'), { once: true })
  })
