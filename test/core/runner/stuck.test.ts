// What could hold a deploy, or a whole replica, for ever: records that cannot be read or are gone, a view that lags
// behind, environments that are not configured, timers that outlive a replica.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/core/clock.ts'
import type { Environment } from '../../../src/core/environment.ts'
import type { FeedListener, Kv } from '../../../src/core/kv.ts'
import { systemClock } from '../../../src/server.ts'
import { admin, ask, callerWith } from '../../support/stack.ts'
import {
  ended,
  leftovers,
  liveImage,
  phaseOf,
  place,
  startWorld,
  type Tenant,
  until,
  type World,
  workloadOf,
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

/** A deploy whose owner died during its rollout. */
async function abandoned(tenant: Tenant, revision = 'unready'): Promise<string> {
  const first = await tenant.replica()
  await first.core.applyApp(admin, tenant.app(), { dryRun: false })
  const asked = { app: tenant.name, revision }
  const { deploy } = await first.core.request(admin, ask(asked))
  await phaseOf(tenant, deploy.id, d => d.steps.some(s => s.name === 'rollout' && s.state === 'running'))
  await first.crash()
  return deploy.id
}

async function overwrite(tenant: Tenant, key: string, value: string): Promise<void> {
  const entry = await tenant.kv.get(key)
  await tenant.kv.commit({
    compares: [{ kind: 'unchanged', key, modRevision: entry?.modRevision ?? '' }],
    writes: [{ kind: 'put', key, value }],
  })
}

async function drop(tenant: Tenant, key: string): Promise<void> {
  await tenant.kv.commit({ compares: [{ kind: 'present', key }], writes: [{ kind: 'delete', key }] })
}

describe('a deploy that lost its owner', () => {
  it('does not spin a replica that cannot read who is active, and an operator frees it', async () => {
    const tenant = world.tenant()
    const id = await abandoned(tenant)
    await overwrite(tenant, tenant.keys.active(place, tenant.name), '{"schema":99,"epoch":7}')
    const started = performance.now()
    const second = await tenant.replica()
    // It lives: timers run and requests are answered, long before its lease could run out.
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(performance.now() - started).toBeLessThan(3_000)
    expect((await second.core.showDeploy(admin, id)).deploy.phase).toBe('running')
    const { released } = await second.core.release(admin, {
      app: tenant.name,
      environment: place,
      reason: 'a broken record',
    })
    expect(released).toEqual([tenant.keys.deploy(id), tenant.keys.active(place, tenant.name)])
    const freed = await tenant.kv.get(tenant.keys.active(place, tenant.name))
    expect(JSON.parse(freed?.value ?? '')).toMatchObject({ epoch: 8, deploy: null })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'failed', reason: 'released' })
    const asked = ask({ app: tenant.name, revision: '2' })
    const next = await second.core.request(admin, asked)
    expect(await ended(tenant, next.deploy.id)).toMatchObject({ phase: 'succeeded' })
    expect(await leftovers(tenant)).toEqual([])
    await second.stop()
  })

  it.each([
    ['its snapshot', (t: Tenant, spec: string) => t.keys.spec(spec)],
    ['its workload record', (t: Tenant) => t.keys.workload(place, t.name)],
  ])('ends when %s is gone: nobody could drive it', async (_, keyOf) => {
    const tenant = world.tenant()
    const id = await abandoned(tenant)
    await drop(tenant, keyOf(tenant, (await workloadOf(tenant))?.spec ?? ''))
    const second = await tenant.replica()
    expect(await ended(tenant, id, 5)).toMatchObject({
      phase: 'failed',
      cause: { reason: 'app_gone', message: expect.stringMatching(/not there any more/) },
    })
    expect(await leftovers(tenant)).toEqual([])
    await second.stop()
  })
})

describe('a record that cannot be read', () => {
  it('refuses what waits for it, instead of trying for ever', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const first = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await ended(tenant, first.deploy.id)
    const lock = { environment: place, app: tenant.name, reason: 'wait', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, lock)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'ready')
    await overwrite(tenant, tenant.keys.workload(place, tenant.name), '{"schema":99}')
    await replica.core.unlock(admin, { environment: place, app: tenant.name, reason: '' })
    expect(await ended(tenant, deploy.id, 5)).toMatchObject({
      phase: 'failed',
      reason: 'plan_refused',
      cause: { message: expect.stringMatching(/cannot be read.*gkube release/) },
    })
    await replica.stop()
  })
})

