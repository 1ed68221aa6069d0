// One exchange with an API server that is busy, slow, gone or says no: what is tried again, what is not, and the
// words that come out.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import {
  type KubernetesCluster,
  type KubernetesOptions,
  kubernetesCluster,
} from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import type { ClusterError, clusterErrorKinds, KubeObject } from '../../../src/core/cluster.ts'
import { startProxy } from '../../support/proxy.ts'
import { status, tinyApi } from './tiny-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-wire-'))
const clients: KubernetesCluster[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function client(server: string, options: Partial<KubernetesOptions> = {}): KubernetesCluster {
  const kubeconfig = join(folder, `config-${Math.random().toString(36).slice(2)}`)
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      'current-context': 'here',
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user: { token: 'secret' } }],
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    }),
  )
  const one = kubernetesCluster({ name: 'eu-1', kubeconfig, log: () => undefined, ...options })
  clients.push(one)
  return one
}

const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'web' }
const object = (resourceVersion?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'web', namespace: 'shop', ...(resourceVersion ? { resourceVersion } : {}) },
  data: {},
})
const busy = (code: number) => ({
  ...status(code, 'TooManyRequests', 'the server is busy'),
  headers: { 'Retry-After': '0.02' },
})
const failureOf = (work: Promise<unknown>): Promise<ClusterError> =>
  work.then(
    () => Promise.reject(new Error('it worked')),
    error => error,
  )

describe('a busy server', () => {
  it.each([429, 503])('is asked again after %i, when it said so', async code => {
    const api = await tinyApi((_request, n) => (n < 3 ? busy(code) : { body: object('7') }))
    const began = performance.now()
    expect((await client(api.url).get(ref))?.metadata.resourceVersion).toBe('7')
    expect(api.seen).toHaveLength(3)
    expect(performance.now() - began).toBeGreaterThan(39)
  })

  it.each<[string, (cluster: KubernetesCluster) => Promise<unknown>, number]>([
    ['a fenced apply', cluster => cluster.apply(object('5')), 2],
    ['a stamp', cluster => cluster.stamp(ref, { a: 'b' }, '5'), 2],
    ['a delete by uid', cluster => cluster.remove(ref, { uid: 'x' }), 2],
    ['an apply without a fence', cluster => cluster.apply(object()), 1],
    ['a create', cluster => cluster.create(object()), 1],
    ['a delete of whatever is there', cluster => cluster.remove(ref, {}), 1],
  ])('%s is sent as often as it may be', async (_name, write, times) => {
    const api = await tinyApi((_request, n) => (n === 1 ? busy(503) : { body: object('7') }))
    await write(client(api.url)).catch(() => undefined)
    expect(api.seen).toHaveLength(times)
  })

  it('is not asked for ever', async () => {
    const api = await tinyApi(() => busy(429))
    expect(await failureOf(client(api.url).get(ref))).toMatchObject({
      kind: 'too_many_requests',
      status: 429,
    })
    expect(api.seen).toHaveLength(4)
  })

  it('that asks for more patience than the call has is not waited for', async () => {
    const api = await tinyApi(() => ({ ...busy(429), headers: { 'Retry-After': '4' } }))
    const began = performance.now()
    const cluster = client(api.url, { callTimeoutMs: 1_000 })
    expect((await failureOf(cluster.get(ref))).kind).toBe('too_many_requests')
    expect(performance.now() - began).toBeLessThan(950)
  })
})

describe('no answer', () => {
  it('a refused connection is told at once, in words', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await new Promise(resolve => server.close(resolve))
    const began = performance.now()
    const error = await failureOf(client(`http://127.0.0.1:${port}`).get(ref))
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toBe(
      `cluster eu-1 at 127.0.0.1:${port} refuses connections: is its API server running?`,
    )
  })

  it('a host that does not exist is told in words', async () => {
    const error = await failureOf(client('https://cluster.invalid:6443').get(ref))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toMatch(/cluster eu-1 at cluster\.invalid:6443 has a host name/)
  })

  it('a server that never answers ends with the call’s time-out', async () => {
    const api = await tinyApi(() => null)
    const error = await failureOf(client(api.url, { callTimeoutMs: 200 }).get(ref))
    expect(error.kind).toBe('unavailable')
    expect(error.message).toContain('did not answer get configmaps within 0.2 s')
  })

  it('a kept connection that was cut does not fail a read', async () => {
    const api = await tinyApi(() => ({ body: object('7') }))
    const proxy = await startProxy(Number(new URL(api.url).port))
    const cluster = client(`http://127.0.0.1:${proxy.port}`)
    await cluster.get(ref)
    proxy.dropNextResponse()
    expect((await cluster.get(ref))?.metadata.resourceVersion).toBe('7')
    await proxy.close()
  })

  it('a write whose answer was lost is reported, not repeated', async () => {
    const api = await tinyApi(() => ({ body: object('7') }))
    const proxy = await startProxy(Number(new URL(api.url).port))
    proxy.dropNextResponse()
    const error = await failureOf(client(`http://127.0.0.1:${proxy.port}`).apply(object('6')))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toContain('closed the connection')
    expect(api.seen).toHaveLength(1)
    await proxy.close()
  })

  it('a closed client says that gkube stops', async () => {
    const api = await tinyApi(() => null)
    const cluster = client(api.url)
    const pending = failureOf(cluster.get(ref))
    await expect.poll(() => api.seen.length).toBe(1)
    cluster.close()
    expect((await pending).message).toContain('gkube is stopping')
  })
})

