// The API over real HTTP on the memory core: who may, what comes back, what is refused and in which words.
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { OutcomeUnknown } from '../../../src/core/kv.ts'
import { UserError } from '../../../src/errors.ts'
import { served, until } from '../serve.ts'
import { memoryCore, tokens } from '../support.ts'

const web = { app: 'web', image: 'registry.example.com/shop/web:{revision}', jobs: ['shop/web'] }
const { ask, core, url, lines } = await served()
type Failed = {
  error: { kind: string; message: string; details: Record<string, unknown>; requestId: string }
}
const failed = async (answer: Response) => ((await answer.json()) as Failed).error
await ask('PUT', '/v1/apps/web', { body: web })

const endOf = async (id: string) => {
  await until(() => core.deploys.get(id)?.deploy.endedAt)
  return core.deploys.get(id)?.deploy
}
const deploy = async (body: object): Promise<string> => {
  const answer = await ask('POST', '/v1/deploys', { body: { app: 'web', environment: 'staging', ...body } })
  expect(answer.status).toBe(202)
  return ((await answer.json()) as { deploy: { id: string } }).deploy.id
}

describe('tokens', () => {
  it.each([
    { name: 'none', header: undefined, status: 401, kind: 'unauthenticated' },
    { name: 'not bearer', header: 'Basic YTpi', status: 401, kind: 'unauthenticated' },
    { name: 'unknown', header: 'Bearer nope', status: 401, kind: 'unauthenticated' },
    { name: 'too weak', header: `Bearer ${tokens.viewer}`, status: 403, kind: 'forbidden' },
  ])('$name token: $status', async ({ header, status, kind }) => {
    const answer = await fetch(`${url}/v1/deploys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(header ? { authorization: header } : {}) },
      body: JSON.stringify({ app: 'web', environment: 'staging', revision: '1' }),
    })
    expect(answer.status).toBe(status)
    expect((await failed(answer)).kind).toBe(kind)
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
  })

  it.each([
    { client: undefined, via: 'api' },
    { client: 'cli', via: 'cli' },
    { client: 'jenkins', via: 'jenkins' },
  ])('client $client acts via $via', async ({ client, via }) => {
    const answer = await ask('GET', '/v1/whoami', { headers: client ? { 'x-gkube-client': client } : {} })
    expect(await answer.json()).toMatchObject({ actor: { id: 'token:ana', via } })
  })

  it('refuses a client that it does not know', async () => {
    const answer = await ask('GET', '/v1/whoami', { headers: { 'x-gkube-client': 'slack' } })
    expect(answer.status).toBe(400)
  })

  it('slows down who tries tokens, and lets a good one of the same address pass', async () => {
    const own = await served()
    await own.ask('GET', '/v1/whoami')
    const bad = (token: string) =>
      own.ask('GET', '/v1/whoami', { headers: { authorization: `Bearer ${token}` } })
    for (let i = 0; i < 20; i++) expect((await bad(`guess-${i}`)).status).toBe(401)
    const asked = own.core.calls('authenticate').length
    const refused = await bad('guess-20')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(own.core.calls('authenticate')).toHaveLength(asked)
    expect((await own.ask('GET', '/v1/whoami')).status).toBe(200)
  })
})

describe('limits', () => {
  it('slows down a token that asks too often', async () => {
    const own = await served({ limits: { requestsPerMinute: 3 } })
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await own.ask('GET', '/v1/whoami')).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    const other = await own.ask('GET', '/v1/whoami', {
      headers: { authorization: `Bearer ${tokens.viewer}` },
    })
    expect(other.status).toBe(200)
    expect((await fetch(`${own.url}/healthz`)).status).toBe(200)
  })

  it('opens so many streams and no more, and takes them back', async () => {
    const own = await served({ limits: { streams: 1 } })
    await own.ask('PUT', '/v1/apps/web', { body: web })
    const answer = await own.ask('POST', '/v1/deploys', {
      body: { app: 'web', environment: 'staging', revision: 'hang' },
    })
    const events = `${answer.headers.get('location')}/events`
    const first = await own.ask('GET', events)
    expect((await own.ask('GET', events)).status).toBe(429)
    await first.body?.cancel()
    await until(() => own.core.open() === 0)
    expect((await own.ask('HEAD', events)).status).toBe(200)
  })
})

describe('apps', () => {
  it('registers, shows, lists and forgets an app', async () => {
    const put = await ask('PUT', '/v1/apps/api', { body: { app: 'api', image: 'api:{revision}' } })
    expect(await put.json()).toMatchObject({
      outcome: 'created',
      app: { app: 'api', kind: 'service', replicas: 1 },
    })
    expect(await (await ask('GET', '/v1/apps/api')).json()).toMatchObject({ app: 'api' })
    expect(((await (await ask('GET', '/v1/apps')).json()) as { apps: unknown[] }).apps).toHaveLength(2)
    expect((await ask('DELETE', '/v1/apps/api')).status).toBe(204)
    expect((await ask('GET', '/v1/apps/api')).status).toBe(404)
  })

  it('only validates with dryRun', async () => {
    const answer = await ask('PUT', '/v1/apps/dry?dryRun=1', { body: { app: 'dry', image: 'a:{revision}' } })
    expect(await answer.json()).toMatchObject({ outcome: 'created' })
    expect((await ask('GET', '/v1/apps/dry')).status).toBe(404)
  })

  it('takes YAML', async () => {
    const answer = await ask('PUT', '/v1/apps/web?dryRun=true', {
      body: 'app: web\nimage: web:{revision}\nports: [{ name: http, port: 8080 }]\n',
      headers: { 'content-type': 'application/yaml; charset=utf-8' },
    })
    expect(await answer.json()).toMatchObject({ app: { ports: [{ name: 'http', port: 8080 }] } })
  })

  it.each([
    { name: 'broken YAML', type: 'application/yaml', body: 'app: web\nports: [\n', says: /body:3:1/ },
    {
      name: 'a duplicate key',
      type: 'application/yaml',
      body: 'app: web\napp: api\n',
      says: /body:2:1.*unique/,
    },
    {
      name: 'a wrong key in YAML',
      type: 'text/yaml',
      body: 'app: web\nreplica: 3\n',
      says: /body:2:1: replica: is not a key/,
    },
    {
      name: 'two documents',
      type: 'text/yaml',
      body: 'app: web\n---\napp: api\n',
      says: /a second document/,
    },
    { name: 'no document', type: 'text/yaml', body: '', says: /app: is missing/ },
    { name: 'a missing anchor', type: 'text/yaml', body: 'app: *x\n', says: /alias|anchor/i },
    { name: 'broken JSON', type: 'application/json', body: '{"app":', says: /not JSON/ },
    {
      name: 'an unknown key',
      type: 'application/json',
      body: '{"app":"web","replica":3}',
      says: /replica: is not a key here; did you mean replicas\?/,
    },
    {
      name: 'a wrong type',
      type: 'application/json',
      body: '{"app":"web","replicas":"3"}',
      says: /replicas: expected a whole number, saw "3"/,
    },
    { name: 'a missing name', type: 'application/json', body: '{}', says: /app: is missing/ },
    {
      name: 'a union',
      type: 'application/json',
      body: '{"app":"web","env":{"A":{"secret":"s"}}}',
      says: /env\.A: expected .*saw a map/,
    },
    {
      name: 'a bad env name',
      type: 'application/json',
      body: '{"app":"web","env":{"A B":"1"}}',
      says: /LOG_LEVEL/,
    },
    { name: 'another app', type: 'application/json', body: '{"app":"api"}', says: /address says web/ },
    { name: 'bytes', type: 'application/json', body: '\ud800', says: /not JSON|top level/ },
  ])('refuses $name', async ({ type, body, says }) => {
    const answer = await ask('PUT', '/v1/apps/web', { body, headers: { 'content-type': type } })
    expect(answer.status).toBe(400)
    expect((await failed(answer)).message).toMatch(says)
  })

  it('refuses other types and large bodies', async () => {
    const form = await ask('PUT', '/v1/apps/web', { body: 'a=1', headers: { 'content-type': 'text/plain' } })
    expect(form.status).toBe(415)
    const large = await ask('PUT', '/v1/apps/web', { body: { app: 'web', x: 'y'.repeat(2_000_000) } })
    expect(large.status).toBe(413)
    expect((await failed(large)).kind).toBe('too_large')
    const chunks = new ReadableStream({
      pull: controller => controller.enqueue(new TextEncoder().encode(' '.repeat(100_000))),
    })
    const endless = await fetch(`${url}/v1/apps/web`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${tokens.admin}` },
      body: chunks,
      duplex: 'half',
    })
    expect(endless.status).toBe(413)
  })

  it('renders, plans and compares', async () => {
    const render = await ask('POST', '/v1/render', { body: { app: 'web', environment: 'staging' } })
    expect(await render.json()).toMatchObject({ spec: { app: 'web' }, objects: [{ kind: 'Deployment' }] })
    const plan = await ask('POST', '/v1/plan', {
      body: { app: 'web', environment: 'staging', revision: '2' },
    })
    expect(await plan.json()).toMatchObject({ kind: 'create', revision: '2' })
    const diff = await ask('GET', '/v1/diff/web?from=staging&to=production')
    expect(await diff.json()).toMatchObject({ changes: ['replicas 1 → 3'] })
  })
})

