// A cancel that was answered is honoured, whatever happens at the same moment; and what a step left in the middle is
// in the inventory, so that going back and deleting leave nothing behind.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError, type KubeObject } from '../../../src/core/cluster.ts'
import type { Registry } from '../../../src/core/freezing.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { admin, ask } from '../../support/stack.ts'
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

const noFiles = { files: [] }
const register = (replica: TestReplica, tenant: Tenant, over = {}) =>
  replica.core.applyApp(admin, tenant.app(over), { dryRun: false })

async function ship(replica: TestReplica, tenant: Tenant, revision: string) {
  const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision }))
  return ended(tenant, deploy.id)
}

/** A registry that answers when it is told to. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  const registry: Registry = {
    resolve: async () => {
      await opened
      return { kind: 'unavailable', message: 'a test' }
    },
  }
  return { registry, open }
}

describe('cancelled while it is prepared', () => {
  it('ends before anything is written', async () => {
    const tenant = world.tenant()
    const { registry, open } = gate()
    const replica = await tenant.replica({ registry })
    await register(replica, tenant)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'preparing')
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    open()
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled', cancelledBy: { name: 'ana' } })
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('in the very moment that preparing ends: it is not swept away unread', async () => {
    const tenant = world.tenant()
    const other = await tenant.replica({ environments: new Map(tenant.environments) })
    await register(other, tenant)
    await other.stop()
    let cancelled = false
    const late = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        const ready = commit.writes.find(write => write.kind === 'put' && /"phase":"ready"/.test(write.value))
        if (ready && !cancelled) {
          cancelled = true
          await other.core.cancel(admin, ready.key.split('/').at(-1) ?? '', { reason: 'wrong' })
        }
        return kv.commit(commit)
      },
    })
    const replica = await tenant.replica({ kv: late })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled' })
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('just after preparing ended: nobody owns it, so it ends at once', async () => {
    const tenant = world.tenant()
    const { registry, open } = gate()
    const worker = await tenant.replica({ registry })
    await register(worker, tenant)
    await worker.core.lock(admin, {
      environment: place,
      app: tenant.name,
      reason: 'wait',
      expiresIn: '1h',
      steal: false,
    })
    const { deploy } = await worker.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'preparing')
    const late = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        if (commit.writes.some(write => write.key.startsWith(tenant.keys.intents))) {
          open()
          await phaseOf(tenant, deploy.id, d => d.phase === 'ready')
        }
        return kv.commit(commit)
      },
    })
    const asking = await tenant.replica({ kv: late })
    await asking.core.cancel(admin, deploy.id, { reason: 'wrong' })
    expect(await ended(tenant, deploy.id, 2)).toMatchObject({ phase: 'cancelled' })
    expect(await leftovers(tenant)).toEqual([])
    await Promise.all([asking.stop(), worker.stop()])
  })
})

/** The cluster does not take these kinds: no answer. */
const without =
  (kinds: readonly string[], on: () => boolean) =>
  (cluster: Cluster): Cluster => {
    const refuse = async (object: KubeObject) => {
      if (on() && kinds.includes(object.kind)) throw new ClusterError('unavailable', 'no answer')
    }
    return {
      ...cluster,
      create: async (object, options) => {
        await refuse(object)
        return cluster.create(object, options)
      },
      apply: async (object, options) => {
        await refuse(object)
        return cluster.apply(object, options)
      },
    }
  }

