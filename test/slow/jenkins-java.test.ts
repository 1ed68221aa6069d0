// Hooks from Java's HttpURLConnection, set up as Jenkins' plugins set it up (notification-sender.java): what arrives is
// what the plugins send, and what gkube answers is what they understand. Needs a JDK (default-jdk-headless).
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProxy } from '../support/proxy.ts'
import { type HookStack, hookStack, newsOf, secrets } from '../surfaces/http/hooks/inbox.ts'
import { cloudData, notification } from '../surfaces/http/hooks/samples.ts'

const program = fileURLToPath(new URL('notification-sender.java', import.meta.url))
const java = spawnSync('java', ['-version']).status === 0
if (!java)
  process.stdout.write(
    'SKIPPED hooks from Java: no java here (Debian: apt-get install openjdk-17-jdk-headless)\n',
  )

const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

/** One line for each attempt. */
async function send(how: readonly string[], url: string, body: unknown): Promise<string[]> {
  const child = spawn('java', ['-Xshare:auto', '-XX:TieredStopAtLevel=1', program, ...how, url], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stdin.end(typeof body === 'string' ? body : JSON.stringify(body))
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  return out.trim().split('\n')
}
const plugin = (url: string, body: unknown, retries = 0) => send(['plugin', String(retries)], url, body)

/** A server that answers each request so. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.skipIf(!java)('hooks from Java', () => {
  let stack: HookStack
  let path: string
  beforeAll(async () => {
    stack = await hookStack()
    path = `/hooks/jenkins/${secrets.shop}`
  })
  const kept = (number: number) => stack.entries.filter(({ event }) => event.number === number)
  /** The feed may be a moment behind the answer. */
  const keptOnce = (number: number) => expect.poll(() => kept(number).length).toBe(1)

  it('look on the wire as the plugins’ do', async () => {
    const seen: Record<string, unknown>[] = []
    const url = await serve((request, response) => {
      const { method, httpVersion, headers } = request
      seen.push({ method, httpVersion, ...headers })
      request.resume()
      response.end()
    })
    const body = JSON.stringify(notification({ notes: 'Grüße' }))
    expect(await plugin(url.replace('//', '//ana:pass@'), body)).toEqual(['200'])
    expect(seen).toMatchObject([
      {
        method: 'POST',
        httpVersion: '1.1',
        'content-type': 'application/json;charset=UTF-8',
        'user-agent': expect.stringMatching(/^Java\/\d/),
        'content-length': String(Buffer.byteLength(body)),
        authorization: `Basic ${btoa('ana:pass')}`,
      },
    ])
  })

  it('of one build, from queued to finalized', async () => {
    for (const [phase, status] of [
      ['QUEUED'],
      ['STARTED'],
      ['COMPLETED', 'SUCCESS'],
      ['FINALIZED', 'SUCCESS'],
    ]) {
      const body = notification({ number: 1, phase, status, parameters: { GREETING: 'Grüße 🚀' } })
      expect(await plugin(stack.server.url + path, body)).toEqual(['202'])
    }
    await expect.poll(() => kept(1).length).toBe(4)
    expect(kept(1).map(({ hook, event }) => [hook, event.phase, event.parameters.GREETING])).toEqual(
      ['queued', 'started', 'finished', 'finalized'].map(phase => ['shop', phase, 'Grüße 🚀']),
    )
  })

  it('by user and password in the address', async () => {
    const url = `${stack.server.url.replace('//', `//jenkins:${secrets.shop}@`)}/hooks/jenkins`
    expect(await plugin(url, notification({ number: 2 }))).toEqual(['202'])
    await keptOnce(2)
  })

  it('after a 307 of whatever stands before gkube', async () => {
    const front = await serve((request, response) => {
      request.resume()
      response.writeHead(307, { location: stack.server.url + request.url }).end()
    })
    expect(await plugin(front + path, notification({ number: 3 }))).toEqual(['202'])
    await keptOnce(3)
  })

  it('again and again after one answer was lost: kept once', async () => {
    const proxy = await startProxy(Number(new URL(stack.server.url).port))
    cleanups.push(() => proxy.close())
    proxy.dropNextResponse()
    const lines = await plugin(`http://127.0.0.1:${proxy.port}${path}`, notification({ number: 4 }), 4)
    // Java itself sends a POST once more where its connection ends without an answer, unless the length is fixed.
    expect(lines[0]).toMatch(/^failed /)
    expect(lines.slice(1)).toEqual(['200', '200', '200', '200'])
    await keptOnce(4)
    expect(new Set(stack.entries.map(newsOf)).size).toBe(stack.entries.length)
  })

  it.each([
    ['a wrong secret', '/hooks/jenkins/wrong', notification({ number: 5 }), '401'],
    ['a field that is wrong', null, notification({ number: 0 }), '400'],
    ['another’s job', null, notification({ number: 5 }, { url: 'job/bank/job/vault/' }), '403'],
    ['300 KiB of log', null, notification({ number: 5, log: 'x'.repeat(300 * 1024) }), '413'],
    ['5 MiB of log', null, notification({ number: 5, log: 'x'.repeat(5 * 1024 * 1024) }), '413'],
  ])('%s: an answer that it takes for one, so that it is sent once', async (_, at, body, status) => {
    expect(await plugin(stack.server.url + (at ?? path), body, 3)).toEqual([status])
    expect(kept(5)).toEqual([])
  })

  it('as CloudEvents, failed and finalized of one build: kept once', async () => {
    const data = cloudData({ number: 6, phase: 'FINALIZED', status: 'FAILURE' })
    const url = stack.server.url + path
    expect(await send(['cloudevents', 'org.jenkinsci.job.failed'], url, data)).toEqual(['202'])
    expect(await send(['cloudevents', 'org.jenkinsci.job.finalized'], url, data)).toEqual(['200'])
    expect(await send(['cloudevents', 'org.jenkinsci.queue.left'], url, { jenkinsQueueId: 6 })).toEqual([
      '202',
    ])
    await keptOnce(6)
    expect(kept(6).map(({ event }) => [event.phase, event.result])).toEqual([['finalized', 'FAILURE']])
  })
})