describe('deploys', () => {
  it('answers 202 with a place to look at, and the same deploy for the same key', async () => {
    const body = { app: 'web', environment: 'staging', revision: '1.0.0' }
    const first = await ask('POST', '/v1/deploys', { body, headers: { 'idempotency-key': 'k1' } })
    const { deploy, repeated } = (await first.json()) as { deploy: { id: string }; repeated: boolean }
    expect(repeated).toBe(false)
    expect(first.headers.get('location')).toBe(`/v1/deploys/${deploy.id}`)
    const again = await ask('POST', '/v1/deploys', { body: { ...body, idempotencyKey: 'k1' } })
    expect(await again.json()).toMatchObject({ repeated: true, deploy: { id: deploy.id } })
    expect(await endOf(deploy.id)).toMatchObject({ phase: 'succeeded', plan: 'create' })
    const both = await ask('POST', '/v1/deploys', {
      body: { ...body, idempotencyKey: 'k1' },
      headers: { 'idempotency-key': 'k2' },
    })
    expect(both.status).toBe(400)
  })

  it('shows, lists, cancels and votes', async () => {
    const id = await deploy({ revision: 'approve' })
    await until(() => core.deploys.get(id)?.deploy.phase === 'awaiting_approval')
    const vote = await ask('POST', `/v1/deploys/${id}/vote`, {
      body: { decision: 'approve', reason: 'fine' },
    })
    expect(await vote.json()).toMatchObject({ deploy: { phase: 'ready' } })
    await endOf(id)
    const late = await ask('POST', `/v1/deploys/${id}/vote`, { body: { decision: 'deny' } })
    expect(late.status).toBe(409)
    const hanging = await deploy({ revision: 'hang' })
    const cancelled = await ask('POST', `/v1/deploys/${hanging}/cancel`, { body: { reason: 'wrong one' } })
    expect(await cancelled.json()).toMatchObject({
      deploy: { phase: 'cancelled', cause: { message: 'wrong one' } },
    })
    expect(await (await ask('GET', `/v1/deploys/${hanging}`)).json()).toMatchObject({
      deploy: { phase: 'cancelled' },
    })
    const list = (await (await ask('GET', '/v1/deploys?app=web&limit=1')).json()) as {
      deploys: { id: string }[]
    }
    expect(list.deploys.map(one => one.id)).toEqual([hanging])
  })

  it.each([
    { name: 'no app in the query', path: '/v1/deploys', says: /app: is missing/ },
    {
      name: 'an unknown name in the query',
      path: '/v1/deploys?app=web&limits=3',
      says: /did you mean limit\?/,
    },
    { name: 'a name twice', path: '/v1/deploys?app=web&app=api', says: /twice/ },
    {
      name: 'a limit that is none',
      path: '/v1/deploys?app=web&limit=-1',
      says: /limit: expected a whole number, saw "-1"/,
    },
    { name: 'an id that is none', path: '/v1/deploys/%2e%2e%2fx', says: /id: expected a deploy id/ },
  ])('refuses $name', async ({ path, says }) => {
    const answer = await ask('GET', path)
    expect(answer.status).toBe(400)
    expect((await failed(answer)).message).toMatch(says)
  })

  it.each([
    {
      name: 'a revision with shell characters',
      body: { revision: '1;rm -rf' },
      status: 400,
      kind: 'bad_input',
    },
    { name: 'an unknown app', body: { app: 'wbe', revision: '1' }, status: 404, kind: 'not_found' },
    { name: 'no revision', body: {}, status: 400, kind: 'bad_input' },
    {
      name: 'an approval that nobody waits for',
      body: { revision: 'approve', wait: false },
      status: 423,
      kind: 'held',
    },
  ])('refuses $name', async ({ body, status, kind }) => {
    const answer = await ask('POST', '/v1/deploys', { body: { app: 'web', environment: 'staging', ...body } })
    expect(answer.status).toBe(status)
    expect((await failed(answer)).kind).toBe(kind)
  })
})

