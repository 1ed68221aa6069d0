// Which addresses are asked, with which credential, how often; and that only what was approved is kept.
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../../src/errors.ts'
import { download } from '../../src/publish/download.ts'
import { type ArtifactServer, artifactServer, certificate, folder } from './artifact-server.ts'

const bytes = randomBytes(300_000)
const sha256 = createHash('sha256').update(bytes).digest('hex')
const whole = (_: unknown, response: ServerResponse) => void response.end(bytes)
const file = join(folder, 'artifact')
const token = join(folder, 'token-credential')
const basic = join(folder, 'basic-credential')
const empty = join(folder, 'empty-credential')
for (const [path, keys] of [
  [token, { token: 's3cret\n' }],
  [basic, { username: 'ana', password: 'x:y' }],
  [empty, { other: 'x' }],
] as const) {
  mkdirSync(path)
  for (const [name, value] of Object.entries(keys)) writeFileSync(join(path, name), value)
}

type Wanted = Parameters<typeof download>[0]
type Options = Partial<Omit<Wanted, 'url'>> & { signal?: AbortSignal }

async function got(url: string, options: Options = {}) {
  const printed: string[] = []
  const { signal = new AbortController().signal, ...wanted } = options
  const size = await download(
    {
      url: new URL(url),
      hosts: [new URL(url).host],
      own: null,
      limit: 1_000_000,
      timeoutMs: 10_000,
      credentials: null,
      caFile: null,
      sha256,
      ...wanted,
    },
    { file, signal, print: line => printed.push(line), patience: { head: 1_000, idle: 1_000, pause: 5 } },
  )
  return { size, printed, content: readFileSync(file) }
}

const failure = async (url: string, options: Options = {}): Promise<UserError> => {
  const error = await got(url, options).catch(error => error)
  expect(error).toBeInstanceOf(UserError)
  return error
}

describe('an artifact', () => {
  it('is kept when it is the one that was approved', async () => {
    const { url } = await artifactServer(whole)
    const { size, content } = await got(`${url}/web.tgz`)
    expect(size).toBe(300_000)
    expect(content.equals(bytes)).toBe(true)
  })

  it('with another checksum is not what was approved, and is not asked for again', async () => {
    const { url, asked } = await artifactServer((_, response) => void response.end('other'))
    expect(await failure(`${url}/web.tgz`)).toMatchObject({
      kind: 'bad_input',
      message: expect.stringMatching(/not the one that was approved.*Nothing was unpacked/),
    })
    expect(asked).toHaveLength(1)
  })

  it.each([
    [
      'says so',
      (_: unknown, response: ServerResponse) => void response.setHeader('content-length', 300_000).end(bytes),
    ],
    ['does not', (_: unknown, response: ServerResponse) => void response.write(bytes, () => response.end())],
  ])('that is too large is cut, where the server %s', async (_name, answer) => {
    const { url } = await artifactServer(answer)
    expect(await failure(`${url}/web.tgz`, { limit: 100_000 })).toMatchObject({ kind: 'too_large' })
  })
})

describe('what passes is tried again, from its start', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['a 503', response => void response.writeHead(503).end('busy')],
    ['a 429 with a time', response => void response.writeHead(429, { 'retry-after': '0' }).end()],
    ['a connection that is cut', response => response.destroy()],
    [
      'a transfer that is cut',
      response => {
        response.writeHead(200, { 'content-length': 300_000 })
        response.write(bytes.subarray(0, 100_000), () => response.destroy())
      },
    ],
    ['a transfer that stands still', response => void response.writeHead(200).write(bytes.subarray(0, 1000))],
    ['no answer', () => undefined],
  ])('%s', async (_name, first) => {
    const { url, asked } = await artifactServer((_, response, count) =>
      count === 1 ? first(response) : response.end(bytes),
    )
    const { printed, content } = await got(`${url}/web.tgz`)
    expect(content.equals(bytes)).toBe(true)
    expect(asked).toHaveLength(2)
    expect(printed.join()).toMatch(/Trying again in \d s/)
  })

  it('five times at most', async () => {
    const { url, asked } = await artifactServer((_, response) => void response.writeHead(500).end())
    expect(await failure(`${url}/web.tgz?signature=s3cret`)).toMatchObject({
      kind: 'unavailable',
      message: `${url}/web.tgz answers 500. Tried 5 times.`,
    })
    expect(asked).toHaveLength(5)
  })

  it('and not beyond the time for all of it', async () => {
    const { url } = await artifactServer((_, response) => {
      response.writeHead(200)
      const more = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(more))
    })
    expect((await failure(`${url}/web.tgz`, { timeoutMs: 200 })).message).toMatch(/GKUBE_ARTIFACT_TIMEOUT/)
  })

  it('and not after a stop', async () => {
    const stop = new AbortController()
    const { url, asked } = await artifactServer((_, response) => {
      stop.abort(new Error('stopped'))
      response.destroy()
    })
    await expect(got(`${url}/web.tgz`, { signal: stop.signal })).rejects.toThrow('stopped')
    expect(asked).toHaveLength(1)
  })
})

