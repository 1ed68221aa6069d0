// The Slack surface: this file is its table of contents. What Slack sends comes in by receiver.ts (HTTP) or socket.ts,
// goes through deliver.ts (once, acked in time) and Bolt, and ends in one of the handlers registered here.
import { App, type Logger, LogLevel } from '@slack/bolt'
import type { Clock } from '../../core/clock.ts'
import type { Rendered } from '../../core/messages.ts'
import type { Log } from '../../log.ts'
import { registerActions } from './actions.ts'
import { registerBuilds } from './build-handlers.ts'
import { registerCommands } from './commands.ts'
import { createDelivery, type Delivery } from './deliver.ts'
import type { SlackDeps } from './deps.ts'
import { guardedBy } from './guarded.ts'
import { registerHome } from './home-updates.ts'
import { registerInvited } from './invited.ts'
import { registerOptions } from './options.ts'
import { eventsPath, slackReceiver } from './receiver.ts'
import { slackSocket } from './socket.ts'
import { unhandledAnswer } from './unhandled.ts'
import { registerViews } from './views.ts'

export type SlackSurface = {
  /** HTTP mode: what the http server answers with at `path`. Null in Socket Mode. */
  readonly mount: { readonly path: string; readonly handle: ReturnType<typeof slackReceiver> } | null
  start(): void
  /** Whether Slack can reach this replica, as far as it can know; null in HTTP mode. */
  connected(): boolean | null
  /** Takes nothing more, once all that was received is acked. */
  stop(): Promise<void>
}

export type SlackOptions = Omit<SlackDeps, 'guarded' | 'clock'> & {
  readonly clock: Clock
  readonly random: () => number
  readonly bodyLimit: number
}

/** The app token decides: with one it is Socket Mode, else HTTP. */
export function slackSurface(options: SlackOptions): SlackSurface {
  const { config, log, clock, workspace } = options
  const deps: SlackDeps = { ...options, guarded: guardedBy(options) }
  const logger = boltLogger(log)
  const bolt = new App({
    // Bolt neither listens nor calls: receiving is ours, and answers go through the workspace's budget.
    receiver: { init: () => undefined, start: async () => undefined, stop: async () => undefined },
    authorize: async () => ({}),
    convoStore: false,
    ignoreSelf: false,
    logger,
    clientOptions: { retryConfig: { retries: 0 }, timeout: 5_000, slackApiUrl: config.api, logger },
  })
  registerCommands(bolt, deps)
  registerActions(bolt, deps)
  registerViews(bolt, deps)
  registerOptions(bolt, deps)
  registerBuilds(bolt, deps)
  registerInvited(bolt, deps)
  const homes = registerHome(bolt, deps)

  const delivery = createDelivery({
    process: event => bolt.processEvent(event),
    unhandled: (kind, body, requestId) => unhandledAnswer(deps, { kind, body, requestId }),
    late: async (body, payload) => {
      // Only commands are answered in the ack; there a message fits the response_url as well.
      if (typeof body.response_url === 'string' && isMessage(payload))
        await workspace.respond(body.response_url, payload)
    },
    log,
  })
  // Handlers tell their own failures (guarded.ts): what comes here is Bolt's.
  bolt.error(async error => log.error({ err: error }, 'Bolt could not handle what Slack sent'))

  const socket =
    config.appToken === null
      ? null
      : slackSocket({
          ...options,
          appToken: config.appToken,
          api: config.api,
          deliver: delivery.deliver,
          logger,
        })
  const handle =
    socket || config.signingSecret === null
      ? null
      : slackReceiver({
          secret: config.signingSecret,
          bodyLimit: options.bodyLimit,
          deliver: delivery.deliver,
          now: clock.now,
          log,
        })
  return {
    mount: handle && { path: eventsPath, handle },
    start: () => socket?.start(),
    connected: () => (socket ? socket.connected() : null),
    stop: async () => {
      homes.stop()
      await delivery.idle()
      await socket?.stop()
    },
  }
}

const isMessage = (payload: unknown): payload is Rendered =>
  payload !== null && typeof payload === 'object' && 'text' in payload && 'blocks' in payload

/** Bolt's words go to our log; what it says at debug level holds whole payloads, so it is left out. */
function boltLogger(log: Log): Logger {
  const text = (parts: readonly unknown[]) =>
    parts.map(part => (part instanceof Error ? part.message : String(part))).join(' ')
  return {
    debug: () => undefined,
    info: (...parts) => log.debug({}, text(parts)),
    warn: (...parts) => log.warn({}, `Bolt: ${text(parts)}`),
    error: (...parts) => log.warn({}, `Bolt: ${text(parts)}`),
    setLevel: () => undefined,
    getLevel: () => LogLevel.INFO,
    setName: () => undefined,
  }
}

declare module '@slack/bolt' {
  interface Context {
    /** What deliver.ts knows of the envelope. */
    gkube?: Delivery
  }
}