describe('cancelled in the middle of writing', () => {
  it('whoever cancels changes their mind as it goes back: the last word counts', async () => {
    const tenant = world.tenant()
    const asking = await tenant.replica()
    await register(asking, tenant)
    await ship(asking, tenant, '1')
    await asking.stop()
    let changed = 0
    const late = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        const back = commit.writes.find(
          write => write.kind === 'put' && /"phase":"rolling_back"/.test(write.value),
        )
        if (back && changed++ === 0)
          await asking.core.cancel(admin, back.key.split('/').at(-1) ?? '', {
            reason: 'look at it first',
            onCancel: 'hold',
          })
        return kv.commit(commit)
      },
    })
    const replica = await tenant.replica({ kv: late, cluster: without(['Deployment'], () => true) })
    await register(replica, tenant, noFiles)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'running')
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong', onCancel: 'rollback' })
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled', rollback: null })
    expect(changed).toBe(1)
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('a create keeps what it made in the inventory, and a delete leaves nothing', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica({ cluster: without(['Deployment'], () => true) })
    await register(replica, tenant)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await until(async () => (await onCluster(tenant)).length === 2)
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled', rollback: null })
    const there = await onCluster(tenant)
    expect(there).toHaveLength(2)
    expect(inInventory(await workloadOf(tenant))).toEqual(there)
    const gone = await replica.core.request(admin, ask({ kind: 'delete', app: tenant.name }))
    expect(await ended(tenant, gone.deploy.id)).toMatchObject({ phase: 'succeeded' })
    expect(await onCluster(tenant)).toEqual([])
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('an update goes back, and what only it made is gone', async () => {
    const tenant = world.tenant()
    let away = false
    const replica = await tenant.replica({ cluster: without(['Deployment'], () => away) })
    await register(replica, tenant, noFiles)
    await ship(replica, tenant, '1')
    const before = await onCluster(tenant)
    await register(replica, tenant)
    away = true
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    await until(async () => (await onCluster(tenant)).length > before.length)
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    await phaseOf(tenant, deploy.id, d => d.phase === 'rolling_back')
    away = false
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled', rollback: { revision: '1' } })
    expect(await onCluster(tenant)).toEqual(before)
    expect(inInventory(await workloadOf(tenant))).toEqual(before)
    expect(await liveImage(tenant)).toMatch(/:1$/)
    await replica.stop()
  })

  it('also when its owner died there, and the next one finds the cancel first', async () => {
    const tenant = world.tenant()
    const first = await tenant.replica({ cluster: without(['Deployment'], () => true) })
    await register(first, tenant)
    const { deploy } = await first.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await until(async () => (await onCluster(tenant)).length === 2)
    await first.crash()
    const key = tenant.keys.intent(deploy.id, 'cancel')
    const by = { id: 'token:ana', name: 'ana', via: 'cli' }
    await tenant.kv.commit({
      compares: [{ kind: 'absent', key }],
      writes: [
        {
          kind: 'put',
          key,
          value: JSON.stringify({ schema: 1, kind: 'cancel', by, reason: '', at: 1 }),
        },
      ],
    })
    const second = await tenant.replica()
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled' })
    expect(inInventory(await workloadOf(tenant))).toEqual(await onCluster(tenant))
    await second.stop()
  })

  it('before anything was written: nothing is rolled back', async () => {
    const tenant = world.tenant()
    let away = false
    const replica = await tenant.replica({
      cluster: cluster => ({
        ...cluster,
        peek: async ref => {
          if (away) throw new ClusterError('unavailable', 'no answer')
          return cluster.peek(ref)
        },
      }),
    })
    await register(replica, tenant)
    await ship(replica, tenant, '1')
    away = true
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'running')
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'cancelled', rollback: null })
    expect(await workloadOf(tenant)).toMatchObject({ revision: '1' })
    await replica.stop()
  })
})

describe('a delete that something holds up', () => {
  it('asks the cluster now and then, and can be cancelled', async () => {
    const tenant = world.tenant()
    let gets = 0
    const replica = await tenant.replica({
      cluster: cluster => ({
        ...cluster,
        // As with a finalizer: the object does not go.
        remove: async () => undefined,
        get: async ref => {
          gets++
          return cluster.get(ref)
        },
      }),
    })
    await register(replica, tenant)
    await ship(replica, tenant, '1')
    const { deploy } = await replica.core.request(admin, ask({ kind: 'delete', app: tenant.name }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'running')
    await until(() => gets > 3)
    const asked = gets
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    expect(await ended(tenant, deploy.id, 5)).toMatchObject({ phase: 'cancelled' })
    expect(gets - asked).toBeLessThan(20)
    expect(await workloadOf(tenant)).toMatchObject({ revision: '1', state: 'ready' })
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })
})
