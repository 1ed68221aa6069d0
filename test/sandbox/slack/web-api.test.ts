// The Web API of the stand-in Slack, through the real client: Slack's own error codes, what is stored, and who sees it.
import { WebClient } from '@slack/web-api'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SandboxSlack } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'
import { buttonMessage, modal, silent } from './bolt-app.ts'

let slack: SandboxSlack
let client: WebClient

const clientWith = (token: string | undefined) =>
  new WebClient(token, {
    logger: silent,
    slackApiUrl: slack.api,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 3000,
  })

beforeEach(async () => {
  slack = await startSlack({ rates: 'off' })
  client = clientWith(slack.botToken)
})
afterEach(() => slack.stop())

type Call = (one: WebClient) => Promise<unknown>
const errorOf = (call: Call, one = client) =>
  call(one).then(
    () => 'ok',
    (error: { data?: { error?: string } }) => error.data?.error ?? String(error),
  )
const posted = async (text = 'Hello') =>
  (await client.chat.postMessage({ channel: 'C0STAGING', ...buttonMessage(text) })).ts ?? ''
const section = (text: string) => ({ type: 'section' as const, text: { type: 'mrkdwn' as const, text } })

const refusals: [string, Call, string?][] = [
  [
    'a channel that is not there',
    c => c.chat.postMessage({ channel: 'C0NOPE', text: 'a' }),
    'channel_not_found',
  ],
  [
    'a channel without the bot',
    c => c.chat.postMessage({ channel: 'C0GENERAL', text: 'a' }),
    'not_in_channel',
  ],
  [
    'a private channel without the bot',
    c => c.chat.postMessage({ channel: 'C0PRIVATE', text: 'a' }),
    'channel_not_found',
  ],
  ['an archived channel', c => c.chat.postMessage({ channel: 'C0OLD', text: 'a' }), 'is_archived'],
  ['nothing to say', c => c.chat.postMessage({ channel: 'C0STAGING', text: '' }), 'no_text'],
  [
    'too long a message',
    c => c.chat.postMessage({ channel: 'C0STAGING', text: 'x'.repeat(40_001) }),
    'msg_too_long',
  ],
  [
    'blocks that are none',
    c => c.chat.postMessage({ channel: 'C0STAGING', text: 'a', blocks: 'x' as never }),
    'invalid_blocks_format',
  ],
  [
    'a block that Slack does not take',
    c => c.chat.postMessage({ channel: 'C0STAGING', text: 'a', blocks: [section('')] }),
    'invalid_blocks',
  ],
  [
    'metadata that is none',
    c => c.chat.postMessage({ channel: 'C0STAGING', text: 'a', metadata: { event_type: 'x' } as never }),
    'invalid_metadata_format',
  ],
  [
    'an edit of no message',
    c => c.chat.update({ channel: 'C0STAGING', ts: '1.000001', text: 'a' }),
    'message_not_found',
  ],
  [
    'an edit by the channel’s name',
    async c => c.chat.update({ channel: 'staging', ts: await posted(), text: 'a' }),
    'channel_not_found',
  ],
  [
    'an edit of a person’s message',
    c =>
      c.chat.update({ channel: 'C0STAGING', ts: slack.control.as('ana').say('staging', 'hi').ts, text: 'a' }),
    'cant_update_message',
  ],
  [
    'an edit that is too long',
    async c => c.chat.update({ channel: 'C0STAGING', ts: await posted(), text: 'x'.repeat(4001) }),
    'msg_too_long',
  ],
  [
    'deleting a person’s message',
    c => c.chat.delete({ channel: 'C0STAGING', ts: slack.control.as('ana').say('staging', 'hi').ts }),
    'cant_delete_message',
  ],
  [
    'an ephemeral message where the bot is not',
    c => c.chat.postEphemeral({ channel: 'C0GENERAL', user: 'U0ANA', text: 'a' }),
    'not_in_channel',
  ],
  [
    'an ephemeral message for who is not there',
    c => c.chat.postEphemeral({ channel: 'C0STAGING', user: 'U0EVE', text: 'a' }),
    'user_not_in_channel',
  ],
  [
    'history of a channel without the bot',
    c => c.conversations.history({ channel: 'C0GENERAL' }),
    'not_in_channel',
  ],
  [
    'a thread that is not there',
    c => c.conversations.replies({ channel: 'C0STAGING', ts: '1.000001' }),
    'thread_not_found',
  ],
  ['direct messages with nobody', c => c.conversations.open({ users: 'U0NOPE' }), 'user_not_found'],
  ['somebody who is not there', c => c.users.info({ user: 'U0NOPE' }), 'user_not_found'],
  ['an e-mail of nobody', c => c.users.lookupByEmail({ email: 'nobody@example.com' }), 'users_not_found'],
  [
    'an e-mail of somebody who left',
    c => c.users.lookupByEmail({ email: 'cho@example.com' }),
    'users_not_found',
  ],
  [
    'a user group that is not there',
    c => c.usergroups.users.list({ usergroup: 'S0NOPE' }),
    'no_such_subteam',
  ],
  [
    'a trigger that is none',
    c => c.views.open({ trigger_id: 'x', view: modal('Deploy') }),
    'invalid_trigger_id',
  ],
  [
    'a new version of no view',
    c => c.views.update({ view_id: 'V0NOPE', view: modal('Deploy') }),
    'not_found',
  ],
  [
    'a modal as a Home tab',
    c => c.views.publish({ user_id: 'U0ANA', view: modal('Deploy') as never }),
    'invalid_arguments',
  ],
  [
    'a Home tab for nobody',
    c => c.views.publish({ user_id: 'U0NOPE', view: { type: 'home', blocks: [] } }),
    'user_not_found',
  ],
  ['a missing argument', c => c.apiCall('chat.postMessage', { text: 'a' }), 'invalid_arguments'],
  ['a method that is none', c => c.apiCall('chat.shout'), 'unknown_method'],
  ['a bot’s token for Socket Mode', c => c.apps.connections.open({}), 'not_allowed_token_type'],
  [
    'a file that was not uploaded',
    c => c.files.completeUploadExternal({ files: [{ id: 'F1' }] }),
    'file_not_found',
  ],
  [
    'no token',
    () => clientWith(undefined).chat.postMessage({ channel: 'C0STAGING', text: 'a' }),
    'not_authed',
  ],
  ['a wrong token', () => clientWith('xoxb-no').auth.test(), 'invalid_auth'],
]

