// Every example is read, rendered for each of its environments, allowed, and compared with what it rendered before:
// golden/*.yaml, made new by `vitest run test/core/examples.test.ts --update` and read by a person before it is kept.
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { refusals } from '../../src/core/allowlist.ts'
import { specFor } from '../../src/core/app-environment.ts'
import { render } from '../../src/core/objects.ts'
import { noOverrides } from '../../src/core/workload.ts'
import { readApp } from './specs.ts'

const examples = readdirSync('examples').filter(file => file.endsWith('.yaml'))
const app = (file: string) => readApp(readFileSync(`examples/${file}`, 'utf8'), file)
const cases = examples.flatMap(file => Object.keys(app(file).environments).map(name => [file, name] as const))

describe('examples', () => {
  it('there is at least one for each kind', () => {
    const kinds = examples.map(file => app(file).kind).sort()
    expect([...new Set(kinds)]).toEqual(['cron', 'manifests', 'service', 'stateful', 'worker'])
  })
  it.each(cases)('%s in %s', async (file, environment) => {
    const spec = specFor(app(file), environment)
    const image = (spec.image ?? '').replaceAll('{revision}', '1.0.0')
    const objects = render({
      frozen: { schema: 1, app: spec.app, environment, revision: '1.0.0', image, digest: null, spec },
      environment: { name: environment, cluster: 'local', namespace: environment, createNamespace: false },
      overrides: noOverrides,
      deploy: { id: '01JZ00000000000000000000AA', epoch: 1 },
      serverMinor: 34,
    })
    const allow = { kinds: [], serviceAccounts: [], patches: [] }
    const context = {
      environment: { name: environment, createNamespace: false, allow },
      namespace: environment,
      spec,
    }
    expect(refusals(objects, context)).toEqual([])
    const text = objects.map(object => stringify(object, { lineWidth: 0 })).join('---\n')
    await expect(text).toMatchFileSnapshot(`golden/${file.replace('.yaml', '')}-${environment}.yaml`)
  })
})