describe('a snapshot that cannot be read', () => {
  it('keeps nobody from looking at what else runs', async () => {
    const tenant = world.tenant()
    const first = await tenant.replica()
    const other = `${tenant.name}-2`
    await first.core.applyApp(admin, tenant.app(), { dryRun: false })
    await first.core.applyApp(admin, tenant.app({ app: other, jobs: [] }), { dryRun: false })
    for (const app of [tenant.name, other]) {
      const { deploy } = await first.core.request(admin, ask({ app, revision: '1' }))
      await ended(tenant, deploy.id)
    }
    await first.stop()
    const workload = await workloadOf(tenant)
    await overwrite(tenant, tenant.keys.spec(workload?.spec ?? ''), '{"schema":99}')
    // Another one: who wrote it still has it in mind.
    const replica = await tenant.replica()
    const status = await replica.core.status(admin, {})
    expect(status.map(({ workload, health }) => [workload.app, health])).toEqual([
      [tenant.name, 'ready'],
      [other, 'ready'],
    ])
    await replica.stop()
  })
})

describe('a lock that cannot be read', () => {
  it('holds what waits, and an operator frees it: it is put aside, and the epoch is higher', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const key = tenant.keys.lockApp(place, tenant.name)
    const at = { app: tenant.name, environment: place }
    await replica.core.lock(admin, { ...at, reason: 'x', expiresIn: '1h', steal: false })
    await overwrite(tenant, key, '{"schema":99}')
    await until(() => replica.view.live.locks.size === 0)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, one => one.phase === 'ready')
    await expect(replica.core.unlock(admin, { ...at, reason: '' })).rejects.toThrow(/gkube release/)
    const { released } = await replica.core.release(admin, { ...at, reason: 'a newer gkube was tried' })
    expect(released).toContain(key)
    const quarantine = await tenant.kv.list(tenant.keys.quarantine(place, tenant.name, ''))
    expect(quarantine.entries.map(({ value }) => JSON.parse(value))).toEqual([
      expect.objectContaining({ key, value: '{"schema":99}', reason: 'a newer gkube was tried' }),
    ])
    const active = JSON.parse((await tenant.kv.get(tenant.keys.active(place, tenant.name)))?.value ?? '{}')
    expect(active).toMatchObject({ epoch: expect.any(Number), deploy: null })
    expect(active.epoch).toBeGreaterThan(0)
    const audit = await tenant.kv.list(tenant.keys.auditIn(place))
    expect(audit.entries.map(({ value }) => JSON.parse(value))).toContainEqual(
      expect.objectContaining({ action: 'release', outcome: 'released', app: tenant.name }),
    )
    const next = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    expect(await ended(tenant, next.deploy.id)).toMatchObject({ phase: 'succeeded' })
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })
})

describe('a lock or a freeze of more than an app that cannot be read', () => {
  const cases = [
    ['a lock of the environment', ({ keys }: Tenant) => keys.lockEnv(place)],
    ['a freeze', ({ keys }: Tenant) => keys.freeze(place)],
    ['a lock of everything', ({ keys }: Tenant) => keys.lockAll],
  ] as const
  it.each(cases)('%s: freed by an operator of all that it holds, and by nobody else', async (_, keyOf) => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const key = keyOf(tenant)
    await tenant.kv.commit({
      compares: [{ kind: 'absent', key }],
      writes: [{ kind: 'put', key, value: '{"schema":99}' }],
    })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, one => one.phase === 'ready')
    const name = key.slice(tenant.keys.root.length)
    expect((await replica.core.showDeploy(admin, deploy.id)).waiting).toMatch(
      new RegExp(`cannot read ${name}.*newer.*gkube release ${tenant.name}`),
    )
    await expect(
      replica.core.request(admin, ask({ app: tenant.name, revision: '1', wait: false })),
    ).rejects.toMatchObject({ kind: 'held', message: expect.stringContaining(`cannot read ${name}`) })
    const at = { app: tenant.name, environment: place, reason: 'a newer gkube was tried' }
    const ofApp = {
      ...callerWith('eve', 'operator'),
      grants: [{ role: 'operator' as const, apps: [tenant.name], environments: ['*'] }],
    }
    await replica.core.release(ofApp, at)
    expect(await tenant.kv.get(key)).toMatchObject({ value: '{"schema":99}' })
    expect((await replica.core.release(admin, at)).released).toEqual([key])
    const quarantine = await tenant.kv.list(tenant.keys.quarantine(place, tenant.name, ''))
    expect(quarantine.entries.map(({ value }) => JSON.parse(value).key)).toEqual([key])
    const next = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    expect(await ended(tenant, next.deploy.id)).toMatchObject({ phase: 'succeeded' })
    await replica.stop()
  })
})

describe('an environment that this replica does not know', () => {
  it('is left to one that does', async () => {
    const tenant = world.tenant()
    const older = await tenant.replica({ environments: new Map<string, Environment>() })
    const newer = await tenant.replica()
    await newer.core.applyApp(admin, tenant.app(), { dryRun: false })
    await newer.stop()
    const third = await tenant.replica()
    const { deploy } = await third.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'succeeded' })
    await older.stop()
    await third.stop()
  })
})

