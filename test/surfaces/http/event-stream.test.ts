// Server-sent events over real HTTP: what is sent, where it resumes, who ends it, and that nothing stays open.
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { UserError } from '../../../src/errors.ts'
import { served, until } from '../serve.ts'
import { memoryCore, tokens } from '../support.ts'

type Seen = { event: string; id?: string; data: unknown }

/** Reads frames until the stream ends or `enough` says so. */
async function frames(
  answer: Response,
  enough: (seen: Seen[], raw: string) => boolean = () => false,
): Promise<{ seen: Seen[]; raw: string }> {
  let raw = ''
  for await (const chunk of answer.body ?? []) {
    raw += new TextDecoder().decode(chunk)
    if (enough(parse(raw), raw)) break
  }
  return { seen: parse(raw), raw }
}
const parse = (raw: string): Seen[] =>
  raw
    .split('\n\n')
    .slice(0, -1)
    .filter(frame => frame.startsWith('event:'))
    .map(frame => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1]
      return { event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null') }
    })

async function start(revision: string, options: Parameters<typeof served>[0] = {}) {
  const own = await served(options)
  await own.ask('PUT', '/v1/apps/web', { body: { app: 'web', image: 'web:{revision}' } })
  const answer = await own.ask('POST', '/v1/deploys', {
    body: { app: 'web', environment: 'staging', revision },
  })
  const { deploy } = (await answer.json()) as { deploy: { id: string } }
  return { ...own, id: deploy.id, events: `/v1/deploys/${deploy.id}/events` }
}
const phase = (one: Seen | undefined) => (one?.data as { phase?: string } | undefined)?.phase

describe('the events of a deploy', () => {
  it('come live, with ids, and end with the deploy', async () => {
    const { ask, events, core } = await start('1.0.0')
    const answer = await ask('GET', events)
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const { seen, raw } = await frames(answer)
    expect(raw).toMatch(/^retry: 2000\n\n/)
    expect(seen.map(phase).filter(Boolean)).toContain('running')
    expect(seen.some(one => one.event === 'progress')).toBe(true)
    expect(phase(seen.at(-1))).toBe('succeeded')
    const ids = seen.flatMap(one => one.id ?? []).map(Number)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    await until(() => core.open() === 0)
  })

  it('begin with the progress as it stands', async () => {
    const { ask, events, core, id } = await start('hang')
    await until(() => core.deploys.get(id)?.progress)
    const { seen } = await frames(await ask('GET', events), all => all.length >= 2)
    expect(seen[1]).toEqual({ event: 'progress', id: undefined, data: core.deploys.get(id)?.progress })
  })

  it('carry the diagnosis of a failure', async () => {
    const { ask, events } = await start('crash')
    const { seen } = await frames(await ask('GET', events))
    expect(seen.find(one => one.event === 'diagnosis')?.data).toMatchObject({
      cause: { reason: 'crash_loop' },
    })
    expect(phase(seen.at(-1))).toBe('failed')
  })

  it('resume after Last-Event-ID without a gap or a repetition', async () => {
    const { ask, events, core, id } = await start('hang')
    const first = await frames(await ask('GET', events), seen =>
      seen.some(one => one.event === 'progress' && one.id),
    )
    core.progress(id, 2, 3)
    core.progress(id, 3, 3)
    core.finish(id)
    const headers = { 'last-event-id': first.seen.findLast(one => one.id)?.id ?? '' }
    const second = await frames(await ask('GET', events, { headers }))
    const ids = [...first.seen, ...second.seen].flatMap(one => one.id ?? [])
    expect(new Set(ids).size).toBe(ids.length)
    expect(second.seen.filter(one => one.event === 'progress').map(one => one.data)).toMatchObject([
      { ready: 2 },
      { ready: 3 },
    ])
    expect(phase(second.seen.at(-1))).toBe('succeeded')
  })

  it.each([
    { name: 'an unknown deploy', path: '/v1/deploys/nope/events', after: '', status: 404 },
    { name: 'an id that is none', path: '', after: '1; drop', status: 400 },
  ])('refuse $name with a status', async ({ path, after, status }) => {
    const { ask, events } = await start('1.0.0')
    expect((await ask('GET', path || events, { headers: { 'last-event-id': after } })).status).toBe(status)
  })

  it('end on drain with the hint to come back', async () => {
    const { ask, events, drain, core } = await start('hang')
    const answer = await ask('GET', events)
    drain.abort()
    const { raw } = await frames(answer)
    expect(raw).toMatch(/: the server stops, come back\nretry: 2000\n\n$/)
    await until(() => core.open() === 0)
  })

  it('end when the server closes, at once', async () => {
    const { ask, events, server } = await start('hang')
    const reading = frames(await ask('GET', events))
    await server.close()
    expect((await reading).raw).toMatch(/come back/)
  })

  it('keep a quiet connection warm', async () => {
    const { ask, events } = await start('hang', { timeouts: { heartbeat: 10 } })
    const { raw } = await frames(await ask('GET', events), (_, text) => text.split(': still here').length > 3)
    expect(raw).toContain(': still here\n\n')
  })

  it('let go when the client is gone', async () => {
    const { ask, events, core } = await start('hang')
    const gone = await ask('GET', events)
    await until(() => core.open() === 1)
    await gone.body?.cancel()
    await until(() => core.open() === 0)
  })

  it('answer HEAD without leaving anything open', async () => {
    const { ask, events, core } = await start('hang')
    expect((await ask('HEAD', events)).status).toBe(200)
    await until(() => core.open() === 0)
  })
})

