// The door of the hooks on the real http server: sizes, methods, wrong secrets, late stores, and that no secret is ever
// written down. What is kept of a hook is tested on a whole replica in jenkins-hooks-stack.test.ts.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import type { BuildEvent } from '../../../../src/core/builds/event.ts'
import type { BuildVerbs } from '../../../../src/core/builds/verbs.ts'
import type { Core } from '../../../../src/core/core.ts'
import { OutcomeUnknown } from '../../../../src/core/kv.ts'
import { UserError } from '../../../../src/errors.ts'
import { createLog } from '../../../../src/log.ts'
import { jenkinsHooks } from '../../../../src/surfaces/http/hooks/jenkins-hooks.ts'
import { metricsRegistry } from '../../../../src/surfaces/http/metrics.ts'
import { httpServer } from '../../../../src/surfaces/http/server.ts'
import { binary, notification, plain } from './samples.ts'
import { basic, post, raw, signed } from './send.ts'

const secret = 'Kx7-plain-looking-words-of-the-hook'
const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

/** A server whose core only takes builds. */
async function door(receive: BuildVerbs['receiveBuild'] = async () => ({ repeated: false })) {
  const taken: { hook: string; event: BuildEvent }[] = []
  const lines: string[] = []
  const log = createLog({ level: 'debug', format: 'json', write: line => void lines.push(line) })
  const metrics = metricsRegistry()
  const clock = { now: Date.now() }
  const server = httpServer({
    // Nothing else of it is asked here.
    core: { health: async () => ({ ok: true, checks: [] }) } as unknown as Core,
    config: { host: '127.0.0.1', port: 0, timeouts: { close: 500 } },
    log,
    version: '9.9.9',
    metrics,
    drain: { closing: new AbortController().signal },
    mounts: [
      jenkinsHooks({
        hooks: [
          { name: 'shop', secret, jobs: ['shop/*'] },
          { name: 'signed', secret: 'another-secret-0123456789', jobs: ['*'] },
        ],
        receive: async (hook, event) => {
          taken.push({ hook: hook.name, event })
          expect(hook).not.toHaveProperty('secret')
          return receive(hook, event)
        },
        now: () => clock.now,
        log,
        metrics,
      }),
    ],
  })
  const url = await server.listen()
  cleanups.push(() => server.close())
  return { url, taken, lines, metrics, clock }
}

describe('who it is', () => {
  it.each([
    ['by the address', { path: `/hooks/jenkins/${secret}` }, 'shop'],
    ['by the address with a query', { path: `/hooks/jenkins/${secret}?job=web` }, 'shop'],
    ['by Basic', { headers: basic(secret) }, 'shop'],
    ['by Bearer', { headers: { authorization: `Bearer ${secret}` } }, 'shop'],
  ])('%s', async (_, options, hook) => {
    const { url, taken } = await door()
    const { status, body } = await post(url, { ...options, body: plain() })
    expect({ status, body }).toEqual({
      status: 202,
      body: { build: 'shop/web #214', phase: 'finalized', repeated: false },
    })
    expect(taken).toMatchObject([{ hook, event: { job: 'shop/web', number: 214 } }])
  })

  it('by a signature over time and body', async () => {
    const { url, taken, clock } = await door()
    const body = JSON.stringify(plain({ job: 'Büro/web' }))
    const seconds = Math.floor(clock.now / 1000)
    const send = (headers: Record<string, string>) => post(url, { headers, body })
    expect((await send(signed('another-secret-0123456789', body, seconds))).status).toBe(202)
    expect(taken).toMatchObject([{ hook: 'signed', event: { job: 'Büro/web' } }])
    expect((await send(signed('another-secret-0123456789', `${body} `, seconds))).status).toBe(401)
    clock.now += 301_000
    expect((await send(signed('another-secret-0123456789', body, seconds))).status).toBe(401)
  })

  it.each([
    ['nothing', {}],
    ['no end of the address', { path: '/hooks/jenkins/' }],
    ['a wrong end', { path: '/hooks/jenkins/wrong' }],
    ['more after the secret', { path: `/hooks/jenkins/${secret}/x` }],
    ['a wrong password', { headers: basic('wrong') }],
    ['the secret as the user', { headers: basic('x', secret) }],
    ['a wrong token', { headers: { authorization: 'Bearer wrong' } }],
    ['a wrong signature beside the right secret', { headers: { ...signed('x', '{}'), ...basic(secret) } }],
  ])('%s: 401 that tells nothing, before anything of the body is looked at', async (_, options) => {
    const { url, taken } = await door()
    const { status, headers, body } = await post(url, { ...options, body: 'not JSON' })
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Bearer')
    expect(body.error).toEqual({
      kind: 'unauthenticated',
      message: 'Not accepted.',
      details: {},
      requestId: expect.any(String),
    })
    expect(taken).toEqual([])
  })

  it('whoever tries secrets is slowed down, and Jenkins behind the same proxy is not', async () => {
    const { url, clock } = await door()
    for (let n = 0; n < 20; n++)
      expect((await post(url, { path: `/hooks/jenkins/guess-${n}` })).status).toBe(401)
    const { status, headers } = await post(url, { path: '/hooks/jenkins/guess-20' })
    expect({ status, wait: Number(headers.get('retry-after')) > 0 }).toEqual({ status: 429, wait: true })
    expect((await post(url, { headers: basic('guess') })).status).toBe(429)
    expect((await post(url, { path: `/hooks/jenkins/${secret}`, body: plain() })).status).toBe(202)
    clock.now += 61_000
    expect((await post(url, { path: '/hooks/jenkins/guess-21' })).status).toBe(401)
  })
})

