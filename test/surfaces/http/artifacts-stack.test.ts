// Uploads by a whole gkube: who may, what is kept, what the command prints, and that the publish program reads one with a
// one-time token, and only with that.
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appSchema } from '../../../src/core/app.ts'
import { artifactTickets } from '../../../src/core/artifacts/tickets.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { publish } from '../../../src/publish/publish.ts'
import { systemClock } from '../../../src/server.ts'
import { tarOf } from '../../publish/archives.ts'
import { admin, type Stack, startStack } from '../../support/stack.ts'
import { cliAt, folder as cliFolder } from '../cli/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-uploads-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const directory = join(folder, 'store')

let stack: Stack
let deployer = ''
let viewer = ''
beforeAll(async () => {
  stack = await startStack({ config: { artifacts: { directory, maxSize: '1Mi' } } })
  const token = async (role: 'deployer' | 'viewer') => {
    const grants = [{ role, apps: ['web'], environments: ['staging'] }]
    return (await stack.core.createToken(admin, { name: role, grants, expiresIn: '1h' })).token
  }
  deployer = await token('deployer')
  viewer = await token('viewer')
})

const adminToken = () =>
  stack.core.createToken(admin, {
    name: 'admin',
    grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
    expiresIn: '1h',
  })
/** A program to its end, whatever that is. */
const run = (program: string, args: string[], { env }: { env: Record<string, string | undefined> }) =>
  new Promise<{ code: number; stdout: string; stderr: string }>(resolve =>
    execFile(program, args, { env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr }),
    ),
  )
const hashOf = (content: Buffer) => createHash('sha256').update(content).digest('hex')
const addressOf = (sha256: string) => `${stack.server.url}/v1/artifacts/${sha256}`
const asked = async (
  method: string,
  sha256: string,
  { token = deployer, body }: { token?: string; body?: Buffer } = {},
) => {
  const answer = await fetch(addressOf(sha256), {
    method,
    headers: token ? { authorization: `Bearer ${token}` } : {},
    ...(body ? { body: new Uint8Array(body) } : {}),
  })
  return { status: answer.status, headers: answer.headers, content: Buffer.from(await answer.arrayBuffer()) }
}
const ticket = (sha256: string) =>
  artifactTickets({ kv: stack.server.kv, keys: keysBelow(stack.root), clock: systemClock }).issue({
    sha256,
    deploy: '01abc',
    ttlSeconds: 600,
  })
const stored = () =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)

