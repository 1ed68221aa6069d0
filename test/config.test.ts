// gkube.yaml: what a good one becomes, and what a bad one is told. Files are a map from path to text, as main.ts
// would read them; nothing here touches the disk or the environment of the process.
import { describe, expect, it } from 'vitest'
import { exampleText } from '../src/config/example.ts'
import { loadConfig, maskedConfig } from '../src/config.ts'
import { UserError } from '../src/errors.ts'

type Files = Record<string, string>
type Env = Record<string, string>
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const least = 'environments: { staging: {} }\n'

type More = { files?: Files; env?: Env; file?: string; secrets?: 'ignore' }
function load(yaml: string, more: More = {}) {
  const all: Files = { 'gkube.yaml': yaml, '/etc/gkube/g.yaml': yaml, ...more.files }
  return loadConfig({
    file: more.file,
    secrets: more.secrets,
    env: more.env ?? {},
    read: path => {
      const text = all[path]
      if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
      return text
    },
  })
}

/** The message of the UserError that loading throws. */
function refusal(yaml: string, more: Parameters<typeof load>[1] = {}): string {
  try {
    load(yaml, more)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    expect(error.kind).toBe('bad_input')
    return error.message
  }
  throw new Error('nothing was refused')
}

describe('a good file', () => {
  it('needs one environment only; everything else has a default', () => {
    const config = load(least)
    expect(config).toMatchObject({
      file: 'gkube.yaml',
      listen: { host: '127.0.0.1', port: 8080 },
      etcd: { endpoints: ['http://127.0.0.1:2379'], root: '/gkube/v1/' },
      clusters: { default: { inCluster: false, kubeconfig: null, context: null, watch: 'namespace' } },
      limits: { bodyBytes: 1024 ** 2, drainSeconds: 25 },
      tokens: { bootstrap: null },
      log: { level: 'info', format: 'auto' },
    })
    expect(config.environments.staging).toMatchObject({
      name: 'staging',
      cluster: 'default',
      namespace: '{environment}',
      onFailure: 'rollback',
    })
    expect(config.etcd).not.toHaveProperty('password')
  })

  it('takes sections without a value, and an environment without one', () => {
    const config = load('etcd:\npeople:\nclusters:\n  default:\nenvironments:\n  staging:\n')
    expect(Object.keys(config.environments)).toEqual(['staging'])
    expect(config.clusters.default?.watch).toBe('namespace')
  })

  it('merges defaults below each environment: maps merge, lists and values are replaced', () => {
    const { environments } = load(`
defaults: { parallel: 5, approvals: { required: 1, reason: true }, allow: { kinds: [A, B] } }
environments:
  staging: { approvals: { required: 0 } }
  production: { parallel: 1, allow: { kinds: [C] } }
`)
    expect(environments.staging).toMatchObject({
      parallel: 5,
      approvals: { required: 0, reason: true, expiry: '30m' },
      allow: { kinds: ['A', 'B'] },
    })
    expect(environments.production).toMatchObject({
      parallel: 1,
      approvals: { required: 1 },
      allow: { kinds: ['C'] },
    })
  })

  it('gives people their own grants, those of their groups, and everyone', () => {
    const { people } = load(`
environments: { staging: {} }
everyone: [{ role: viewer }]
people:
  ana: { slack: U012AB3CD, grants: [{ role: deployer, apps: [web] }] }
  ben: {}
groups: { managers: { members: [ben], grants: [{ role: approver }] } }
`)
    expect(people.ana).toMatchObject({ id: 'ana', name: 'ana', slack: 'U012AB3CD' })
    expect(people.ana?.grants.map(g => g.role)).toEqual(['deployer', 'viewer'])
    expect(people.ben?.grants.map(g => g.role)).toEqual(['approver', 'viewer'])
  })

  it('reads secrets from files beside it and from variables', () => {
    const docker = { auths: { 'https://index.docker.io/v1/': { auth: btoa('bob:s3:cret') } } }
    const config = load(
      `
environments: { staging: {} }
etcd: { endpoints: ['https://e:2379'], username: gkube, passwordFile: secrets/etcd, tls: { ca: ca.pem, cert: c.pem, key: /abs/k.pem } }
registries:
  - { host: registry.example.com, username: robot, passwordEnv: REG }
  - { dockerConfig: docker.json }
  - { host: 'localhost:5000', insecure: true }
tokens: { bootstrapFile: token }
`,
      {
        file: '/etc/gkube/g.yaml',
        env: { REG: 'hunter2' },
        files: {
          '/etc/gkube/secrets/etcd': 'pw\n',
          '/etc/gkube/ca.pem': pem,
          '/etc/gkube/c.pem': pem,
          '/abs/k.pem': pem,
          '/etc/gkube/docker.json': JSON.stringify(docker),
          '/etc/gkube/token': `${'x'.repeat(40)}\n`,
        },
      },
    )
    expect(config.etcd).toMatchObject({
      username: 'gkube',
      password: 'pw',
      tls: { ca: pem, cert: pem, key: pem },
    })
    expect(config.registries).toEqual([
      { host: 'registry.example.com', username: 'robot', password: 'hunter2', insecure: false },
      { host: 'docker.io', username: 'bob', password: 's3:cret', insecure: false },
      { host: 'localhost:5000', username: null, password: null, insecure: true },
    ])
    expect(config.tokens.bootstrap).toBe('x'.repeat(40))
  })
})