describe('a feed that missed something', () => {
  it('loses no cancel: what is found at the new reading counts', async () => {
    const tenant = world.tenant()
    const listeners: FeedListener[] = []
    const deaf = (kv: Kv): Kv => ({
      ...kv,
      subscribe: (prefix, listener, options) => {
        listeners.push(listener)
        const change: FeedListener['change'] = one => {
          const key = one.kind === 'put' ? one.entry.key : one.key
          if (!key.startsWith(tenant.keys.intents)) listener.change(one)
        }
        return kv.subscribe(prefix, { ...listener, change }, options)
      },
    })
    const replica = await tenant.replica({ kv: deaf })
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: 'unready' }))
    await phaseOf(tenant, deploy.id, d => d.steps.some(s => s.name === 'rollout' && s.state === 'running'))
    await replica.core.cancel(admin, deploy.id, { reason: 'wrong' })
    listeners[0]?.reset?.('0')
    expect(await ended(tenant, deploy.id, 5)).toMatchObject({ phase: 'cancelled' })
    await replica.stop()
  })

  it('hears after a gap that an operator released what it drives, and writes nothing more', async () => {
    const tenant = world.tenant()
    const operator = await tenant.replica({ environments: new Map(tenant.environments) })
    await operator.stop()
    const listeners: FeedListener[] = []
    const deaf = (kv: Kv): Kv => ({
      ...kv,
      subscribe: (prefix, listener, options) => {
        listeners.push(listener)
        const change: FeedListener['change'] = one => {
          const key = one.kind === 'put' ? one.entry.key : one.key
          const isDelete = one.kind === 'delete' && key.startsWith(tenant.keys.owners)
          if (!isDelete) listener.change(one)
        }
        return kv.subscribe(prefix, { ...listener, change }, options)
      },
    })
    const replica = await tenant.replica({ kv: deaf })
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: 'unready' }))
    await phaseOf(tenant, deploy.id, d => d.steps.some(s => s.name === 'rollout' && s.state === 'running'))
    await operator.core.release(admin, { app: tenant.name, environment: place, reason: 'it hangs' })
    expect(replica.runner.busy()).toBe(1)
    listeners[0]?.reset?.('0')
    await until(() => replica.runner.busy() === 0)
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('never shows a deploy without its owner while it reads again', async () => {
    const tenant = world.tenant()
    const listeners: FeedListener[] = []
    const seen: string[] = []
    let again = false
    const slow = (kv: Kv): Kv => ({
      ...kv,
      list: async (prefix, options) => {
        const answer = await kv.list(prefix, options)
        if (again) seen.push(`${replica.view.live.deploys.size} ${replica.view.live.active.size}`)
        return answer
      },
      subscribe: (prefix, listener, options) => {
        listeners.push(listener)
        return kv.subscribe(prefix, listener, options)
      },
    })
    const replica = await tenant.replica({ kv: slow })
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: 'unready' }))
    await phaseOf(tenant, deploy.id, d => d.steps.some(s => s.name === 'rollout' && s.state === 'running'))
    await until(() => replica.view.live.owners.has(deploy.id))
    again = true
    listeners[0]?.reset?.('0')
    await until(() => listeners.length === 2)
    expect(seen.length).toBeGreaterThan(5)
    expect(new Set(seen)).toEqual(new Set(['1 1']))
    await replica.core.cancel(admin, deploy.id, { reason: '' })
    await ended(tenant, deploy.id)
    await replica.stop()
  })
})

describe('stopping', () => {
  it('waits for nothing when nothing is in hand', async () => {
    const tenant = world.tenant()
    let asleep = 0
    const sleep: Clock['sleep'] = async (ms, signal) => {
      asleep++
      await systemClock.sleep(ms, signal)
      asleep--
    }
    const replica = await tenant.replica({ clock: { now: systemClock.now, sleep } })
    await replica.runner.stop(60_000)
    await until(() => asleep === 0, 1)
  })
})

describe('many apps at once', () => {
  it('find slots of their own without fighting for one', async () => {
    const tenant = world.tenant({ parallel: 20 })
    let lost = 0
    const counted = (kv: Kv): Kv => ({
      ...kv,
      commit: async commit => {
        const result = await kv.commit(commit)
        if (!result.committed) lost++
        return result
      },
    })
    const replica = await tenant.replica({ kv: counted })
    const names = Array.from({ length: 10 }, (_, n) => `${tenant.name}-${n}`)
    for (const app of names)
      await replica.core.applyApp(admin, tenant.app({ app, jobs: [], ports: [] }), { dryRun: false })
    const asked = await Promise.all(
      names.map(app => replica.core.request(admin, ask({ app, revision: '1' }))),
    )
    for (const { deploy } of asked)
      expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'succeeded' })
    expect(lost).toBeLessThan(20)
    expect(await leftovers(tenant)).toEqual([])
    expect(await liveImage({ ...tenant, name: names[9] ?? '' })).toMatch(/:1$/)
    await replica.stop()
  })
})
