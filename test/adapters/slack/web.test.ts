// What became of a call, told from how it failed: a post that may have happened must not be repeated, one that surely
// did not happen must not be looked for. A small server answers as proxies and Slack do.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { slackWeb } from '../../../src/adapters/slack/web.ts'

const servers: ReturnType<typeof createServer>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`
}

const says =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    response.writeHead(status, headers).end(body)

const cases: readonly [string, RequestListener, object][] = [
  ['done', says(200, '{"ok":true,"ts":"1.2"}'), { kind: 'ok', data: { ts: '1.2' } }],
  [
    'an error code of Slack',
    says(200, '{"ok":false,"error":"not_in_channel"}'),
    { kind: 'error', code: 'not_in_channel' },
  ],
  ['429', says(429, '', { 'retry-after': '7' }), { kind: 'limited', afterMs: 7_000 }],
  ['429 without a time', says(429, ''), { kind: 'limited', afterMs: 30_000 }],
  ['429 in the body', says(200, '{"ok":false,"error":"ratelimited"}'), { kind: 'limited' }],
  ['503: not taken', says(503, 'busy'), { kind: 'unsent' }],
  ['service_unavailable', says(200, '{"ok":false,"error":"service_unavailable"}'), { kind: 'unsent' }],
  ['500: perhaps', says(500, 'oops'), { kind: 'unclear' }],
  ['502 of a proxy', says(502, '<html>'), { kind: 'unclear' }],
  ['fatal_error: perhaps', says(200, '{"ok":false,"error":"fatal_error"}'), { kind: 'unclear' }],
  ['a page that is not Slack’s', says(200, '<html>sign in to this network</html>'), { kind: 'unclear' }],
  ['no answer', () => undefined, { kind: 'unclear' }],
  [
    'a connection cut in the middle',
    (_, response) =>
      void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
    { kind: 'unclear' },
  ],
  ['a redirect', says(302, '', { location: 'http://127.0.0.1:1/' }), { kind: 'unclear' }],
]

const webAt = (api: string, timeoutMs = 10_000) =>
  slackWeb({ botToken: 'xoxb-1', appToken: null, api, timeoutMs })

test.each(cases)('%s', async (name, listener, expected) => {
  let requests = 0
  const api = await serving((request, response) => {
    requests++
    return listener(request, response)
  })
  expect(
    await webAt(api, name === 'no answer' ? 300 : undefined).call('chat.postMessage', {
      channel: 'C1',
      text: 'x',
    }),
  ).toMatchObject(expected)
  expect(requests).toBe(1)
})

test('nobody listens there: it was not sent', async () => {
  const api = await serving(says(200, '{}'))
  const closed = servers.pop()
  await new Promise(done => closed?.close(done))
  expect(await webAt(api).call('chat.postMessage', {})).toMatchObject({ kind: 'unsent' })
})

test('a name that does not resolve: it was not sent', async () => {
  expect(await webAt('http://slack.invalid/api/').call('chat.postMessage', {})).toMatchObject({
    kind: 'unsent',
  })
})

test('a method that is an address is called below the API all the same: the token goes nowhere else', async () => {
  const seen: (string | undefined)[] = []
  const api = await serving((request, response) => {
    seen.push(request.url)
    response.end('{"ok":true}')
  })
  await webAt(api).call('http://example.com/steal', {})
  expect(seen).toEqual(['/api/http://example.com/steal'])
})