it('leaves secrets unread where only the rest matters, and checks the rest', () => {
  expect(load(exampleText, { secrets: 'ignore' }).environments.production).toMatchObject({ cluster: 'eu-2' })
  expect(load(exampleText, { secrets: 'ignore' }).etcd.password).toBeUndefined()
  expect(refusal(`${least}lgo: {}\n`, { secrets: 'ignore' })).toContain('did you mean log?')
})

describe('environment variables win over the file', () => {
  it.each<[name: string, env: Env, at: (c: ReturnType<typeof load>) => unknown, value: unknown]>([
    ['host and port', { GKUBE_LISTEN: '0.0.0.0:9000' }, c => c.listen, { host: '0.0.0.0', port: 9000 }],
    ['a port only', { GKUBE_LISTEN: ':9000' }, c => c.listen, { host: '10.0.0.1', port: 9000 }],
    ['an IPv6 address', { GKUBE_LISTEN: '[::1]:9000' }, c => c.listen, { host: '::1', port: 9000 }],
    [
      'endpoints',
      { GKUBE_ETCD_ENDPOINTS: 'http://a:1, http://b:2/' },
      c => c.etcd.endpoints,
      ['http://a:1', 'http://b:2'],
    ],
    ['the root', { GKUBE_ETCD_ROOT: '/t/' }, c => c.etcd.root, '/t/'],
    [
      'user and password',
      { GKUBE_ETCD_USERNAME: 'u', GKUBE_ETCD_PASSWORD: 'p' },
      c => [c.etcd.username, c.etcd.password],
      ['u', 'p'],
    ],
    ['the log level', { GKUBE_LOG_LEVEL: 'debug' }, c => c.log.level, 'debug'],
    ['an empty one counts as not set', { GKUBE_LOG_LEVEL: '' }, c => c.log.level, 'warn'],
    ['the drain time', { GKUBE_DRAIN: '1m' }, c => c.limits.drainSeconds, 60],
    [
      'what Kubernetes adds for a Service',
      { GKUBE_PORT: 'tcp://10.0.0.1:80', GKUBE_SERVICE_HOST: '10.0.0.1' },
      c => c.listen.port,
      1234,
    ],
    ['what the command line reads', { GKUBE_URL: 'http://x', GKUBE_TOKEN: 'y' }, c => c.listen.port, 1234],
  ])('%s', (_name, env, at, value) => {
    const config = load(`${least}listen: { host: 10.0.0.1, port: 1234 }\nlog: { level: warn }\n`, { env })
    expect(at(config)).toEqual(value)
  })

  it('a bad value names the variable, not a line of the file', () => {
    const text = refusal(least, { env: { GKUBE_LOG_LEVEL: 'infoo' } })
    expect(text).toContain('environment variable GKUBE_LOG_LEVEL: log.level')
    expect(text).toContain('expected one of debug, info, warn, error, silent, saw "infoo"')
  })

  it('a misspelt name is refused with the one that was meant', () => {
    expect(refusal(least, { env: { GKUBE_ETCD_ENDPIONTS: 'x' } })).toContain(
      'did you mean GKUBE_ETCD_ENDPOINTS?',
    )
  })
})

