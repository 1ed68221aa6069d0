// The endpoint against clients that do not behave: bodies that never end, never come, or grow without a length.
import { createHmac } from 'node:crypto'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLog } from '../../../src/log.ts'
import type { Envelope } from '../../../src/surfaces/slack/deliver.ts'
import { slackReceiver } from '../../../src/surfaces/slack/receiver.ts'

const secret = 's3cret'
const got: Envelope[] = []
const lines: string[] = []
const handle = slackReceiver({
  secret,
  bodyLimit: 1000,
  deliver: async envelope => {
    got.push(envelope)
    await envelope.ack({ text: 'ok' })
  },
  now: Date.now,
  log: createLog({ level: 'info', format: 'json', write: line => void lines.push(line) }),
})
const server = createServer((incoming, outgoing) => void handle(incoming, outgoing, { requestId: 'r1' }))
let port = 0
beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const signed = (
  body: string,
  type = 'application/x-www-form-urlencoded',
  more: Record<string, string> = {},
) => {
  const time = String(Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex')
  return {
    'content-type': type,
    'x-slack-request-timestamp': time,
    'x-slack-signature': `v0=${mac}`,
    ...more,
  }
}
const post = (body: string, headers: Record<string, string>) =>
  fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers })

describe('what is in it', () => {
  it.each([
    [
      'a command',
      'command=%2Fgkube&text=a+b',
      'application/x-www-form-urlencoded',
      { command: '/gkube', text: 'a b' },
    ],
    [
      'with a charset',
      'command=%2Fgkube',
      'application/x-www-form-urlencoded; charset=utf-8',
      { command: '/gkube' },
    ],
    [
      'an interaction',
      `payload=${encodeURIComponent('{"type":"block_actions"}')}`,
      'application/x-www-form-urlencoded',
      { type: 'block_actions' },
    ],
    [
      'an event',
      '{"event":{"type":"app_home_opened"}}',
      'application/json',
      { event: { type: 'app_home_opened' } },
    ],
  ])('%s', async (_name, body, type, expected) => {
    const response = await post(body, signed(body, type, { 'x-slack-retry-num': '2' }))
    expect(await response.json()).toEqual({ text: 'ok' })
    expect(got.at(-1)).toMatchObject({ body: expected, retry: 2, requestId: 'r1' })
  })
  it('a key that would reach the prototype is a key', async () => {
    const body = '{"__proto__":{"command":"/x"},"type":"a"}'
    await post(body, signed(body, 'application/json'))
    expect(got.at(-1)?.body.command).toBeUndefined()
  })
})

describe('clients that do not behave', () => {
  it('a body without a length that grows too large', async () => {
    const before = got.length
    const status = await new Promise(resolve => {
      const asked = request({ port, host: '127.0.0.1', method: 'POST', headers: signed('x') }, answer => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.on('error', () => undefined)
      for (let i = 0; i < 10; i++) asked.write('x'.repeat(200))
      asked.end()
    })
    expect(status).toBe(413)
    expect(got.length).toBe(before)
  })
  it('a client that goes away', async () => {
    const before = got.length
    const asked = request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      headers: signed('x', 'a/b', { 'content-length': '500' }),
    })
    asked.on('error', () => undefined)
    asked.write('x')
    await new Promise(resolve => setTimeout(resolve, 50))
    asked.destroy()
    const response = await post('command=x', signed('command=x'))
    expect(response.status).toBe(200)
    expect(got.length).toBe(before + 1)
  })
  it('nothing of a refused request stands in the log but why', async () => {
    await post('text=my-secret', { 'content-type': 'x', 'x-slack-signature': 'v0=my-signature' })
    expect(lines.join()).toContain('no time')
    expect(lines.join()).not.toMatch(/my-secret|my-signature/)
  })
})
