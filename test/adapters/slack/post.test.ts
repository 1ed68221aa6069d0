// Messages to a response_url and bytes to an upload URL, over real sockets: what comes back, and that it ends in time.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { post } from '../../../src/adapters/slack/post.ts'
import { slackWeb } from '../../../src/adapters/slack/web.ts'

async function served<T>(listener: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/there`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const web = slackWeb({ botToken: 'xoxb-1', appToken: null, api: 'http://127.0.0.1:9/' })
const sent = { body: 'é', type: 'application/json', timeoutMs: 2_000 }

test('the body arrives whole, with its type and length, as text and as bytes', async () => {
  const seen: string[] = []
  const listener: RequestListener = async (request, response) => {
    const chunks = await request.toArray()
    const { 'content-type': type, 'content-length': length } = request.headers
    seen.push(`${request.method} ${request.url} ${type} ${length} ${Buffer.concat(chunks)}`)
    response.setHeader('x-more', 'yes').end('ok')
  }
  await served(listener, async url => {
    const answer = await post(url, sent)
    expect(answer).toMatchObject({ status: 200, text: 'ok', headers: { 'x-more': 'yes' } })
    await post(url, { ...sent, body: new Uint8Array([97, 98]), type: 'application/octet-stream' })
  })
  expect(seen).toEqual(['POST /there application/json 2 é', 'POST /there application/octet-stream 2 ab'])
})

const answers = [
  { name: 'taken', status: 200, text: 'ok', kind: { kind: 'ok', data: { text: 'ok' } } },
  {
    name: 'refused by a code',
    status: 404,
    text: 'expired_url',
    kind: { kind: 'error', code: 'expired_url' },
  },
  { name: 'refused by a page', status: 403, text: '<html> no', kind: { kind: 'error', code: 'http_403' } },
  { name: 'too many', status: 429, text: '', kind: { kind: 'limited', afterMs: 7_000 } },
  { name: 'broken', status: 500, text: '', kind: { kind: 'unclear' } },
  { name: 'elsewhere: not followed', status: 302, text: '', kind: { kind: 'unclear' } },
]
for (const { name, status, text, kind } of answers)
  test(`an answer of a response_url: ${name}`, async () => {
    let asked = 0
    const listener: RequestListener = (_, response) => {
      asked++
      response.writeHead(status, { 'retry-after': '7', location: '/other' }).end(text)
    }
    const found = await served(listener, url => web.send(url, sent))
    expect(found).toMatchObject(kind)
    expect(asked).toBe(1)
  })

test('nobody answers: it ends in time, and it may have been done', async () => {
  const answer = await served(
    () => undefined,
    url => web.send(url, { ...sent, timeoutMs: 50 }),
  )
  expect(answer).toMatchObject({ kind: 'unclear', message: expect.stringContaining('within 50 ms') })
})

test('an answer that stops half way ends in time, too', async () => {
  const half: RequestListener = (_, response) =>
    void response.writeHead(200, { 'content-length': 5 }).write('o')
  const answer = await served(half, url => web.send(url, { ...sent, timeoutMs: 100 }))
  expect(answer.kind).toBe('unclear')
})

test('nothing listens: it was not sent', async () => {
  const url = await served(
    () => undefined,
    async at => at,
  )
  expect((await web.send(url, sent)).kind).toBe('unsent')
})
