// The adapter on two workspaces that know nothing of each other: the sandbox's, and emulate 0.12.2, an independent
// stateful Web API. emulate has no user groups, no rate limits by tier, no x-oauth-scopes and checks no blocks; its
// channels take posts without a membership, and its `conversations.info` calls everybody a member.
import { WebClient } from '@slack/web-api'
import { createEmulator } from 'emulate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { slackAdapter } from '../../../src/adapters/slack/slack.ts'
import type { Turn } from '../../../src/core/notifier.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'

type Target = {
  readonly api: string
  readonly token: string
  readonly channel: string
  /** Somebody with the e-mail ana@example.com. */
  readonly ana: string
  readonly stop: () => Promise<unknown>
}

async function sandbox(): Promise<Target> {
  const slack = await startSlack({ rates: 'off' })
  return {
    api: slack.api,
    token: slack.botToken,
    channel: 'C0STAGING',
    ana: 'U0ANA',
    stop: () => slack.stop(),
  }
}

async function emulate(): Promise<Target> {
  const seed = {
    slack: {
      team: { name: 'Sandbox', domain: 'sandbox' },
      users: [{ name: 'ana', real_name: 'Ana', email: 'ana@example.com' }],
      channels: [{ name: 'staging' }],
      bots: [{ name: 'gkube' }],
    },
  }
  const emulator = await createEmulator({ service: 'slack', port: 0, seed })
  const api = `${emulator.url}/api/`
  const token = 'xoxb-test'
  const client = new WebClient(token, { slackApiUrl: api, retryConfig: { retries: 0 } })
  const channels = await client.conversations.list()
  const person = await client.users.lookupByEmail({ email: 'ana@example.com' })
  const channel = channels.channels?.find(({ name }) => name === 'staging')?.id ?? ''
  return { api, token, channel, ana: person.user?.id ?? '', stop: () => emulator.close() }
}

/** Slack's one message a second, in a fiftieth of the time. */
const fast = {
  now: () => performance.now() * 50,
  after(ms: number, work: () => void) {
    const timer = setTimeout(work, ms / 50)
    return () => clearTimeout(timer)
  },
}
const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } })
const says = (text: string) => ({ text, blocks: [section(text)] })
const turn = (key: string): Turn => ({ key, urgency: () => 'terminal', signal: new AbortController().signal })
const mark = (key: string) => ({ deploy: 'd1', key })

