// The automatic rollback in every way to fail: once, never in a loop, gone on with after a crash, as the environment or
// the person who cancels says; and the lock that it leaves behind. On real etcd and the stand-in cluster.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError } from '../../../src/core/cluster.ts'
import { lockSchema } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { read } from '../../../src/core/records.ts'
import { admin, ask, callerWith } from '../../support/stack.ts'
import {
  ended,
  inInventory,
  leftovers,
  liveImage,
  onCluster,
  phaseOf,
  place,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
  workloadOf,
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const request = async (replica: TestReplica, tenant: Tenant, revision: string): Promise<string> =>
  (await replica.core.request(admin, ask({ app: tenant.name, revision }))).deploy.id
const ship = async (replica: TestReplica, tenant: Tenant, revision: string): Promise<Deploy> =>
  ended(tenant, await request(replica, tenant, revision))

/** A replica with an app whose revision 1 runs. */
async function running(tenant: Tenant, options: Parameters<Tenant['replica']>[0] = {}, app: object = {}) {
  const replica = await tenant.replica(options)
  await replica.core.applyApp(admin, tenant.app({ ...app }), { dryRun: false })
  expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'succeeded' })
  return replica
}

/** How often each step of going back began. */
const backs = (deploy: Deploy) =>
  deploy.steps.filter(({ name }) => name === 'restore' || name === 'recover').map(({ name }) => name)

/** All is as revision 1 left it, and nothing is held any more. */
async function asBefore(tenant: Tenant, before: readonly string[]) {
  expect(await liveImage(tenant)).toMatch(/:1$/)
  expect(await onCluster(tenant)).toEqual(before)
  expect(inInventory(await workloadOf(tenant))).toEqual(before)
  expect(await workloadOf(tenant)).toMatchObject({ revision: '1', state: 'ready' })
  expect(await leftovers(tenant)).toEqual([])
}

/** Writes of Deployments go through `on`; what it throws is what the cluster answers. */
const deployments =
  (on: (verb: 'apply' | 'create') => Promise<void>) =>
  (cluster: Cluster): Cluster => ({
    ...cluster,
    apply: async (object, options) => {
      if (object.kind === 'Deployment') await on('apply')
      return cluster.apply(object, options)
    },
    create: async (object, options) => {
      if (object.kind === 'Deployment') await on('create')
      return cluster.create(object, options)
    },
  })
const refuse = async () => {
  throw new ClusterError('forbidden', 'admission webhook said no')
}
const never = () => new Promise<never>(() => undefined)

/** Calls back when a commit carries this text, before it is made. */
const onCommit =
  (text: string, call: () => void) =>
  (kv: Kv): Kv => ({
    ...kv,
    commit: async commit => {
      if (commit.writes.some(write => write.kind === 'put' && write.value.includes(text))) call()
      return kv.commit(commit)
    },
  })
const goingBack = '"phase":"rolling_back"'

describe('a deploy that fails goes back, once', () => {
  it('in apply, with half of it written', async () => {
    const tenant = world.tenant()
    let refusals = 0
    const cluster = deployments(async () => {
      if (refusals-- > 0) await refuse()
    })
    const replica = await running(tenant, { cluster }, { files: [] })
    const before = await onCluster(tenant)
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    refusals = 1
    const deploy = await ship(replica, tenant, '2')
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'forbidden', rollback: { revision: '1' } })
    expect(backs(deploy)).toEqual(['restore', 'recover'])
    await asBefore(tenant, before)
    await replica.stop()
  })

  it('in rollout', async () => {
    const tenant = world.tenant()
    const replica = await running(tenant)
    const before = await onCluster(tenant)
    const deploy = await ship(replica, tenant, 'crash')
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'crash_loop', rollback: { revision: '1' } })
    expect(backs(deploy)).toEqual(['restore', 'recover'])
    await asBefore(tenant, before)
    await replica.stop()
  })

  it('in after', async () => {
    const tenant = world.tenant()
    const replica = await running(tenant, {}, { hooks: {} })
    const before = await onCluster(tenant)
    const after = { name: 'smoke', command: ['sh', '-c', 'exit 3'], timeout: '5m' }
    await replica.core.applyApp(admin, tenant.app({ hooks: { after } }), { dryRun: false })
    const deploy = await ship(replica, tenant, '2')
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'job_failed' })
    expect(backs(deploy)).toEqual(['restore', 'recover'])
    await asBefore(tenant, before)
    await replica.stop()
  })

  it('after its owner died in apply: what that one wrote is not known, so it is put back', async () => {
    const tenant = world.tenant()
    let dies = false
    let reached = () => {}
    const there = new Promise<void>(resolve => {
      reached = resolve
    })
    const first = await running(tenant, {
      cluster: deployments(async () => {
        if (!dies) return
        reached()
        await never()
      }),
    })
    const before = await onCluster(tenant)
    dies = true
    const id = await request(first, tenant, '2')
    await there
    await first.crash()
    // The next owner is refused at its first write, and then not any more.
    let refused = 0
    const second = await tenant.replica({
      cluster: deployments(async () => void (refused++ === 0 && (await refuse()))),
    })
    const deploy = await ended(tenant, id)
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'forbidden' })
    expect(backs(deploy)).toEqual(['restore', 'recover'])
    await asBefore(tenant, before)
    await second.stop()
  })
})

