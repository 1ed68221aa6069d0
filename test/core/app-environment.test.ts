// What a team wrote → what runs in an environment: the laws of merging, and errors that a person can act on.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { merge, parseApp, specFor } from '../../src/core/app-environment.ts'
import { UserError } from '../../src/errors.ts'
import { appOf, image } from './specs.ts'

const web = { app: 'web', image, environments: { staging: {} } }

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}

describe('merge', () => {
  const cases: readonly (readonly [name: string, base: unknown, change: unknown, result: unknown])[] = [
    ['maps merge', { a: { x: 1 } }, { a: { y: 2 } }, { a: { x: 1, y: 2 } }],
    ['lists replace', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['null removes', { a: 1, b: 2 }, { a: null }, { b: 2 }],
    ['null removes deep down', { a: { x: 1, y: 2 } }, { a: { x: null } }, { a: { y: 2 } }],
    ['null of nothing is nothing', { a: 1 }, { b: null, c: { d: null } }, { a: 1, c: {} }],
    ['a value replaces a map', { a: { x: 1 } }, { a: 2 }, { a: 2 }],
    ['a map replaces a value', { a: 2 }, { a: { x: 1 } }, { a: { x: 1 } }],
    ['null inside a list stays', {}, { a: [null] }, { a: [null] }],
    [
      'a variable is whole: a secret never merges with a ConfigMap',
      { env: { DB: { secret: 'a', key: 'url', optional: true } } },
      { env: { DB: { configMap: 'b', key: 'url' } } },
      { env: { DB: { configMap: 'b', key: 'url' } } },
    ],
    [
      'variables of a hook are whole too',
      { hooks: { before: { env: { DB: { secret: 'a', key: 'k' } } } } },
      { hooks: { before: { env: { DB: { field: 'status.podIP' } } } } },
      { hooks: { before: { env: { DB: { field: 'status.podIP' } } } } },
    ],
  ]
  it.each(cases)('%s', (_, base, change, result) => {
    expect(merge(base, change)).toEqual(result)
  })

  const json = fc.jsonValue({ maxDepth: 4 })
  const map = fc.dictionary(fc.string({ maxLength: 3 }), json, { maxKeys: 5 })
  it('merging the same change twice is merging it once', () => {
    fc.assert(
      fc.property(map, map, (a, b) => {
        expect(merge(merge(a, b), b)).toEqual(merge(a, b))
      }),
    )
  })
  it('an empty change changes nothing, a null for each key leaves nothing', () => {
    fc.assert(
      fc.property(map, a => {
        expect(merge(a, {})).toEqual(a)
        const none = Object.fromEntries(Object.keys(a).map(key => [key, null]))
        expect(merge(a, none)).toEqual({})
      }),
    )
  })
  it('touches neither input, and no prototype', () => {
    fc.assert(
      fc.property(map, map, (a, b) => {
        const [before, after] = [structuredClone(a), structuredClone(b)]
        merge(a, b)
        expect([a, b]).toEqual([before, after])
      }),
    )
    merge({}, JSON.parse('{"__proto__": {"polluted": true}}'))
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('specFor', () => {
  const app = appOf({
    replicas: 2,
    env: { LOG_LEVEL: 'info', EXTRA: 1 },
    ports: [{ name: 'http', port: 8080 }],
    disruption: { maxUnavailable: 1 },
    environments: {
      staging: null,
      production: {
        replicas: 3,
        env: { LOG_LEVEL: 'warn', EXTRA: null },
        ports: [{ name: 'web', port: 80 }],
        disruption: null,
      },
      defaults: { replicas: null },
    },
  })
  it('takes the base where an environment says nothing', () => {
    expect(specFor(app, 'staging')).toMatchObject({ replicas: 2, env: { LOG_LEVEL: 'info', EXTRA: 1 } })
  })
  it('merges maps, replaces lists, removes by null', () => {
    const spec = specFor(app, 'production')
    expect(spec.replicas).toBe(3)
    expect(spec.env).toEqual({ LOG_LEVEL: 'warn' })
    expect(spec.ports).toEqual([{ name: 'web', port: 80, protocol: 'TCP' }])
    expect(spec.disruption).toBeUndefined()
  })
  it('gives back the default where a key with a default is removed', () => {
    expect(specFor(app, 'defaults').replicas).toBe(1)
  })
  it('names the environments there are, and the near miss', () => {
    const message = messageOf(() => specFor(app, 'prodution'))
    expect(message).toContain('web has no environment prodution. Did you mean production?')
    expect(message).toContain('It has: staging, production, defaults.')
  })
  it('is not fooled by names that every object has', () => {
    expect(messageOf(() => specFor(app, 'constructor'))).toContain('no environment constructor')
  })
})

describe('parseApp', () => {
  const cases: readonly (readonly [name: string, app: unknown, ...says: string[]])[] = [
    ['not a map', 'web', '(top level): expected a map, saw "web"'],
    ['nothing', null, '(top level): expected a map, saw null'],
    [
      'no name',
      { image, environments: { staging: {} } },
      'app: is missing, expected a text; for example web',
    ],
    [
      'a bad name',
      { ...web, app: 'Web Shop' },
      'app: expected lower-case letters, digits and dashes, such as web',
      'saw "Web Shop"',
    ],
    [
      'no whole number',
      { ...web, replicas: 'three' },
      'replicas: expected a whole number, saw "three"; for example 3',
    ],
    ['half a replica', { ...web, replicas: 1.5 }, 'replicas: expected a whole number, saw 1.5'],
    ['too few', { ...web, replicas: -1 }, 'replicas: expected at least 0, saw -1'],
    ['a typing slip', { ...web, replcas: 3 }, 'replcas: is not a key here; did you mean replicas?'],
    [
      'a slip deep down',
      { ...web, rollout: { drian: '5s' } },
      'rollout.drian: is not a key here; did you mean drain?',
    ],
    [
      'an unknown word',
      { ...web, kind: 'servce' },
      'kind: expected one of service, worker, cron, stateful, manifests, saw "servce"',
    ],
    [
      'no duration',
      { ...web, rollout: { drain: '5 s' } },
      'rollout.drain: expected a duration such as 30s, 10m or 1h30m, saw "5 s"',
    ],
    [
      'no quantity',
      { ...web, resources: { limits: { cpu: 'much' } } },
      'resources.limits.cpu: expected a quantity such as 100m',
    ],
    [
      'a port out of range',
      { ...web, ports: [{ name: 'http', port: 99999 }] },
      'ports.0.port: expected at most 65535, saw 99999',
    ],
    [
      'a variable of no kind',
      { ...web, env: { A: ['x'] } },
      'env.A: expected a text, a number, true or false, { secret, key }',
      'saw a list',
    ],
    [
      'a variable of a bad name',
      { ...web, env: { 'a b': 'x' } },
      'env.a b: expected a variable name such as LOG_LEVEL',
    ],
    [
      'two probes in one',
      { ...web, probes: { readiness: { tcp: {}, exec: ['a'] } } },
      'probes.readiness: exactly one of http, tcp, exec or grpc',
    ],
    [
      'no environment',
      { app: 'web', image },
      'environments: names no environment; list those that it is deployed to',
    ],
    [
      'an environment with another name of the app',
      { ...web, environments: { staging: { app: 'x' } } },
      'environments.staging.app: is the same in every environment',
    ],
    [
      'wrong only in an environment',
      { ...web, environments: { staging: { replicas: 'x' } } },
      'environments.staging.replicas: expected a whole number, saw "x"',
    ],
    [
      'a whole list replaced by a wrong one',
      { ...web, environments: { staging: { ports: [{ name: 'http' }] } } },
      'environments.staging.ports.0.port: is missing',
    ],
    [
      'a list that an environment removes but the base needs',
      {
        ...web,
        ports: [{ name: 'http', port: 80 }],
        ingress: [{ host: 'a.example.com' }],
        environments: { staging: {}, production: { ports: null } },
      },
      'environments.production.ports: is missing: ingress needs a port',
    ],
    [
      'a base that fails in one environment only',
      {
        ...web,
        ports: [{ name: 'http', port: 80 }],
        environments: { staging: {}, nightly: { kind: 'cron', schedule: { cron: '@daily' } } },
      },
      '  ports: a cron app serves nothing (in nightly)',
    ],
  ]
  it.each(cases)('%s', (_, app, ...says) => {
    const message = messageOf(() => parseApp(app))
    for (const part of says) expect(message).toContain(part)
  })

  it('says everything at once, ten lines at most', () => {
    const env = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`bad name ${i}`, 'x']))
    const lines = messageOf(() => parseApp({ ...web, env })).split('\n')
    expect(lines).toHaveLength(12)
    expect(lines.at(-1)).toBe('  and 5 more')
  })
  it('says what is wrong with the base once, not for each environment', () => {
    const environments = { staging: {}, production: {}, test: {} }
    const message = messageOf(() => parseApp({ ...web, image: 'r/web', environments }))
    expect(message.split('\n')).toHaveLength(2)
  })
  it('never repeats a value that looks secret', () => {
    const message = messageOf(() =>
      parseApp({ ...web, env: { DB_PASSWORD: ['x'] }, replicas: 'https://ana:hunter2@example.com' }),
    )
    expect(message).toContain('saw (hidden)')
    expect(message).not.toContain('hunter2')
  })
  it('gives the problems as data too', () => {
    try {
      parseApp({ ...web, replicas: 'x' })
      expect.unreachable()
    } catch (error) {
      expect((error as UserError).details).toEqual({
        problems: [{ path: 'replicas', message: 'expected a whole number, saw "x"; for example 3' }],
      })
    }
  })
  it('gives an App that parses again to itself', () => {
    const app = parseApp({ ...web, env: { A: 1 }, storage: [{ name: 'data', size: '1Gi', mount: '/d' }] })
    expect(parseApp(JSON.parse(JSON.stringify(app)))).toEqual(app)
  })
})
