// The registry client against real little registries on loopback: what it finds, and everything that goes wrong.
import { afterEach, describe, expect, it } from 'vitest'
import { type RegistryOptions, registryClient } from '../../../src/adapters/registry/registry-client.ts'
import { digestOf, failure, manifest, manifestOf, registryServer } from './registry-server.ts'

type Server = Awaited<ReturnType<typeof registryServer>>
const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()))
})

async function start(...[handler]: Parameters<typeof registryServer>): Promise<Server> {
  const server = await registryServer(handler)
  servers.push(server)
  return server
}

type Login = { username: string; password: string }
function client(server: Server, more: Partial<RegistryOptions> & { login?: Login } = {}) {
  const { login, ...options } = more
  const credential = {
    host: server.host,
    insecure: true,
    username: login?.username ?? null,
    password: login?.password ?? null,
  }
  return registryClient({ credentials: [credential], retryMs: 5, timeoutMs: 3000, ...options })
}
const ana = { username: 'ana', password: 'pw:1' }
const basicOfAna = `Basic ${btoa('ana:pw:1')}`
const expected = digestOf(manifestOf('1.4.2'))

describe('a digest', () => {
  it('comes from one HEAD where the registry names it', async () => {
    const server = await start((request, response) => manifest(request, response))
    const answer = await client(server).resolve(`${server.host}/shop/web:1.4.2`)
    expect(answer).toEqual({ kind: 'digest', digest: expected })
    expect(server.lines()).toEqual(['HEAD /v2/shop/web/manifests/1.4.2'])
  })

  it('is asked for as an index first, so that every platform has it', async () => {
    let accept = ''
    const server = await start((request, response) => {
      accept = request.headers.accept ?? ''
      manifest(request, response)
    })
    await client(server).resolve(`${server.host}/web:1`)
    expect(accept).toMatch(
      /^application\/vnd\.oci\.image\.index\.v1\+json, .*manifest\.list\.v2.*manifest\.v2/,
    )
  })

  it('is the hash of the body where the registry names none', async () => {
    const server = await start((request, response) => manifest(request, response, { digest: null }))
    expect(await client(server).resolve(`${server.host}/web:1`)).toEqual({ kind: 'digest', digest: expected })
    expect(server.lines()).toEqual(['HEAD /v2/web/manifests/1', 'GET /v2/web/manifests/1'])
  })

  it('is the hash of the body where HEAD is not allowed', async () => {
    const server = await start((request, response) =>
      request.method === 'HEAD' ? failure(response, 405, 'UNSUPPORTED') : manifest(request, response),
    )
    expect(await client(server).resolve(`${server.host}/web:1`)).toEqual({ kind: 'digest', digest: expected })
  })

  it('in the reference is taken as it is, and nobody is asked', async () => {
    const server = await start((request, response) => manifest(request, response))
    const digest = `sha256:${'b'.repeat(64)}`
    expect(await client(server).resolve(`${server.host}/web:1@${digest}`)).toEqual({ kind: 'digest', digest })
    expect(server.asked).toEqual([])
  })

  it('is remembered for as long as asked to, and asked for once by many at the same time', async () => {
    const server = await start((request, response) => manifest(request, response))
    const registry = client(server, { cacheSeconds: 60 })
    const reference = `${server.host}/web:1`
    await Promise.all([registry.resolve(reference), registry.resolve(reference)])
    await registry.resolve(reference)
    expect(server.asked).toHaveLength(1)
    const forgetful = client(server)
    await forgetful.resolve(reference)
    await forgetful.resolve(reference)
    expect(server.asked).toHaveLength(3)
  })
})