describe('a crash while it goes back', () => {
  it.each(['restore', 'recover'] as const)(
    'in %s: the next owner goes on, and does not begin anew',
    async step => {
      const tenant = world.tenant()
      let back = false
      // Applied and then heard of no more; or applied, and no look at the pods is answered.
      const first = await running(tenant, {
        kv: onCommit(goingBack, () => {
          back = true
        }),
        cluster: cluster => ({
          ...cluster,
          apply: async (object, options) => {
            const done = await cluster.apply(object, options)
            if (back && step === 'restore' && object.kind === 'Deployment') await never()
            return done
          },
          list: async query =>
            back && step === 'recover' && query.kind === 'Pod' ? never() : cluster.list(query),
          get: async ref =>
            back && step === 'recover' && ref.kind === 'Deployment' ? never() : cluster.get(ref),
        }),
      })
      const before = await onCluster(tenant)
      const id = await request(first, tenant, 'crash')
      const at = await phaseOf(tenant, id, deploy =>
        deploy.steps.some(({ name, state }) => name === step && state === 'running'),
      )
      await first.crash()
      const second = await tenant.replica()
      const deploy = await ended(tenant, id)
      expect(deploy).toMatchObject({
        phase: 'rolled_back',
        reason: 'crash_loop',
        epoch: at.epoch + 1,
        rollback: { attemptedAt: at.rollback?.attemptedAt, revision: '1' },
      })
      expect(backs(deploy)).toEqual(['restore', 'recover'])
      await asBefore(tenant, before)
      await second.stop()
    },
  )
})

