// What goes wrong between an app and Slack, on the wire: signatures, retries, repeats, lost answers, rate limits, an
// hour offline; and what the workspace does not answer at all.
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebClient } from '@slack/web-api'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SandboxSlack, SlackOptions } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'
import { boltApp, buttonMessage, silent, type TestApp } from './bolt-app.ts'

let slack: SandboxSlack
const apps: { stop(): Promise<void> }[] = []
const workspace = async (options: SlackOptions = {}) => {
  slack = await startSlack({ rates: 'off', ...options })
  return slack
}
const client = () =>
  new WebClient(slack.botToken, {
    slackApiUrl: slack.api,
    logger: silent,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 200,
  })
const until = <T>(what: string, look: () => T | undefined | null | false) =>
  slack.control.until(look, { what })

afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop()
  await slack.stop()
})

/** An app of a few lines: keeps what it got and answers each with a status. */
async function rawApp(statuses: number[], headers: Record<string, string> = {}) {
  const got: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      got.push({ headers: request.headers, body: String(Buffer.concat(chunks)) })
      response.writeHead(statuses.shift() ?? 200, headers).end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  slack.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`) // it listens on TCP
  apps.push({
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
  return got
}

describe('dispatch', () => {
  test('a wrong signing secret is refused by Bolt, and the person sees that it failed', async () => {
    await workspace()
    let called = 0
    apps.push(
      await boltApp(slack, 'http', app => app.command('/gkube', async () => void called++), {
        secret: 'another-secret',
      }),
    )
    const reply = await slack.control.as('ana').command('staging', '/gkube list')
    expect(reply).toMatchObject({
      outcome: 'failed',
      shown: '/gkube failed with the error "dispatch_failed"',
    })
    expect(called).toBe(0)
  })

  test('nobody there: the person sees that too', async () => {
    await workspace()
    expect(await slack.control.as('ana').command('staging', '/gkube list')).toMatchObject({
      outcome: 'unreachable',
    })
    slack.connect('http://127.0.0.1:1/slack/events')
    expect(await slack.control.as('ana').command('staging', '/gkube list')).toMatchObject({
      outcome: 'unreachable',
      shown: '/gkube failed with the error "dispatch_unknown_error"',
    })
  })

  test.each(['http', 'socket'] as const)(
    'a command that is not acknowledged in time, by %s: the person is told, it is not tried again',
    async mode => {
      await workspace({ timing: { ack: 300, retries: [0, 0, 0] } })
      let heard = 0
      apps.push(await boltApp(slack, mode, app => app.command('/gkube', async () => void heard++)))
      const reply = await slack.control.as('ana').command('staging', '/gkube list')
      const shown = '/gkube failed with the error "operation_timeout"'
      expect(reply).toMatchObject({ outcome: 'timeout', shown })
      expect(slack.control.notices('ana')).toMatchObject([{ text: shown, channel: 'C0STAGING' }])
      await eventually(() => expect(heard).toBe(1))
    },
  )

  test('an event is tried again three times with its number and reason, a command never', async () => {
    await workspace({ timing: { retries: [0, 0, 0] } })
    const got = await rawApp([500, 500, 500, 500, 500])
    await slack.control.as('ana').openHome()
    await eventually(() => expect(got).toHaveLength(4))
    expect(got.map(one => one.headers['x-slack-retry-num'])).toEqual([undefined, '1', '2', '3'])
    expect(got[1]?.headers['x-slack-retry-reason']).toBe('http_error')
    expect(new Set(got.map(one => (JSON.parse(one.body) as { event_id: string }).event_id)).size).toBe(1)
    await slack.control.as('ana').command('staging', '/gkube list')
    expect(got).toHaveLength(5)
  })

  test('an app can say that it wants no retry', async () => {
    await workspace({ timing: { retries: [0, 0, 0] } })
    const got = await rawApp([500], { 'x-slack-no-retry': '1' })
    await slack.control.as('ana').openHome()
    await slack.control.as('ana').command('staging', '/gkube list')
    expect(got).toHaveLength(2)
  })

  test('a person who clicks twice sends the same request twice', async () => {
    await workspace()
    const got = await rawApp([])
    const { ts = '' } = await client().chat.postMessage({ channel: 'C0STAGING', ...buttonMessage('Go?') })
    slack.control.repeatNext('block_actions')
    await slack.control.as('ana').click({ channel: 'staging', ts }, 'approve')
    await eventually(() => expect(got).toHaveLength(2))
    expect(got[0]?.body).toBe(got[1]?.body)
  })

  test('a request signed by a wrong clock: Bolt refuses the past and takes the future', async () => {
    await workspace()
    apps.push(await boltApp(slack, 'http', app => app.command('/gkube', async ({ ack }) => ack())))
    const outcome = async (seconds: number) => {
      slack.control.skew(seconds)
      return (await slack.control.as('ana').command('staging', '/gkube list')).outcome
    }
    expect([await outcome(-400), await outcome(400), await outcome(0)]).toEqual(['failed', 'ok', 'ok'])
  })

  test.each([
    ['deploy web to production', 'deploy web to production'],
    ['ask @ana, @ben and @nobody', 'ask <@U0ANA|ana>, <@U0BEN|ben> and @nobody'],
    ['ask @release-managers', 'ask <!subteam^S0RELEASE|@release-managers>'],
    ['tell @here @channel @everyone', 'tell <!here> <!channel> <!everyone>'],
    ['in #general or #nowhere', 'in <#C0GENERAL|general> or #nowhere'],
    ['ana@example.com', '<mailto:ana@example.com|ana@example.com>'],
    ['web.io 1.4.2', '<http://web.io|web.io> 1.4.2'],
    ['https://e.com/?a=1&b=2', '<https://e.com/?a=1&amp;b=2>'],
    ['a<b>c & <!channel>', 'a&lt;b&gt;c &amp; &lt;!channel&gt;'],
  ])('typed %s, arrives %s', async (typed, arrives) => {
    await workspace()
    const { payload } = await slack.control.as('ana').command('staging', `/gkube ${typed}`)
    expect(payload.text).toBe(arrives)
  })

  test('mentions can arrive without a name', async () => {
    await workspace()
    slack.control.mentions('bare')
    const { payload } = await slack.control.as('ana').command('staging', '/gkube ask @ben in #general')
    expect(payload.text).toBe('ask <@U0BEN> in <#C0GENERAL>')
  })

  test('what an app may not answer a command with is told to the person', async () => {
    await workspace()
    apps.push(
      await boltApp(slack, 'http', app => {
        app.command('/gkube', async ({ ack }) => ack({ blocks: [{ type: 'nope' }] }))
      }),
    )
    expect((await slack.control.as('ana').command('staging', '/gkube list')).shown).toContain(
      'invalid_command_response',
    )
  })
})

describe('Socket Mode', () => {
  const listening = async (heard: string[], name: string, pingMs?: number): Promise<TestApp> => {
    const app = await boltApp(
      slack,
      'socket',
      bolt => {
        bolt.command('/gkube', async ({ ack, command }) => {
          heard.push(`${name} ${command.text}`)
          await ack()
        })
      },
      { pingMs },
    )
    apps.push(app)
    return app
  }

  test('several connections get different payloads; one delivered twice goes to both', async () => {
    await workspace()
    const heard: string[] = []
    await listening(heard, 'a')
    await listening(heard, 'b')
    expect(slack.control.sockets.count()).toBe(2)
    const ana = slack.control.as('ana')
    await ana.command('staging', '/gkube one')
    await ana.command('staging', '/gkube two')
    expect(heard).toEqual(['a one', 'b two'])
    slack.control.sockets.deliverTwice()
    await ana.command('staging', '/gkube three')
    await eventually(() => expect(heard.slice(2).sort()).toEqual(['a three', 'b three']))
  })

  test('asked to connect again, the app does', async () => {
    await workspace()
    const heard: string[] = []
    await listening(heard, 'a', 400)
    const opened = () => slack.control.calls('apps.connections.open').length
    slack.control.sockets.refresh()
    await until('a new connection', () => opened() >= 2 && slack.control.sockets.count() === 1)
    expect(await slack.control.as('ana').command('staging', '/gkube again')).toMatchObject({ outcome: 'ok' })
    expect(heard).toEqual(['a again'])
  })

  test('a ticket is good for one connection', async () => {
    await workspace()
    const { url = '' } = await new WebClient(slack.appToken, {
      slackApiUrl: slack.api,
    }).apps.connections.open({})
    const opens = () =>
      new Promise<boolean>(resolve => {
        const socket = new WebSocket(url)
        socket.onmessage = event => {
          resolve(String(event.data).includes('hello'))
          socket.close()
        }
        socket.onerror = () => resolve(false)
      })
    expect(await opens()).toBe(true)
    expect(await opens()).toBe(false)
  })
})

describe('response_url', () => {
  const clicked = async (ephemeral: boolean) => {
    const message = buttonMessage('Go?')
    if (ephemeral) await client().chat.postEphemeral({ channel: 'C0STAGING', user: 'U0ANA', ...message })
    else await client().chat.postMessage({ channel: 'C0STAGING', ...message })
    const all = ephemeral ? slack.control.ephemerals('ana') : slack.control.messages('staging')
    const { payload } = await slack.control
      .as('ana')
      .click({ channel: 'staging', ts: all[0]?.ts ?? '' }, 'approve')
    return String(payload.response_url)
  }
  const post = async (url: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    return `${response.status} ${await response.text()}`
  }
  const shown = () => ({
    messages: slack.control.messages('staging').map(one => one.text),
    ephemerals: slack.control.ephemerals('ana').map(one => one.text),
  })

  test.each([
    [
      'an ephemeral answer',
      false,
      { text: 'a', replace_original: false },
      { messages: ['Go?'], ephemerals: ['a'] },
    ],
    [
      'an answer for all',
      false,
      { text: 'a', response_type: 'in_channel' },
      { messages: ['Go?', 'a'], ephemerals: [] },
    ],
    [
      'one in place of the message',
      false,
      { text: 'a', replace_original: true },
      { messages: ['a'], ephemerals: [] },
    ],
    ['one that says nothing else: in its place', false, { text: 'a' }, { messages: ['a'], ephemerals: [] }],
    ['deleting the message', false, { delete_original: true }, { messages: [], ephemerals: [] }],
    [
      'one in place of an ephemeral message',
      true,
      { text: 'a', replace_original: true },
      { messages: [], ephemerals: ['a'] },
    ],
    ['deleting an ephemeral message', true, { delete_original: true }, { messages: [], ephemerals: [] }],
  ])('%s', async (_name, ephemeral, answer, expected) => {
    await workspace()
    expect(await post(await clicked(ephemeral), answer)).toBe('200 ok')
    expect(shown()).toEqual(expected)
  })

  test('five times, no more, and not for ever', async () => {
    await workspace()
    const url = await clicked(false)
    expect(await post(url, { blocks: [{ type: 'nope' }] })).toContain(
      '400 {"ok":false,"error":"invalid_blocks"',
    )
    for (let n = 0; n < 4; n++) expect(await post(url, { text: 'a', replace_original: false })).toBe('200 ok')
    expect(await post(url, { text: 'a' })).toBe('404 {"ok":false,"error":"used_url"}')
    await slack.stop()
    await workspace({ timing: { respond: -1 } })
    expect(await post(await clicked(false), { text: 'a' })).toBe('404 {"ok":false,"error":"expired_url"}')
  })
})

describe('rates', () => {
  const outcome = (call: Promise<unknown>) =>
    call.then(
      () => 0,
      (error: { retryAfter?: number }) => error.retryAfter ?? -1,
    )

  test('the 51st edit within a minute is answered with 429 and Retry-After', async () => {
    await workspace()
    const { ts = '' } = await client().chat.postMessage({ channel: 'C0STAGING', text: 'a' })
    slack.control.rates('real')
    const edit = () => outcome(client().chat.update({ channel: 'C0STAGING', ts, text: 'b' }))
    const waits = []
    for (let n = 0; n < 51; n++) waits.push(await edit())
    expect(waits.slice(0, 50)).toEqual(Array(50).fill(0))
    expect(waits[50]).toBeGreaterThan(50)
    expect(waits[50]).toBeLessThanOrEqual(60)
    expect(slack.control.calls('chat.update').at(-1)).toMatchObject({ status: 429, error: 'ratelimited' })
    expect(await outcome(client().users.info({ user: 'U0ANA' }))).toBe(0)
  })

  test('about one message a second and channel', async () => {
    await workspace({ rates: 'real' })
    const send = (channel: string) => outcome(client().chat.postMessage({ channel, text: 'a' }))
    const waits = []
    for (let n = 0; n < 5; n++) waits.push(await send('C0STAGING'))
    expect(waits.slice(0, 3)).toEqual([0, 0, 0])
    expect(waits.at(-1)).toBe(1)
    expect(await send('C0PRODUCTION')).toBe(0)
  })
})

describe('faults', () => {
  const send = (channel = 'C0STAGING') =>
    client()
      .chat.postMessage({ channel, text: 'a' })
      .then(
        () => 'ok',
        (error: { constructor: { name: string }; data?: { error: string } }) =>
          error.data?.error ?? error.constructor.name,
      )
  beforeEach(() => workspace())

  test.each([
    ['an error code', { error: 'fatal_error' }, 'fatal_error', 0],
    ['500', { status: 500 }, 'WebAPIHTTPError', 0],
    ['429', { status: 429, retryAfter: 7 }, 'WebAPIRateLimitedError', 0],
    ['a cut connection: not done', { connection: 'cut' }, 'WebAPIRequestError', 0],
    ['a lost answer: done all the same', { connection: 'lost' }, 'WebAPIRequestError', 1],
    ['no answer at all', { connection: 'never' }, 'WebAPIRequestError', 0],
    ['a slow answer', { delay: 20 }, 'ok', 1],
  ] as const)('%s', async (_name, fault, seen, done) => {
    slack.control.fault({ method: 'chat.postMessage', ...fault })
    expect(await send()).toBe(seen)
    expect(slack.control.messages('staging')).toHaveLength(done)
    expect(await send()).toBe('ok')
  })

  test('a fault hits only the calls that it names', async () => {
    slack.control.fault({
      method: 'chat.postMessage',
      where: { channel: 'C0PRODUCTION' },
      times: 2,
      error: 'fatal_error',
    })
    expect([
      await send(),
      await send('C0PRODUCTION'),
      await send('C0PRODUCTION'),
      await send('C0PRODUCTION'),
    ]).toEqual(['ok', 'fatal_error', 'fatal_error', 'ok'])
  })

  test('offline: nothing is answered and nothing is sent, until it is online again', async () => {
    slack.control.offline()
    expect(await send()).toBe('WebAPIRequestError')
    expect(await slack.control.as('ana').command('staging', '/gkube list')).toMatchObject({
      outcome: 'unreachable',
    })
    expect((await fetch(`${slack.url}control/state`)).status).toBe(200)
    slack.control.online()
    expect(await send()).toBe('ok')
  })
})

describe('the control over HTTP', () => {
  beforeEach(() => workspace())
  const ask = (path: string, headers: Record<string, string> = {}, body?: string) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const options = { port: slack.port, host: '127.0.0.1', path, method: body ? 'POST' : 'GET', headers }
      const request = httpRequest(options, response => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += String(chunk)
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      })
      request.on('error', reject)
      request.end(body)
    })
  const json = { 'content-type': 'application/json' }

  test('acts as somebody and shows the state', async () => {
    const act = (body: object) => ask('/control/act', json, JSON.stringify(body))
    expect(
      JSON.parse((await act({ as: 'U0ANA', do: 'command', channel: 'C0STAGING', text: '/gkube list' })).text),
    ).toMatchObject({
      kind: 'slash_commands',
      outcome: 'unreachable',
    })
    expect((await act({ as: 'ana', do: 'say', channel: 'staging', text: 'hello' })).status).toBe(200)
    expect(JSON.parse((await ask('/control/state')).text)).toMatchObject({
      app: { connected: false },
      messages: { C0STAGING: [{ text: 'hello', user: 'U0ANA' }] },
      notices: { U0ANA: [{ text: expect.stringContaining('/gkube failed') }] },
    })
    expect(await act({ as: 'nobody', do: 'home' })).toMatchObject({
      status: 400,
      text: expect.stringContaining('nobody'),
    })
    expect((await act({ as: 'ana', do: 'destroy' })).status).toBe(400)
  })

  test('tells changes as they happen', async () => {
    const response = await fetch(`${slack.url}control/events`)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toContain('"what":"workspace"')
    const { ts } = slack.control.as('ana').say('staging', 'hello')
    expect((await reader?.read())?.value).toContain(`"channel":"C0STAGING","ts":"${ts}"`)
    await reader?.cancel()
  })

  test.each([
    ['another host name', { host: 'evil.example.com' }, 403],
    ['a page of another origin', { origin: 'https://evil.example.com' }, 403],
    [
      'a request that another site made',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      403,
    ],
    ['its own address', {}, 200],
  ] as const)('asked by %s', async (_name, headers, status) => {
    expect((await ask('/control/state', { host: `127.0.0.1:${slack.port}`, ...headers })).status).toBe(status)
  })

  test('a form of another site cannot act', async () => {
    const form = { 'content-type': 'text/plain' }
    expect((await ask('/control/act', form, '{"as":"ana","do":"home"}')).status).toBe(415)
  })
})

/** Tries until it holds: for what the app sees, of which the workspace tells no change. */
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 3000, interval: 10 })
