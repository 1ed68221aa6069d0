// What a sandbox registers at its first start: the example apps with the code of `site`, so that the first command has
// something to deploy, and a token for Jenkins' steps. A file beside the data says that it was done: what somebody unregistered stays away.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { parseApp } from '../core/app-environment.ts'
import type { ArtifactStore } from '../core/artifacts/store.ts'
import type { Caller, Core } from '../core/core.ts'
import { UserError } from '../errors.ts'
import { hasSite, uploadSite } from './site-artifacts.ts'

/** In a checkout and in the npm package; an image has none. */
const folder = join(import.meta.dirname, '../../examples')

const sandbox: Caller = {
  actor: { id: 'sandbox', name: 'sandbox', via: 'cli' },
  grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
}

/** The names of the apps that were registered; none but the first time. */
export async function registerExamples(
  core: Core,
  { data, store }: { readonly data: string; readonly store: Pick<ArtifactStore, 'put'> | null },
): Promise<readonly string[]> {
  const done = join(data, 'examples-registered')
  if (existsSync(done) || !existsSync(folder)) return []
  const there = new Set(await core.listNames(sandbox))
  const names: string[] = []
  for (const file of readdirSync(folder).filter(name => name.endsWith('.yaml'))) {
    const app = parseApp(parse(readFileSync(join(folder, file), 'utf8')))
    if (there.has(app.app)) continue
    await core.applyApp(sandbox, app, { dryRun: false })
    names.push(app.app)
  }
  if (store && hasSite()) await uploadSite(core, store, sandbox)
  writeFileSync(done, `${names.join('\n')}\n`, { mode: 0o600 })
  return names
}

/** The token of 'Execute shell' steps: deployer. The one of the start before, while it is good. */
export async function stepToken(
  core: Core,
  file: { read(): string | null; write(token: string): void },
): Promise<string> {
  const kept = file.read()
  if (kept !== null && (await isGood(core, kept))) return kept
  const environments = ['staging', 'production']
  const grants = [{ role: 'deployer' as const, apps: ['*'], environments }]
  const { token } = await core.createToken(sandbox, { name: 'jenkins', grants, expiresIn: '8760h' })
  file.write(token)
  return token
}

async function isGood(core: Core, token: string): Promise<boolean> {
  try {
    await core.authenticate(token, 'jenkins')
    return true
  } catch (error) {
    if (error instanceof UserError && error.kind === 'unauthenticated') return false
    throw error
  }
}
