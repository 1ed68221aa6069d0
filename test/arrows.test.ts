// Proves the arrows of DESIGN as lint rules: biome.json, run on small files that break them, must refuse each.
// One biome process for all cases; the rules themselves are in biome.json and lint/.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const refused: readonly (readonly [file: string, code: string, message: RegExp])[] = [
  ['src/core/a1.ts', `import { x } from '../adapters/etcd/kv.ts'`, /core\/ imports only/],
  ['src/core/a2.ts', `import type { X } from '../surfaces/http/app.ts'`, /core\/ imports only/],
  ['src/core/a3.ts', `import { log } from '../log.ts'`, /core\/ imports only/],
  ['src/core/a4.ts', `import { readFileSync } from 'node:fs'`, /core\/ imports only/],
  ['src/core/a5.ts', `import { Etcd3 } from 'etcd3'`, /core\/ imports only/],
  ['src/core/a6.ts', `export { x } from '../sandbox/etcd.ts'`, /core\/ imports only/],
  ['src/core/a7.ts', `const x = await import('../adapters/etcd/kv.ts')`, /core\/ imports only/],
  ['src/core/a8.ts', `import { V1Pod } from '@kubernetes/client-node'`, /may only `import type`/],
  ['src/core/a9.ts', `import { type V1Pod } from '@kubernetes/client-node'`, /may only `import type`/],
  ['src/core/use-cases/b1.ts', `import { x } from '../../adapters/etcd/kv.ts'`, /core\/ imports only/],
  ['src/core/use-cases/b2.ts', `import { log } from '../../log.ts'`, /core\/ imports only/],
  ['src/core/use-cases/b3.ts', `import { x } from 'pino'`, /core\/ imports only/],
  ['src/core/c1.ts', `export const x = process.env.HOME`, /global variable process/],
  ['src/core/c2.ts', `console.log('x')`, /global variable console/],
  ['src/core/c3.ts', `await fetch('https://example.com')`, /global variable fetch/],
  ['src/core/c4.ts', `setTimeout(() => {}, 1)`, /global variable setTimeout/],
  ['src/core/c5.ts', `export const x = Date.now()`, /has no clock/],
  ['src/core/c6.ts', `export const x = new Date()`, /has no clock/],
  ['src/core/c7.ts', `export const clock = Date.now`, /has no clock/],
  ['src/core/use-cases/c8.ts', `export const x = Math.random()`, /nothing to chance/],
  ['src/core/c9.ts', `export const x = AbortSignal.timeout(5)`, /has no clock/],
  ['src/adapters/etcd/d1.ts', `import { x } from '../jenkins/client.ts'`, /never imports another adapter/],
  ['src/adapters/etcd/d2.ts', `import { x } from '../../surfaces/cli/run.ts'`, /imports only core/],
  ['src/adapters/etcd/d3.ts', `import { x } from '../../sandbox/etcd.ts'`, /imports only core/],
  ['src/adapters/etcd/d4.ts', `import { x } from '../../config.ts'`, /imports only core/],
  ['src/adapters/etcd/deep/d5.ts', `import { x } from '../../jenkins/a.ts'`, /never imports another adapter/],
  ['src/adapters/etcd/deep/d6.ts', `import { x } from '../../../surfaces/a.ts'`, /imports only core/],
  ['src/surfaces/http/e1.ts', `import { x } from '../../adapters/etcd/kv.ts'`, /A surface calls the core/],
  ['src/surfaces/http/e2.ts', `import { x } from '../../sandbox/etcd.ts'`, /A surface calls the core/],
  ['src/surfaces/cli/deep/e3.ts', `const x = await import('../../../main.ts')`, /A surface calls the core/],
  ['src/config.ts', `import { x } from './adapters/etcd/kv.ts'`, /Only main\.ts, serve/],
]

const allowed: readonly (readonly [file: string, code: string])[] = [
  [
    'src/core/ok1.ts',
    `import { z } from 'zod'\nimport { UserError } from '../errors.ts'\nexport { z, UserError }`,
  ],
  ['src/core/ok2.ts', `import type { V1Pod } from '@kubernetes/client-node'\nexport type Pod = V1Pod`],
  ['src/core/ok3.ts', `import { createHash } from 'node:crypto'\nexport const hash = createHash`],
  [
    'src/core/ok4.ts',
    `export const day = (at: number) => new Date(at).toISOString()\nexport const at = Date.parse`,
  ],
  [
    'src/core/use-cases/ok5.ts',
    `import { x } from '../keys.ts'\nimport { y } from '../../errors.ts'\nexport const z = [x, y]`,
  ],
  [
    'src/core/use-cases/ok6.ts',
    `import { x } from './request.ts'\nimport { y } from '../steps/apply.ts'\nexport const z = [x, y]`,
  ],
  [
    'src/adapters/etcd/ok7.ts',
    `import { x } from '../../core/kv.ts'\nimport { y } from './lease.ts'\nimport { Etcd3 } from 'etcd3'\nexport const z = [x, y, Etcd3]`,
  ],
  [
    'src/adapters/etcd/deep/ok8.ts',
    `import { x } from '../../../core/kv.ts'\nimport { y } from '../kv.ts'\nexport const z = [x, y]`,
  ],
  [
    'src/surfaces/http/ok9.ts',
    `import { x } from '../../core/core.ts'\nimport { y } from '../../log.ts'\nexport const z = [x, y]`,
  ],
  [
    'src/sandbox/ok10.ts',
    `import { x } from '../adapters/etcd/kv.ts'\nimport { y } from '../surfaces/http/app.ts'\nexport const z = [x, y]`,
  ],
  [
    'src/main.ts',
    `import { x } from './adapters/etcd/kv.ts'\nimport { y } from './sandbox/start.ts'\nexport const z = [x, y]`,
  ],
]

type Diagnostic = { category: string; message: string; location: { path: string } }
let folder = ''
let found: Diagnostic[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkube-arrows-'))
  cpSync('biome.json', join(folder, 'biome.json'))
  cpSync('lint', join(folder, 'lint'), { recursive: true })
  for (const [file, code] of [...refused, ...allowed]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), `${code}\n`)
  }
  found = lint(folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs biome there; it ends with 1 when it finds something, which is what these files are for. */
function lint(cwd: string): Diagnostic[] {
  const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', 'src']
  const biome = join(process.cwd(), 'node_modules/.bin/biome')
  try {
    return read(execFileSync(biome, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 20_000 }))
  } catch (error) {
    const out = (error as { stdout?: unknown }).stdout
    if (typeof out !== 'string' || out === '') throw error
    return read(out)
  }
}
const read = (out: string) => (JSON.parse(out) as { diagnostics: Diagnostic[] }).diagnostics

const arrows = (file: string) =>
  found
    .filter(d => d.location.path.endsWith(file))
    .filter(d => /noRestricted|plugin/.test(d.category))
    .map(d => d.message)

describe('the linter refuses what breaks an arrow', () => {
  it.each(refused)('%s: %s', (file, _code, message) => {
    expect(arrows(file)).toContainEqual(expect.stringMatching(message))
  })
})

describe('the linter allows what follows the arrows', () => {
  it.each(allowed)('%s', file => {
    expect(arrows(file)).toEqual([])
  })
})