describe('authentication', () => {
  /** A registry and its token server in one; tokens are for one repository. */
  const withTokens = (expiresIn: number | undefined = 300) =>
    start((request, response) => {
      const url = new URL(request.url ?? '', 'http://x')
      if (url.pathname === '/token') {
        if (request.headers.authorization !== basicOfAna) return failure(response, 401, 'UNAUTHORIZED')
        response.writeHead(200, { 'content-type': 'application/json' })
        return void response.end(
          JSON.stringify({ token: `t-${url.searchParams.get('scope')}`, expires_in: expiresIn }),
        )
      }
      const repository = /^\/v2\/(.*)\/manifests\//.exec(url.pathname)?.[1]
      if (request.headers.authorization === `Bearer t-repository:${repository}:pull`)
        return manifest(request, response)
      failure(response, 401, 'UNAUTHORIZED', {
        'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="reg",scope="repository:${repository}:pull"`,
      })
    })

  it('gets a token with the credentials of that host and keeps it', async () => {
    const server = await withTokens()
    const registry = client(server, { login: ana })
    for (const tag of ['1', '2'])
      expect(await registry.resolve(`${server.host}/shop/web:${tag}`)).toMatchObject({ kind: 'digest' })
    expect(server.lines()).toEqual([
      'HEAD /v2/shop/web/manifests/1',
      'GET /token',
      'HEAD /v2/shop/web/manifests/1',
      'HEAD /v2/shop/web/manifests/2',
    ])
    expect(server.asked[1]?.path).toBe('/token?service=reg&scope=repository%3Ashop%2Fweb%3Apull')
  })

  it('asks for another token when the first is over', async () => {
    const server = await withTokens(0)
    const registry = client(server, { login: ana })
    await registry.resolve(`${server.host}/web:1`)
    expect(await registry.resolve(`${server.host}/web:2`)).toMatchObject({ kind: 'digest' })
    expect(server.lines().filter(line => line === 'GET /token')).toHaveLength(2)
  })

  it('has a token for each repository', async () => {
    const server = await withTokens()
    const registry = client(server, { login: ana })
    expect(await registry.resolve(`${server.host}/a:1`)).toMatchObject({ kind: 'digest' })
    expect(await registry.resolve(`${server.host}/b:1`)).toMatchObject({ kind: 'digest' })
  })

  it.each<[name: string, login: Login | undefined, who: RegExp]>([
    ['without credentials', undefined, /does not let gkube, which has no credentials for it.*read shop\/web/],
    ['with wrong ones', { username: 'ana', password: 'no' }, /does not let the user ana read shop\/web/],
  ])('says who was refused: %s', async (_name, login, who) => {
    const server = await withTokens()
    const answer = await client(server, { login }).resolve(`${server.host}/shop/web:1`)
    expect(answer).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(who) })
    expect(JSON.stringify(answer)).not.toContain('pw:1')
  })

  it('answers a Basic challenge', async () => {
    const server = await start((request, response) =>
      request.headers.authorization === basicOfAna
        ? manifest(request, response)
        : failure(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' }),
    )
    expect(await client(server, { login: ana }).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'digest',
    })
  })

  it('sends no credentials before it is asked, and none of another host', async () => {
    const server = await start((request, response) => manifest(request, response))
    const other = { host: 'registry.example.com', ...ana, insecure: false }
    const own = { host: server.host, username: null, password: null, insecure: true }
    await registryClient({ credentials: [other, own] }).resolve(`${server.host}/web:1`)
    expect(server.asked.map(a => a.authorization)).toEqual([null])
  })

  it('refuses a token server that is reached without https and is not this machine', async () => {
    const server = await start((_request, response) =>
      failure(response, 401, 'UNAUTHORIZED', {
        'www-authenticate': 'Bearer realm="http://tokens.example.com/t"',
      }),
    )
    const answer = await client(server, { login: ana }).resolve(`${server.host}/web:1`)
    expect(answer).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/only https is allowed/),
    })
  })

  it('does not take a token server at its word when it gives none', async () => {
    const server = await start((request, response) => {
      if (request.url?.startsWith('/token')) return void response.end('<html>')
      failure(response, 401, 'UNAUTHORIZED', {
        'www-authenticate': `Bearer realm="http://${request.headers.host}/token"`,
      })
    })
    const answer = await client(server, { login: ana }).resolve(`${server.host}/web:1`)
    expect(answer).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/gave no token/) })
  })
})

describe('redirects', () => {
  it('are followed, and no credential reaches the other host', async () => {
    const store = await start((request, response) => manifest(request, response))
    const server = await start((request, response) => {
      if (request.headers.authorization !== basicOfAna)
        return failure(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="r"' })
      response.writeHead(307, { location: `http://${store.host}${request.url}` }).end()
    })
    const answer = await client(server, { login: ana }).resolve(`${server.host}/web:1`)
    expect(answer).toEqual({ kind: 'digest', digest: expected })
    expect(server.asked.at(-1)?.authorization).toBe(basicOfAna)
    expect(store.asked.map(a => a.authorization)).toEqual([null])
  })

  it('a challenge of the other host is not answered', async () => {
    const thief = await start((_request, response) =>
      failure(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="give"' }),
    )
    const server = await start(
      (request, response) =>
        void response.writeHead(307, { location: `http://${thief.host}${request.url}` }).end(),
    )
    const answer = await client(server, { login: ana }).resolve(`${server.host}/web:1`)
    expect(answer).toMatchObject({ kind: 'unavailable' })
    expect(thief.asked.every(a => a.authorization === null)).toBe(true)
  })

  it.each<[name: string, location: string, message: RegExp]>([
    ['in a circle', '/v2/web/manifests/1', /redirects more than 3 times/],
    ['away from https', 'http://registry.example.com/x', /only https is allowed/],
    ['to no address', 'http://', /an address that is none/],
    ['to a file', 'file:///etc/passwd', /only https is allowed/],
  ])('%s are refused', async (_name, location, message) => {
    const server = await start((_request, response) => void response.writeHead(307, { location }).end())
    const answer = await client(server).resolve(`${server.host}/web:1`)
    expect(answer).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(message) })
  })

  it('from a registry elsewhere to this machine are refused', async () => {
    const registry = registryClient({
      credentials: [],
      fetch: async () =>
        new Response(null, { status: 307, headers: { location: 'https://169.254.169.254/x' } }),
    })
    expect(await registry.resolve('registry.example.com/web:1')).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/leads to 169\.254\.169\.254, which is this machine or its cloud/),
    })
  })
})