test.each(refusals)('refuses %s', async (_name, call, code) => {
  slack.control.setChannel('C0PRIVATE', { private: true, members: ['U0ANA'] })
  slack.control.setChannel('C0OLD', { archived: true, members: ['U0GKUBE'] })
  slack.control.setPerson('U0CHO', { deleted: true })
  expect(await errorOf(call)).toBe(code)
})

test('says what is wrong with blocks, and where', async () => {
  const call = client.chat.postMessage({
    channel: 'C0STAGING',
    text: 'a',
    blocks: [section('x'.repeat(3001))],
  })
  await expect(call).rejects.toMatchObject({
    data: {
      error: 'invalid_blocks',
      errors: ['must be less than 3001 characters [json-pointer:/blocks/0/text/text]'],
      response_metadata: {
        messages: ['[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]'],
      },
    },
  })
})

test('names the scope that is missing, and lists those that are there', async () => {
  slack.control.scopes(['chat:write', 'users:read'])
  await expect(client.usergroups.users.list({ usergroup: 'S0RELEASE' })).rejects.toMatchObject({
    data: { error: 'missing_scope', needed: 'usergroups:read', provided: 'chat:write,users:read' },
  })
  await expect(client.conversations.history({ channel: 'C0STAGING' })).rejects.toMatchObject({
    data: { error: 'missing_scope' },
  })
  expect((await client.auth.test()).response_metadata?.scopes).toEqual(['chat:write', 'users:read'])
  expect((await client.users.info({ user: 'U0ANA' })).user?.profile?.email).toBeUndefined()
  slack.control.scopes(['groups:history'])
  await expect(client.conversations.history({ channel: 'C0STAGING' })).rejects.toMatchObject({
    data: { error: 'missing_scope', needed: 'channels:history' },
  })
  slack.control.revokeToken()
  expect(await errorOf(c => c.auth.test())).toBe('invalid_auth')
})

test('tells people apart: members, guests, strangers, bots', async () => {
  slack.control.setPerson('U0FAR', { foreign: true })
  const user = async (id: string) => (await client.users.info({ user: id })).user
  expect(await user('U0ANA')).toMatchObject({
    is_restricted: false,
    team_id: 'T0SANDBOX',
    profile: { email: 'ana@example.com' },
  })
  expect(await user('U0EVE')).toMatchObject({ is_restricted: true, is_ultra_restricted: true })
  expect(await user('U0FAR')).toMatchObject({ team_id: 'T0ELSEWHERE', is_stranger: true })
  expect(await user('U0GKUBE')).toMatchObject({ is_bot: true })
  expect((await client.users.lookupByEmail({ email: 'Ben@Example.com' })).user?.id).toBe('U0BEN')
  expect((await client.usergroups.users.list({ usergroup: 'S0RELEASE' })).users).toEqual(['U0BEN'])
  expect((await client.conversations.members({ channel: 'C0GENERAL' })).members).not.toContain('U0GKUBE')
  expect((await client.conversations.info({ channel: 'C0GENERAL' })).channel?.is_member).toBe(false)
})

