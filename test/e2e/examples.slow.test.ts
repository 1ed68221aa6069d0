// Every example is registered, created and updated on a whole gkube, as a person would from the command line. What they
// ship as code is uploaded first, published for real on a volume, and served.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoryStore } from '../../src/adapters/artifacts/directory-store.ts'
import type { App } from '../../src/core/app.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { directoryPool } from '../../src/sandbox/glusterfs/directory-pool.ts'
import { siteArtifact } from '../../src/sandbox/site-artifacts.ts'
import { readApp } from '../core/specs.ts'
import { admin, type Stack, ship, startStack } from '../support/stack.ts'

let stack: Stack
let web: number
const folder = mkdtempSync(join(tmpdir(), 'gkube-examples-'))
const image = 'registry.example.com/gkube:1'
const pool = join(folder, 'pool')
const artifacts = join(folder, 'artifacts')
const store = directoryStore({ directory: artifacts, maxBytes: 1e9, keepMs: 3_600_000 })
beforeAll(async () => {
  const port = await freePort()
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('src/main.ts')]
  stack = await startStack({
    speed: 20,
    runs: { folder: join(folder, 'cluster'), own: { image, command: program }, hostPaths: [pool] },
    pool: name => directoryPool({ name, folder: pool }),
    environments: {
      staging: { createNamespace: true, pool: 'shared' },
      production: { createNamespace: true, pool: 'shared' },
    },
    config: {
      listen: { host: '127.0.0.1', port },
      pools: {
        shared: {
          volume: 'gv0',
          servers: ['localhost'],
          reach: { kind: 'local' },
          mount: pool,
          strategy: 'hostpath',
          hostPath: pool,
        },
      },
      artifacts: { directory: artifacts },
      publish: { image, url: `http://127.0.0.1:${port}` },
    },
  })
  web = (await stack.cluster.openFrontDoor(0)).port
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As a build would: what the app ships as code, for a revision. */
async function upload({ app, code }: App, revision: string): Promise<void> {
  if (!code) return
  const bytes = code.file ? Buffer.from(`PK, the ${app} of ${revision}`) : await siteArtifact(revision)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const parts = async function* () {
    yield bytes
  }
  await store.put(sha256, parts())
  await stack.core.recordArtifact(admin, { app, revision, sha256 })
}
const ask = (app: string): Promise<string> =>
  new Promise((done, failed) => {
    const headers = { host: `${app}.staging.localhost` }
    request({ host: '127.0.0.1', port: web, path: '/', headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('end', () => done(text))
    })
      .on('error', failed)
      .end()
  })

const examples = readdirSync('examples').filter(file => file.endsWith('.yaml'))

describe('examples', () => {
  it.each(examples)(
    '%s is created, updated, and a plan of the same says that nothing changes',
    async file => {
      const written = readApp(readFileSync(`examples/${file}`, 'utf8'), file)
      // Only the wait for stability is left out: it is real time, whatever the stand-in plays.
      const app = { ...written, rollout: { ...written.rollout, stable: '0s' } }
      await stack.core.applyApp(admin, app, { dryRun: false })
      const place = { app: app.app, environment: 'staging' }
      for (const revision of ['1.0.0', '1.1.0']) await upload(app, revision)
      const first = await ship(stack.core, { ...place, revision: '1.0.0' })
      expect(first, first.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'create' })
      const second = await ship(stack.core, { ...place, revision: '1.1.0' })
      expect(second, second.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'update' })
      if (app.kind === 'service') expect(await ask(app.app)).toContain('1.1.0')
      if (app.code?.file) expect(await ask(app.app)).toContain(app.code.file)
      const plan = await stack.core.plan(admin, { ...place, revision: '1.1.0' })
      expect(plan.refusals).toEqual([])
      expect(plan.changes).toEqual([])
      expect(plan.objects.map(({ object, action, diff }) => ({ object, action, diff }))).toEqual(
        plan.objects.map(({ object }) => ({ object, action: 'none', diff: '' })),
      )
    },
    60_000,
  )
})
