// Only the owner writes: one that was released, stopped or overtaken writes nothing more, neither to etcd nor to the
// cluster; and what is pruned is needed by nobody.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, type KubeObject, refOf } from '../../../src/core/cluster.ts'
import { objectHash } from '../../../src/core/hash.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { put } from '../../../src/core/records.ts'
import { Fenced } from '../../../src/core/replica.ts'
import { removeItem } from '../../../src/core/steps/remove.ts'
import { fenceAnnotation, type StepContext } from '../../../src/core/steps/step.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
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

const why = (tenant: Tenant) => ({ app: tenant.name, environment: place, reason: 'it hangs' })

async function ship(replica: TestReplica, tenant: Tenant, revision: string) {
  const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision }))
  return ended(tenant, deploy.id)
}

describe('released while its owner still works', () => {
  it('the owner writes nothing more, and the next deploy runs', async () => {
    const tenant = world.tenant()
    let held = true
    let waiting = () => {}
    const go = new Promise<void>(resolve => {
      waiting = resolve
    })
    const writes: string[] = []
    const holding = (cluster: Cluster): Cluster => ({
      ...cluster,
      create: async (object, options) => {
        writes.push(object.kind)
        // The second write hangs on its way to the server.
        if (held && object.kind === 'Service') await go
        return cluster.create(object, options)
      },
    })
    const owner = await tenant.replica({ cluster: holding })
    await owner.core.applyApp(admin, tenant.app(), { dryRun: false })
    const { deploy } = await owner.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await until(() => writes.includes('Service'))
    const operator = await tenant.replica()
    const { released } = await operator.core.release(admin, why(tenant))
    expect(released).toEqual([tenant.keys.deploy(deploy.id)])
    await until(() => !owner.view.live.owners.has(deploy.id))
    held = false
    waiting()
    await until(() => owner.runner.busy() === 0)
    expect(writes).not.toContain('Deployment')
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'failed', reason: 'released' })
    expect(await ship(operator, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    expect(await leftovers(tenant)).toEqual([])
    await Promise.all([owner.stop(), operator.stop()])
  })

  it('frees any number of deploys that wait, beyond what one transaction takes', async () => {
    const tenant = world.tenant({ queue: 'keep' })
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const lock = { environment: place, app: tenant.name, reason: 'wait', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, lock)
    const asked = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        replica.core.request(admin, ask({ app: tenant.name, revision: `1.${n}` })),
      ),
    )
    const last = asked.at(-1)?.deploy.id ?? ''
    await phaseOf(tenant, last, d => d.phase === 'ready')
    await until(() => replica.runner.busy() === 0)
    const { released } = await replica.core.release(admin, why(tenant))
    expect(released).toHaveLength(30)
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })
})

describe('a delete', () => {
  const service = (tenant: Tenant): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: tenant.name, namespace: place },
    spec: { ports: [{ port: 80 }] },
  })
  const context = (tenant: Tenant, cluster: Cluster = tenant.cluster) =>
    // Only these are read.
    ({
      cluster,
      deploy: { epoch: 3 },
      workload: { app: tenant.name, environment: place, inventory: [] },
    }) as unknown as StepContext
  const itemOf = (object: KubeObject) => ({
    ...refOf(object),
    uid: object.metadata.uid ?? '',
    hash: objectHash(object),
    seen: '',
  })
  let tenant: Tenant
  let made: KubeObject
  const there = () => world.cluster.get(refOf(made))
  beforeAll(async () => {
    const first = world.tenant()
    const replica = await first.replica()
    await replica.core.applyApp(admin, first.app(), { dryRun: false })
    await ship(replica, first, '1')
    await replica.stop()
    tenant = { ...first, name: `${first.name}-loose` }
    made = (await world.cluster.create(service(tenant))).object
  })

  it('of an older epoch is refused: the object belongs to a newer one', async () => {
    await world.cluster.stamp(refOf(made), { [fenceAnnotation]: '4' }, made.metadata.resourceVersion ?? '')
    await expect(removeItem(context(tenant), itemOf(made))).rejects.toThrow(Fenced)
    expect(await there()).not.toBeNull()
  })
  it('of an object that somebody writes at the same moment looks again first', async () => {
    const live = await there()
    await world.cluster.stamp(refOf(made), { [fenceAnnotation]: '1' }, live?.metadata.resourceVersion ?? '')
    let raced = false
    const racing: Cluster = {
      ...world.cluster,
      remove: async (ref, preconditions) => {
        if (!raced) {
          raced = true
          const now = await there()
          await world.cluster.stamp(ref, { [fenceAnnotation]: '9' }, now?.metadata.resourceVersion ?? '')
        }
        return world.cluster.remove(ref, preconditions)
      },
    }
    await expect(removeItem(context(tenant, racing), itemOf(made))).rejects.toThrow(Fenced)
    expect(await there()).not.toBeNull()
  })
  it('of what may never have been written takes only what is labelled as ours', async () => {
    const live = await there()
    await world.cluster.stamp(refOf(made), { [fenceAnnotation]: '1' }, live?.metadata.resourceVersion ?? '')
    await removeItem(context(tenant), { ...itemOf(made), uid: '' })
    expect(await there()).not.toBeNull()
    await removeItem(context(tenant), itemOf(made))
    expect(await there()).toBeNull()
  })
})

