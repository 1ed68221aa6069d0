// From kubeconfigs as people have them to what goes over the wire; a wrong one is named with its fix.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { kubernetesCredentials } from '../../../src/adapters/kubernetes/credentials.ts'
import {
  type KubernetesCluster,
  kubernetesCluster,
} from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import { UserError } from '../../../src/errors.ts'
import { type TinyApi, tinyApi } from './tiny-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-credentials-'))
const clients: KubernetesCluster[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function write(content: unknown): string {
  const file = join(folder, `config-${++files}`)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

const config = (server: string, user: object = {}, cluster: object = {}) => ({
  'current-context': 'here',
  clusters: [{ name: 'c', cluster: { server, ...cluster } }],
  users: [{ name: 'u', user }],
  contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
})

const version = { body: { gitVersion: 'v1.34.0', minor: '34+' } }

function client(kubeconfig: string): KubernetesCluster {
  const one = kubernetesCluster({ name: 'eu-1', kubeconfig, log: () => undefined })
  clients.push(one)
  return one
}

const authorization = (api: TinyApi): (string | undefined)[] =>
  api.seen.map(({ headers }) => headers.authorization)

describe('a user', () => {
  it.each<[string, object, string | undefined]>([
    ['with a token', { token: 'abc' }, 'Bearer abc'],
    ['with a name and a password', { username: 'ana', password: 'x:y' }, `Basic ${btoa('ana:x:y')}`],
    ['with nothing', {}, undefined],
  ])('%s', async (_name, user, header) => {
    const api = await tinyApi(() => version)
    expect(await client(write(config(api.url, user))).server()).toEqual({ version: 'v1.34.0', minor: 34 })
    expect(authorization(api)).toEqual([header])
  })

  it('with a token file beside the kubeconfig, which ends in a newline', async () => {
    writeFileSync(join(folder, 'token'), 'from-file\n')
    const api = await tinyApi(() => version)
    await client(write(config(api.url, { tokenFile: 'token' }))).server()
    expect(authorization(api)).toEqual(['Bearer from-file'])
  })

  it('who acts as somebody else', async () => {
    const api = await tinyApi(() => version)
    await client(write(config(api.url, { token: 'a', as: 'system:serviceaccount:shop:gkube' }))).server()
    expect(api.seen[0]?.headers['impersonate-user']).toBe('system:serviceaccount:shop:gkube')
  })

  const plugin = (body: string): string => {
    const file = join(folder, `plugin-${++files}`)
    writeFileSync(file, `#!/bin/sh\n${body}\n`)
    chmodSync(file, 0o755)
    return file.slice(folder.length + 1)
  }
  const exec = (command: string, more: object = {}) => ({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: `./${command}`, ...more },
  })

  it('with an exec plugin: run once for many calls, told what kubectl tells, its variables set', async () => {
    const calls = join(folder, 'calls')
    const command = plugin(
      `echo "$KUBERNETES_EXEC_INFO" >> ${calls}\nprintf '{"kind":"ExecCredential","status":{"token":"%s-%s"}}' "$1" "$WHO"`,
    )
    const api = await tinyApi(() => version)
    const user = exec(command, { args: ['plug'], env: [{ name: 'WHO', value: 'ana' }] })
    const cluster = client(write(config(api.url, user)))
    const node = (name: string) => cluster.get({ apiVersion: 'v1', kind: 'Node', name })
    await Promise.all(['a', 'b', 'c'].map(node))
    await node('d')
    expect(new Set(authorization(api))).toEqual(new Set(['Bearer plug-ana']))
    const told = readFileSync(calls, 'utf8').trim().split('\n')
    expect(told).toHaveLength(1)
    expect(JSON.parse(told[0] ?? '')).toMatchObject({ kind: 'ExecCredential', spec: { interactive: false } })
  })

  it('whose plugin’s token the server refuses gets a new one', async () => {
    const count = join(folder, 'count')
    const command = plugin(
      `echo x >> ${count}\nprintf '{"status":{"token":"t%s"}}' "$(wc -l < ${count} | tr -d ' ')"`,
    )
    const api = await tinyApi(({ headers }) =>
      headers.authorization === 'Bearer t1' ? { status: 401 } : version,
    )
    await client(write(config(api.url, exec(command)))).server()
    expect(authorization(api)).toEqual(['Bearer t1', 'Bearer t2'])
  })

  it.each([
    ['fails', 'echo "your session has ended: run login" >&2; exit 1', /your session has ended: run login/],
    ['says nothing sensible', 'echo hello', /JSON/],
  ])('whose plugin %s: its words are told', async (_name, body, words) => {
    const api = await tinyApi(() => version)
    const call = client(write(config(api.url, exec(plugin(body))))).server()
    await expect(call).rejects.toMatchObject({ kind: 'unauthorized', message: expect.stringMatching(words) })
    expect(api.seen).toEqual([])
  })

  it('with a provider of the older kind goes by the package’s own KubeConfig', async () => {
    const api = await tinyApi(() => version)
    const expiry = new Date(Date.now() + 3_600_000).toISOString()
    const user = { 'auth-provider': { name: 'gcp', config: { 'access-token': 'gcp-token', expiry } } }
    await client(write(config(api.url, user))).server()
    expect(authorization(api)).toEqual(['Bearer gcp-token'])
  })
})

describe('a kubeconfig', () => {
  it('may be several files: the first to name something wins', () => {
    const one = write({ ...config('https://one:6443'), contexts: [], 'current-context': 'here' })
    const two = write(config('https://two:6443'))
    const { server } = kubernetesCredentials({ kubeconfig: [one, two].join(delimiter) })
    expect(server.host).toBe('one:6443')
  })

  it('has the context that is asked for', () => {
    const both = config('https://one:6443')
    both.clusters.push({ name: 'd', cluster: { server: 'https://two:6443' } })
    both.contexts.push({ name: 'there', context: { cluster: 'd', user: 'u' } })
    expect(kubernetesCredentials({ kubeconfig: write(both), context: 'there' }).server.host).toBe('two:6443')
  })

  const good = config('https://one:6443')
  it.each<[string, unknown, string | undefined, RegExp]>([
    ['without the context', good, 'prod', /has no context "prod"; it has: here\.$/],
    [
      'without a current context',
      { ...good, 'current-context': undefined },
      undefined,
      /names no current context\. Set one of: here\.$/,
    ],
    [
      'without the cluster',
      { ...good, clusters: [] },
      undefined,
      /Context "here" of .* names cluster "c", which is not there/,
    ],
    ['without the user', { ...good, users: [] }, undefined, /names user "u", which is not there/],
    ['that is no YAML', 'a: [1', undefined, /is not valid: /],
    [
      'whose cluster has no server',
      { ...good, clusters: [{ name: 'c', cluster: {} }] },
      undefined,
      /clusters\[0\]\.cluster\.server is missing/,
    ],
    [
      'with plain http to another machine',
      config('http://10.0.0.1:8080'),
      undefined,
      /plain http is refused\. Use https/,
    ],
  ])('%s is refused with its fix', (_name, content, context, words) => {
    expect(() => kubernetesCredentials({ kubeconfig: write(content), context })).toThrow(words)
    expect(() => kubernetesCredentials({ kubeconfig: write(content), context })).toThrow(UserError)
  })

  it('that is not there is named', () => {
    expect(() => kubernetesCredentials({ kubeconfig: join(folder, 'none') })).toThrow(
      /config.* cannot be read|none cannot be read/,
    )
  })

  it('in a cluster is not looked for outside of one', () => {
    expect(() => kubernetesCredentials({ inCluster: true })).toThrow(/does not run in a pod/)
  })
})

describe('TLS', () => {
  const at = join(folder, 'tls')
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: at, stdio: 'pipe' })
  const pem = (name: string) => readFileSync(join(at, name), 'utf8')
  beforeAll(() => {
    mkdirSync(at)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test-ca')
    writeFileSync(join(at, 'san'), 'subjectAltName=IP:127.0.0.1,DNS:kubernetes')
    for (const [name, extensions] of [
      ['server', ['-extfile', 'san']],
      ['client', []],
    ] as const) {
      openssl(
        'req',
        ...key.slice(0, 4),
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      )
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-days',
        '1',
        '-out',
        `${name}.crt`,
        ...extensions,
      )
    }
  })
  const secure = () =>
    tinyApi(() => version, {
      key: pem('server.key'),
      cert: pem('server.crt'),
      ca: pem('ca.crt'),
      requestCert: true,
      rejectUnauthorized: true,
    })
  const base64 = (name: string) => Buffer.from(pem(name)).toString('base64')

  it.each<[string, object, object]>([
    [
      'certificates in the kubeconfig',
      { 'certificate-authority-data': 'ca.crt' },
      { 'client-certificate-data': 'client.crt', 'client-key-data': 'client.key' },
    ],
    [
      'certificates in files beside it',
      { 'certificate-authority': 'tls/ca.crt' },
      { 'client-certificate': 'tls/client.crt', 'client-key': 'tls/client.key' },
    ],
    [
      'a server by another name',
      { 'certificate-authority': 'tls/ca.crt', 'tls-server-name': 'kubernetes' },
      { 'client-certificate': 'tls/client.crt', 'client-key': 'tls/client.key' },
    ],
  ])('with %s', async (_name, cluster, user) => {
    const filled = (part: object) =>
      Object.fromEntries(
        Object.entries(part).map(([key, file]) => [key, key.endsWith('-data') ? base64(file) : file]),
      )
    const api = await secure()
    const made = client(write(config(api.url, filled(user), filled(cluster))))
    expect((await made.server()).minor).toBe(34)
  })

  it('of an unknown authority is refused in words', async () => {
    const api = await secure()
    const call = client(write(config(api.url))).server()
    await expect(call).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(
        /has a certificate that is not accepted \(.*\): check the certificate authority/,
      ),
    })
  })
})