test('an edit with text alone takes the blocks away, and keeps the metadata', async () => {
  const metadata = { event_type: 'deploy', event_payload: { id: '1' } }
  const { ts = '' } = await client.chat.postMessage({
    channel: 'C0STAGING',
    ...buttonMessage('One'),
    metadata,
  })
  await client.chat.update({ channel: 'C0STAGING', ts, ...buttonMessage('Two') })
  expect(slack.control.messages('staging')).toMatchObject([{ text: 'Two', blocks: [{}, {}], edited: {} }])
  await client.chat.update({ channel: 'C0STAGING', ts, text: 'Three' })
  expect(slack.control.messages('staging')).toHaveLength(1)
  expect(slack.control.messages('staging')[0]).toMatchObject({ text: 'Three', metadata })
  expect(slack.control.messages('staging')[0]).not.toHaveProperty('blocks')
})

test('history shows metadata only when asked, newest first, page by page', async () => {
  const metadata = { event_type: 'deploy', event_payload: { id: '1' } }
  const { ts: first = '' } = await client.chat.postMessage({ channel: 'C0STAGING', text: 'one', metadata })
  const { ts: second = '' } = await client.chat.postMessage({ channel: 'C0STAGING', text: 'two' })
  await client.chat.postMessage({ channel: 'C0STAGING', text: 'reply', thread_ts: first })
  await client.chat.postMessage({
    channel: 'C0STAGING',
    text: 'loud',
    thread_ts: first,
    reply_broadcast: true,
  })
  const texts = async (more: object = {}) =>
    (await client.conversations.history({ channel: 'C0STAGING', ...more })).messages?.map(one => one.text)
  expect(await texts()).toEqual(['loud', 'two', 'one'])
  expect(await texts({ oldest: first, latest: second, inclusive: true })).toEqual(['two', 'one'])
  const bare = await client.conversations.history({ channel: 'C0STAGING', latest: second })
  expect(bare.messages?.[0]).not.toHaveProperty('metadata')
  const full = await client.conversations.history({
    channel: 'C0STAGING',
    latest: second,
    include_all_metadata: true,
  })
  expect(full.messages?.[0]).toMatchObject({ metadata, reply_count: 2 })
  const paged: unknown[] = []
  for await (const page of client.paginate('conversations.history', { channel: 'C0STAGING', limit: 2 }))
    paged.push(...((page as { messages?: { text: string }[] }).messages ?? []).map(one => one.text))
  expect(paged).toEqual(['loud', 'two', 'one'])
  const { messages } = await client.conversations.replies({ channel: 'C0STAGING', ts: first })
  expect(messages?.map(one => one.text)).toEqual(['one', 'reply', 'loud'])
})

test('a deleted message is gone, one with replies leaves a tombstone; neither can be edited', async () => {
  const alone = await posted('alone')
  const parent = await posted('parent')
  await client.chat.postMessage({ channel: 'C0STAGING', text: 'reply', thread_ts: parent })
  for (const ts of [alone, parent]) {
    slack.control.deleteMessage('staging', ts)
    expect(await errorOf(c => c.chat.update({ channel: 'C0STAGING', ts, text: 'a' }))).toBe(
      'message_not_found',
    )
  }
  expect(slack.control.messages('staging')).toMatchObject([{ ts: parent, subtype: 'tombstone' }])
})

test('an ephemeral message is for one person, and cannot be edited', async () => {
  const { message_ts: ts = '' } = await client.chat.postEphemeral({
    channel: 'C0STAGING',
    user: 'U0ANA',
    text: 'psst',
  })
  expect(slack.control.ephemerals('ana', 'staging')).toMatchObject([{ ts, text: 'psst' }])
  expect(slack.control.ephemerals('ben')).toEqual([])
  expect(slack.control.messages('staging')).toEqual([])
  expect(await errorOf(c => c.chat.update({ channel: 'C0STAGING', ts, text: 'a' }))).toBe('message_not_found')
})