describe('what is sent', () => {
  const at = `/hooks/jenkins/${secret}`
  it.each<[string, Parameters<typeof post>[1], number, RegExp]>([
    ['GET', { method: 'GET' }, 405, /POST/],
    ['PUT', { method: 'PUT' }, 405, /POST/],
    ['an empty body', { body: '' }, 400, /empty/],
    ['no JSON', { body: '{"job": ' }, 400, /not JSON/],
    ['a list', { body: [] }, 400, /JSON object/],
    ['a form', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415, /--data/],
    ['no UTF-8', { body: new Uint8Array([0x7b, 0xff, 0x7d]) }, 400, /UTF-8/],
    ['compressed', { headers: { 'content-encoding': 'gzip' } }, 415, /gzip/],
    ['too large', { body: notification({ log: 'x'.repeat(300_000) }) }, 413, /256 KiB.*Log lines 0/],
    ['a field that is wrong', { body: notification({ number: 0 }) }, 400, /build\.number/],
  ])('%s is refused in words', async (_, options, status, words) => {
    const { url, taken, lines } = await door()
    const answer = await post(url, { path: at, ...options })
    expect(answer.status).toBe(status)
    expect(answer.body.error.message).toMatch(words)
    expect(taken).toEqual([])
    // Jenkins does not tell anybody: the log must.
    if (status !== 405)
      expect(lines.map(line => JSON.parse(line))).toContainEqual(
        expect.objectContaining({
          level: 'warn',
          msg: 'a hook of Jenkins was not taken',
          caller: 'hook:shop',
          why: expect.stringMatching(words),
        }),
      )
  })

  it('what is just small enough is taken, and the connection lives on after what was not', async () => {
    const { url } = await door()
    const size = JSON.stringify(notification({ log: '' })).length
    const log = 'x'.repeat(256 * 1024 - size)
    expect((await post(url, { path: at, body: notification({ log }) })).status).toBe(202)
    expect((await post(url, { path: at, body: notification({ log: `${log}x` }) })).status).toBe(413)
    expect((await post(url, { path: at, body: notification() })).status).toBe(202)
  })

  it.each([
    ['deep', `${'['.repeat(120_000)}${']'.repeat(120_000)}`, 400],
    [
      'deep in a field that nobody reads',
      `{"job":"a","number":1,"x":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}}`,
      202,
    ],
    [
      'keys of the prototype',
      '{"__proto__":{"job":"x"},"constructor":{"prototype":{"job":"y"}},"job":"a","number":1}',
      202,
    ],
    ['only keys of the prototype', '{"__proto__":{"job":"a","number":1}}', 400],
    [
      'parameters of the prototype',
      '{"url":"job/a/","build":{"number":1,"phase":"STARTED","parameters":{"__proto__":"x","toString":"y"}}}',
      202,
    ],
  ])('%s does no harm', async (_, body, status) => {
    const { url } = await door()
    expect((await post(url, { path: at, body })).status).toBe(status)
    expect(({} as Record<string, unknown>).job).toBeUndefined()
  })

  it('a sender that goes away in the middle hurts nobody', async () => {
    const { url, taken, lines } = await door()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST ${at} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"job":`,
    )
    await post(url, { path: at, body: plain() })
    socket.destroy()
    expect((await post(url, { path: at, body: plain() })).status).toBe(202)
    expect(taken).toHaveLength(2)
    expect(lines.filter(line => line.includes('"level":"error"'))).toEqual([])
  })

  it('events that tell nothing of a build are fine', async () => {
    const { url, taken } = await door()
    const answer = await post(url, { path: at, headers: binary('org.jenkinsci.queue.left'), body: {} })
    expect(answer).toMatchObject({ status: 202, body: { ignored: expect.stringContaining('queue.left') } })
    expect(taken).toEqual([])
  })
})

describe('what the core says', () => {
  const at = `/hooks/jenkins/${secret}`
  const send = async (receive: BuildVerbs['receiveBuild']) => {
    const made = await door(receive)
    const before = performance.now()
    const answer = await post(made.url, { path: at, body: plain() })
    return { ...made, answer, ms: performance.now() - before }
  }

  it('a repeat is 200', async () => {
    const { answer } = await send(async () => ({ repeated: true }))
    expect(answer).toMatchObject({ status: 200, body: { repeated: true } })
  })

  it('another’s job is 403 in words', async () => {
    const { answer } = await send(async () => {
      throw new UserError('forbidden', 'The hook shop may not tell of bank/vault.')
    })
    expect(answer.status).toBe(403)
    expect(answer.body.error.message).toMatch(/bank\/vault/)
  })

  it.each<[string, BuildVerbs['receiveBuild']]>([
    [
      'away',
      async () => {
        throw new UserError('unavailable', 'etcd does not answer.')
      },
    ],
    [
      'not sure',
      async () => {
        throw new OutcomeUnknown(['/x'], new Error('cut'))
      },
    ],
    ['silent', () => new Promise(() => undefined)],
  ])('a store that is %s: 503 with Retry-After, within 2.5 s', async (_, receive) => {
    const { answer, ms } = await send(receive)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(ms).toBeLessThan(2_500)
  })

  it('a fault of ours is 500 with an id, and in the log with its cause', async () => {
    const { answer, lines, metrics } = await send(async () => {
      throw new TypeError('a mistake of ours')
    })
    expect(answer.status).toBe(500)
    expect(answer.body.error.message).not.toContain('mistake')
    expect(lines.join('')).toContain('a mistake of ours')
    expect(metrics.text()).toContain('gkube_jenkins_hooks_total{hook="shop",outcome="failed"} 1')
  })
})

describe('the secret', () => {
  it('is in no line of the log, no metric and no answer, whatever the address looks like', async () => {
    const { url, lines, metrics } = await door()
    const encoded = [...secret].map(c => `%${c.charCodeAt(0).toString(16)}`).join('')
    const paths = [
      `/hooks/jenkins/${secret}`,
      `/hooks/jenkins/${secret}/`,
      `/hooks/jenkins/${secret}?a=${secret}`,
      `/hooks/jenkins/x${secret}`,
      `/hooks/jenkins//${secret}`,
      `//hooks/jenkins/${secret}`,
      `/hooks//jenkins/${secret}`,
      `/hooks/jenkins\\${secret}`,
      `/hooks/jenkins;${secret}`,
      `/hooks%2Fjenkins%2F${secret}`,
      `/HOOKS/Jenkins/${secret}`,
      `/gkube/hooks/jenkins/${secret}`,
      `/v1/../hooks/jenkins/${secret}`,
      `${url}/hooks/jenkins/${secret}`,
      `/hooks/jenkins/${encoded}`,
    ]
    for (const path of paths) await raw(url, path)
    const answers: string[] = []
    for (const headers of [basic(secret), { authorization: `Bearer ${secret}` }])
      for (const body of ['{', plain(), notification({ log: 'x'.repeat(300_000) })])
        answers.push(JSON.stringify((await post(url, { headers, body })).body))
    answers.push(JSON.stringify((await post(url, { path: `/nothing/hooks/jenkins/${secret}` })).body))
    const written = `${lines.join('')}${metrics.text()}${answers.join('')}`
    expect(written).not.toContain(secret)
    expect(written.toLowerCase()).not.toContain(encoded.slice(0, 30).toLowerCase())
    expect(written).not.toContain(Buffer.from(`jenkins:${secret}`).toString('base64'))
    // The lines are there, and say where it went.
    expect(lines.filter(line => line.includes('/hooks/jenkins/[secret]')).length).toBeGreaterThan(5)
    expect(metrics.text()).toContain('route="/hooks/jenkins"')
  })
})