describe('a refusal', () => {
  it.each<[string, ReturnType<typeof status>, (typeof clusterErrorKinds)[number]]>([
    ['a conflict of versions', status(409, 'Conflict', 'the object has been modified'), 'stale'],
    ['an existing object', status(409, 'AlreadyExists', 'already exists'), 'already_exists'],
    ['an invalid object', status(422, 'Invalid', 'spec.replicas: must be >= 0'), 'invalid'],
    ['a bad request', status(400, 'BadRequest', 'unknown field'), 'invalid'],
    ['quota', status(403, 'Forbidden', 'exceeded quota'), 'forbidden'],
    ['an old version', status(410, 'Expired', 'too old resource version'), 'gone'],
    ['a failed webhook', status(500, 'InternalError', 'failed calling webhook'), 'unavailable'],
    ['a proxy’s page', { status: 502, body: '<html>Bad Gateway</html>' }, 'unavailable'],
  ])('%s', async (_name, answer, kind) => {
    const api = await tinyApi(() => answer)
    const error = await failureOf(client(api.url).apply(object('1')))
    expect(error).toMatchObject({ name: 'ClusterError', kind, status: answer.status })
    const { body } = answer
    expect(error.message).toBe(typeof body === 'string' ? body : (body as { message: string }).message)
  })

  it('of fields names every manager and field', async () => {
    const causes = [
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "kubectl" using apps/v1',
        field: '.spec.replicas',
      },
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "hpa" with subresource "scale" using apps/v1 at 2026-01-02T03:04:05Z',
        field: '.spec.template.spec.containers[name="app"].image',
      },
    ]
    const api = await tinyApi(() => status(409, 'Conflict', 'Apply failed with 2 conflicts', { causes }))
    expect(await failureOf(client(api.url).apply(object()))).toMatchObject({
      kind: 'field_conflict',
      managers: ['kubectl', 'hpa'],
      fields: ['.spec.replicas', '.spec.template.spec.containers[name="app"].image'],
    })
  })

  it('of our own earlier writes is overruled, with the same fence', async () => {
    const causes = [
      { reason: 'FieldManagerConflict', message: 'conflict with "gkube" using v1', field: '.data.a' },
    ]
    const api = await tinyApi((_request, n) =>
      n === 1 ? status(409, 'Conflict', 'Apply failed', { causes }) : { body: object('7') },
    )
    await client(api.url).apply(object('6'))
    expect(api.seen.map(({ url }) => url.searchParams.get('force'))).toEqual([null, 'true'])
    expect(JSON.parse(api.seen[1]?.body ?? '').metadata.resourceVersion).toBe('6')
  })

  it('of the token is asked once more with fresh credentials', async () => {
    const api = await tinyApi((_request, n) =>
      n === 1 ? status(401, 'Unauthorized', 'Unauthorized') : { body: object('7') },
    )
    expect(await client(api.url).get(ref)).not.toBeNull()
    const always = await tinyApi(() => status(401, 'Unauthorized', 'Unauthorized'))
    expect((await failureOf(client(always.url).get(ref))).kind).toBe('unauthorized')
    expect(always.seen).toHaveLength(2)
  })
})

describe('an answer', () => {
  it('brings its warnings', async () => {
    const api = await tinyApi(() => ({
      body: object('7'),
      headers: {
        Warning: [
          '299 - "would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation != false"',
          '299 - "policy/v1beta1 is deprecated", 299 - "second"',
        ],
      },
    }))
    expect((await client(api.url).apply(object())).warnings).toEqual([
      'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
      'policy/v1beta1 is deprecated',
      'second',
    ])
  })

  it('is asked for at the right place, below a path of the server too', async () => {
    const api = await tinyApi(() => ({ body: object('7') }))
    const cluster = client(`${api.url}/k8s/clusters/c-1`)
    await cluster.apply(object('6'), { dryRun: true })
    await cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' })
    await cluster.get({ apiVersion: 'v1', kind: 'Node', name: 'n1' })
    expect(api.seen.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual([
      'PATCH /k8s/clusters/c-1/api/v1/namespaces/shop/configmaps/web?fieldManager=gkube&dryRun=All',
      'GET /k8s/clusters/c-1/apis/apps/v1/namespaces/shop/deployments/web',
      'GET /k8s/clusters/c-1/api/v1/nodes/n1',
    ])
    expect(api.seen[0]?.headers).toMatchObject({
      authorization: 'Bearer secret',
      'content-type': 'application/apply-patch+yaml',
      'user-agent': 'gkube',
    })
    expect(cluster.counts()).toEqual({ 'get deployments': 1, 'get nodes': 1, 'patch configmaps': 1 })
  })

  it('never lets a name leave its place in the path', async () => {
    const api = await tinyApi(() => status(404, 'NotFound', 'not found'))
    await client(api.url).get({ ...ref, name: '../secrets/x?y' })
    expect(api.seen[0]?.url.pathname).toBe('/api/v1/namespaces/shop/configmaps/..%2Fsecrets%2Fx%3Fy')
  })
})
