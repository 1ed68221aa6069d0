// A recurring freeze holds by the same path as one by a person: in the claim, in words, in status and lists; a rollback
// passes it, a named person overrides it, and it ends by itself. The replica's clock is moved, the rest is real.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
  leftovers,
  phaseOf,
  place,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
} from '../runner/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const hour = 3_600_000
const dan: Caller = { actor: { id: 'slack:dan', name: 'dan', via: 'slack' }, grants: [], person: 'dan' }
const people = [{ id: 'dan', name: 'Dan', grants: [] }]

/** A window that began within the last hour and holds for three; `jump` moves the clock of the replica. */
async function setUp(over: object = {}) {
  const begins = new Date(Date.now() - hour / 2)
  const window = {
    cron: `${begins.getUTCMinutes()} ${begins.getUTCHours()} * * *`,
    for: '3h',
    timeZone: 'UTC',
    reason: 'nightly batch',
  }
  let offset = 0
  const tenant = world.tenant(
    environmentSchema.parse({ createNamespace: true, breakGlass: ['dan'], freezes: [window], ...over }),
  )
  const replica = await tenant.replica({
    people,
    clock: {
      now: () => Date.now() + offset,
      sleep: async (ms, signal) => {
        if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
      },
    },
  })
  const jump = (ms: number) => {
    offset += ms
    replica.runner.wake()
  }
  jump(-2 * hour)
  await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
  return { tenant, replica, jump }
}

const ship = async (replica: TestReplica, tenant: Tenant, more: object) =>
  (await replica.core.request(admin, ask({ app: tenant.name, ...more }))).deploy

const words =
  /^staging is frozen until [A-Z][a-z]{2} \d\d:\d\d UTC: nightly batch, as gkube\.yaml has it\. Named people may override: @Dan\.$/

it('holds what waits until it ends, says so, and lets rollbacks and named people through', async () => {
  const { tenant, replica, jump } = await setUp()
  expect(await replica.core.freezes(admin)).toEqual([])
  for (const revision of ['1', '2'])
    expect(await ended(tenant, (await ship(replica, tenant, { revision })).id)).toMatchObject({
      phase: 'succeeded',
    })
  jump(2 * hour)
  const { id } = await ship(replica, tenant, { revision: '3' })
  await phaseOf(tenant, id, one => one.phase === 'ready')
  expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(words)
  const [status] = await replica.core.status(admin, { app: tenant.name })
  expect(status?.freeze).toMatchObject({ reason: 'nightly batch', recurring: { for: '3h' } })
  expect(await replica.core.freezes(admin)).toMatchObject([{ environment: place, reason: 'nightly batch' }])
  const [row] = await replica.core.freezeWindows(admin)
  expect(row?.holdsUntil).toBeGreaterThan(Date.now())
  await expect(ship(replica, tenant, { revision: '4', wait: false })).rejects.toThrow(words)
  await expect(replica.core.unfreeze(admin, { environment: place, reason: '' })).rejects.toThrow(
    /ends by itself; only environments\.staging\.freezes in gkube\.yaml can change it/,
  )
  // Back to what worked.
  const back = await ship(replica, tenant, { kind: 'rollback', revision: '1' })
  expect(await ended(tenant, back.id)).toMatchObject({ phase: 'succeeded' })
  await until(() => !replica.view.live.deploys.has(back.id))
  expect(replica.view.live.deploys.get(id)?.value.phase).toBe('ready')
  // Nothing was written for it, so nothing has to be taken away when it is over.
  expect((await tenant.kv.list(tenant.keys.freezes)).entries).toEqual([])
  jump(3 * hour)
  expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded', revision: '3', overridden: null })
  expect(await replica.core.freezes(admin)).toEqual([])
  expect(await leftovers(tenant)).toEqual([])
  await replica.stop()
})

it('is overridden by a person whom the environment names', async () => {
  const { tenant, replica, jump } = await setUp()
  jump(2 * hour)
  const { id } = await ship(replica, tenant, { revision: '1' })
  await phaseOf(tenant, id, one => one.phase === 'ready')
  await expect(replica.core.override(admin, id, { reason: 'x' })).rejects.toThrow(/Who may: @Dan\./)
  await replica.core.override(dan, id, { reason: 'the shop is down' })
  expect(await ended(tenant, id)).toMatchObject({
    phase: 'succeeded',
    overridden: { reason: 'the shop is down' },
  })
  await replica.stop()
})

it('beside a freeze by a person: when that is lifted the window still holds', async () => {
  const { tenant, replica, jump } = await setUp()
  jump(2 * hour)
  await replica.core.freeze(admin, { environment: place, reason: 'moving', endsIn: '24h' })
  await until(() => replica.view.live.freezes.size === 1)
  const { id } = await ship(replica, tenant, { revision: '1' })
  await phaseOf(tenant, id, one => one.phase === 'ready')
  expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(/moving, by @/)
  expect(await replica.core.freezes(admin)).toHaveLength(2)
  await replica.core.unfreeze(admin, { environment: place, reason: '' })
  await until(() => replica.view.live.freezes.size === 0)
  expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(words)
  jump(3 * hour)
  expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
  await replica.stop()
})