describe('workloads, locks and tokens', () => {
  it('answers about what runs', async () => {
    await endOf(await deploy({ revision: '1.0.1' }))
    const base = '/v1/workloads/staging/web'
    expect(await (await ask('GET', '/v1/status?app=web')).json()).toMatchObject({
      status: [{ workload: { app: 'web' } }],
    })
    expect(await (await ask('GET', `${base}/pods`)).json()).toMatchObject({
      pods: [{ name: 'web-7c9d-x2x1' }, {}],
    })
    expect(await (await ask('GET', `${base}/events`)).json()).toMatchObject({
      events: [{ reason: 'Scheduled' }],
    })
    expect(await (await ask('GET', `${base}/logs?tail=1`)).json()).toMatchObject({
      logs: [{ container: 'web' }],
    })
    expect((await ask('DELETE', `${base}/pods/web-7c9d-bad`)).status).toBe(204)
    expect((await ask('DELETE', `${base}/pods/other`)).status).toBe(404)
    expect(await (await ask('POST', `${base}/release`, { body: { reason: 'stuck' } })).json()).toEqual({
      released: ['active staging/web'],
    })
    expect(await (await ask('GET', '/v1/clusters')).json()).toMatchObject({ clusters: [{ name: 'eu-1' }] })
  })

  it('locks and unlocks', async () => {
    const put = await ask('PUT', '/v1/locks', { body: { environment: 'production', reason: 'fire' } })
    expect(await put.json()).toMatchObject({ lock: { scope: 'env', reason: 'fire' } })
    expect(await (await ask('GET', '/v1/locks')).json()).toMatchObject({
      locks: [{ environment: 'production' }],
    })
    expect((await ask('DELETE', '/v1/locks', { body: { environment: 'production' } })).status).toBe(204)
    expect((await ask('DELETE', '/v1/locks', { body: { environment: 'production' } })).status).toBe(404)
  })

  it('freezes and thaws', async () => {
    const body = { environment: 'production', reason: 'year-end', endsIn: '12h' }
    expect(await (await ask('PUT', '/v1/freezes', { body })).json()).toMatchObject({
      freeze: { environment: 'production', reason: 'year-end' },
    })
    expect(await (await ask('GET', '/v1/freezes')).json()).toMatchObject({
      freezes: [{ environment: 'production' }],
    })
    expect((await ask('PUT', '/v1/freezes', { body: { ...body, reason: '' } })).status).toBe(400)
    expect((await ask('DELETE', '/v1/freezes', { body: { environment: 'production' } })).status).toBe(204)
  })

  it('makes, lists and revokes tokens', async () => {
    const made = await ask('POST', '/v1/tokens', { body: { name: 'ci', grants: [{ role: 'deployer' }] } })
    expect(made.status).toBe(201)
    const { info } = (await made.json()) as { info: { id: string } }
    const list = await (await ask('GET', '/v1/tokens')).text()
    expect(list).toContain('"ci"')
    expect(list).not.toContain('secret')
    expect((await ask('DELETE', `/v1/tokens/${info.id}`)).status).toBe(204)
  })
})

