// Locks on a real etcd: taken while a deploy waits, also in the very moment of its claim; their owner hears before they
// end, once, and when somebody takes them over; none outlives its time or a crash.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/core/clock.ts'
import { type Caller, type Lock, lockSchema } from '../../../src/core/core.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { type Notice, noticeSchema } from '../../../src/core/notices.ts'
import { decode, read } from '../../../src/core/records.ts'
import { admin, ask, callerWith } from '../../support/stack.ts'
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
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const hour = 3_600_000
const ben: Caller = { ...callerWith('ben', 'operator'), person: 'ben' }
const cho = callerWith('cho', 'operator')

const lockOf = (tenant: Tenant) =>
  read(tenant.kv, lockSchema, tenant.keys.lockApp(place, tenant.name)).then(stored => stored?.value ?? null)
const input = (tenant: Tenant, over: { reason?: string; expiresIn?: string; steal?: boolean } = {}) => ({
  environment: place,
  app: tenant.name,
  reason: 'debugging',
  expiresIn: '1h',
  steal: false,
  ...over,
})
const notices = async (tenant: Tenant): Promise<Notice[]> =>
  (await tenant.kv.list(tenant.keys.notices)).entries.map(entry => decode(noticeSchema, entry).value)
const audits = async (tenant: Tenant): Promise<Record<string, unknown>[]> =>
  (await tenant.kv.list(tenant.keys.auditIn(place))).entries.map(entry => JSON.parse(entry.value))
const ship = async (replica: TestReplica, tenant: Tenant, revision = '1') =>
  (await replica.core.request(admin, ask({ app: tenant.name, revision }))).deploy.id

/** A clock that can be moved. */
function movable(): Clock & { jump(ms: number): void } {
  let offset = 0
  return {
    now: () => Date.now() + offset,
    sleep: async (ms, signal) => {
      if (!signal?.aborted) await wait(ms, undefined, { signal }).catch(() => undefined)
    },
    jump: ms => {
      offset += ms
    },
  }
}

describe('a lock that comes while a deploy waits', () => {
  it('holds it, also where it comes in the very moment of the claim', async () => {
    const tenant = world.tenant()
    const other = await tenant.replica({ environments: new Map() })
    let raced = 0
    const late = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        const claims = commit.writes.some(write => write.key.startsWith(tenant.keys.slotsAll))
        if (claims && raced++ === 0) {
          // Nothing of it is in this replica's view yet.
          await tenant.kv.commit({
            compares: [],
            writes: [
              {
                kind: 'put',
                key: tenant.keys.lockApp(place, tenant.name),
                value: JSON.stringify({
                  schema: 1,
                  scope: 'app',
                  environment: place,
                  app: tenant.name,
                  by: { id: 'slack:U1', name: 'ben' },
                  reason: 'debugging',
                  at: Date.now(),
                  expiresAt: Date.now() + hour,
                } satisfies Lock),
              },
            ],
            repeatable: true,
          })
        }
        return kv.commit(commit)
      },
    })
    const replica = await tenant.replica({ kv: late })
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const id = await ship(replica, tenant)
    await until(async () => raced > 0 && replica.view.live.locks.size === 1)
    expect(await phaseOf(tenant, id, deploy => deploy.phase === 'ready')).toMatchObject({ epoch: 0 })
    expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(/is locked by ben: debugging/)
    await replica.core.unlock(admin, { environment: place, app: tenant.name, reason: '' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    expect(await leftovers(tenant)).toEqual([])
    await Promise.all([replica.stop(), other.stop()])
  })

  it.each([
    ['its environment', { environment: place }],
    ['everything', {}],
  ])('also a lock of %s', async (_, scope) => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const lock = { ...scope, reason: 'moving', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, lock)
    await until(() => replica.view.live.locks.size === 1)
    const id = await ship(replica, tenant)
    await phaseOf(tenant, id, deploy => deploy.phase === 'ready')
    expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(/locked by .*: moving/)
    await replica.core.unlock(admin, { ...scope, reason: '' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    await replica.stop()
  })
})