test('direct messages: by conversations.open or by the person’s id', async () => {
  const { channel } = await client.conversations.open({ users: 'U0BEN' })
  await client.chat.postMessage({ channel: channel?.id ?? '', text: 'one' })
  expect((await client.chat.postMessage({ channel: 'U0BEN', text: 'two' })).channel).toBe(channel?.id)
  expect(slack.control.messages('@ben').map(one => one.text)).toEqual(['one', 'two'])
})

test('arguments arrive as JSON as well as in a form', async () => {
  const call = (method: string, headers: Record<string, string>, body: string) =>
    fetch(`${slack.api}${method}`, { method: 'POST', headers, body }).then(response => response.json())
  const authorization = `Bearer ${slack.botToken}`
  const json = JSON.stringify({ channel: 'C0STAGING', text: 'as JSON', blocks: [section('a')] })
  const headers = { authorization, 'content-type': 'application/json; charset=utf-8' }
  expect(await call('chat.postMessage', headers, json)).toMatchObject({
    ok: true,
    message: { text: 'as JSON' },
  })
  expect(await call('chat.postMessage', headers, '{')).toEqual({ ok: false, error: 'invalid_json' })
  const form = new URLSearchParams({ token: slack.botToken, channel: 'C0STAGING', text: 'as a form' })
  const plain = { 'content-type': 'application/x-www-form-urlencoded' }
  expect(await call('chat.postMessage', plain, form.toString())).toMatchObject({ ok: true })
  const kept = JSON.stringify(slack.control.calls())
  expect(kept).not.toContain(slack.botToken)
})

test('a file goes into the thread, with its content', async () => {
  const ts = await posted()
  const lines = 'a log\n'.repeat(1000)
  await client.files.uploadV2({
    channel_id: 'C0STAGING',
    thread_ts: ts,
    content: lines,
    filename: 'web.log',
    title: 'Log of web',
  })
  expect(slack.control.thread('staging', ts).at(-1)).toMatchObject({
    files: [{ name: 'web.log', title: 'Log of web' }],
  })
  const [file] = slack.control.files()
  expect(file?.content.toString()).toBe(lines)
  const withToken = { headers: { authorization: `Bearer ${slack.botToken}` } }
  expect(await (await fetch(file?.url_private ?? '', withToken)).text()).toBe(lines)
  expect((await fetch(file?.url_private ?? '')).status).toBe(404)
})

/** Ana runs a command that no app hears: its trigger_id is as good as any. */
const trigger = async (workspace = slack) =>
  String((await workspace.control.as('ana').command('staging', '/gkube form')).payload.trigger_id)

test('a trigger opens one modal, once; a view that is refused does not use it up', async () => {
  const id = await trigger()
  const open = (title: string) => errorOf(c => c.views.open({ trigger_id: id, view: modal(title) }))
  expect(await open('x'.repeat(25))).toBe('invalid_arguments')
  expect(await open('Deploy')).toBe('ok')
  expect(await open('Deploy')).toBe('exchanged_trigger_id')
})

test('a trigger is good for a moment only', async () => {
  const late = await startSlack({ timing: { trigger: -1 } })
  try {
    const one = new WebClient(late.botToken, { slackApiUrl: late.api, retryConfig: { retries: 0 } })
    const opened = one.views.open({ trigger_id: await trigger(late), view: modal('Deploy') })
    await expect(opened).rejects.toMatchObject({ data: { error: 'expired_trigger_id' } })
  } finally {
    await late.stop()
  }
})

test('a view has a hash: an edit of an older version is refused, a newer keeps what was typed', async () => {
  const { view } = await client.views.open({ trigger_id: await trigger(), view: modal('Deploy') })
  slack.control.as('ana').fill({ reason: 'typed' })
  const update = (hash?: string) =>
    client.views.update({ view_id: view?.id ?? '', view: modal('Next'), ...(hash ? { hash } : {}) })
  const next = await update(view?.hash)
  expect(next.view?.state).toMatchObject({ values: { reason: { reason: { value: 'typed' } } } })
  await expect(update(view?.hash)).rejects.toMatchObject({ data: { error: 'hash_conflict' } })
  expect((await update()).view?.hash).not.toBe(next.view?.hash)
})

test('three modals on top of each other, no more', async () => {
  await client.views.open({ trigger_id: await trigger(), view: modal('One') })
  for (const title of ['Two', 'Three'])
    await client.views.push({ trigger_id: await trigger(), view: modal(title) })
  const four = await trigger()
  expect(await errorOf(c => c.views.push({ trigger_id: four, view: modal('Four') }))).toBe(
    'push_limit_reached',
  )
})
