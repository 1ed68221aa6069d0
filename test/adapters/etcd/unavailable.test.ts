// What a person reads when etcd cannot be used, and how soon.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdConfig, etcdClient } from '../../../src/adapters/etcd/client.ts'
import { type EtcdKv, etcdKv } from '../../../src/adapters/etcd/kv.ts'
import type { Commit } from '../../../src/core/kv.ts'
import { UserError } from '../../../src/errors.ts'
import { startEtcd } from '../../../src/sandbox/etcd.ts'
import { freePort } from '../../../src/sandbox/free-port.ts'
import { startTestEtcd, testEtcd } from '../../support/etcd.ts'

const create = (key: string, value = 'x'): Commit => ({
  compares: [{ kind: 'absent', key }],
  writes: [{ kind: 'put', key, value }],
})

/** Runs a call that must fail; the error and how long it took. */
async function failure(call: () => Promise<unknown>): Promise<{ error: UserError; ms: number }> {
  const start = performance.now()
  const error = await call().then(
    () => new Error('it did not fail'),
    (e: UserError) => e,
  )
  expect(error).toBeInstanceOf(UserError)
  return { error: error as UserError, ms: performance.now() - start } // checked above
}

type Call = (kv: EtcdKv) => Promise<unknown>
const get: Call = kv => kv.get('/gkube/v1/x')

async function failureOf(config: EtcdConfig, call: Call = get) {
  const kv = etcdKv(config)
  const result = await failure(() => call(kv))
  await kv.close()
  return result
}

describe.concurrent('no etcd', () => {
  test('nothing listens: every call says so in time', async ({ expect }) => {
    const endpoint = `http://127.0.0.1:${await freePort()}`
    const calls: Call[] = [
      get,
      kv => kv.list('/gkube/v1/'),
      kv => kv.commit(create('/gkube/v1/x')),
      kv => kv.lease(5),
      kv => kv.sharedLease(60),
      kv => kv.ping(),
    ]
    for (const { error, ms } of await Promise.all(
      calls.map(call => failureOf({ endpoints: [endpoint] }, call)),
    )) {
      expect(error.message).toBe(
        `etcd does not answer at ${endpoint}: nothing listens there (connection refused).`,
      )
      expect(error).toMatchObject({ kind: 'unavailable', details: { dependency: 'etcd', why: 'down' } })
      expect(ms).toBeLessThan(boundMs)
    }
  })

  test('it takes connections and never answers: every call says so in time', async ({ expect }) => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const commit: Call = kv => kv.commit(create('/gkube/v1/x'))
    const results = await Promise.all([
      failureOf({ endpoints: [endpoint] }),
      failureOf({ endpoints: [endpoint, endpoint] }, commit),
      failureOf({ endpoints: [endpoint, endpoint], username: 'ana', password: 'secret' }),
    ])
    for (const { error, ms } of results) {
      expect(error.message).toMatch(/^etcd does not answer at .*: no answer within 2 s\.$/)
      expect(ms).toBeLessThan(boundMs)
    }
    silent.close()
  })

  test('it was there and is stopped (SIGSTOP): in time, and it works again when etcd goes on', async () => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv()
    await kv.get('x')
    etcd.pause()
    const results = await Promise.all(Array.from({ length: 20 }, () => failure(() => kv.get('x'))))
    for (const { error, ms } of results) {
      expect(error.message).toBe(`etcd does not answer at ${etcd.endpoint}: no answer within 2 s.`)
      expect(ms).toBeLessThan(boundMs)
    }
    etcd.resume()
    expect(await kv.get('x')).toBeNull()
  })

  test('its name does not exist', async () => {
    const { error, ms } = await failureOf({ endpoints: ['http://etcd.invalid:2379'] })
    expect(error.message).toBe(
      'etcd does not answer at http://etcd.invalid:2379: its name cannot be resolved.',
    )
    expect(ms).toBeLessThan(boundMs)
  })

  test('killed in the middle: an error, and it works again when it is back', async () => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv({ callTimeoutMs: 500 })
    await kv.commit(create(`${kv.root}a`))
    await etcd.stop()
    await failure(() => kv.get(`${kv.root}a`))
    await failure(() => kv.commit(create(`${kv.root}b`)))
    await etcd.start()
    expect(await kv.commit(create(`${kv.root}b`))).toMatchObject({ committed: true })
    expect(await kv.get(`${kv.root}a`)).toMatchObject({ value: 'x' })
  })

  test('of three endpoints one is dead and one hangs: the third serves', async ({ expect }) => {
    const etcd = await testEtcd()
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const hanging = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const kv = etcd.kv({ endpoints: [`http://127.0.0.1:${await freePort()}`, hanging, etcd.endpoint] })
    const seen: unknown[] = []
    kv.subscribe(kv.root, { change: change => void seen.push(change) })
    for (let n = 0; n < 20; n++)
      expect(await kv.commit(create(`${kv.root}${n}`))).toMatchObject({ committed: true })
    await expect.poll(() => seen.length, { timeout: 5000 }).toBe(20)
    await kv.close()
    silent.close()
  })

  test('something else answers there', async () => {
    const { createServer: createHttp2 } = await import('node:http2')
    const other = createHttp2()
    other.on('stream', stream => {
      stream.respond({ ':status': 404 })
      stream.end()
    })
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const endpoint = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    const { error } = await failureOf({ endpoints: [endpoint] })
    expect(error.message).toBe(
      `What answers at ${endpoint} is not etcd 3.4 or later. Check etcd.endpoints, and HTTP_PROXY and NO_PROXY.`,
    )
    other.close()
  })
})