describe('failures', () => {
  it('never shows what broke, and logs it under the id that is shown', async () => {
    core.failNext('status', new Error('password=hunter2 at line 3'))
    const answer = await ask('GET', '/v1/status', { headers: { 'x-request-id': 'build-214' } })
    expect(answer.status).toBe(500)
    const text = await answer.text()
    expect(text).not.toMatch(/hunter2|at line|\.ts/)
    expect(text).toContain('build-214')
    const line = lines.find(one => one.requestId === 'build-214')
    expect(line).toMatchObject({ level: 'error', status: 500, caller: 'token:ana', path: '/v1/status' })
    expect(String(line?.err)).toContain('hunter2')
  })

  it.each([
    {
      error: new UserError('unavailable', 'etcd does not answer.'),
      status: 503,
      kind: 'unavailable',
      retry: '2',
    },
    {
      error: new UserError('held', 'locked', { details: { by: 'cho' } }),
      status: 423,
      kind: 'held',
      retry: null,
    },
    {
      error: new OutcomeUnknown(['/gkube/v1/seen/a/b'], new Error('x')),
      status: 503,
      kind: 'unknown_outcome',
      retry: '2',
    },
  ])('$kind is $status', async ({ error, status, kind, retry }) => {
    core.failNext('request', error)
    const answer = await ask('POST', '/v1/deploys', {
      body: { app: 'web', environment: 'staging', revision: '1' },
    })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('retry-after')).toBe(retry)
    expect((await failed(answer)).kind).toBe(kind)
  })

  it('names the deploy of an unconfirmed write where it is known', async () => {
    core.failNext(
      'request',
      new OutcomeUnknown(['/gkube/v1/seen/a', '/gkube/v1/deploys/01J8'], new Error('x')),
    )
    const answer = await ask('POST', '/v1/deploys', {
      body: { app: 'web', environment: 'staging', revision: '1' },
    })
    expect(await failed(answer)).toMatchObject({
      details: { deploy: '01J8' },
      message: /^Not confirmed, checking/ as never,
    })
  })

  it.each([
    { method: 'GET', path: '/v1/statuss', status: 404, says: /did you mean \/v1\/status\?/ },
    { method: 'GET', path: '/', status: 404, says: /openapi\.json/ },
    { method: 'PATCH', path: '/v1/apps/web', status: 405, says: /takes PUT, GET, DELETE/ },
    { method: 'POST', path: '/v1/status', status: 405, says: /takes GET/ },
  ])('$method $path is $status', async ({ method, path, status, says }) => {
    const answer = await ask(method, path)
    expect(answer.status).toBe(status)
    expect((await failed(answer)).message).toMatch(says)
    expect(answer.headers.has('allow')).toBe(status === 405)
  })

  it.each([
    { name: 'made', given: undefined },
    { name: 'made instead of a bad one', given: 'a b\tc' },
  ])('gives every answer an id: $name', async ({ given }) => {
    const answer = await fetch(`${url}/v1/nothing`, { headers: given ? { 'x-request-id': given } : {} })
    const id = answer.headers.get('x-request-id')
    expect(id).toMatch(/^[0-9a-f]{12}$/)
    expect((await failed(answer)).requestId).toBe(id)
  })
})

