// What people ask for: no verb without the right for all that it touches, one key for one request, and nothing secret
// or unbounded in what is kept.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import { environmentSchema, type Grant } from '../../../src/core/environment.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { put } from '../../../src/core/records.ts'
import { admin, ask } from '../../support/stack.ts'
import { ended, startWorld, type Tenant, type TestReplica, type World } from './world.ts'

let world: World
let tenant: Tenant
let replica: TestReplica
beforeAll(async () => {
  world = await startWorld()
  tenant = world.tenant()
  const environment = (name: string, more = {}) => ({
    ...environmentSchema.parse({ createNamespace: true, ...more }),
    name,
  })
  tenant.environments.set('production', environment('production', { protected: true }))
  replica = await tenant.replica()
  await replica.core.applyApp(admin, tenant.app({ environments: { staging: {}, production: {} } }), {
    dryRun: false,
  })
})

const who = (role: Grant['role'], apps = ['*'], environments = ['*']): Caller => ({
  actor: { id: `token:${role}`, name: role, via: 'cli' },
  grants: [{ role, apps, environments }],
})
const lock = { reason: 'a test', expiresIn: '1h', steal: false }
const forbidden = { kind: 'forbidden' }

describe('rights', () => {
  const cases: [string, (t: Tenant, r: TestReplica) => Promise<unknown>, RegExp][] = [
    [
      'a lock of everything by the operator of one app',
      (t, { core }) => core.lock(who('operator', [t.name]), lock),
      /may not lock all apps in staging/,
    ],
    [
      'a lock of everything by the operator of one environment',
      (_, { core }) => core.lock(who('operator', ['*'], ['staging']), lock),
      /may not lock all apps in production/,
    ],
    [
      'a lock of a protected environment that is not named',
      (_, { core }) => core.lock(who('operator'), { ...lock, environment: 'production' }),
      /production/,
    ],
    [
      'tokens for everything by the admin of one app',
      (t, { core }) =>
        core.createToken(who('admin', [t.name]), {
          name: 'more',
          grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
          expiresIn: '1h',
        }),
      /manage tokens/,
    ],
    [
      'tokens by the admin of one environment',
      (_, { core }) => core.listTokens(who('admin', ['*'], ['staging'])),
      /manage tokens/,
    ],
    [
      'taking an environment that is not one’s own out of an app',
      (t, { core }) =>
        core.applyApp(who('deployer', ['*'], ['staging']), t.app({ environments: { staging: {} } }), {
          dryRun: false,
        }),
      /may not register .* in production/,
    ],
    [
      'the same by deploying with a file',
      (t, { core }) =>
        core.request(
          who('deployer', ['*'], ['staging']),
          ask({ app: undefined, spec: t.app({ environments: { staging: {} } }), revision: '1' }),
        ),
      /may not register .* in production/,
    ],
    [
      'unregistering an app of an environment that is not one’s own',
      (t, { core }) => core.deleteApp(who('operator', ['*'], ['staging']), t.name),
      /may not unregister .* in production/,
    ],
    [
      'a plan, which shows what runs, where one may see nothing',
      (t, { core }) =>
        core.plan(who('viewer', ['*'], ['staging']), {
          app: t.name,
          environment: 'production',
          revision: '1',
        }),
      /may not see .* in production/,
    ],
    [
      'a plan of an app that is not one’s own, whether it exists or not',
      (_, { core }) =>
        core.plan(who('viewer', ['other']), { app: 'webb', environment: 'staging', revision: '1' }),
      /may not see webb/,
    ],
  ]
  it.each(cases)('refuse %s', async (_, act, words) => {
    const attempt = act(tenant, replica)
    await expect(attempt).rejects.toMatchObject(forbidden)
    await expect(attempt).rejects.toThrow(words)
    expect(await replica.core.locks(admin)).toEqual([])
  })
  it('let the admin of everything lock everything', async () => {
    await replica.core.lock(admin, lock)
    expect(await replica.core.locks(admin)).toHaveLength(1)
    await replica.core.unlock(admin, { reason: '' })
  })
})

