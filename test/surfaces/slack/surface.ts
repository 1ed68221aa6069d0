// The Slack surface with a core and a workspace that the test plays: what is acked, and what is said after that.

import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import type { SlackConfig } from '../../../src/config.ts'
import type { Core } from '../../../src/core/core.ts'
import type { Rendered } from '../../../src/core/messages.ts'
import { createDrain } from '../../../src/drain.ts'
import { createLog } from '../../../src/log.ts'
import { type SlackOptions, slackSurface } from '../../../src/surfaces/slack/app.ts'
import type { SlackCaller } from '../../../src/surfaces/slack/deps.ts'
import { slackMention } from '../../../src/surfaces/slack/messages/names.ts'
import { slackRenderer } from '../../../src/surfaces/slack/messages/renderer.ts'
import type { Workspace } from '../../../src/surfaces/slack/workspace.ts'

export const config: SlackConfig = {
  botToken: 'xoxb-test',
  signingSecret: 's3cret',
  appToken: null,
  api: 'http://127.0.0.1:9/api/',
  command: '/gkube',
  members: [],
  groups: [],
  compareLink: null,
}
export type Said = { readonly how: 'respond' | 'ephemeral' | 'view'; readonly text: string }

const cleanups: (() => void)[] = []
afterAll(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** Starts it on a port of its own. `core`: the verbs that the test needs. */
export async function surfaceWith(given: {
  readonly core: Partial<Core>
  readonly workspace?: Partial<Workspace>
  readonly caller?: Partial<SlackCaller>
  readonly over?: Partial<SlackOptions>
}) {
  const said: Said[] = []
  const log: string[] = []
  const drain = createDrain()
  const say = (how: Said['how'], message: unknown) => void said.push({ how, text: JSON.stringify(message) })
  const workspace = {
    isMember: async () => true,
    respond: async (_url: string, message: Rendered) => say('respond', message),
    ephemeral: async (_channel: string, _user: string, message: Rendered) => say('ephemeral', message),
    openView: async (_trigger: string, view: object) => {
      say('view', view)
      return { id: 'V1', hash: 'h' }
    },
    ...given.workspace,
  } as Workspace // what else there is, no command calls
  const caller: SlackCaller = {
    actor: { id: 'slack:U1', name: 'ana', via: 'slack' },
    grants: [{ role: 'deployer', apps: ['*'], environments: ['*'] }],
    unsure: null,
    ...given.caller,
  }
  const surface = slackSurface({
    core: given.core as Core,
    callers: { of: async () => caller },
    workspace,
    config,
    environments: new Map(),
    clock: { now: Date.now, sleep: async () => undefined },
    random: Math.random,
    log: createLog({ level: 'info', format: 'json', write: line => void log.push(line) }),
    track: drain.track,
    renderer: slackRenderer({ links: { compare: null }, mention: slackMention, command: '/gkube' }),
    claim: async () => true,
    posted: async () => null,
    invited: async () => undefined,
    names: { seenBy: async () => null },
    news: () => () => undefined,
    bodyLimit: 100_000,
    ...given.over,
  })
  const server = createServer(
    (incoming, outgoing) => void surface.mount?.handle(incoming, outgoing, { requestId: 'req-1' }),
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => server.close())
  const { port } = server.address() as AddressInfo

  /** Sends it signed; the text of the ack and how long it took. */
  async function send(fields: Record<string, string>) {
    return signed(new URLSearchParams(fields).toString(), 'application/x-www-form-urlencoded')
  }

  async function signed(body: string, type: string): Promise<{ status: number; text: string; ms: number }> {
    const time = String(Math.floor(Date.now() / 1000))
    const mac = createHmac('sha256', 's3cret').update(`v0:${time}:${body}`).digest('hex')
    const begun = performance.now()
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body,
      headers: {
        'content-type': type,
        'x-slack-request-timestamp': time,
        'x-slack-signature': `v0=${mac}`,
      },
    })
    return { status: response.status, text: await response.text(), ms: performance.now() - begun }
  }
  let triggers = 0
  return {
    surface,
    said,
    log,
    drain,
    send,
    event: (event: Record<string, unknown>) =>
      signed(
        JSON.stringify({ type: 'event_callback', team_id: 'T1', event_id: `Ev${++triggers}`, event }),
        'application/json',
      ),
    command: (text: string, over: Record<string, string> = {}) =>
      send({
        command: '/gkube',
        text,
        user_id: 'U1',
        team_id: 'T1',
        channel_id: 'C1',
        trigger_id: `${++triggers}.1`,
        response_url: 'https://hooks.example.com/1',
        ...over,
      }),
  }
}