describe('an upload', () => {
  it('is kept, is there, and is not taken twice', async () => {
    const body = randomBytes(300_000)
    const sha256 = hashOf(body)
    expect((await asked('HEAD', sha256)).status).toBe(404)
    const first = await asked('PUT', sha256, { body })
    expect(first.status).toBe(201)
    expect(JSON.parse(String(first.content))).toEqual({ sha256, size: 300_000, repeated: false })
    const head = await asked('HEAD', sha256)
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000'])
    expect((await asked('PUT', sha256, { body })).status).toBe(200)
    expect(stored()).toContain(sha256)
  })

  it.each([
    ['without a token', { token: '' }, 401],
    ['with an unknown token', { token: 'gk_x' }, 401],
    ['by who may only look', { token: 'viewer' }, 403],
    ['with another hash', { body: Buffer.from('other') }, 400],
    ['that is too large', { body: Buffer.alloc(1_100_000) }, 413],
  ])('%s is refused', async (_name, how, status) => {
    const sha256 = hashOf(Buffer.from('refused'))
    const token = 'token' in how && how.token === 'viewer' ? viewer : 'token' in how ? how.token : deployer
    const body = 'body' in how ? how.body : Buffer.from('refused')
    expect((await asked('PUT', sha256, { token, body })).status).toBe(status)
    expect(stored()).not.toContain(sha256)
  })

  it('is refused at another address and by another method', async () => {
    expect((await asked('PUT', 'abc', { body: Buffer.from('x') })).status).toBe(400)
    expect((await asked('DELETE', 'a'.repeat(64))).status).toBe(405)
  })

  it('that is cut leaves nothing', async () => {
    const sha256 = hashOf(Buffer.from('cut'))
    const { hostname, port } = new URL(stack.server.url)
    const socket = connect(Number(port), hostname)
    const head = `PUT /v1/artifacts/${sha256} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${deployer}\r\ncontent-length: 5000\r\n\r\n`
    await new Promise<void>(resolve => socket.write(`${head}${'x'.repeat(1000)}`, () => resolve()))
    await expect.poll(() => stored().some(name => name.startsWith('.tmp-')), { timeout: 10_000 }).toBe(true)
    socket.destroy()
    await expect.poll(() => stored().some(name => name.startsWith('.tmp-')), { timeout: 10_000 }).toBe(false)
  })

  it('that is refused by its head is not sent', async () => {
    const { status, continued } = await new Promise<{ status?: number; continued: boolean }>(
      (resolve, reject) => {
        let continued = false
        const headers = {
          authorization: `Bearer ${viewer}`,
          'content-length': 500_000,
          expect: '100-continue',
        }
        const put = request(addressOf('b'.repeat(64)), { method: 'PUT', headers })
        put.on('continue', () => {
          continued = true
        })
        put.on('response', answer => {
          answer.resume()
          resolve({ status: answer.statusCode, continued })
          put.destroy()
        })
        put.on('error', reject)
        put.flushHeaders()
      },
    )
    expect({ status, continued }).toEqual({ status: 403, continued: false })
  })

  it('is let through to the rest of the API as ever', async () => {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${deployer}`,
        'content-type': 'application/json',
        expect: '100-continue',
      }
      const post = request(`${stack.server.url}/v1/tokens`, { method: 'POST', headers })
      post.on('continue', () => post.end('{}'))
      post.on('response', ({ statusCode }) => resolve(statusCode))
      post.on('error', reject)
      post.flushHeaders()
    })
    expect(answer).toBe(400)
  })
})

describe('gkube artifact push', () => {
  const push = (file: string, how: { token?: string; tty?: boolean } = {}) =>
    cliAt(stack.server.url)(['artifact', 'push', file], {
      env: { GKUBE_TOKEN: how.token ?? deployer },
      ...(how.tty ? { tty: true } : {}),
    })

  it('prints the hash and nothing else, and sends what is there only once', async () => {
    const content = randomBytes(200_000)
    writeFileSync(join(cliFolder, 'dist.tgz'), content)
    expect(await push('dist.tgz')).toEqual({
      code: 0,
      out: `${hashOf(content)}\n`,
      err: expect.stringMatching(/^dist\.tgz, 195 KiB, sha256 [0-9a-f]{12}…: uploaded in \d+ s\n$/),
    })
    expect(await push(join(cliFolder, 'dist.tgz'))).toMatchObject({
      code: 0,
      err: expect.stringMatching(/dist\.tgz, 195 KiB, sha256 [0-9a-f]{12}…: already there\n$/),
    })
  })

  it('says that a file is empty', async () => {
    writeFileSync(join(cliFolder, 'empty.tgz'), '')
    expect(await push('empty.tgz')).toMatchObject({ code: 2, err: expect.stringContaining('is empty') })
  })

  it.each([
    ['a file that is not there', 'none.tgz', 2, /none\.tgz cannot be read/],
    ['a folder', '.', 2, /is no file\. Pack a folder first/],
    ['one that is too large', 'large.tgz', 2, /larger than 1048576 bytes/],
  ])('says what is wrong with %s', async (_name, file, code, why) => {
    writeFileSync(join(cliFolder, 'large.tgz'), Buffer.alloc(1_100_000))
    expect(await push(file)).toMatchObject({ code, out: '', err: expect.stringMatching(why) })
  })

  it('says who may', async () => {
    writeFileSync(join(cliFolder, 'mine.tgz'), 'mine')
    expect(await push('mine.tgz', { token: viewer })).toMatchObject({ code: 3, out: '' })
  })
})

describe('code that is deployed by a build', () => {
  const app = {
    app: 'site',
    image: 'registry.example.com/nginx:1.27',
    ports: [{ name: 'http', port: 8080 }],
    jobs: ['shop/site'],
    storage: [{ name: 'code', size: '1Gi', mount: '/srv/code' }],
    code: { mount: '/usr/share/nginx/html' },
    environments: { staging: {} },
  }
  const content = tarOf([{ name: 'index.html', content: 'one' }])
  const file = join(cliFolder, 'site.tgz')
  const lastOf = async () => {
    const [last] = await stack.core.history(admin, { app: 'site', limit: 1 })
    return last
  }
  beforeAll(async () => {
    await stack.core.applyApp(admin, appSchema.parse(app), { dryRun: false })
    writeFileSync(file, content)
  })

  it('is uploaded first, and named by its hash', async () => {
    const token = { env: { GKUBE_TOKEN: (await adminToken()).token } }
    const gkube = (args: string[]) => cliAt(stack.server.url)(args, token)
    const first = await gkube([
      'deploy',
      'site',
      '1.0.0',
      '-E',
      'staging',
      '--artifact',
      'site.tgz',
      '--detach',
    ])
    expect(first).toMatchObject({ code: 0, err: '' })
    expect(first.out).toMatch(/^gkube: site\.tgz, \d+ KiB, sha256 [0-9a-f]{12}…: uploaded in 0 s\n/)
    expect((await lastOf())?.params.artifact).toEqual({ sha256: hashOf(content), url: null })
    const again = await gkube([
      'deploy',
      'site',
      '1.0.1',
      '-E',
      'staging',
      '--artifact',
      hashOf(content),
      '--detach',
    ])
    expect(again.out).not.toContain('uploaded')
    expect((await lastOf())?.params.artifact?.sha256).toBe(hashOf(content))
    const none = await gkube([
      'deploy',
      'site',
      '1.0.2',
      '-E',
      'staging',
      '--artifact',
      'a'.repeat(64),
      '--detach',
    ])
    expect(none).toMatchObject({ code: 2, out: '', err: expect.stringContaining('gkube artifact push') })
  })

  it('is kept for a revision that is deployed later, and says what it was until then', async () => {
    const token = { env: { GKUBE_TOKEN: (await adminToken()).token } }
    const push = () =>
      cliAt(stack.server.url)(['artifact', 'push', 'site.tgz', '--app', 'site', '--revision', '2.0.0'], token)
    expect(await push()).toMatchObject({
      code: 0,
      out: `${hashOf(content)}\n`,
      err: expect.stringMatching(/already there\nIt is site 2\.0\.0 from now on\.\n$/),
    })
    const before = hashOf(content)
    writeFileSync(file, tarOf([{ name: 'index.html', content: 'two' }]))
    const { err } = await push()
    writeFileSync(file, content)
    expect(err).toContain(`from now on (until now ${before.slice(0, 12)}…)`)
  })

  it('is uploaded by curl alone where there is no Node', async () => {
    const { token } = await adminToken()
    const env = {
      PATH: process.env.PATH,
      GKUBE_URL: stack.server.url,
      GKUBE_TOKEN: token,
      GKUBE_ENVIRONMENT: 'staging',
      GKUBE_REVISION: '3.0.0',
      JOB_NAME: 'shop/site',
      GKUBE_WAIT_APPROVAL: '1s',
      GKUBE_ARTIFACT: file,
    }
    const script = fileURLToPath(new URL('../../../examples/jenkins/deploy.sh', import.meta.url))
    writeFileSync(file, tarOf([{ name: 'index.html', content: 'three' }]))
    const sha256 = hashOf(readFileSync(file))
    const { stdout } = await run('sh', [script], { env })
    expect(stdout).toContain(`gkube: ${file}, sha256 ${sha256}: uploaded\ngkube: site 3.0.0`)
    expect((await lastOf())?.params.artifact).toEqual({ sha256, url: null })
    expect((await run('sh', [script], { env: { ...env, GKUBE_ARTIFACT: sha256 } })).stdout).not.toContain(
      'uploaded',
    )
    const none = await run('sh', [script], { env: { ...env, GKUBE_ARTIFACT: `${file}.none` } })
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot read') })
  })
})

describe('a publish Job', () => {
  it('reads an upload with its one-time token, from a mounted file', async () => {
    const body = tarOf([{ name: 'index.html', content: 'hello' }])
    const sha256 = hashOf(body)
    await asked('PUT', sha256, { body })
    const volume = mkdtempSync(join(folder, 'volume-'))
    const credentials = join(volume, 'credentials')
    mkdirSync(credentials)
    writeFileSync(join(credentials, 'token'), await ticket(sha256))
    const env = {
      GKUBE_VOLUME: volume,
      GKUBE_DEPLOY_ID: '01abc',
      GKUBE_REVISION: '1',
      GKUBE_ARTIFACT_SHA256: sha256,
      GKUBE_ARTIFACT_URL: addressOf(sha256),
      GKUBE_URL: stack.server.url,
      GKUBE_ARTIFACT_CREDENTIALS: credentials,
    }
    const io = { env, stdout: { write: () => true }, signal: new AbortController().signal }
    expect(await publish('fetch', io)).toBe(0)
    expect(await publish('finish', io)).toBe(0)
    const [release = ''] = readdirSync(join(volume, 'releases'))
    expect(readFileSync(join(volume, 'releases', release, 'index.html'), 'utf8')).toBe('hello')
  })

  it('gets nothing with a token of the API, of another artifact, or for one that is not there', async () => {
    const body = Buffer.from('secret code')
    const sha256 = hashOf(body)
    await asked('PUT', sha256, { body })
    expect((await asked('GET', sha256)).status).toBe(401)
    expect((await asked('GET', sha256, { token: await ticket('c'.repeat(64)) })).status).toBe(401)
    expect((await asked('GET', 'c'.repeat(64), { token: await ticket('c'.repeat(64)) })).status).toBe(404)
    const { status, content } = await asked('GET', sha256, { token: await ticket(sha256) })
    expect([status, String(content)]).toEqual([200, 'secret code'])
  })
})

it('is no route where no directory is configured', async () => {
  const other = await startStack()
  const answer = await fetch(`${other.server.url}/v1/artifacts/${'a'.repeat(64)}`)
  expect(answer.status).toBe(404)
})