describe('a lock that ends', () => {
  it('its owner hears an hour before, once, whichever replicas sweep', async () => {
    const tenant = world.tenant()
    const clocks = [movable(), movable(), movable()]
    const replicas = await Promise.all(clocks.map(clock => tenant.replica({ clock })))
    const sweep = () => Promise.all(replicas.map(replica => replica.sweeper.sweep()))
    const [first] = replicas
    if (!first) throw new Error('no replica')
    await first.core.lock(ben, input(tenant, { expiresIn: '24h' }))
    await until(() => replicas.every(replica => replica.view.live.locks.size === 1))
    for (const clock of clocks) clock.jump(23 * hour - 60_000)
    await sweep()
    expect(await notices(tenant)).toEqual([])
    for (const clock of clocks) clock.jump(120_000)
    await sweep()
    // What one told is not in the view of another yet, or is by now.
    await sweep()
    const told = await notices(tenant)
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({
      kind: 'lock_ends',
      to: { id: ben.actor.id, name: 'ben', person: 'ben' },
      environment: place,
      lock: `${place}/${tenant.name}`,
      text: expect.stringMatching(
        new RegExp(`^Your lock of ${tenant.name} in staging ends in 59 min \\(.* UTC\\): debugging\\.`),
      ),
    })
    // It holds on until its end, then it is gone.
    expect(await lockOf(tenant)).not.toHaveProperty('nagAt')
    for (const clock of clocks) clock.jump(hour)
    await until(() =>
      replicas.every(one => [...one.view.live.locks.values()].every(lock => !lock.value.nagAt)),
    )
    await sweep()
    expect(await lockOf(tenant)).toBeNull()
    expect(await notices(tenant)).toHaveLength(1)
    await Promise.all(replicas.map(replica => replica.stop()))
  })

  it('holds nothing from that moment on, where nobody sweeps', async () => {
    const tenant = world.tenant()
    const clock = movable()
    const replica = await tenant.replica({ clock })
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    await replica.core.lock(ben, input(tenant))
    await until(() => replica.view.live.locks.size === 1)
    const id = await ship(replica, tenant)
    await phaseOf(tenant, id, deploy => deploy.phase === 'ready')
    clock.jump(hour + 1)
    replica.runner.wake()
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    // Expired is nobody's: whoever locks now takes nothing from anybody.
    await replica.core.lock(cho, input(tenant, { reason: 'mine now' }))
    expect((await audits(tenant)).filter(({ action }) => action === 'lock')).toMatchObject([
      { outcome: 'locked' },
      { outcome: 'locked' },
    ])
    expect(await notices(tenant)).toEqual([])
    await replica.stop()
  })
})

describe('somebody else’s lock', () => {
  it('is taken over with a reason: audited, and told to the one who lost it', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.lock(ben, input(tenant))
    await expect(replica.core.lock(cho, input(tenant, { reason: 'mine' }))).rejects.toMatchObject({
      kind: 'held',
      message: expect.stringMatching(/locked by ben: debugging .* To take it over: --steal\./),
    })
    await replica.core.lock(cho, input(tenant, { reason: 'shop is down', steal: true }))
    expect(await lockOf(tenant)).toMatchObject({ by: { name: 'cho' }, reason: 'shop is down' })
    expect(await notices(tenant)).toMatchObject([
      {
        kind: 'lock_lost',
        to: { id: ben.actor.id },
        environment: place,
        text: expect.stringMatching(
          /^@cho took over your lock of web-\d+ in staging: shop is down\. You had locked it: debugging, until .* UTC\.$/,
        ),
      },
    ])
    expect((await audits(tenant)).at(-1)).toMatchObject({
      action: 'lock',
      outcome: 'stolen',
      by: { name: 'cho' },
      detail: 'shop is down (from ben: debugging)',
    })
    await replica.stop()
  })

  it('is unlocked by an operator, and told', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.lock(ben, input(tenant))
    await expect(
      replica.core.unlock(callerWith('vic', 'deployer'), {
        environment: place,
        app: tenant.name,
        reason: '',
      }),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    await replica.core.unlock(cho, { environment: place, app: tenant.name, reason: 'done?' })
    expect((await notices(tenant)).map(({ text }) => text)).toEqual([
      expect.stringMatching(/^@cho unlocked web-\d+ in staging: done\?\. You had locked it: debugging/),
    ])
    await replica.stop()
  })

  it('of an environment that is gone is unlocked by who may everywhere: nothing stays locked for ever', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.lock(ben, input(tenant))
    tenant.environments.delete(place)
    const later = await tenant.replica({ environments: new Map() })
    const where = { environment: place, app: tenant.name, reason: '' }
    const here = { ...cho, grants: [{ role: 'operator' as const, apps: ['*'], environments: [place] }] }
    await expect(later.core.unlock(here, where)).rejects.toMatchObject({ kind: 'forbidden' })
    await later.core.unlock(admin, where)
    expect(await lockOf(tenant)).toBeNull()
    await Promise.all([replica.stop(), later.stop()])
  })

  it('one and the same person by Slack and by a token takes nothing over', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.lock(ben, input(tenant))
    const inSlack: Caller = { ...ben, actor: { id: 'slack:U2', name: 'Ben', via: 'slack', person: 'ben' } }
    const byToken: Caller = { ...ben, actor: { ...ben.actor, person: 'ben' } }
    await replica.core.lock(byToken, input(tenant, { reason: 'still at it' }))
    await replica.core.lock(inSlack, input(tenant, { reason: 'longer', expiresIn: '4h' }))
    await replica.core.unlock(inSlack, { environment: place, app: tenant.name, reason: '' })
    expect(await notices(tenant)).toEqual([])
    await replica.stop()
  })
})

it('nothing is left locked by a crash: what its owner held is taken over and let go of', async () => {
  const tenant = world.tenant()
  let claimed = () => {}
  const began = new Promise<void>(resolve => {
    claimed = resolve
  })
  const first = await tenant.replica({
    cluster: cluster => ({
      ...cluster,
      create: async () => {
        claimed()
        return new Promise(() => undefined)
      },
    }),
  })
  await first.core.applyApp(admin, tenant.app(), { dryRun: false })
  const id = await ship(first, tenant)
  await began
  await first.crash()
  expect(await leftovers(tenant)).not.toEqual([])
  const second = await tenant.replica()
  expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded', epoch: 2 })
  expect(await leftovers(tenant)).toEqual([])
  expect((await tenant.kv.list(tenant.keys.locks)).entries).toEqual([])
  await second.stop()
})