describe('what stays so is told at once', () => {
  it.each([
    [401, 'forbidden', /code\.credential/],
    [403, 'forbidden', /code\.credential/],
    [404, 'not_found', /no artifact at/],
    [206, 'bad_input', /answers 206/],
  ])('%i', async (status, kind, message) => {
    const { url, asked } = await artifactServer((_, response) => void response.writeHead(status).end('x'))
    expect(await failure(`${url}/web.tgz`)).toMatchObject({ kind, message: expect.stringMatching(message) })
    expect(asked).toHaveLength(1)
  })
})

describe('an address', () => {
  it.each([
    ['http elsewhere', 'http://artifacts.invalid/web.tgz', /not https/],
    ['a file', 'file:///etc/passwd', /not https/],
    ['a password in it', 'https://ana:x@artifacts.invalid/web.tgz', /password/],
  ])('with %s is refused', async (_name, url, why) => {
    expect((await failure(url)).message).toMatch(why)
  })

  it('of a host that nobody named is refused, and never asked', async () => {
    const { url, asked } = await artifactServer(whole)
    expect(await failure(`${url}/web.tgz`, { hosts: ['example.com'] })).toMatchObject({
      kind: 'forbidden',
      message: expect.stringContaining('artifacts.hosts'),
    })
    expect(asked).toHaveLength(0)
  })

  it("may be gkube's own, by http, without being named", async () => {
    const { url } = await artifactServer(whole)
    expect((await got(`${url}/v1/artifacts/x`, { hosts: [], own: url })).size).toBe(300_000)
  })
})

describe('a credential', () => {
  it.each([
    ['a token', token, 'Bearer s3cret'],
    ['a name and a password', basic, `Basic ${btoa('ana:x:y')}`],
  ])('of %s', async (_name, credentials, header) => {
    const { url, asked } = await artifactServer(whole)
    await got(`${url}/web.tgz`, { credentials })
    expect(asked[0]?.headers.authorization).toBe(header)
  })

  it('of nothing is named', async () => {
    const { url } = await artifactServer(whole)
    expect((await failure(`${url}/web.tgz`, { credentials: empty })).message).toMatch(
      /`token`, or `username`/,
    )
  })
})

describe('a redirect', () => {
  let store: ArtifactServer
  let other: ArtifactServer
  beforeAll(async () => {
    store = await artifactServer(whole, { tls: true })
    other = await artifactServer(whole)
  })
  const front = (location: string) =>
    artifactServer((_, response) => void response.writeHead(302, { location }).end(), { tls: true })

  it('is followed to an https host that was named, without the credential', async () => {
    const { url, host, asked } = await front(`${store.url}/blob?signature=1`)
    const { size } = await got(`${url}/web.tgz`, {
      hosts: [host, store.host],
      credentials: token,
      caFile: certificate,
    })
    expect(size).toBe(300_000)
    expect(asked[0]?.headers.authorization).toBe('Bearer s3cret')
    expect(store.asked.at(-1)?.headers.authorization).toBeUndefined()
  })

  it('within its host keeps the credential', async () => {
    const { url, asked } = await artifactServer(
      (request, response) =>
        request.url === '/a'
          ? void response.writeHead(307, { location: '/b' }).end()
          : void response.end(bytes),
      { tls: true },
    )
    await got(`${url}/a`, { credentials: token, caFile: certificate })
    expect(asked.map(request => request.headers.authorization)).toEqual(['Bearer s3cret', 'Bearer s3cret'])
  })

  it.each([
    ['to http', () => `${other.url}/x`, /not https/],
    ['to a host that nobody named', () => 'https://169.254.169.254/latest', /none of the hosts/],
    ['to an address with a password', () => 'https://a:b@127.0.0.1/', /password/],
    ['to itself for ever', () => '/again', /more than 5 times/],
  ])('%s is refused', async (_name, location, why) => {
    const { url, host } = await front(location())
    const before = other.asked.length
    const error = await failure(`${url}/web.tgz`, { hosts: [host, other.host], caFile: certificate })
    expect(error.message).toMatch(why)
    expect(other.asked).toHaveLength(before)
  })

  it('of an unknown certificate is not believed', async () => {
    expect(await failure(`${store.url}/web.tgz`)).toMatchObject({ kind: 'unavailable' })
  })
})
