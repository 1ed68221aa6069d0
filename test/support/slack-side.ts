// Two workspaces that a test drives by the same means: the local Slack, and emulate, which knows nothing of gkube. gkube
// calls either through a tap that keeps what was asked and answered. What people do in them is slack-person.ts.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebClient } from '@slack/web-api'
import { createEmulator } from 'emulate'
import { parse } from 'yaml'
import { freePort } from '../../src/sandbox/free-port.ts'
import { startSlack } from '../../src/sandbox/slack/slack.ts'

type Json = Readonly<Record<string, unknown>>

export type SlackMessage = {
  readonly ts: string
  readonly text?: string
  readonly thread_ts?: string
  readonly subtype?: string
  readonly reply_broadcast?: boolean
  readonly blocks?: readonly Json[]
  readonly metadata?: { readonly event_type: string; readonly event_payload: Json }
  readonly files?: readonly { readonly name?: string; readonly size?: number }[]
}

/** One call of the Web API by gkube; `error`: why Slack refused it, `null` where it was done. */
export type TappedCall = {
  readonly method: string
  readonly status: number
  readonly error: string | null
  readonly answer: Json
}

export type SlackSide = {
  /** Through the tap; ends in a slash. */
  readonly api: string
  readonly botToken: string
  readonly team: string
  /** Ids by name: those asked for, staging, production; ana, ben, cho. */
  readonly channels: Readonly<Record<string, string>>
  readonly people: Readonly<Record<string, string>>
  readonly groups: { readonly release: string; readonly served: boolean }
  /** What a client shows: messages and, below one, its replies; by the channel's id, oldest first. */
  top(channel: string): Promise<readonly SlackMessage[]>
  replies(channel: string, ts: string): Promise<readonly SlackMessage[]>
  /** What a person was told directly. */
  direct(userId: string): Promise<readonly SlackMessage[]>
  /** Lets the app open a dialog for this person, once. */
  trigger(userId: string): Promise<string>
  readonly calls: readonly TappedCall[]
  stop(): Promise<void>
}

/** What the app is granted where it is installed as its manifest has it. */
export const manifestScopes: readonly string[] = (
  parse(readFileSync(new URL('../../app-manifest.yml', import.meta.url), 'utf8')) as {
    oauth_config: { scopes: { bot: string[] } }
  }
).oauth_config.scopes.bot

