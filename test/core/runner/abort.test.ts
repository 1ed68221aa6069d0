// The command that followed a deploy is stopped (Jenkins aborts its step): what waits is cancelled, what runs follows
// the app's `onAbort`, as it was when the deploy was prepared. On real etcd and the stand-in cluster.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError } from '../../../src/core/cluster.ts'
import { admin, ask, callerWith } from '../../support/stack.ts'
import {
  ended,
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

const register = (replica: TestReplica, tenant: Tenant, over = {}) =>
  replica.core.applyApp(admin, tenant.app(over), { dryRun: false })

/** The cluster takes no Deployment while `on()`: what is deployed then stays in the middle. */
const stuck =
  (on: () => boolean) =>
  (cluster: Cluster): Cluster => ({
    ...cluster,
    apply: async (object, options) => {
      if (on() && object.kind === 'Deployment') throw new ClusterError('unavailable', 'no answer')
      return cluster.apply(object, options)
    },
  })

const reason = 'its command was told to stop (SIGTERM)'

describe('while it runs', () => {
  it.each([
    { onAbort: 'rollback', outcome: 'cancelling', ends: { phase: 'cancelled', rollback: { revision: '1' } } },
    { onAbort: 'continue', outcome: 'continues', ends: { phase: 'succeeded', revision: '2' } },
  ] as const)('$onAbort: $outcome', async ({ onAbort, outcome, ends }) => {
    const tenant = world.tenant()
    let away = false
    const replica = await tenant.replica({ cluster: stuck(() => away) })
    // What was registered later is no part of this deploy.
    await register(replica, tenant, { onAbort })
    const first = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await ended(tenant, first.deploy.id)
    away = true
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))
    await phaseOf(tenant, deploy.id, d => d.steps.some(s => s.name === 'apply' && s.state === 'running'))
    await register(replica, tenant, { onAbort: onAbort === 'continue' ? 'rollback' : 'continue' })
    expect(await replica.core.abort(admin, deploy.id, { reason })).toMatchObject({ outcome })
    // Told twice, as by a step that is aborted again.
    expect(await replica.core.abort(admin, deploy.id, { reason })).toMatchObject({
      outcome: expect.stringMatching(`${outcome}|continues`),
    })
    away = false
    expect(await ended(tenant, deploy.id)).toMatchObject(ends)
    expect(await replica.core.abort(admin, deploy.id, { reason })).toMatchObject({ outcome: 'ended' })
    await replica.stop()
  })

  it('a deletion goes on, whatever the app says', async () => {
    const tenant = world.tenant()
    let away = false
    const replica = await tenant.replica({
      cluster: cluster => ({
        ...cluster,
        remove: async (ref, options) => {
          if (away) throw new ClusterError('unavailable', 'no answer')
          return cluster.remove(ref, options)
        },
      }),
    })
    await register(replica, tenant, { onAbort: 'rollback' })
    const first = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await ended(tenant, first.deploy.id)
    away = true
    const { deploy } = await replica.core.request(admin, ask({ kind: 'delete', app: tenant.name }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'running')
    expect(await replica.core.abort(admin, deploy.id, { reason })).toMatchObject({ outcome: 'continues' })
    away = false
    expect(await ended(tenant, deploy.id)).toMatchObject({ phase: 'succeeded' })
    await replica.stop()
  })
})

describe('while it waits', () => {
  it('is cancelled, by who asked for it or may cancel there, and by nobody else', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await register(replica, tenant)
    const lock = { environment: place, app: tenant.name, reason: 'wait', expiresIn: '1h', steal: false }
    await replica.core.lock(admin, lock)
    const ci = callerWith('ci', 'deployer')
    const { deploy } = await replica.core.request(ci, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'ready')
    const stranger = callerWith('eve', 'viewer')
    await expect(replica.core.abort(stranger, deploy.id, { reason })).rejects.toMatchObject({
      kind: 'forbidden',
    })
    expect(await replica.core.abort(ci, deploy.id, { reason })).toMatchObject({
      outcome: 'cancelled',
      deploy: { phase: 'cancelled', cancelledBy: { name: 'ci' } },
    })
    await replica.stop()
  })

  it('also while it is prepared: its owner ends it', async () => {
    const tenant = world.tenant()
    let open = () => {}
    const opened = new Promise<void>(resolve => {
      open = resolve
    })
    const registry = {
      resolve: async () => {
        await opened
        return { kind: 'unavailable' as const, message: 'a test' }
      },
    }
    const replica = await tenant.replica({ registry })
    await register(replica, tenant)
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, d => d.phase === 'preparing')
    expect(await replica.core.abort(admin, deploy.id, { reason })).toMatchObject({ outcome: 'cancelling' })
    // By somebody else beside it: no conflict, it is what was wanted.
    const other = callerWith('ben', 'admin')
    expect(await replica.core.abort(other, deploy.id, { reason })).toMatchObject({ outcome: 'cancelling' })
    await expect(replica.core.cancel(other, deploy.id, { reason })).rejects.toMatchObject({
      kind: 'conflict',
    })
    open()
    await until(async () => (await replica.core.showDeploy(admin, deploy.id)).deploy.endedAt !== null)
    expect((await replica.core.showDeploy(admin, deploy.id)).deploy.phase).toBe('cancelled')
    await replica.stop()
  })
})