describe('an idempotency key', () => {
  const key = { idempotencyKey: 'k1' }
  it('used for another request is refused, not answered with the wrong deploy', async () => {
    const first = await replica.core.request(admin, ask({ app: tenant.name, revision: '1', ...key }))
    await ended(tenant, first.deploy.id)
    const other = ask({ app: tenant.name, kind: 'restart', ...key })
    await expect(replica.core.request(admin, other)).rejects.toThrow(
      /key was used before, for deploy .* 1 in/,
    )
    const newer = ask({ app: tenant.name, revision: '2', ...key })
    await expect(replica.core.request(admin, newer)).rejects.toMatchObject({ kind: 'conflict' })
    const same = await replica.core.request(admin, ask({ app: tenant.name, revision: '1', ...key }))
    expect(same).toMatchObject({ repeated: true, deploy: { id: first.deploy.id } })
  })
  it('of another caller is another key', async () => {
    const asked = ask({ app: tenant.name, revision: '1', ...key })
    const { repeated, deploy } = await replica.core.request(who('deployer'), asked)
    expect(repeated).toBe(false)
    await ended(tenant, deploy.id)
  })
})

describe('a token that is used while it is revoked', () => {
  it('is revoked all the same', async () => {
    let between: (key: string) => Promise<void> = async () => undefined
    const racing = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        const gone = commit.writes.find(write => write.kind === 'delete' && write.key.includes('/tokens/'))
        if (gone) await between(gone.key)
        return kv.commit(commit)
      },
    })
    const other = await tenant.replica({ kv: racing })
    const grants = [{ role: 'viewer' as const, apps: ['*'], environments: ['*'] }]
    const { token, info } = await other.core.createToken(admin, { name: 'ci', grants, expiresIn: '1h' })
    // Its last use is noted in the moment between reading and revoking.
    between = async key => {
      const entry = await tenant.kv.get(key)
      const value = { ...JSON.parse(entry?.value ?? '{}'), lastUsedAt: 1 }
      await tenant.kv.commit({
        compares: [{ kind: 'present', key }],
        writes: [put(key, value)],
        repeatable: true,
      })
    }
    await other.core.revokeToken(admin, info.id)
    await expect(other.core.authenticate(token, 'cli')).rejects.toMatchObject({ kind: 'unauthenticated' })
    await other.stop()
  })
})

describe('what is kept', () => {
  it('of a command line has no secrets', async () => {
    const stream = replica.core.run(
      admin,
      {
        app: tenant.name,
        environment: 'staging',
        command: ['sh', '-c', 'psql --password hunter2 postgres://u:s3cr3tpw@db/x TOKEN=abcdef123456'],
        timeout: '1m',
      },
      AbortSignal.timeout(5_000),
    )
    for await (const _ of stream) break
    const { entries } = await tenant.kv.list(tenant.keys.auditIn('staging'))
    const kept = entries.map(entry => entry.value).join('\n')
    expect(kept).toContain('"action":"run"')
    expect(kept).not.toMatch(/hunter2|s3cr3tpw|abcdef123456/)
  })
  it('of a deploy stays within 8 KiB', async () => {
    const note = '\u0007é'.repeat(250)
    const source = { job: null, build: null, url: `https://ci.example.com/${'x'.repeat(900)}`, note }
    const claims = Array.from({ length: 20 }, (_, n) => `${'c'.repeat(150)}${n}`)
    const { deploy } = await replica.core.request(
      admin,
      ask({ app: tenant.name, kind: 'delete', claims, source }),
    )
    const { value } = (await tenant.kv.get(tenant.keys.deploy(deploy.id))) ?? { value: '' }
    expect(Buffer.byteLength(value)).toBeLessThan(8 * 1024 + 64)
    expect(() => ask({ app: tenant.name, kind: 'delete', claims: ['x'.repeat(300)] })).toThrow(/253/)
    await ended(tenant, deploy.id)
  })
})