describe.each([
  ['the sandbox', sandbox],
  ['emulate 0.12.2', emulate],
])('on %s', (_, start) => {
  let target: Target
  let adapter: ReturnType<typeof slackAdapter>
  let client: WebClient
  const log: string[] = []
  beforeAll(async () => {
    target = await start()
    adapter = slackAdapter({
      botToken: target.token,
      appToken: null,
      signingSecret: 'secret',
      api: target.api,
      channels: [{ environment: 'staging', channel: target.channel }],
      groups: [],
      log: message => void log.push(message),
      timers: fast,
    })
    client = new WebClient(target.token, { slackApiUrl: target.api, retryConfig: { retries: 0 } })
  })
  afterAll(async () => {
    adapter.close()
    await target.stop()
  })

  const post = (key: string, text: string, thread: string | null = null, broadcast = false) =>
    adapter.messenger.post(
      { ...turn(key), channel: target.channel, thread, broadcast, mark: mark(key) },
      async () => says(text),
    )
  async function posted(key: string, text: string, thread: string | null = null): Promise<string> {
    const sent = await post(key, text, thread)
    if (sent.kind !== 'done') throw new Error(JSON.stringify(sent))
    return sent.ts
  }
  const find = (key: string, thread: string | null = null) =>
    adapter.messenger.find({
      ...turn(key),
      channel: target.channel,
      thread,
      mark: mark(key),
      file: null,
      since: Date.now() - 60_000,
    })
  const texts = async () =>
    ((await client.conversations.history({ channel: target.channel })).messages ?? []).map(({ text }) => text)

  test('a message is posted, updated in place, and found by its mark', async () => {
    const ts = await posted('main', 'web: requested')
    const at = { ...turn('main'), channel: target.channel, ts }
    expect(await adapter.messenger.update(at, async () => says('web: done'))).toEqual({
      kind: 'done',
      channel: target.channel,
      ts,
    })
    expect(await texts()).toContain('web: done')
    expect(await texts()).not.toContain('web: requested')
    expect(await find('main')).toEqual({ kind: 'found', ts })
    expect(await find('other')).toEqual({ kind: 'absent' })
  })

  test('a thread holds its entries and a file, and they are found there', async () => {
    const thread = await posted('parent', 'web: failed')
    const ts = await posted('cause', 'why: exit code 1', thread)
    expect(await find('cause', thread)).toEqual({ kind: 'found', ts })
    expect(await find('cause')).toEqual({ kind: 'absent' })
    const file = { name: 'log.txt', title: 'Last lines', content: 'Error: nö\n' }
    const at = { ...turn('file'), channel: target.channel, thread, mark: mark('file'), file }
    expect(await adapter.messenger.upload(at, async () => true)).toMatchObject({ kind: 'done' })
    const replies =
      (await client.conversations.replies({ channel: target.channel, ts: thread })).messages ?? []
    expect(replies.some(({ files }) => files?.some(({ name }) => name === 'log.txt'))).toBe(true)
  })

  test('what begin does not want is not sent', async () => {
    const before = (await texts()).length
    const at = { ...turn('no'), channel: target.channel, thread: null, broadcast: false, mark: mark('no') }
    expect(await adapter.messenger.post(at, async () => null)).toEqual({ kind: 'dropped' })
    expect((await texts()).length).toBe(before)
  })

  test('a deleted message is gone, a channel that is not there refuses', async () => {
    const ts = await posted('deleted', 'web: oops')
    await client.chat.delete({ channel: target.channel, ts })
    const at = { ...turn('deleted'), channel: target.channel, ts }
    expect(await adapter.messenger.update(at, async () => says('x'))).toMatchObject({ kind: 'gone' })
    const nowhere = {
      ...turn('nowhere'),
      channel: 'C0NOWHERE',
      thread: null,
      broadcast: false,
      mark: mark('n'),
    }
    expect(await adapter.messenger.post(nowhere, async () => says('x'))).toMatchObject({
      kind: 'refused',
      code: 'channel_not_found',
    })
  })

  test('a direct message reaches a person', async () => {
    const room = await adapter.messenger.direct({ ...turn('dm'), user: target.ana })
    if (room.kind !== 'done') throw new Error(JSON.stringify(room))
    const at = { ...turn('dm'), channel: room.channel, thread: null, broadcast: false, mark: mark('dm') }
    expect(await adapter.messenger.post(at, async () => says('please look'))).toMatchObject({
      kind: 'done',
      channel: room.channel,
    })
  })

  test('people are known by id and e-mail, and nobody is nobody', async () => {
    const { workspace } = adapter
    const ana = await workspace.person(target.ana)
    expect(ana).toMatchObject({
      id: target.ana,
      email: 'ana@example.com',
      guest: false,
      foreign: false,
      bot: false,
    })
    expect(await workspace.personByEmail('ana@example.com')).toEqual(ana)
    expect(await workspace.personByEmail('nobody@example.com')).toBeNull()
    expect(await workspace.person('U0NOBODY')).toBeNull()
    expect((await workspace.self()).teamId).not.toBe('')
    expect(await workspace.isMember(target.channel)).toBe(true)
    expect(await workspace.isMember('C0NOWHERE')).toBe(false)
  })

  test('App Home is published', async () => {
    await adapter.workspace.publishHome(target.ana, { type: 'home', blocks: [section('your deploys')] })
  })

  test('doctor is content with the token and the channel', async () => {
    const checks = await adapter.checks()
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([])
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'slack token',
        'slack scopes',
        'slack signing secret',
        'slack clock',
        'slack channel of staging',
      ]),
    )
  })
})
