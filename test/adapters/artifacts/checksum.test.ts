// What a host says of its own artifact: asked of allowed hosts over https, briefly, and never believed to be more than a line.
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import { checksumReader } from '../../../src/adapters/artifacts/checksum.ts'
import { type ArtifactServer, artifactServer, certificate } from '../../publish/artifact-server.ts'

const sha256 = 'ab'.repeat(32)
const pages: Record<string, (response: ServerResponse) => void> = {
  '/plain.tgz.sha256': response => response.end(`${sha256}\n`),
  '/listed.tgz.sha256': response => response.end(`${sha256.toUpperCase()}  listed.tgz\n`),
  '/query.tgz.sha256?v=1': response => response.end(sha256),
  '/empty.tgz.sha256': response => response.end(''),
  '/page.tgz.sha256': response => response.end('<html>not found</html>'),
  '/long.tgz.sha256': response => response.end(`${sha256} ${'x'.repeat(5000)}`),
  '/moved.tgz.sha256': response => response.writeHead(302, { location: '/plain.tgz.sha256' }).end(),
  '/loop.tgz.sha256': response => response.writeHead(302, { location: '/loop.tgz.sha256' }).end(),
  '/away.tgz.sha256': response => response.writeHead(302, { location: 'https://evil.example.com/a' }).end(),
  '/down.tgz.sha256': response => response.writeHead(302, { location: 'http://127.0.0.1/a' }).end(),
  '/slow.tgz.sha256': () => undefined,
}

let server: ArtifactServer
beforeAll(async () => {
  server = await artifactServer(
    (request, response) => {
      const page = pages[request.url ?? '']
      if (page) page(response)
      else response.writeHead(404).end()
    },
    { tls: true },
  )
})

const read = (path: string, hosts = [server.host]) =>
  checksumReader({ hosts, timeoutMs: 500, ca: readFileSync(certificate, 'utf8') })(`${server.url}${path}`)

describe('the checksum of an artifact', () => {
  it.each(['/plain.tgz', '/listed.tgz', '/moved.tgz', '/query.tgz?v=1'])('is read: %s', async path =>
    expect(await read(path)).toEqual({ kind: 'known', sha256 }),
  )

  it.each([
    ['/gone.tgz', /answers 404/],
    ['/empty.tgz', /holds no SHA-256/],
    ['/page.tgz', /holds no SHA-256/],
    ['/long.tgz', /too long/],
    ['/loop.tgz', /redirects more than 3 times/],
    ['/away.tgz', /evil\.example\.com is none of the hosts/],
    ['/down.tgz', /127\.0\.0\.1 is not asked over http/],
    ['/slow.tgz', /did not answer within 0\.5 s/],
  ])('is not known: %s', async (path, words) => {
    const answer = await read(path)
    expect(answer.kind).toBe('unknown')
    expect(answer.kind === 'unknown' && answer.message).toMatch(words)
  })

  it('is not asked of a host that is not named, nor without its certificate', async () => {
    const before = server.asked.length
    expect(await read('/plain.tgz', [])).toMatchObject({ kind: 'unknown' })
    const other = checksumReader({ hosts: [server.host], timeoutMs: 500 })
    expect(await other(`${server.url}/plain.tgz`)).toMatchObject({ kind: 'unknown' })
    expect(await other('https://a:b@127.0.0.1/x')).toMatchObject({ kind: 'unknown' })
    expect(await other('no address')).toMatchObject({ kind: 'unknown', message: 'the address is none' })
    expect(server.asked.length).toBe(before)
  })
})