/** 2 s is the deadline of a call; how little a quiet machine adds is not for a test to say. */
const boundMs = 10_000

describe('a login', () => {
  test('wrong, missing, without rights or not wanted: each says what to change', async () => {
    const etcd = await startTestEtcd()
    const endpoints = [etcd.endpoint]
    const admin = etcdClient({ endpoints }, () => performance.now()).etcd
    const unwanted = await failureOf({ endpoints, username: 'ana', password: 'secret' })
    await admin.auth.userAdd({ name: 'root', password: 'secret' })
    await admin.auth.roleAdd({ name: 'root' })
    await admin.auth.userGrantRole({ user: 'root', role: 'root' })
    await admin.auth.userAdd({ name: 'ana', password: 'secret' })
    await admin.auth.authEnable()
    admin.close()

    const wrong = await failureOf({ endpoints, username: 'root', password: 'guess' })
    const missing = await failureOf({ endpoints })
    const powerless = await failureOf({ endpoints, username: 'ana', password: 'secret' })
    const at = etcd.endpoint
    expect([unwanted, wrong, missing, powerless].map(({ error }) => error.message)).toEqual([
      `etcd at ${at} has no logins, but a username is configured. Remove etcd.username, or enable its auth.`,
      `etcd at ${at} refused the username or password. Check etcd.username and etcd.password.`,
      `etcd at ${at} asks for a login. Set etcd.username and etcd.password.`,
      `etcd at ${at} does not let this user read or write gkube's keys. Grant its role read and write below the root prefix.`,
    ])
    expect(JSON.stringify(wrong.error)).not.toContain('guess')

    const kv = etcdKv({ endpoints, username: 'root', password: 'secret' })
    const seen: string[] = []
    kv.subscribe('/gkube/v1/', { change: change => void seen.push(change.kind) })
    const lease = await kv.lease(5)
    expect(await kv.commit(create('/gkube/v1/x'))).toMatchObject({ committed: true })
    await expect.poll(() => seen).toEqual(['put'])
    expect(lease.lost.aborted).toBe(false)
    await kv.close()
  })
})

describe('a full etcd', () => {
  test('NOSPACE has its own words; reads go on', async () => {
    const etcd = await startTestEtcd([`--quota-backend-bytes=${256 * 1024}`])
    const kv = etcd.kv()
    let n = 0
    const { error, ms } = await failure(async () => {
      while (n < 500) await kv.commit(create(`${kv.root}${n++}`, 'x'.repeat(100_000)))
    })
    expect(error.message).toBe(
      `etcd at ${etcd.endpoint} is full (NOSPACE) and takes no writes. An operator must compact and defragment it, or raise its quota, and then run: etcdctl alarm disarm`,
    )
    expect(error.details).toMatchObject({ why: 'full' })
    expect(ms).toBeLessThan(boundMs)
    expect(await kv.get(`${kv.root}0`)).not.toBeNull()
    expect(await kv.ping()).toMatchObject({ alarms: ['NOSPACE'], dbQuota: 256 * 1024 })
  })
})