describe('the server', () => {
  it('is alive and ready, and counts', async () => {
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ ok: true, version: '9.9.9' })
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
      ok: true,
      checks: [{ name: 'etcd' }],
    })
    const text = await (await fetch(`${url}/metrics`)).text()
    expect(text).toMatch(
      /^gkube_http_requests_total\{method="PUT",route="\/v1\/apps\/\{app\}",status="200"\} \d+$/m,
    )
    expect(text).toMatch(/^gkube_http_request_seconds_bucket\{route="\/v1\/status",le="\+Inf"\} \d+$/m)
    expect(text).toMatch(/^gkube_http_requests_total\{method="GET",route="\/readyz",status="200"\} 1$/m)
    expect(text).not.toContain('undefined')
  })

  it('is not ready when something that it needs is not', async () => {
    const own = await served()
    own.core.failNext('health', new UserError('unavailable', 'etcd does not answer.'))
    expect((await fetch(`${own.url}/readyz`)).status).toBe(503)
    // Seen at once, though a yes is kept for a second.
    expect((await fetch(`${own.url}/readyz`)).status).toBe(200)
  })

  it('is not ready while it drains, and keeps no connection', async () => {
    const own = await served()
    own.drain.abort()
    const answer = await fetch(`${own.url}/readyz`)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('connection')).toBe('close')
    expect((await fetch(`${own.url}/healthz`)).status).toBe(200)
  })

  it('sends headers that keep browsers out', async () => {
    const { headers } = await fetch(`${url}/healthz`)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  })

  it('says who has the port', async () => {
    const port = Number(new URL(url).port)
    await expect(served({ port })).rejects.toThrow(/is taken.*--port/)
  })

  it.each([
    { name: 'an address that is none', head: 'GET /\\x HTTP/1.1\r\nHost: a\r\n\r\n', status: '400' },
    { name: 'a Host that is none', head: 'GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n', status: '400' },
    { name: 'no HTTP', head: 'hello\r\n\r\n', status: '400' },
    {
      name: 'a head too large',
      head: `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
      status: '431',
    },
  ])('answers $status to $name', async ({ head, status }) => {
    expect((await raw(url, head)).split(' ')[1]).toBe(status)
  })

  it('ends a request whose head does not come', async () => {
    const own = await served({ timeouts: { headers: 50 } })
    expect(await raw(own.url, 'GET / HT')).toMatch(/^(HTTP\/1.1 408|$)/)
  })

  it('waits for running requests when it closes', async () => {
    const slow = Promise.withResolvers<void>()
    const core = memoryCore()
    const asking = Promise.withResolvers<void>()
    const status = async () => {
      asking.resolve()
      await slow.promise
      return []
    }
    const own = await served({ core: { ...core, status } })
    const asked = own.ask('GET', '/v1/status')
    await asking.promise
    const closed = own.server.close()
    slow.resolve()
    expect(await (await asked).json()).toEqual({ status: [] })
    await closed
    await expect(own.ask('GET', '/v1/status')).rejects.toThrow()
  })
})

/** Sends bytes, gives what comes back until the end. */
function raw(to: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(new URL(to).port), '127.0.0.1', () => socket.write(bytes))
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.on('data', chunk => {
      text += chunk
      done()
    })
    socket.on('end', done)
    socket.on('error', reject)
  })
}