describe('a bad file: the key, the place, what was seen, what is expected', () => {
  it.each<[name: string, yaml: string, lines: readonly string[]]>([
    [
      'a word that is none of the choices',
      `environments:\n  production:\n    onFailure: rolback\n`,
      [
        'gkube.yaml:3:5: environments.production.onFailure',
        'saw "rolback"',
        'expected one of rollback, hold, ask',
        'for example onFailure: rollback',
      ],
    ],
    [
      'an unknown key',
      `environments:\n  staging:\n    onfailure: hold\n`,
      ['gkube.yaml:3:5: environments.staging.onfailure', 'did you mean onFailure?'],
    ],
    [
      'an unknown section',
      `${least}enviroments: {}\n`,
      ['gkube.yaml:2:1: enviroments', 'did you mean environments?'],
    ],
    [
      'text for a number',
      `${least}listen: { port: http }\n`,
      ['gkube.yaml:2:11: listen.port', 'saw "http"', 'expected a whole number', 'for example port: 8080'],
    ],
    ['a number out of range', `${least}listen: { port: 70000 }\n`, ['listen.port', 'expected at most 65535']],
    [
      'a bad duration',
      `environments:\n  p: { approvals: { expiry: 3 days } }\n`,
      ['environments.p.approvals.expiry', 'expected a duration such as 30s, 10m or 1h30m', 'for example 10m'],
    ],
    [
      'a bad name of an environment',
      `environments:\n  Prod: {}\n`,
      ['gkube.yaml:2:3: environments.Prod', 'lower-case letters'],
    ],
    ['no environment', `environments: {}\n`, ['environments', 'at least one environment']],
    ['an empty file', ``, ['gkube.yaml:1:1: is empty']],
    ['a file without environments', `log: { level: info }\n`, ['environments: is missing, expected a map']],
    ['a list for a file', `- a\n`, ['(top level)', 'expected a map']],
    [
      'an item of a list',
      `${least}people:\n  ana:\n    grants:\n      - role: viewer\n      - role: boss\n`,
      ['gkube.yaml:6:9: people.ana.grants.1.role', 'one of viewer, deployer'],
    ],
    [
      'a cluster that is not there',
      `clusters: { eu-1: {} }\nenvironments:\n  p: { cluster: eu-2 }\n`,
      [
        'gkube.yaml:3:8: environments.p.cluster',
        'saw "eu-2"',
        'a key of `clusters`: eu-1',
        'did you mean eu-1?',
      ],
    ],
    [
      'a cluster that is not there, from the defaults',
      `clusters: { a: {} }\ndefaults:\n  cluster: b\nenvironments: { p: {} }\n`,
      ['gkube.yaml:3:3: defaults.cluster'],
    ],
    [
      'a namespace with an unknown placeholder',
      `environments: { p: { namespace: '{team}-x' } }\n`,
      ['environments.p.namespace', 'no placeholder but {app} and {environment}'],
    ],
    [
      'a namespace that Kubernetes would refuse',
      `environments: { p: { namespace: '-{app}' } }\n`,
      ['expected a namespace'],
    ],
    [
      'both ways to reach a cluster',
      `clusters: { a: { inCluster: true, context: x } }\nenvironments: { p: { cluster: a } }\n`,
      ['clusters.a.context', 'either inCluster: true, or kubeconfig and context'],
    ],
    [
      'a grant for an unknown environment',
      `${least}everyone: [{ role: viewer, environments: [stagin] }]\n`,
      ['everyone.0.environments.0', 'did you mean staging?'],
    ],
    [
      'a member who is no person',
      `${least}people: { ana: {} }\ngroups: { g: { members: [anna] } }\n`,
      ['groups.g.members.0', 'did you mean ana?'],
    ],
    [
      'one Slack member for two people',
      `${least}people: { ana: { slack: U012AB3CD }, ben: { slack: U012AB3CD } }\n`,
      ['people.ben.slack', 'ana has it too'],
    ],
    [
      'an etcd user without a password',
      `${least}etcd: { username: gkube }\n`,
      ['etcd.username', 'etcd.passwordFile, etcd.passwordEnv or GKUBE_ETCD_PASSWORD'],
    ],
    [
      'http and https mixed',
      `${least}etcd: { endpoints: ['http://a:1', 'https://b:1'] }\n`,
      ['etcd.endpoints', 'all https or all http'],
    ],
    [
      'certificates for http',
      `${least}etcd: { tls: { serverName: x } }\n`,
      ['etcd.endpoints', 'https, because etcd.tls is given'],
    ],
    [
      'a secret file that is missing',
      `${least}etcd: { username: u, passwordFile: nope }\n`,
      ['gkube.yaml:2:22: etcd.passwordFile', 'nope, no such file'],
    ],
    [
      'a variable that is not set',
      `${least}registries: [{ host: r.example.com, username: u, passwordEnv: NOPE }]\n`,
      ['registries.0.passwordEnv', 'the environment variable NOPE to be set'],
    ],
    [
      'http for a registry elsewhere',
      `${least}registries: [{ host: r.example.com, insecure: true }]\n`,
      ['registries.0.insecure', 'and r.example.com is not'],
    ],
    [
      'a registry with a scheme',
      `${least}registries: [{ host: 'https://r.example.com' }]\n`,
      ['registries.0.host', 'a host such as registry.example.com'],
    ],
    [
      'a registry twice',
      `${least}registries: [{ host: a.example.com }, { host: a.example.com }]\n`,
      ['registries', 'each host once'],
    ],
    ['a key twice', `${least}environments: { p: {} }\n`, ['gkube.yaml:2:1: Map keys must be', 'unique']],
    ['broken YAML', `environments:\n  staging: {\n`, ['gkube.yaml:', 'gkube.yaml:']],
    ['a loop of aliases', `environments: &a\n  p: *a\n`, ['gkube.yaml']],
  ])('%s', (_name, yaml, lines) => {
    const text = refusal(yaml)
    for (const line of lines) expect(text).toContain(line)
  })

  it('says how to begin when there is no file', () => {
    expect(refusal(least, { file: 'other.yaml' })).toMatch(/There is no other\.yaml.*gkube\.example\.yaml/)
  })

  it('tells every mistake at once, ten at most', () => {
    const keys = Array.from({ length: 12 }, (_, i) => `wrong${i}: 1`).join('\n')
    const text = refusal(`${least}${keys}\n`)
    expect(text).toContain('gkube.yaml is not valid:')
    expect(text.match(/is not a key here/g)).toHaveLength(10)
    expect(text).toContain('and 2 more')
  })

  it('carries the same as data for --json', () => {
    try {
      load(`environments: { p: { onFailure: no } }\n`)
    } catch (error) {
      expect((error as UserError).details).toMatchObject({
        problems: [{ path: 'environments.p.onFailure', message: expect.stringMatching(/saw "no"/) }],
      })
      return
    }
    throw new Error('nothing was refused')
  })
})

