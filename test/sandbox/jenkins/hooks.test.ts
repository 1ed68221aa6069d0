// Hooks of the notification plugin as they go over the wire: their phases, their JSON, and how they get lost, doubled
// and out of order. What gkube does with them: test/surfaces/http/hooks.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { HookFault, JobSeed } from '../../../src/sandbox/jenkins/control.ts'
import { open } from './client.ts'

type Hook = { readonly request: IncomingMessage; readonly body: string }

/** Takes hooks; answers with the codes given, the last one from then on; 0 cuts the connection. */
async function receiver(...codes: number[]) {
  const got: Hook[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    const code = codes[Math.min(got.length, codes.length - 1)] ?? 200
    got.push({ request, body })
    if (code === 0) request.socket.destroy()
    else response.writeHead(code).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  afterAll(() => server.close())
  const { port } = server.address() as AddressInfo // it listens on TCP
  return { got, host: `127.0.0.1:${port}`, phases: () => got.map(({ body }) => JSON.parse(body).build.phase) }
}

const freestyle: JobSeed = {
  path: 'shop/api',
  kind: 'freestyle',
  parameters: [
    { name: 'WHO', type: 'string', default: 'world' },
    { name: 'KEY', type: 'password', default: 'hidden' },
  ],
  changes: () => [{ author: 'ana', message: 'Change', paths: ['a.ts'] }],
  async run(build) {
    build.tests({ passed: 1, failed: ['a.B.c'] })
    build.artifact('out.txt')
  },
}
const branch: JobSeed = { path: 'shop/worker/feature%2Flogin', kind: 'pipeline', branch: 'feature/login' }
const phases = ['QUEUED', 'STARTED', 'COMPLETED', 'FINALIZED']

async function built(job: JobSeed, url: string, more: { retries?: number; fault?: HookFault } = {}) {
  const at = await open({ seed: [job], hook: { url, retries: more.retries } })
  at.jenkins.control.hooks(more.fault ?? {})
  const number = await at.begun(job.path)
  await at.jenkins.control.ended(job.path, number)
  return at
}

describe('a hook', () => {
  it('of a freestyle build: exactly this', async () => {
    const { got, host, phases: told } = await receiver()
    const { jenkins } = await built(freestyle, `http://ci:p%40ss@${host}/hooks/x`)
    expect(told()).toEqual(phases)
    const build = jenkins.control.build('shop/api', 1)
    expect(JSON.parse(got.at(-1)?.body ?? '')).toEqual({
      name: 'api',
      display_name: 'api',
      url: 'job/shop/job/api/',
      build: {
        full_url: `${jenkins.url}job/shop/job/api/1/`,
        number: 1,
        queue_id: build?.queueId,
        timestamp: build?.startedAt,
        duration: build?.durationMs,
        phase: 'FINALIZED',
        status: 'UNSTABLE',
        url: 'job/shop/job/api/1/',
        scm: {
          url: 'https://git.example.com/shop/api.git',
          branch: 'origin/main',
          commit: build?.commit,
          changes: ['a.ts'],
          culprits: ['ana'],
        },
        parameters: { WHO: 'world' },
        log: '',
        artifacts: { 'out.txt': { archive: `${jenkins.url}job/shop/job/api/1/artifact/out.txt` } },
        test_summary: { total: 2, failed: 1, passed: 1, skipped: 0, failed_tests: ['a.B.c'] },
      },
    })
    const { headers, method } = got[0]?.request ?? {}
    expect(method).toBe('POST')
    expect(headers).toMatchObject({
      'content-type': 'application/json;charset=UTF-8',
      'user-agent': expect.stringMatching(/^Java\//),
      authorization: `Basic ${btoa('ci:p@ss')}`,
    })
  })

  it('of a branch of a Pipeline: no sources, no status at the start, its path only in the url', async () => {
    const { got, host } = await receiver()
    await built(branch, `http://${host}/`)
    expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({
      name: 'feature%2Flogin',
      display_name: 'feature/login',
      url: 'job/shop/job/worker/job/feature%252Flogin/',
      build: { phase: 'QUEUED', duration: 0, scm: { changes: [], culprits: [] }, artifacts: {} },
    })
    expect(Object.keys(JSON.parse(got[0]?.body ?? '').build)).not.toContain('status')
  })

  it.each([
    ['a refusal is a success to it', [401], 0, 4],
    ['no answer: once', [0], 0, 4],
    ['one failure: all the retries, though the second was taken', [0, 200], 2, 6],
  ] as const)('%s', async (_, codes, retries, times) => {
    const { got, host } = await receiver(...codes)
    await built(branch, `http://${host}/`, { retries })
    expect(got).toHaveLength(times)
  })

  it.each([
    ['lost', { lose: true }, []],
    ['lost in part', { lose: ['STARTED', 'FINALIZED'] }, ['QUEUED', 'COMPLETED']],
    ['doubled', { repeat: 1 }, phases.flatMap(phase => [phase, phase])],
    ['the last one first', { reversed: true }, [...phases].reverse()],
  ] as const)('%s', async (_, fault, expected) => {
    const { host, phases: told } = await receiver()
    await built(branch, `http://${host}/`, { fault })
    expect(told()).toEqual(expected)
  })

  it('is sent inside the build: a slow answer holds it up', async () => {
    let answer = () => {}
    const server = createServer((request, response) => {
      request.resume()
      answer = () => response.end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo // it listens on TCP
    const at = await open({ seed: [branch], hook: { url: `http://127.0.0.1:${port}/` } })
    const number = await at.begun(branch.path)
    let isOver = false
    const over = at.jenkins.control.ended(branch.path, number).then(() => {
      isOver = true
    })
    for (const _ of phases) {
      await vi.waitFor(() => {
        const waiting = answer
        answer = () => {
          throw new Error('not asked yet')
        }
        expect(isOver).toBe(false)
        waiting()
      })
    }
    await over
    server.close()
  })
})
