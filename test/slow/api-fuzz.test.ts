// 2,000 generated requests: whatever comes in, the answer is never a 500 and the server lives on.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { routes } from '../../src/surfaces/http/api.ts'
import { served } from '../surfaces/serve.ts'
import { tokens } from '../surfaces/support.ts'

const names = fc.oneof(
  fc.constantFrom('web', 'staging', 'api', '..', '%2e%2e', '%', 'a%2Fb', '__proto__', 'constructor', '1'),
  fc.string({ maxLength: 20 }).map(encodeURIComponent),
)
const path = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(...routes.map(route => route.path)),
      fc.array(names, { minLength: 4, maxLength: 4 }),
    )
    .map(([route, values]) => route.replace(/\{\w+\}/g, () => values.pop() ?? 'x')),
  fc.webPath(),
)
const query = fc.oneof(
  fc.constant(''),
  fc.webQueryParameters(),
  fc
    .dictionary(
      fc.constantFrom('app', 'environment', 'limit', 'follow', 'tail', 'from', 'to', 'dryRun', 'x'),
      names,
    )
    .map(pairs =>
      Object.entries(pairs)
        .map(pair => pair.join('='))
        .join('&'),
    ),
)
const keys = fc.constantFrom(
  'app',
  'environment',
  'revision',
  'spec',
  'kind',
  'command',
  'reason',
  'source',
  'env',
  'name',
  'grants',
  '__proto__',
  'jobs',
  'environments',
  'files',
  'patches',
)
const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('web', 'staging', 'deploy', '1.4.2', 'hang', '10m'),
)
const { tree } = fc.letrec<{ tree: unknown }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(keys, tie('tree'), { maxKeys: 5 }),
  ),
}))
const body = fc.oneof(
  { weight: 4, arbitrary: fc.dictionary(keys, tree, { maxKeys: 6 }).map(value => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string() },
)
const headers = fc.record(
  {
    authorization: fc.oneof(
      { weight: 6, arbitrary: fc.constant(`Bearer ${tokens.admin}`) },
      { weight: 1, arbitrary: fc.base64String().map(text => `Bearer ${text}`) },
    ),
    'content-type': fc.constantFrom(
      'application/json',
      'application/yaml',
      'text/plain',
      'application/json; charset=utf-8',
      ';',
    ),
    'x-request-id': fc.base64String(),
    'x-gkube-client': fc.constantFrom('cli', 'jenkins', '__proto__', 'toString'),
    'last-event-id': fc.oneof(fc.nat().map(String), fc.base64String()),
    'idempotency-key': fc.base64String(),
  },
  { requiredKeys: ['authorization'] },
)
const request = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'),
  path,
  query,
  body,
  headers,
})

it('answers 2,000 generated requests and is never at fault', { timeout: 60_000 }, async () => {
  const { url, lines, ask } = await served({ timeouts: { heartbeat: 5 } })
  await ask('PUT', '/v1/apps/web', { body: { app: 'web', image: 'web:{revision}' } })
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, body, headers }) => {
      const leave = new AbortController()
      const withBody = method !== 'GET' && method !== 'HEAD'
      const answer = await fetch(`${url}${path}${query ? `?${query}` : ''}`, {
        method,
        headers: headers as Record<string, string>,
        body: withBody ? body : undefined,
        signal: leave.signal,
      })
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      expect(answer.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9._-]{4,64}$/)
      if (answer.headers.get('content-type') === 'text/event-stream') leave.abort()
      else if (answer.status >= 400 && method !== 'HEAD')
        expect(await answer.json()).toMatchObject({
          error: { kind: expect.any(String), message: expect.any(String) },
        })
      else await answer.text()
      expect(answer.status).not.toBe(500)
    }),
    { numRuns: 2000 },
  )
  expect(lines.filter(line => line.level === 'error')).toEqual([])
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  // It did reach the routes: not everything was refused at the door.
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405]))
})