describe('secrets never show', () => {
  it.each<[name: string, yaml: string, more: Parameters<typeof load>[1]]>([
    ['an inline password of etcd', `${least}etcd: { username: u, password: s3cret-value }\n`, {}],
    [
      'an inline password of a registry',
      `${least}registries: [{ host: r.example.com, username: u, password: s3cret-value }]\n`,
      {},
    ],
    ['a password in an address', `${least}etcd: { endpoints: ['http://u:s3cret-value@a:1'] }\n`, {}],
    ['a short bootstrap token', least, { env: { GKUBE_BOOTSTRAP_TOKEN: 's3cret-value' } }],
    [
      'a Docker config that is no JSON',
      `${least}registries: [{ dockerConfig: d }]\n`,
      { files: { d: 's3cret-value' } },
    ],
    [
      'a key that is no PEM',
      `${least}etcd: { endpoints: ['https://a:1'], tls: { cert: c, key: k } }\n`,
      { files: { c: pem, k: 's3cret-value' } },
    ],
  ])('%s', (_name, yaml, more) => {
    expect(refusal(yaml, more)).not.toContain('s3cret')
  })

  it('an inline password is refused with how to do it right', () => {
    const text = refusal(`${least}etcd: { username: u, password: s3cret-value }\n`)
    expect(text).toMatch(
      /gkube\.yaml:2:22: etcd\.password: no password stands in this file;.*passwordFile, or in a variable and name that as passwordEnv/,
    )
  })

  it('maskedConfig shows everything but them', () => {
    const config = load(
      `${least}etcd: { endpoints: ['https://a:1'], username: u, passwordEnv: P, tls: { ca: c, cert: c, key: k } }\nregistries: [{ host: r.example.com, username: u, passwordEnv: P }]\n`,
      {
        env: { P: 's3cret', GKUBE_BOOTSTRAP_TOKEN: 's3cret'.repeat(6) },
        files: { c: pem, k: `${pem}s3cret` },
      },
    )
    const text = JSON.stringify(maskedConfig(config))
    expect(text).not.toContain('s3cret')
    expect(text.match(/\*\*\*/g)).toHaveLength(4)
    expect(text).toContain('r.example.com')
  })
})

it('the example is a good file, and every key of it is used', () => {
  const files = Object.fromEntries(
    ['/etc/gkube/etcd/ca.crt', '/etc/gkube/etcd/tls.crt', '/etc/gkube/etcd/tls.key'].map(path => [path, pem]),
  )
  const config = load(exampleText, {
    files: {
      ...files,
      '/run/secrets/gkube/etcd-password': 'p',
      '/run/secrets/gkube/registry-password': 'p',
      '/run/secrets/gkube/bootstrap-token': 'b'.repeat(32),
      '/run/secrets/gkube/slack-bot-token': 'xoxb-1',
      '/run/secrets/gkube/slack-signing-secret': 's',
      '/run/secrets/gkube/jenkins-token': 't',
      '/run/secrets/gkube/jenkins-hook-shop': 'h'.repeat(32),
      '/run/secrets/gkube/gluster-key': '-----BEGIN OPENSSH PRIVATE KEY-----',
      '/run/secrets/gkube/pull-secret/.dockerconfigjson':
        '{"auths":{"ghcr.io":{"username":"u","password":"p"}}}',
    },
  })
  expect(config.environments.production).toMatchObject({ cluster: 'eu-2', approvals: { required: 1 } })
  expect(config.registries.map(r => r.host)).toEqual(['registry.example.com', 'ghcr.io'])
})
