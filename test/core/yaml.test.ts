// app.yaml as people write it wrong: every mistake has its file, line and column.
import { describe, expect, it } from 'vitest'
import { parseYaml } from '../../src/core/yaml.ts'
import { UserError } from '../../src/errors.ts'
import { readApp } from './specs.ts'

function messageOf(text: string): string {
  try {
    readApp(text, 'app.yaml')
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}

const lines = (...text: string[]) => text.join('\n')
const cases: readonly (readonly [name: string, text: string, says: string])[] = [
  ['an empty file', '', 'app.yaml:1:1: is empty'],
  ['only a comment', '# later\n', 'is empty'],
  ['a bracket that stays open', lines('app: web', 'jobs: [a, b', 'kind: service'), 'app.yaml:3:1:'],
  ['a quote that stays open', lines('app: "web'), 'app.yaml:1:10: Missing closing "quote'],
  ['a tab', lines('app: web', 'rollout:', '\tdrain: 5s'), 'app.yaml:3:1:'],
  ['the same key twice', lines('app: web', 'app: api'), 'app.yaml:2:1: Map keys must be unique'],
  [
    'two documents',
    lines('app: web', '---', 'app: api'),
    'app.yaml:2:1: a second document begins here; one file holds one app',
  ],
  ['an alias of nothing', 'app: *web', 'app.yaml: Unresolved alias'],
  ['an anchor that holds itself', lines('app: &a', '  b: *a'), 'app.yaml: an anchor holds itself'],
  ['a text', 'web', 'app.yaml:1:1: (top level): expected a map, saw "web"'],
  [
    'a slip',
    lines('app: web', 'replcas: 3'),
    'app.yaml:2:1: replcas: is not a key here; did you mean replicas?',
  ],
  [
    'a value deep down',
    lines('app: web', 'rollout:', '  drain: 5 s'),
    'app.yaml:3:3: rollout.drain: expected a duration',
  ],
  [
    'an item of a list',
    lines('app: web', 'ports:', '  - name: http', '    port: 0'),
    'app.yaml:4:5: ports.0.port: expected at least 1',
  ],
  [
    'an item in one line',
    'app: web\nports: [{ name: http, port: x }]',
    'app.yaml:2:23: ports.0.port: expected a whole number',
  ],
  [
    'something missing is shown where it should be',
    lines('app: web', 'ports:', '  - name: http'),
    'app.yaml:3:5: ports.0.port: is missing',
  ],
  [
    'in an environment',
    lines('app: web', 'image: r/w:{revision}', 'environments:', '  staging:', '    replicas: x'),
    'app.yaml:5:5: environments.staging.replicas:',
  ],
  [
    'a rule across keys',
    lines('app: web', 'image: r/w', 'environments: { staging: {} }'),
    'app.yaml:2:1: image: has no {revision}',
  ],
  [
    'through an alias',
    lines('x: &p { name: http, port: 0 }', 'app: web', 'ports: [*p]'),
    'ports.0.port: expected at least 1',
  ],
]

describe('an app file', () => {
  it.each(cases)('%s', (_, text, says) => {
    expect(messageOf(text)).toContain(says)
  })
  it('stops aliases that multiply, at once', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(9).fill(of).join(', ')}]`
    const bomb = lines(
      level('a', 'x'),
      level('b', '*a'),
      level('c', '*b'),
      level('d', '*c'),
      level('e', '*d'),
      level('f', '*e'),
    )
    const start = performance.now()
    expect(messageOf(bomb)).toContain('more than 50 aliases')
    expect(performance.now() - start).toBeLessThan(500)
  })
  it('refuses what etcd could not hold', () => {
    expect(messageOf(`app: ${'x'.repeat(1_500_000)}`)).toContain('more than 1400000 bytes')
  })
  it('takes anchors, merge keys and JSON', () => {
    const text = lines(
      'app: web',
      'image: r/w:{revision}',
      'environments:',
      '  staging: &base { replicas: 1, env: { A: x } }',
      '  production: { <<: *base, replicas: 3 }',
    )
    expect(readApp(text, 'app.yaml').environments.production).toEqual({ replicas: 3, env: { A: 'x' } })
    const json = JSON.stringify({ app: 'web', image: 'r/w:{revision}', environments: { staging: {} } })
    expect(readApp(json, 'app.json').app).toBe('web')
  })
  it('words that YAML 1.1 took for true stay words', () => {
    expect(parseYaml('a: [yes, on, 1.10, 0o7, ~]', 'a.yaml').value).toEqual({
      a: ['yes', 'on', 1.1, 7, null],
    })
  })
})
