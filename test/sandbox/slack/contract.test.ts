// One set of expectations, held to the local Slack and to an independent one, emulate: for the methods that both
// serve, what the real client gets must be the same. emulate checks no blocks and no limits, and sends nothing.
import { WebClient } from '@slack/web-api'
import { createEmulator } from 'emulate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../../src/sandbox/free-port.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'
import { modal, silent } from './bolt-app.ts'

type Side = {
  readonly client: WebClient
  readonly anonymous: WebClient
  /** A channel with the bot in it. */
  readonly channel: string
  readonly ana: string
  trigger(): Promise<string>
  stop(): Promise<void>
}

const clientOf = (token: string | undefined, slackApiUrl: string) =>
  new WebClient(token, { slackApiUrl, logger: silent, retryConfig: { retries: 0 }, timeout: 5000 })

async function ours(): Promise<Side> {
  const slack = await startSlack({ rates: 'off' })
  return {
    client: clientOf(slack.botToken, slack.api),
    anonymous: clientOf(undefined, slack.api),
    channel: 'C0STAGING',
    ana: 'U0ANA',
    async trigger() {
      const { payload } = await slack.control.as('ana').command('staging', '/gkube form') // no app hears it
      return String(payload.trigger_id)
    },
    stop: slack.stop,
  }
}

async function independent(): Promise<Side> {
  const port = await freePort()
  const emulator = await createEmulator({
    service: 'slack',
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    seed: {
      tokens: { 'xoxb-test': { login: 'gkube', scopes: [] } },
      slack: {
        users: [
          { name: 'ana', real_name: 'Ana Costa', email: 'ana@example.com' },
          { name: 'gkube', real_name: 'gkube', email: 'gkube@example.com' },
        ],
        channels: [{ name: 'staging' }],
      },
    },
  })
  const api = `http://127.0.0.1:${port}/api/`
  const client = clientOf('xoxb-test', api)
  const { channels = [] } = await client.conversations.list()
  const channel = channels.find(one => one.name === 'staging')?.id ?? ''
  await client.conversations.join({ channel }).catch(() => undefined) // it may be in there already
  return {
    client,
    anonymous: clientOf(undefined, api),
    channel,
    ana: (await client.users.lookupByEmail({ email: 'ana@example.com' })).user?.id ?? '',
    async trigger() {
      const answer = (await client.apiCall('views.generateTriggerId')) as { trigger_id?: string }
      return answer.trigger_id ?? ''
    },
    stop: async () => void (await emulator.close()),
  }
}

const section = (text: string) => ({ type: 'section' as const, text: { type: 'mrkdwn' as const, text } })
const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: { data?: { error?: string } }) => error.data?.error ?? String(error),
  )