test.each<[string, EtcdConfig, string]>([
  ['no endpoint', { endpoints: [] }, 'etcd.endpoints is empty'],
  ['no scheme', { endpoints: ['127.0.0.1:2379'] }, 'is not an address such as http://127.0.0.1:2379'],
  ['no port', { endpoints: ['http://etcd'] }, 'is not an address such as'],
  ['mixed', { endpoints: ['http://a:1', 'https://b:1'] }, 'mixes http and https'],
  ['TLS without https', { endpoints: ['http://a:1'], tls: { ca: 'x' } }, 'Use https://'],
  ['half a client certificate', { endpoints: ['https://a:1'], tls: { cert: 'x' } }, 'both cert and key'],
  ['half a login', { endpoints: ['http://a:1'], username: 'ana' }, 'both username and password'],
  [
    'a login and another name',
    { endpoints: ['https://a:1'], username: 'ana', password: 'x', tls: { serverName: 'b' } },
    'serverName does not work with a username',
  ],
])('a configuration that cannot work is refused at once: %s', (_, config, words) => {
  expect(() => etcdKv(config)).toThrow(words)
})

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
})()

// The certificates are made here, so that none expires in the repository.
describe.skipIf(!hasOpenssl)('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-tls-'))
  const file = (name: string) => join(folder, name)
  const pem = (name: string) => readFileSync(file(name))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  let etcd: Awaited<ReturnType<typeof startEtcd>>
  let endpoint: string

  beforeAll(async () => {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      file('ca.key'),
      '-out',
      file('ca.pem'),
      '-subj',
      '/CN=test ca',
    )
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      file('other.key'),
      '-out',
      file('other.pem'),
      '-subj',
      '/CN=other',
    )
    for (const [name, san] of [
      ['server', 'DNS:etcd.example.com'],
      ['client', 'DNS:gkube'],
    ] as const) {
      const signed = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-addext', `subjectAltName=${san}`]
      const out = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)]
      openssl('req', '-x509', ...newKey, ...signed, ...out, '-subj', `/CN=${name}`)
    }
    const port = await freePort()
    etcd = await startEtcd({
      dataDir: file('data'),
      log: { info: () => undefined, warn: () => undefined },
      flags: [
        '--unsafe-no-fsync',
        `--listen-client-urls=http://127.0.0.1:${port},https://127.0.0.1:${port + 1}`,
        `--advertise-client-urls=http://127.0.0.1:${port}`,
        `--cert-file=${file('server.pem')}`,
        `--key-file=${file('server.key')}`,
        `--trusted-ca-file=${file('ca.pem')}`,
        '--client-cert-auth',
      ],
      clientPort: port,
    })
    endpoint = `https://127.0.0.1:${port + 1}`
  })
  afterAll(async () => {
    await etcd.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const good = () => ({
    ca: pem('ca.pem'),
    cert: pem('client.pem'),
    key: pem('client.key'),
    serverName: 'etcd.example.com',
  })

  test('right: reads, writes, watches', async () => {
    const kv = etcdKv({ endpoints: [endpoint], tls: good() })
    const seen: string[] = []
    kv.subscribe('/gkube/v1/', { change: change => void seen.push(change.kind) })
    expect(await kv.commit(create('/gkube/v1/x'))).toMatchObject({ committed: true })
    await expect.poll(() => seen).toEqual(['put'])
    expect(await kv.ping()).toMatchObject({ alarms: [], dbQuota: 2 * 1024 ** 3 })
    await kv.close()
  })

  test.each<[string, () => EtcdConfig['tls'], string]>([
    ['another authority', () => ({ ...good(), ca: pem('other.pem') }), 'Set etcd.tls.ca'],
    ['another name', () => ({ ...good(), serverName: 'b.example.com' }), 'Set etcd.tls.serverName'],
    [
      'no client certificate',
      () => ({ ca: pem('ca.pem'), serverName: 'etcd.example.com' }),
      'Set etcd.tls.cert',
    ],
  ])('%s: says what to change', async (_, tls, words) => {
    const { error, ms } = await failureOf({ endpoints: [endpoint], tls: tls(), callTimeoutMs: 500 })
    expect(error.message).toContain(words)
    expect(ms).toBeLessThan(1000)
  })
})