describe('logs and commands', () => {
  it('follows logs', async () => {
    const { ask, core } = await start('1.0.0')
    await until(() => [...core.deploys.values()].every(one => one.deploy.endedAt))
    const answer = await ask('GET', '/v1/workloads/staging/web/logs?follow=1')
    await until(() => core.open() === 1)
    core.log('line three\n')
    const { seen } = await frames(answer, all => all.length === 3)
    expect(seen[2]).toEqual({
      event: 'log',
      data: { pod: 'web-7c9d-x2x1', container: 'web', text: 'line three\n' },
    })
    await until(() => core.open() === 0)
  })

  it('runs a command to its exit code', async () => {
    const { ask } = await start('1.0.0')
    const answer = await ask('POST', '/v1/workloads/staging/web/run', { body: { command: ['exit', '7'] } })
    const { seen } = await frames(answer)
    expect(seen.map(one => one.event)).toEqual(['started', 'output', 'output', 'ended'])
    expect(seen.at(-1)?.data).toMatchObject({ exitCode: 7 })
  })

  it('says in the stream what fails after the head was sent', async () => {
    const core = memoryCore()
    const late = {
      ...core,
      run: async function* () {
        yield { kind: 'started' as const, job: 'j', pod: 'p' }
        throw new UserError('unavailable', 'The cluster does not answer.')
      },
    }
    const { ask } = await start('1.0.0', { core: late })
    const answer = await ask('POST', '/v1/workloads/staging/web/run', { body: { command: ['ls'] } })
    expect(answer.status).toBe(200)
    const { seen } = await frames(answer)
    expect(seen.at(-1)).toMatchObject({ event: 'error', data: { error: { kind: 'unavailable' } } })
  })

  it('does not read on for a client that does not', async () => {
    const core = memoryCore()
    let pulled = 0
    let ended = false
    const endless = {
      ...core,
      run: async function* () {
        try {
          for (;;) {
            pulled++
            yield { kind: 'output' as const, text: 'x'.repeat(10_000), stream: 'stdout' as const }
          }
        } finally {
          ended = true
        }
      },
    }
    const { url } = await served({ core: endless, timeouts: { idle: 300, heartbeat: 50 } })
    const body = JSON.stringify({ command: ['yes'] })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.pause()
    socket.write(
      `POST /v1/workloads/staging/web/run HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${tokens.admin}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    // The idle time-out cuts who never reads; until then only what the kernel's buffers take was pulled.
    await until(() => ended)
    expect(pulled).toBeGreaterThan(0)
    expect(pulled * 10_000).toBeLessThan(20_000_000)
    socket.destroy()
  })
})