describe.each([
  ['the local Slack', ours],
  ['emulate', independent],
])('%s', (_name, start) => {
  let side: Side
  beforeAll(async () => {
    side = await start()
  })
  afterAll(() => side.stop())
  const post = async (more: object = {}) =>
    (await side.client.chat.postMessage({ channel: side.channel, text: 'one', ...more })).ts ?? ''

  test('says who the token is', async () => {
    expect(await side.client.auth.test()).toMatchObject({
      ok: true,
      user_id: expect.any(String),
      team_id: expect.any(String),
    })
    expect(await errorOf(side.anonymous.auth.test())).toBe('not_authed')
  })

  test.each<[string, (s: Side) => Promise<unknown>, string]>([
    [
      'a channel that is not there',
      s => s.client.chat.postMessage({ channel: 'C0NOPE', text: 'a' }),
      'channel_not_found',
    ],
    ['nothing to say', s => s.client.chat.postMessage({ channel: s.channel, text: '' }), 'no_text'],
    [
      'an edit of no message',
      s => s.client.chat.update({ channel: s.channel, ts: '1.000001', text: 'a' }),
      'message_not_found',
    ],
    [
      'deleting no message',
      s => s.client.chat.delete({ channel: s.channel, ts: '1.000001' }),
      'message_not_found',
    ],
    [
      'history of no channel',
      s => s.client.conversations.history({ channel: 'C0NOPE' }),
      'channel_not_found',
    ],
    ['somebody who is not there', s => s.client.users.info({ user: 'U0NOPE' }), 'user_not_found'],
    [
      'an e-mail of nobody',
      s => s.client.users.lookupByEmail({ email: 'nobody@example.com' }),
      'users_not_found',
    ],
    [
      'a trigger that is none',
      s => s.client.views.open({ trigger_id: 'x', view: modal('Deploy') }),
      'invalid_trigger_id',
    ],
    [
      'a new version of no view',
      s => s.client.views.update({ view_id: 'V0NOPE', view: modal('Deploy') }),
      'not_found',
    ],
  ])('refuses %s', async (_case, call, code) => {
    expect(await errorOf(call(side))).toBe(code)
  })

  test('keeps a message with its blocks and metadata, and shows it in the history', async () => {
    const metadata = { event_type: 'deploy', event_payload: { id: '42' } }
    const ts = await post({ blocks: [section('one')], metadata })
    await side.client.chat.update({ channel: side.channel, ts, text: 'two', blocks: [section('two')] })
    const { messages = [] } = await side.client.conversations.history({
      channel: side.channel,
      oldest: ts,
      latest: ts,
      inclusive: true,
      include_all_metadata: true,
    })
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatchObject({
      ts,
      text: 'two',
      blocks: [{ type: 'section', text: { text: 'two' } }],
      metadata,
    })
  })

  test('keeps replies below their message, oldest first, out of the history', async () => {
    const ts = await post()
    await post({ text: 'first', thread_ts: ts })
    await post({ text: 'second', thread_ts: ts })
    const { messages = [] } = await side.client.conversations.replies({ channel: side.channel, ts })
    expect(messages.map(one => one.text)).toEqual(['one', 'first', 'second'])
    expect(messages[0]).toMatchObject({ reply_count: 2 })
    const { messages: top = [] } = await side.client.conversations.history({
      channel: side.channel,
      limit: 1,
    })
    expect(top.map(one => one.text)).toEqual(['one'])
  })

  test('a deleted message is gone', async () => {
    const ts = await post()
    await side.client.chat.delete({ channel: side.channel, ts })
    expect(await errorOf(side.client.chat.update({ channel: side.channel, ts, text: 'a' }))).toBe(
      'message_not_found',
    )
    const { messages = [] } = await side.client.conversations.history({ channel: side.channel })
    expect(messages.map(one => one.ts)).not.toContain(ts)
  })

  test('what one person sees is not in the history', async () => {
    const { message_ts: ts } = await side.client.chat.postEphemeral({
      channel: side.channel,
      user: side.ana,
      text: 'psst',
    })
    expect(ts).toMatch(/^\d+\.\d{6}$/)
    const { messages = [] } = await side.client.conversations.history({ channel: side.channel })
    expect(messages.map(one => one.text)).not.toContain('psst')
  })

  test('opens direct messages, always the same', async () => {
    const open = async () => (await side.client.conversations.open({ users: side.ana })).channel?.id
    const first = await open()
    expect(first).toMatch(/^D/)
    expect(await open()).toBe(first)
    expect((await side.client.chat.postMessage({ channel: side.ana, text: 'hello' })).channel).toBe(first)
  })

  test('opens a modal once, edits it by its hash', async () => {
    const trigger_id = await side.trigger()
    const { view } = await side.client.views.open({ trigger_id, view: modal('Deploy') })
    expect(view).toMatchObject({ type: 'modal', callback_id: 'deploy', root_view_id: view?.id })
    expect(await errorOf(side.client.views.open({ trigger_id, view: modal('Deploy') }))).not.toBe('ok')
    const update = (hash?: string) =>
      side.client.views.update({ view_id: view?.id ?? '', hash, view: modal('Next') })
    const next = await update(view?.hash)
    expect(next.view).toMatchObject({ id: view?.id, title: { text: 'Next' } })
    expect(next.view?.hash).not.toBe(view?.hash)
    expect(await errorOf(update(view?.hash))).toBe('hash_conflict')
  })

  test('publishes a Home tab and keeps its id', async () => {
    const publish = (text: string) =>
      side.client.views.publish({ user_id: side.ana, view: { type: 'home', blocks: [section(text)] } })
    const first = await publish('one')
    const second = await publish('two')
    expect(second.view).toMatchObject({
      id: first.view?.id,
      type: 'home',
      blocks: [{ text: { text: 'two' } }],
    })
  })

  test('takes a file in three steps and shares it in a thread', async () => {
    const ts = await post()
    const { upload_url = '', file_id = '' } = await side.client.files.getUploadURLExternal({
      filename: 'a.log',
      length: 5,
    })
    expect((await fetch(upload_url, { method: 'POST', body: 'lines' })).status).toBe(200)
    await side.client.files.completeUploadExternal({
      files: [{ id: file_id, title: 'Log' }],
      channel_id: side.channel,
      thread_ts: ts,
    })
    expect((await side.client.files.info({ file: file_id })).file).toMatchObject({
      id: file_id,
      title: 'Log',
      size: 5,
    })
    const { messages = [] } = await side.client.conversations.replies({ channel: side.channel, ts })
    expect(messages.at(-1)).toMatchObject({ files: [{ id: file_id }] })
  })
})