describe('history beyond its limit', () => {
  it('goes with its snapshots, but never with one that is needed', async () => {
    const tenant = world.tenant({ history: 5, channel: 'C0STAGING' })
    let before: (specs: readonly string[]) => Promise<void> = async () => undefined
    const watched = (kv: Kv): Kv => ({
      ...kv,
      async commit(commit) {
        const specs = commit.writes.flatMap(write =>
          write.kind === 'delete' && write.key.includes('/specs/') ? [write.key] : [],
        )
        if (specs.length > 0) await before(specs)
        return kv.commit(commit)
      },
    })
    const replica = await tenant.replica({ kv: watched })
    await replica.core.applyApp(admin, tenant.app({ files: [], ports: [] }), { dryRun: false })
    let last = await ship(replica, tenant, '1')
    for (const revision of ['2', '3', '4', '5', '6', '7', '8']) last = await ship(replica, tenant, revision)
    const specs = async () => (await tenant.kv.list(`${tenant.keys.root}specs/`)).entries.length
    expect(await specs()).toBe(8)

    // A deploy of an old revision writes its snapshot again at the moment that it would be deleted.
    before = async keys => {
      const key = keys[0] ?? ''
      const entry = await tenant.kv.get(key)
      const value = JSON.parse(entry?.value ?? '{}')
      await tenant.kv.commit({
        compares: [{ kind: 'present', key }],
        writes: [put(key, value)],
        repeatable: true,
      })
    }
    await replica.sweeper.prune(last)
    expect(await specs()).toBe(8)

    // So does a rollback that is asked for at that moment: what it goes to stays.
    const wait = { environment: place, app: tenant.name, reason: 'wait', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, wait)
    let asked = ''
    before = async () => {
      before = async () => undefined
      const back = ask({ kind: 'rollback', app: tenant.name, revision: '2' })
      asked = (await replica.core.request(admin, back)).deploy.id
    }
    await replica.sweeper.prune(last)
    const rollback = await phaseOf(tenant, asked, d => d.phase === 'ready')
    expect(await tenant.kv.get(tenant.keys.spec(rollback.params.spec ?? ''))).not.toBeNull()
    await replica.core.cancel(admin, asked, { reason: 'enough' })
    await ended(tenant, asked)
    await replica.core.unlock(admin, { environment: place, app: tenant.name, reason: '' })

    // And one that waits.
    before = async () => undefined
    const lock = { environment: place, app: tenant.name, reason: 'wait', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, lock)
    const { deploy } = await replica.core.request(
      admin,
      ask({ kind: 'rollback', app: tenant.name, revision: '1' }),
    )
    await phaseOf(tenant, deploy.id, d => d.phase === 'ready')
    await replica.sweeper.prune(last)
    const kept = await tenant.kv.list(tenant.keys.history(place, tenant.name))
    const ids = kept.entries.map(entry => entry.key.slice(entry.key.lastIndexOf('/') + 1)).sort()
    // What belongs to a deploy goes with it.
    for (const prefix of [tenant.keys.messages, tenant.keys.outbox, tenant.keys.asked(admin.actor.id)]) {
      const { entries } = await tenant.kv.list(prefix)
      expect(entries.map(entry => entry.key.slice(prefix.length)).sort()).toEqual(ids)
    }
    expect(kept.entries).toHaveLength(5)
    expect(await specs()).toBe(5)
    await replica.core.unlock(admin, { environment: place, app: tenant.name, reason: '' })
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'succeeded', revision: '1' })
    expect(await liveImage(tenant)).toMatch(/:1$/)
    expect(await tenant.kv.get(tenant.keys.spec((await workloadOf(tenant))?.spec ?? ''))).not.toBeNull()
    expect((await onCluster(tenant)).length).toBeGreaterThan(0)
    await replica.stop()
  })

  it('goes in transactions that etcd takes, however much it is', async () => {
    const tenant = world.tenant({ history: 5 })
    const commits: number[] = []
    const counting = (kv: Kv): Kv => ({
      ...kv,
      commit: async commit => {
        const deletes = commit.writes.filter(write => write.kind === 'delete').length
        if (deletes > 50) commits.push(commit.writes.length + commit.compares.length)
        return kv.commit(commit)
      },
    })
    const replica = await tenant.replica({ kv: counting })
    await replica.core.applyApp(admin, tenant.app({ files: [], ports: [] }), { dryRun: false })
    const last = await ship(replica, tenant, '1')
    const history = tenant.keys.history(place, tenant.name)
    // As after a `history` that was lowered.
    for (let n = 0; n < 60; n++) {
      const old = { ...last, id: `${last.id.slice(0, -2)}${n}`, revision: `0.${n}` }
      const keys = [tenant.keys.historyEntry(place, tenant.name, old.id), tenant.keys.progress(old.id)]
      await tenant.kv.commit({
        compares: [],
        writes: [put(tenant.keys.deploy(old.id), old), ...keys.map(key => put(key, { schema: 1 }))],
        repeatable: true,
      })
    }
    const newest = await ship(replica, tenant, '2')
    await replica.sweeper.prune(newest)
    const { entries } = await tenant.kv.list(history, { keysOnly: true })
    expect(entries).toHaveLength(5)
    expect(entries.map(({ key }) => key.slice(history.length))).toContain(newest.id)
    expect((await tenant.kv.list(tenant.keys.deploys, { keysOnly: true })).entries).toHaveLength(
      entries.length,
    )
    expect(commits.length).toBeGreaterThan(4)
    expect(Math.max(...commits)).toBeLessThanOrEqual(128)
    await replica.stop()
  })
})