/** Hands everything on to `upstream`, and keeps it. */
async function tap(upstream: string) {
  const calls: TappedCall[] = []
  const server = createServer(async (request, response) => {
    const { authorization = '', 'content-type': type = '' } = request.headers
    const body = Buffer.concat(await request.toArray())
    const answer = await fetch(new URL(request.url ?? '/', upstream), {
      method: 'POST',
      headers: { authorization, 'content-type': type },
      body,
    })
    const text = await answer.text()
    const json = JSON.parse(text) as { ok?: boolean; error?: string }
    const error = json.ok ? null : (json.error ?? `${answer.status}`)
    calls.push({
      method: request.url?.replace('/api/', '') ?? '',
      status: answer.status,
      error,
      answer: { ...json },
    })
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    api: `http://127.0.0.1:${port}/api/`,
    calls,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

type Options = {
  readonly scopes?: readonly string[]
  /** More channels; gkube is in each. */
  readonly channels?: readonly string[]
}
const always = ['staging', 'production']

/** The local Slack; cho is a release manager. */
export async function localSide({
  scopes = manifestScopes,
  channels = [],
}: Options = {}): Promise<SlackSide> {
  const release = { id: 'S0RELEASE', handle: 'release-managers', name: 'Release managers', users: ['U0CHO'] }
  const rooms = [...always, ...channels].map(name => ({
    id: `C0${name.toUpperCase()}`,
    name,
    members: ['U0ANA', 'U0BEN', 'U0CHO', 'U0GKUBE'],
  }))
  const slack = await startSlack({ rates: 'off', scopes, groups: [release], channels: rooms })
  const tapped = await tap(slack.url)
  const { control } = slack
  return {
    ...tapped,
    botToken: slack.botToken,
    team: 'T0SANDBOX',
    channels: Object.fromEntries(rooms.map(room => [room.name, room.id])),
    people: { ana: 'U0ANA', ben: 'U0BEN', cho: 'U0CHO' },
    groups: { release: release.id, served: true },
    top: async channel => control.messages(channel).filter(one => (one.thread_ts ?? one.ts) === one.ts),
    replies: async (channel, ts) => control.thread(channel, ts).slice(1),
    direct: async userId => control.messages(`@${control.as(userId).person.name}`),
    async trigger(userId) {
      const { payload } = await control.as(userId).command('staging', '/gkube form') // no app hears it
      return String(payload.trigger_id)
    },
    async stop() {
      await tapped.stop()
      await slack.stop()
    },
  }
}

/** emulate, with the scopes checked. It has no user groups. */
export async function emulateSide({
  scopes = manifestScopes,
  channels: more = [],
}: Options = {}): Promise<SlackSide> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const bot = { app_id: 'A0GKUBE', bot_id: 'B0GKUBE', bot_user_id: 'U0GKUBE' }
  const botToken = 'xoxb-emulate'
  const names = ['ana', 'ben', 'cho']
  const emulator = await createEmulator({
    service: 'slack',
    port,
    baseUrl: url,
    seed: {
      slack: {
        strict_scopes: true,
        users: names.map(name => ({ name, email: `${name}@example.com` })),
        channels: [...always, ...more].map(name => ({ name })),
        oauth_apps: [
          {
            ...bot,
            bot_name: 'gkube',
            client_id: '1',
            client_secret: '1',
            name: 'gkube',
            redirect_uris: [],
            scopes,
          },
        ],
        tokens: [
          { ...bot, token: botToken, type: 'bot', user: bot.bot_user_id, scopes },
          // People's own clients, which may look everywhere that they are.
          ...names.map(name => ({ token: `xoxp-${name}`, type: 'user', user: name })),
        ],
      },
    },
  })
  const client = (token: string) =>
    new WebClient(token, { slackApiUrl: `${url}/api/`, retryConfig: { retries: 0 }, timeout: 5000 })
  const ben = client('xoxp-ben')
  const ids = (found: readonly { name?: string; id?: string }[] = []) =>
    Object.fromEntries(found.map(({ name = '', id = '' }) => [name, id]))
  const people = ids((await ben.users.list({})).members)
  const channels = ids((await ben.conversations.list()).channels)
  for (const name of [...always, ...more])
    await ben.conversations.invite({ channel: channels[name] ?? '', users: bot.bot_user_id })
  const tapped = await tap(url)
  return {
    ...tapped,
    botToken,
    team: String((await ben.auth.test()).team_id),
    channels,
    people,
    groups: { release: 'S0RELEASE', served: false },
    async top(channel) {
      const { messages = [] } = await ben.conversations.history({ channel, limit: 1000 })
      return messages.reverse() as unknown as SlackMessage[] // its own fields of Slack's, all of them looked at
    },
    async replies(channel, ts) {
      const { messages = [] } = await ben.conversations.replies({ channel, ts, limit: 1000 })
      return messages.slice(1) as unknown as SlackMessage[]
    },
    async direct(userId) {
      const own = client(`xoxp-${names.find(name => people[name] === userId)}`)
      const { channels: rooms = [] } = await own.conversations.list({ types: 'im' })
      const heard = await Promise.all(rooms.map(({ id = '' }) => own.conversations.history({ channel: id })))
      return heard.flatMap(({ messages = [] }) => messages) as unknown as SlackMessage[]
    },
    async trigger(user_id) {
      const answer: Json = { ...(await client(botToken).apiCall('views.generateTriggerId', { user_id })) }
      return String(answer.trigger_id)
    },
    async stop() {
      await tapped.stop()
      await emulator.close()
    },
  }
}
