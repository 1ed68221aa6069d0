// Who may look at one environment sees nothing of the others: neither what runs there, nor what is asked for, nor why
// it is locked. Looking does not need a protected environment to be named, and who is named to override may look.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Caller, Core } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema, type Grant } from '../../../src/core/environment.ts'
import { admin, ask } from '../../support/stack.ts'
import { ended, phaseOf, startWorld, type Tenant, type TestReplica, until } from '../runner/world.ts'

const viewer = (over: Partial<Grant>): Caller => ({
  actor: { id: 'slack:vic', name: 'vic', via: 'slack' },
  grants: [{ role: 'viewer', apps: ['*'], environments: ['*'], ...over }],
})
const here = viewer({ environments: ['staging'] })
const everywhere = viewer({})
const dan: Caller = { actor: { id: 'slack:dan', name: 'dan', via: 'slack' }, grants: [], person: 'dan' }

let tenant: Tenant
let replica: TestReplica
let core: Core
let waits: Deploy
beforeAll(async () => {
  tenant = (await startWorld()).tenant()
  const production = {
    createNamespace: true,
    approvals: { required: 1 },
    protected: true,
    breakGlass: ['dan'],
  }
  tenant.environments.set('production', { ...environmentSchema.parse(production), name: 'production' })
  replica = await tenant.replica({
    registry: { resolve: async () => ({ kind: 'digest', digest: `sha256:${'a'.repeat(64)}` }) },
  })
  core = replica.core
  await core.applyApp(admin, tenant.app({ environments: { staging: {}, production: {} } }), { dryRun: false })
  const request = async (environment: string, revision: string) =>
    (await core.request(admin, ask({ app: tenant.name, environment, revision }))).deploy
  await ended(tenant, (await request('staging', '1')).id)
  waits = await request('production', '1')
  await phaseOf(tenant, waits.id, one => one.phase === 'awaiting_approval')
  await until(() => replica.view.live.deploys.get(waits.id)?.value.phase === 'awaiting_approval')
  await core.lock(admin, {
    app: tenant.name,
    environment: 'production',
    reason: 'secret plans',
    expiresIn: '1h',
    steal: false,
  })
  await core.lock(admin, {
    app: tenant.name,
    environment: 'staging',
    reason: 'tests',
    expiresIn: '1h',
    steal: false,
  })
})

const lists: [string, (caller: Caller) => Promise<readonly unknown[]>][] = [
  ['approvals', caller => core.approvals(caller)],
  ['what runs or waits', caller => core.openDeploys(caller)],
  ['history', caller => core.history(caller, { app: tenant.name, limit: 10 })],
  ['locks', caller => core.locks(caller)],
  ['status', caller => core.status(caller, {})],
  ['apps', async caller => (await core.listApps(caller)).flatMap(({ workloads }) => workloads)],
]
const of = (places: readonly unknown[]) =>
  JSON.stringify(places).match(/"environment":"production"/g)?.length ?? 0

describe('who may look at staging only', () => {
  it.each(lists)('%s', async (_, list) => {
    expect(of(await list(here))).toBe(0)
  })
  it('a deploy by its id, and history and status by the place', async () => {
    await expect(core.showDeploy(here, waits.id)).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(
      core
        .watchDeploy(here, waits.id, { signal: AbortSignal.timeout(1_000) })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    const place = { app: tenant.name, environment: 'production' }
    await expect(core.history(here, { ...place, limit: 1 })).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(core.status(here, place)).rejects.toMatchObject({ kind: 'forbidden' })
    expect(await core.history(here, { app: tenant.name, limit: 10 })).toHaveLength(1)
  })
})

describe('who may look everywhere', () => {
  it('sees a protected environment too', async () => {
    expect((await core.approvals(everywhere)).map(({ deploy }) => deploy.id)).toContain(waits.id)
    expect((await core.showDeploy(everywhere, waits.id)).deploy.id).toBe(waits.id)
    expect(await core.locks(everywhere)).toHaveLength(2)
  })
  it('not of apps that are not theirs', async () => {
    expect(await core.locks(viewer({ apps: ['other'] }))).toEqual([])
  })
})

it('who is named to override may look at what they would override, without any role', async () => {
  expect((await core.showDeploy(dan, waits.id)).deploy.id).toBe(waits.id)
})