describe('going back fails', () => {
  it.each([
    ['in restore', 'forbidden'],
    ['in recover', 'deadline'],
  ] as const)('%s: it ends there, and the next deploy is free to go', async (where, reason) => {
    const tenant = world.tenant()
    let back = false
    let applied = 0
    const replica = await running(
      tenant,
      {
        kv: onCommit(goingBack, () => {
          back = true
        }),
        cluster: cluster => ({
          ...cluster,
          apply: async (object, options) => {
            if (!back || object.kind !== 'Deployment') return cluster.apply(object, options)
            applied++
            if (where === 'in restore') return refuse() as never
            // What is put back never comes up: as if its image were gone meanwhile.
            return cluster.apply(JSON.parse(JSON.stringify(object).replace(/:1"/g, ':crash"')), options)
          },
        }),
      },
      {},
    )
    const deploy = await ship(replica, tenant, 'crash')
    expect(deploy).toMatchObject({ phase: 'rollback_failed' })
    expect(backs(deploy).slice(0, 2)).toEqual(['restore', 'recover'])
    expect(applied).toBeLessThanOrEqual(2)
    if (where === 'in restore') expect(deploy.reason).toBe(reason)
    expect(await leftovers(tenant)).toEqual([])
    back = false
    expect(await ship(replica, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    await replica.stop()
  })
})

describe('where the environment says otherwise', () => {
  it.each(['hold', 'ask'] as const)('%s: it is left as it is, and a person goes back', async onFailure => {
    const tenant = world.tenant({ onFailure })
    const replica = await running(tenant)
    const deploy = await ship(replica, tenant, 'crash')
    expect(deploy).toMatchObject({ phase: 'failed', reason: 'crash_loop', rollback: null })
    expect(await liveImage(tenant)).toMatch(/:crash$/)
    const { deploy: back } = await replica.core.request(admin, ask({ kind: 'rollback', app: tenant.name }))
    expect(await ended(tenant, back.id)).toMatchObject({ phase: 'succeeded', revision: '1' })
    expect(await liveImage(tenant)).toMatch(/:1$/)
    await replica.stop()
  })

  it.each([
    { rollback: false, phase: 'succeeded' },
    { rollback: true, phase: 'awaiting_approval' },
  ])('a rollback by a person, where approvals.rollback is $rollback: $phase', async ({ rollback, phase }) => {
    const tenant = world.tenant()
    const replica = await running(tenant)
    expect(await ship(replica, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    const environment = tenant.environments.get(place)
    if (!environment) throw new Error('no environment')
    const approvals = { ...environment.approvals, required: 1, rollback }
    tenant.environments.set(place, { ...environment, approvals })
    const { deploy } = await replica.core.request(
      admin,
      ask({ kind: 'rollback', app: tenant.name, revision: '1' }),
    )
    expect(await phaseOf(tenant, deploy.id, one => one.phase === phase)).toMatchObject({ kind: 'rollback' })
    await replica.stop()
  })

  it('two that fail after each other: both know what worked last, and a first one that nothing did', async () => {
    const tenant = world.tenant({ onFailure: 'ask' })
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const goods: unknown[] = []
    for (const revision of ['crash', 'crash-1', '1', '2', 'crash-2', 'crash-3']) {
      const { prepared } = await ship(replica, tenant, revision)
      goods.push([revision, prepared?.base.revision, prepared?.base.good])
    }
    expect(goods).toEqual([
      ['crash', '', undefined],
      ['crash-1', 'crash', null],
      ['1', 'crash-1', null],
      ['2', '1', undefined],
      ['crash-2', '2', undefined],
      ['crash-3', 'crash-2', '2'],
    ])
    await replica.stop()
  })

  it('a first deploy has nothing to go back to', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    expect(await ship(replica, tenant, 'crash')).toMatchObject({ phase: 'failed', reason: 'no_known_good' })
    await replica.stop()
  })
})

describe('cancelled while it runs', () => {
  it.each([
    { policy: 'rollback', asks: undefined, goesBack: true },
    { policy: 'hold', asks: undefined, goesBack: false },
    { policy: 'rollback', asks: 'hold', goesBack: false },
    { policy: 'hold', asks: 'rollback', goesBack: true },
  ] as const)('the environment says $policy, the person $asks', async ({ policy, asks, goesBack }) => {
    const tenant = world.tenant({ onCancel: policy })
    const replica = await running(tenant)
    const before = await onCluster(tenant)
    const id = await request(replica, tenant, 'slow')
    await phaseOf(tenant, id, deploy =>
      deploy.steps.some(({ name, state }) => name === 'rollout' && state === 'running'),
    )
    await replica.core.cancel(admin, id, { reason: 'wrong', onCancel: asks })
    const deploy = await ended(tenant, id)
    expect(deploy).toMatchObject({ phase: 'cancelled', cancelledBy: { name: 'ana' } })
    if (goesBack) {
      expect(backs(deploy)).toEqual(['restore', 'recover'])
      await asBefore(tenant, before)
    } else {
      expect(deploy.rollback).toBeNull()
      expect(await liveImage(tenant)).toMatch(/:slow$/)
      expect(await leftovers(tenant)).toEqual([])
    }
    await replica.stop()
  })

  it('whoever asks again may change their mind; somebody else may not', async () => {
    const tenant = world.tenant()
    // Its owner does not hear of the cancel: it hangs in a call, and dies over it.
    let reached = () => {}
    const there = new Promise<void>(resolve => {
      reached = resolve
    })
    let dies = false
    const first = await running(tenant, {
      cluster: deployments(async () => {
        if (!dies) return
        reached()
        await never()
      }),
    })
    dies = true
    const id = await request(first, tenant, '2')
    await there
    const asking = await tenant.replica({ environments: new Map(tenant.environments) })
    await asking.core.cancel(admin, id, { reason: 'wrong', onCancel: 'rollback' })
    await asking.core.cancel(admin, id, { reason: 'let me look', onCancel: 'hold' })
    await asking.core.cancel(admin, id, { reason: 'again' })
    await expect(
      asking.core.cancel(callerWith('ben', 'admin'), id, { reason: 'no, back', onCancel: 'rollback' }),
    ).rejects.toMatchObject({ kind: 'conflict' })
    await first.crash()
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled', rollback: null })
    expect(await leftovers(tenant)).toEqual([])
    await asking.stop()
  })
})

describe('afterRollback: lock', () => {
  const lockOf = async (tenant: Tenant) =>
    (await read(tenant.kv, lockSchema, tenant.keys.lockApp(place, tenant.name)))?.value ?? null

  it('the app is locked with the reason until a person unlocks it', async () => {
    const tenant = world.tenant({ afterRollback: 'lock' })
    const replica = await running(tenant)
    const deploy = await ship(replica, tenant, 'crash')
    expect(deploy).toMatchObject({ phase: 'rolled_back', locked: true })
    expect(await lockOf(tenant)).toMatchObject({
      by: { id: 'gkube', name: 'gkube' },
      reason: expect.stringMatching(/^crash failed and was rolled back: /),
      expiresAt: null,
      deploy: deploy.id,
    })
    await until(() => replica.view.live.locks.size === 1)
    const id = await request(replica, tenant, '2')
    await phaseOf(tenant, id, one => one.phase === 'ready')
    expect((await replica.core.showDeploy(admin, id)).waiting).toMatch(
      /is locked by gkube: crash failed and was rolled back: .* \(until somebody unlocks it\)\. An operator can unlock it\.$/,
    )
    // Who goes back has looked.
    const { deploy: back } = await replica.core.request(
      admin,
      ask({ kind: 'rollback', app: tenant.name, revision: '1', wait: false }),
    )
    expect(await ended(tenant, back.id)).toMatchObject({ phase: 'succeeded' })
    // No time ends it.
    await replica.sweeper.sweep()
    expect(await lockOf(tenant)).not.toBeNull()
    const place_ = { environment: place, app: tenant.name }
    await expect(
      replica.core.unlock(callerWith('ci', 'deployer'), { ...place_, reason: '' }),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    await replica.core.unlock(admin, { ...place_, reason: 'looked at it' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    // Nobody lost a lock of theirs.
    expect((await tenant.kv.list(tenant.keys.notices)).entries).toEqual([])
    await replica.stop()
  })

  it('a lock of a person that is there stays theirs, also one that comes at that very moment', async () => {
    const tenant = world.tenant({ afterRollback: 'lock' })
    let raced = 0
    const asking = await tenant.replica({ environments: new Map(tenant.environments) })
    await asking.stop()
    const replica = await running(tenant, {
      kv: kv => ({
        ...kv,
        commit: async commit => {
          const ends = commit.writes.some(
            write => write.kind === 'put' && write.value.includes('"phase":"rolled_back"'),
          )
          if (ends && raced++ === 0)
            await asking.core.lock(admin, {
              environment: place,
              app: tenant.name,
              reason: 'mine',
              expiresIn: '1h',
              steal: false,
            })
          return kv.commit(commit)
        },
      }),
    })
    const deploy = await ship(replica, tenant, 'crash')
    expect(deploy).toMatchObject({ phase: 'rolled_back', locked: true })
    // Once by the race alone: the end of the deploy was written again at once, by the same owner.
    expect({ raced, epoch: deploy.epoch }).toEqual({ raced: 2, epoch: 2 })
    // Somebody has to look, as the message says: theirs does not end by itself any more.
    const lock = await lockOf(tenant)
    expect(lock).toMatchObject({
      by: { name: 'ana' },
      reason: expect.stringMatching(/^mine; crash failed and was rolled back: /),
      expiresAt: null,
    })
    expect(lock).not.toHaveProperty('nagAt')
    expect(lock).not.toHaveProperty('deploy')
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('a record that this version cannot read does not keep a deploy from its end', async () => {
    const tenant = world.tenant({ afterRollback: 'lock' })
    const key = tenant.keys.lockApp(place, tenant.name)
    const replica = await running(tenant, {
      kv: onCommit(goingBack, () => {
        void tenant.kv.commit({
          compares: [],
          writes: [{ kind: 'put', key, value: '{"schema":9}' }],
          repeatable: true,
        })
      }),
    })
    expect(await ship(replica, tenant, 'crash')).toMatchObject({ phase: 'rolled_back' })
    expect((await tenant.kv.get(key))?.value).toBe('{"schema":9}')
    await replica.stop()
  })
})
