// A small real Bolt app for the tests of the stand-in Slack: every kind of handler, in HTTP mode or in Socket Mode.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { App, HTTPReceiver, type Logger, LogLevel, SocketModeReceiver } from '@slack/bolt'
import type { SandboxSlack } from '../../../src/sandbox/slack/control.ts'

export type Mode = 'http' | 'socket'
export type TestApp = { readonly app: App; readonly url: string; stop(): Promise<void> }

const nothing = () => undefined
/** For clients whose calls are meant to be refused. */
export const silent: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  setName: nothing,
  getLevel: () => LogLevel.ERROR,
}

/** Starts Bolt with its own receivers, against the workspace; `register` says what it does. */
export async function boltApp(
  slack: SandboxSlack,
  mode: Mode,
  register: (app: App) => void,
  options: { readonly secret?: string; readonly pingMs?: number } = {},
): Promise<TestApp> {
  const clientOptions = { slackApiUrl: slack.api, retryConfig: { retries: 0 }, timeout: 5000 }
  const quiet = { logger: silent }
  if (mode === 'socket') {
    const receiver = new SocketModeReceiver({
      appToken: slack.appToken,
      installerOptions: { clientOptions },
      // Also how long it waits before it connects again.
      clientPingTimeout: options.pingMs ?? 5000,
      ...quiet,
    })
    const app = new App({ token: slack.botToken, receiver, clientOptions, ...quiet })
    register(app)
    slack.connect(null)
    await app.start()
    return { app, url: '', stop: async () => void (await app.stop()) }
  }
  const receiver = new HTTPReceiver({ signingSecret: options.secret ?? slack.signingSecret, ...quiet })
  const app = new App({ token: slack.botToken, receiver, clientOptions, ...quiet })
  register(app)
  const server = (await receiver.start({ port: 0, host: '127.0.0.1' })) as Server // no TLS options were given
  if (!server.listening) await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events` // it listens on TCP
  slack.connect(url)
  return {
    app,
    url,
    async stop() {
      server.closeAllConnections()
      await app.stop()
    },
  }
}

export const modal = (title: string, more: object = {}) => ({
  type: 'modal' as const,
  callback_id: 'deploy',
  title: { type: 'plain_text' as const, text: title },
  submit: { type: 'plain_text' as const, text: 'Deploy' },
  blocks: [
    {
      type: 'input' as const,
      block_id: 'app',
      label: { type: 'plain_text' as const, text: 'App' },
      element: { type: 'external_select' as const, action_id: 'app', min_query_length: 1 },
    },
    {
      type: 'input' as const,
      block_id: 'reason',
      optional: true,
      label: { type: 'plain_text' as const, text: 'Reason' },
      element: { type: 'plain_text_input' as const, action_id: 'reason', max_length: 10 },
    },
  ],
  ...more,
})

export const buttonMessage = (text: string) => ({
  text,
  blocks: [
    { type: 'section' as const, text: { type: 'mrkdwn' as const, text } },
    {
      type: 'actions' as const,
      block_id: 'decide',
      elements: [
        {
          type: 'button' as const,
          action_id: 'approve',
          value: '42',
          text: { type: 'plain_text' as const, text: 'Approve' },
        },
        {
          type: 'static_select' as const,
          action_id: 'pick',
          options: ['1', '2'].map(value => ({
            text: { type: 'plain_text' as const, text: `Option ${value}` },
            value,
          })),
        },
      ],
    },
  ],
})