describe('what is not there', () => {
  it.each<[name: string, code: string, message: RegExp]>([
    ['a tag', 'MANIFEST_UNKNOWN', /web:1\.4\.9 does not exist in the registry \(manifest unknown\)/],
    ['a repository', 'NAME_UNKNOWN', /does not exist in the registry \(name unknown\)/],
  ])('%s', async (_name, code, message) => {
    const server = await start((request, response) =>
      request.method === 'HEAD' ? void response.writeHead(404).end() : failure(response, 404, code),
    )
    const answer = await client(server).resolve(`${server.host}/shop/web:1.4.9`)
    expect(answer).toMatchObject({ kind: 'not_found', message: expect.stringMatching(message) })
  })

  it('a 404 of something that is no registry proves nothing', async () => {
    const server = await start((_request, response) => void response.writeHead(404).end('<h1>Not here</h1>'))
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/does not answer like a registry/),
    })
  })

  it('text that is no reference', async () => {
    expect(await registryClient({ credentials: [] }).resolve('Not An Image')).toMatchObject({
      kind: 'not_found',
    })
  })
})

describe('what cannot be relied on', () => {
  it('a digest that does not match the manifest', async () => {
    const server = await start((request, response) =>
      request.method === 'HEAD'
        ? manifest(request, response, { digest: null })
        : manifest(request, response, { digest: `sha256:${'0'.repeat(64)}` }),
    )
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/is not what its digest says/),
    })
  })

  it.each<[name: string, text: string, headers: Record<string, string>, message: RegExp]>([
    ['a page instead of a manifest', '<html></html>', {}, /is no manifest/],
    [
      'a manifest of the old format',
      '{"schemaVersion":1}',
      { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
      /old format/,
    ],
    ['a manifest of 5 MiB', 'x'.repeat(5 * 1024 * 1024), {}, /larger than 4 MiB/],
  ])('%s', async (_name, text, headers, message) => {
    const server = await start((request, response) =>
      manifest(request, response, { text, headers, digest: null }),
    )
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(message),
    })
  })

  it('an answer that is cut off: tried once more, then given up', async () => {
    const server = await start((request, response) => {
      if (request.method === 'HEAD') return manifest(request, response, { digest: null })
      response.writeHead(200, { 'content-length': 1000 })
      response.write('{"schemaVersion"', () => response.destroy())
    })
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/cannot be reached/),
    })
    expect(server.lines().filter(line => line.startsWith('GET'))).toHaveLength(2)
  })
})

describe('a registry in trouble', () => {
  it.each<[name: string, status: number, headers: Record<string, string>]>([
    ['503', 503, {}],
    ['429 with a short Retry-After', 429, { 'retry-after': '0' }],
  ])('is asked once more: %s', async (_name, status, headers) => {
    const server = await start((request, response, asked) =>
      asked.length === 1 ? failure(response, status, 'X', headers) : manifest(request, response),
    )
    expect(await client(server).resolve(`${server.host}/web:1`)).toEqual({ kind: 'digest', digest: expected })
  })

  it('is not asked again before its Retry-After: that is later than anybody waits', async () => {
    const server = await start((_request, response) =>
      failure(response, 429, 'TOOMANYREQUESTS', { 'retry-after': '60' }),
    )
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/limits how often it may be asked/),
    })
    expect(server.asked).toHaveLength(1)
  })

  it('is given up after the second failure', async () => {
    const server = await start((_request, response) => failure(response, 502, 'X'))
    expect(await client(server).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/answers 502/),
    })
    expect(server.asked).toHaveLength(2)
  })

  it('that hangs is given up in time', async () => {
    const server = await start(() => undefined)
    const startedAt = performance.now()
    expect(await client(server, { timeoutMs: 150 }).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/did not answer in time/),
    })
    expect(performance.now() - startedAt).toBeLessThan(1500)
  })

  it('that hangs in the middle of an answer is given up in time', async () => {
    const server = await start((request, response) => {
      if (request.method === 'HEAD') return manifest(request, response, { digest: null })
      response.writeHead(200, { 'content-length': 1000 })
      response.write('{')
    })
    expect(await client(server, { timeoutMs: 200 }).resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/did not answer in time/),
    })
  })

  it('that is gone is named, with the reason', async () => {
    const server = await start((request, response) => manifest(request, response))
    const registry = client(server)
    await server.close()
    expect(await registry.resolve(`${server.host}/web:1`)).toMatchObject({
      kind: 'unavailable',
      message: `${server.host} cannot be reached (ECONNREFUSED)`,
    })
  })

  it('is spoken to by https unless the operator says otherwise', async () => {
    const server = await start((request, response) => manifest(request, response))
    const answer = await registryClient({ credentials: [], retryMs: 5 }).resolve(`${server.host}/web:1`)
    expect(answer).toMatchObject({ kind: 'unavailable' })
    expect(server.asked).toEqual([])
  })
})
