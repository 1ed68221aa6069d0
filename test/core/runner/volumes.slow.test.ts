// Storage on a pool, from the first deploy to a delete and back, on the stand-in cluster with a folder as the pool: made
// once wherever its owner is killed, grown and never moved, and whatever is in the way is left alone and said in words.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError, type KubeObject } from '../../../src/core/cluster.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import type { Environment } from '../../../src/core/environment.ts'
import { volumeName } from '../../../src/core/volumes/bound.ts'
import { type Pool, PoolError } from '../../../src/core/volumes/pool.ts'
import type { MountStrategy, PoolSide, Pools } from '../../../src/core/volumes/pool-side.ts'
import { directoryPool } from '../../../src/sandbox/glusterfs/directory-pool.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
  phaseOf,
  place,
  type ReplicaOptions,
  startWorld,
  type Tenant,
  type TestReplica,
  type World,
  workloadOf,
} from './world.ts'

let world: World
let folder: string
beforeAll(async () => {
  world = await startWorld()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkube-pool-'))
})
const folders: string[] = []
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true })
})

/** The pool `shared` in a folder of this test's own. */
function pool(over: Partial<PoolSide> = {}, change: (pool: Pool) => Partial<Pool> = () => ({})): Pools {
  folders.push(folder)
  const strategy: MountStrategy = { kind: 'hostpath', path: '/mnt/gv0' }
  const plain = directoryPool({ name: 'shared', folder })
  const side: PoolSide = {
    pool: { ...plain, ...change(plain) },
    strategy,
    volume: 'gv0',
    servers: ['gluster-1'],
    snapshots: false,
    own: false,
    ...over,
  }
  return name => (name === 'shared' ? side : undefined)
}

const uid = process.getuid?.() === 0 ? 1000 : (process.getuid?.() ?? 1000)
const security = {
  runAsUser: uid,
  runAsGroup: process.getgid?.() === 0 ? 1000 : (process.getgid?.() ?? 1000),
}
const data = { name: 'data', size: '1Gi', mount: '/srv/data' }
const withStorage = (over: object = {}) => ({ security, storage: [{ ...data, ...over }] })

const tenantOnPool = () => world.tenant({ pool: 'shared' })
const register = (replica: TestReplica, tenant: Tenant, over: object) =>
  replica.core.applyApp(admin, tenant.app({ ...over }), { dryRun: false })
async function start(replica: TestReplica, tenant: Tenant, revision: string, over = {}) {
  const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision, ...over }))
  return deploy.id
}
const ship = async (replica: TestReplica, tenant: Tenant, revision: string) =>
  ended(tenant, await start(replica, tenant, revision))
async function drop(replica: TestReplica, tenant: Tenant, claims: string[] = []) {
  const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, kind: 'delete', claims }))
  return ended(tenant, deploy.id)
}

const nameOf = (tenant: Tenant, storage = 'data') =>
  volumeName({ environment: place, app: tenant.name, storage, namespace: place })
// biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
type Loose = any
const volumeOf = async (tenant: Tenant, storage = 'data'): Promise<Loose> =>
  tenant.cluster.get({ apiVersion: 'v1', kind: 'PersistentVolume', name: nameOf(tenant, storage) })
const claimRef = (tenant: Tenant, storage = 'data') => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  namespace: place,
  name: `${tenant.name}-${storage}`,
})
const claimOf = async (tenant: Tenant, storage = 'data'): Promise<Loose> =>
  tenant.cluster.get(claimRef(tenant, storage))
const stepsOf = (deploy: Deploy) => deploy.steps.map(step => step.name).join(' ')
const quota = (tenant: Tenant) => {
  const pools = directoryPool({ name: 'shared', folder })
  return pools
    .usage({ kind: 'directory', place: { environment: place, app: tenant.name, storage: 'data' } })
    .then(found => found.quota)
}
const Gi = 2 ** 30

describe('storage on a pool', () => {
  it('is made, bound and mounted by the first deploy; an update leaves it alone', async () => {
    const tenant = tenantOnPool()
    const asked: string[] = []
    const pools = pool({}, plain => ({
      ensure: async (volume, wish) => {
        asked.push(`${volume.kind} ${wish.uid}:${wish.gid} ${wish.bytes}`)
        return plain.ensure(volume, wish)
      },
    }))
    const replica = await tenant.replica({ pools })
    await register(replica, tenant, withStorage())
    const first = await ship(replica, tenant, '1')
    expect(first).toMatchObject({ phase: 'succeeded', plan: 'create' })
    expect(stepsOf(first)).toBe('volume environment apply rollout record')
    expect(first.steps[0]?.message).toBe(`${place}/${tenant.name}/data made with 1Gi, ${nameOf(tenant)} made`)
    expect(asked).toEqual([`directory ${security.runAsUser}:${security.runAsGroup} ${Gi}`])
    expect(statSync(join(folder, place, tenant.name, 'data')).isDirectory()).toBe(true)
    const volume = await volumeOf(tenant)
    expect(volume.spec).toMatchObject({
      hostPath: { path: `/mnt/gv0/${place}/${tenant.name}/data`, type: 'Directory' },
      persistentVolumeReclaimPolicy: 'Retain',
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '1Gi' },
      claimRef: { namespace: place, name: `${tenant.name}-data` },
    })
    expect(volume.status.phase).toBe('Bound')
    expect((await claimOf(tenant)).spec).toMatchObject({ volumeName: nameOf(tenant), storageClassName: '' })
    const second = await ship(replica, tenant, '2')
    expect(second).toMatchObject({ phase: 'succeeded', plan: 'update' })
    expect(stepsOf(second)).toBe('apply rollout record')
    expect(asked).toHaveLength(1)
    // It is never gkube's to delete by what is rendered.
    expect((await workloadOf(tenant))?.inventory.map(item => item.kind)).not.toContain('PersistentVolume')
    await replica.stop()
  })

  it('grows: the quota and the PersistentVolume, never the claim; and does not shrink', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    const before = await claimOf(tenant)
    await register(replica, tenant, withStorage({ size: '3Gi' }))
    const grown = await ship(replica, tenant, '2')
    expect(grown).toMatchObject({ phase: 'succeeded' })
    expect(stepsOf(grown)).toBe('volume apply rollout record')
    expect(grown.steps[0]?.message).toBe(
      `${place}/${tenant.name}/data has 3Gi, ${nameOf(tenant)} grown from 1Gi to 3Gi`,
    )
    expect(await quota(tenant)).toBe(3 * Gi)
    expect((await volumeOf(tenant)).spec.capacity.storage).toBe('3Gi')
    const claim = await claimOf(tenant)
    expect(claim.spec).toEqual(before.spec)
    expect(claim.metadata.uid).toBe(before.metadata.uid)
    await register(replica, tenant, withStorage({ size: '2Gi' }))
    const shrunk = await ship(replica, tenant, '3')
    expect(shrunk.cause).toEqual({
      reason: 'plan_refused',
      message:
        'Storage data cannot shrink from 3Gi to 2Gi. Keep the size, or add a new storage entry and move the data.',
    })
    expect(await quota(tenant)).toBe(3 * Gi)
    await replica.stop()
  })

  it('is kept by a delete, and bound again with its data by the next deploy', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    writeFileSync(join(folder, place, tenant.name, 'data', 'precious'), 'yes')
    const first = await claimOf(tenant)
    // The claim is kept: the same one is mounted again.
    expect((await drop(replica, tenant)).phase).toBe('succeeded')
    expect((await ship(replica, tenant, '2')).phase).toBe('succeeded')
    expect((await claimOf(tenant)).metadata.uid).toBe(first.metadata.uid)
    // The claim goes: what it was bound to is released, and waits for the next one of that name.
    const gone = await drop(replica, tenant, [`${tenant.name}-data`])
    expect(gone.phase).toBe('succeeded')
    expect(gone.steps[0]?.message).toContain(`kept the data of ${place}/${tenant.name}/data`)
    await expect.poll(() => claimOf(tenant), { timeout: 10_000 }).toBeNull()
    const again = await ship(replica, tenant, '3')
    expect(again).toMatchObject({ phase: 'succeeded' })
    expect(again.steps[0]?.message).toContain('is there with 1Gi')
    expect(again.steps[0]?.message).toContain('bound again with its data')
    const claim = await claimOf(tenant)
    expect(claim.metadata.uid).not.toBe(first.metadata.uid)
    expect(claim.status.phase).toBe('Bound')
    expect((await volumeOf(tenant)).spec.claimRef.uid).toBe(claim.metadata.uid)
    expect(existsSync(join(folder, place, tenant.name, 'data', 'precious'))).toBe(true)
    await replica.stop()
  })

  it('that is new in an app that runs is made, and the old one stays on its StorageClass', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    expect((await ship(replica, tenant, '1')).phase).toBe('succeeded')
    const claim = await claimOf(tenant)
    tenant.environments.set(place, { ...(tenant.environments.get(place) as Environment), pool: 'shared' })
    const more = { security, storage: [data, { ...data, name: 'cache', mount: '/srv/cache' }] }
    await register(replica, tenant, more)
    const second = await ship(replica, tenant, '2')
    expect(second.phase).toBe('succeeded')
    expect(stepsOf(second)).toBe('volume apply rollout record')
    expect((await claimOf(tenant)).spec).toEqual(claim.spec)
    expect((await claimOf(tenant, 'cache')).spec.volumeName).toBe(nameOf(tenant, 'cache'))
    await replica.stop()
  })

  it('is put on a snapshot before data is changed, and no release without one', async () => {
    const tenant = tenantOnPool()
    const names: string[] = []
    let fails = false
    const pools = pool({ snapshots: true }, () => ({
      snapshot: async (_, name) => {
        if (fails) throw new PoolError('unsupported', 'No snapshot can be made of gv0.')
        names.push(name)
        return { name }
      },
    }))
    const replica = await tenant.replica({ pools })
    const hooks = { before: { command: ['sh', '-c', 'echo migrated'], timeout: '20s' } }
    await register(replica, tenant, { ...withStorage(), hooks })
    expect(stepsOf(await ship(replica, tenant, '1'))).toBe('volume environment before apply rollout record')
    expect(names).toEqual([])
    const second = await ship(replica, tenant, '2')
    expect(stepsOf(second)).toBe('snapshot before apply rollout record')
    expect(second.phase).toBe('succeeded')
    expect(names).toEqual([`gkube-${second.id.toLowerCase()}-shared`])
    fails = true
    const third = await ship(replica, tenant, '3')
    expect(third).toMatchObject({
      phase: 'failed',
      cause: {
        reason: 'volume_failed',
        message: 'No snapshot of storage data was made: No snapshot can be made of gv0.',
      },
    })
    expect((await workloadOf(tenant))?.revision).toBe('2')
    await replica.stop()
  })

  it('what is approved covers where claims go', async () => {
    const tenant = world.tenant({
      pool: 'shared',
      approvals: {
        required: 1,
        requesterCounts: true,
        expiry: '30m',
        reason: false,
        rollback: false,
        tell: false,
        remind: '10m',
      },
    })
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    const id = await start(replica, tenant, '1')
    const waiting = await phaseOf(tenant, id, deploy => deploy.phase === 'awaiting_approval')
    const { planned } = await replica.core.showDeploy(admin, id)
    expect(planned?.notes).toContain(
      `storage data is ${place}/${tenant.name}/data on the pool shared, 1Gi; a delete keeps it`,
    )
    expect(planned?.diff).toContain(`volumeName: ${nameOf(tenant)}`)
    await replica.core.vote(admin, id, { decision: 'approve', reason: '', hash: waiting.prepared?.hash })
    expect((await ended(tenant, id)).phase).toBe('succeeded')
    await replica.stop()
  })
})

describe('a crash in the volume step', () => {
  /** Ends the process right before or after the nth effect of the step: on the pool or on the cluster. */
  const effects = ['before ensure', 'after ensure', 'before create', 'after create'] as const
  it.each(effects)('%s: made once by the next owner', async at => {
    const tenant = tenantOnPool()
    let crash: (() => Promise<void>) | null = null
    const [when, what] = at.split(' ')
    const around = async <T>(name: string, effect: () => Promise<T>): Promise<T> => {
      const dying = crash
      if (!dying || name !== what) return effect()
      crash = null
      const result = when === 'after' ? await effect() : null
      await dying()
      return result ?? new Promise<never>(() => undefined)
    }
    let creates = 0
    const options: ReplicaOptions = {
      pools: pool({}, plain => ({
        ensure: (volume, wish) => around('ensure', () => plain.ensure(volume, wish)),
      })),
      cluster: (inner: Cluster): Cluster => ({
        ...inner,
        create: (object: KubeObject, more) => {
          if (object.kind !== 'PersistentVolume') return inner.create(object, more)
          return around('create', () => {
            creates++
            return inner.create(object, more)
          })
        },
      }),
    }
    const first = await tenant.replica(options)
    crash = first.crash
    await register(first, tenant, withStorage())
    const id = await start(first, tenant, '1')
    await expect.poll(() => crash, { timeout: 10_000 }).toBeNull()
    const second = await tenant.replica(options)
    const deploy = await ended(tenant, id)
    expect(deploy).toMatchObject({ phase: 'succeeded' })
    expect(creates).toBe(1)
    expect((await volumeOf(tenant)).status.phase).toBe('Bound')
    expect(await quota(tenant)).toBe(Gi)
    await second.stop()
  })

  it('between the quota and the PersistentVolume of a growth: both are grown', async () => {
    const tenant = tenantOnPool()
    let crash: (() => Promise<void>) | null = null
    const options: ReplicaOptions = {
      pools: pool(),
      cluster: inner => ({
        ...inner,
        patch: async (ref, operations, more) => {
          const dying = crash
          crash = null
          if (!dying) return inner.patch(ref, operations, more)
          await dying()
          return new Promise(() => undefined)
        },
      }),
    }
    const first = await tenant.replica(options)
    await register(first, tenant, withStorage())
    await ship(first, tenant, '1')
    await register(first, tenant, withStorage({ size: '2Gi' }))
    crash = first.crash
    const id = await start(first, tenant, '2')
    await expect.poll(() => crash, { timeout: 10_000 }).toBeNull()
    expect(await quota(tenant)).toBe(2 * Gi)
    expect((await volumeOf(tenant)).spec.capacity.storage).toBe('1Gi')
    const second = await tenant.replica(options)
    expect((await ended(tenant, id)).phase).toBe('succeeded')
    expect((await volumeOf(tenant)).spec.capacity.storage).toBe('2Gi')
    await second.stop()
  })
})

describe('what stops the volume step', () => {
  it.each([
    ['refused', 'The pool says no.'],
    ['exists_differently', '/mnt/gv0/x belongs to 5:5.'],
    ['unsupported', 'The pool shared has no mount.'],
    ['not_found', 'There is no GlusterFS volume gv0.'],
  ] as const)(
    'a pool that answers %s: failed in its words, nothing written, and it can be deployed again',
    async (code, words) => {
      const tenant = tenantOnPool()
      let says = true
      const pools = pool({}, plain => ({
        ensure: async (volume, wish) => {
          if (says) throw new PoolError(code, words)
          return plain.ensure(volume, wish)
        },
      }))
      const replica = await tenant.replica({ pools })
      await register(replica, tenant, withStorage())
      expect(await ship(replica, tenant, '1')).toMatchObject({
        phase: 'failed',
        cause: { reason: 'volume_failed', message: words },
      })
      expect(await volumeOf(tenant)).toBeNull()
      says = false
      expect((await ship(replica, tenant, '1')).phase).toBe('succeeded')
      await replica.stop()
    },
  )

  it('a pool that does not answer for a while is asked again', async () => {
    const tenant = tenantOnPool()
    let times = 0
    const pools = pool({}, plain => ({
      ensure: async (volume, wish) => {
        if (++times <= 2) throw new PoolError('unavailable', 'glusterd does not answer.')
        return plain.ensure(volume, wish)
      },
    }))
    const replica = await tenant.replica({ pools })
    await register(replica, tenant, withStorage())
    expect((await ship(replica, tenant, '1')).phase).toBe('succeeded')
    expect(times).toBe(3)
    await replica.stop()
  })

  it('a cancel while the pool does not answer: cancelled, and nothing is on the cluster', async () => {
    const tenant = tenantOnPool()
    const asked = Promise.withResolvers<void>()
    const pools = pool({}, () => ({
      ensure: async () => {
        asked.resolve()
        throw new PoolError('unavailable', 'glusterd does not answer.')
      },
    }))
    const replica = await tenant.replica({ pools })
    await register(replica, tenant, withStorage())
    const id = await start(replica, tenant, '1')
    await asked.promise
    await replica.core.cancel(admin, id, { reason: 'not today' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled' })
    expect(await volumeOf(tenant)).toBeNull()
    await replica.stop()
  })

  it('not a PersistentVolume that changed between a look and a write: it is looked at again', async () => {
    const tenant = tenantOnPool()
    let races = 0
    const cluster = (inner: Cluster): Cluster => ({
      ...inner,
      patch: async (ref, operations, options) => {
        if (ref.kind === 'PersistentVolume' && races++ === 0)
          await inner.patch(ref, [{ op: 'add', path: '/metadata/annotations/raced', value: 'yes' }])
        return inner.patch(ref, operations, options)
      },
    })
    const replica = await tenant.replica({ pools: pool(), cluster })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    await register(replica, tenant, withStorage({ size: '2Gi' }))
    expect(await ship(replica, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    expect(races).toBe(2)
    expect((await volumeOf(tenant)).spec.capacity.storage).toBe('2Gi')
    await replica.stop()
  })

  it('a PersistentVolume of somebody else: refused while preparing, left alone', async () => {
    const tenant = tenantOnPool()
    const name = nameOf(tenant)
    const theirs = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: '/theirs' },
      },
    }
    await tenant.cluster.create(theirs)
    const before = await volumeOf(tenant)
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    const deploy = await ship(replica, tenant, '1')
    expect(deploy.cause).toEqual({
      reason: 'plan_refused',
      message: `PersistentVolume ${name} is there and is not the one that gkube made for storage data. It is left alone: rename or delete it.`,
    })
    expect((await volumeOf(tenant)).metadata.resourceVersion).toBe(before.metadata.resourceVersion)
    await replica.stop()
  })

  it('a pool that is another place now: an existing PersistentVolume is never switched', async () => {
    const tenant = tenantOnPool()
    const first = await tenant.replica({ pools: pool() })
    await register(first, tenant, withStorage())
    await ship(first, tenant, '1')
    await first.stop()
    const moved = pool({ strategy: { kind: 'hostpath', path: '/mnt/other' } })
    const second = await tenant.replica({ pools: moved })
    // A release alone reaches no pool.
    expect((await ship(second, tenant, '2')).phase).toBe('succeeded')
    await register(second, tenant, withStorage({ size: '2Gi' }))
    const deploy = await ship(second, tenant, '3')
    expect(deploy.cause?.reason).toBe('volume_failed')
    expect(deploy.cause?.message).toContain(
      `mounts hostPath /mnt/gv0/${place}/${tenant.name}/data, and by gkube.yaml it would mount hostPath /mnt/other`,
    )
    expect((await volumeOf(tenant)).spec.hostPath.path).toContain('/mnt/gv0/')
    // Nothing was touched: what serves still does, and it was no rollback.
    expect(deploy.phase).toBe('failed')
    expect((await workloadOf(tenant))?.revision).toBe('2')
    await second.stop()
  })

  it('a claim that is bound elsewhere: refused, with what to write', async () => {
    const tenant = tenantOnPool()
    await tenant.cluster
      .create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: place } })
      .catch(() => undefined)
    const { apiVersion, kind, namespace, name } = claimRef(tenant)
    await tenant.cluster.create({
      apiVersion,
      kind,
      metadata: { namespace, name },
      spec: {
        accessModes: ['ReadWriteMany'],
        storageClassName: 'fast',
        volumeName: 'pvc-123',
        resources: { requests: { storage: '1Gi' } },
      },
    })
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    const deploy = await ship(replica, tenant, '1')
    expect(deploy.cause?.message).toBe(
      `Claim ${place}/${name} is there and bound to pvc-123 by the StorageClass fast, not to the pool shared. gkube moves no data: write storageClass: "fast" below storage data to go on with it, or give the storage another name.`,
    )
    await replica.stop()
  })

  const refused: [string, object, Partial<PoolSide>, string][] = [
    [
      'nobody says whose files they are',
      { storage: [data] },
      {},
      "Storage data on the pool shared belongs to the app's user and group: set security.runAsUser and security.runAsGroup to what the image runs as, such as 1000.",
    ],
    [
      'the server has no in-tree GlusterFS',
      withStorage(),
      { strategy: { kind: 'intree', endpoints: { name: 'gfs', namespace: 'default' } } },
      'has no GlusterFS of its own any more (the last was 1.25). Set pools.shared.strategy to nfs-csi, kadalu or hostpath.',
    ],
    [
      'the CSI driver is missing',
      withStorage(),
      { strategy: { kind: 'nfs-csi', server: 'ganesha', share: '/gv0' } },
      'The cluster has no CSI driver nfs.csi.k8s.io, which the pool shared is mounted by',
    ],
    [
      'a volume of its own where there are none',
      withStorage({ own: true }),
      {},
      'The pool shared gives apps no volumes of their own',
    ],
    [
      'a volume of its own that pods could not mount',
      withStorage({ own: true }),
      { own: true },
      'Pods mount the pool shared by hostpath, which reaches only its one volume',
    ],
    [
      'a claim for each pod',
      { ...withStorage({ access: 'RWO' }), kind: 'stateful' },
      {},
      'Storage data is one claim for each pod of a StatefulSet, which the pool shared cannot give: name a storageClass for it, or share it by access: RWX.',
    ],
  ]
  it.each(refused)('%s: refused while preparing', async (_, over, side, words) => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool(side) })
    await register(replica, tenant, over)
    const deploy = await ship(replica, tenant, '1')
    expect(deploy.cause?.reason).toBe('plan_refused')
    expect(deploy.cause?.message).toContain(words)
    await expect(
      replica.core.plan(admin, { app: tenant.name, environment: place, revision: '1' }),
    ).rejects.toThrow(words)
    await replica.stop()
  })

  it('a volume of its own where the environment has no pool: refused while preparing', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage({ own: true }))
    expect((await ship(replica, tenant, '1')).cause?.message).toBe(
      'Storage data asks for a volume of its own, and staging has no pool: leave `own` out, or an operator sets environments.staging.pool.',
    )
    await replica.stop()
  })

  it('an environment that has no pool any more: what is kept from before is bound again, not left for an empty volume', async () => {
    const tenant = tenantOnPool()
    const first = await tenant.replica({ pools: pool() })
    await register(first, tenant, withStorage())
    await ship(first, tenant, '1')
    writeFileSync(join(folder, place, tenant.name, 'data', 'precious'), 'yes')
    await drop(first, tenant, [`${tenant.name}-data`])
    await expect.poll(() => claimOf(tenant), { timeout: 10_000 }).toBeNull()
    await first.stop()
    const { pool: _, ...rest } = tenant.environments.get(place) ?? ({} as Environment)
    const environments = new Map([[place, rest]])
    const second = await tenant.replica({ pools: pool(), environments })
    // It is still shown, so that it is not forgotten.
    expect(await second.core.volumes(admin, { app: tenant.name })).toMatchObject([
      { state: 'unused', title: `${place}/${tenant.name}/data` },
    ])
    expect((await ship(second, tenant, '2')).phase).toBe('succeeded')
    expect((await claimOf(tenant)).spec.volumeName).toBe(nameOf(tenant))
    await drop(second, tenant)
    await second.stop()
    // Without its pool nothing can be said of it.
    const third = await tenant.replica({ pools: () => undefined, environments })
    expect((await ship(third, tenant, '3')).cause?.message).toContain(
      'The pool shared is not in gkube.yaml (any more): put it back below `pools`.',
    )
    await third.stop()
  })

  it('an environment without a pool, where gkube may not read PersistentVolumes: any StorageClass', async () => {
    const tenant = world.tenant()
    const cluster = (inner: Cluster): Cluster => ({
      ...inner,
      get: async ref => {
        if (ref.kind === 'PersistentVolume') throw new ClusterError('forbidden', 'no')
        return inner.get(ref)
      },
    })
    const replica = await tenant.replica({ pools: pool(), cluster })
    await register(replica, tenant, withStorage())
    expect((await ship(replica, tenant, '1')).phase).toBe('succeeded')
    await replica.stop()
  })

  it.each([
    ['to a StorageClass', { storageClass: 'fast' }, 'is not moved to the StorageClass fast'],
    ['to a volume of its own', { own: true }, 'is a directory on the shared volume, and stays that'],
  ])('a move %s: refused', async (_, over, words) => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    await register(replica, tenant, withStorage(over))
    expect((await ship(replica, tenant, '2')).cause?.message).toContain(words)
    await replica.stop()
  })
})

describe('what people see of storage', () => {
  const rowsOf = async (replica: TestReplica, tenant: Tenant) =>
    replica.core.volumes(admin, { app: tenant.name })

  it('a row each: where it lies, how full it is, and that of a StorageClass without a guess', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    const cache = { name: 'cache', size: '2Gi', mount: '/srv/cache', storageClass: 'standard' }
    await register(replica, tenant, { security, storage: [data, cache] })
    await ship(replica, tenant, '1')
    writeFileSync(join(folder, place, tenant.name, 'data', 'page'), 'x'.repeat(1000))
    const [first, second] = await rowsOf(replica, tenant)
    expect(first).toMatchObject({
      storage: 'cache',
      claim: `${tenant.name}-cache`,
      pool: null,
      used: null,
      state: 'unknown',
    })
    expect(first?.volume).toMatch(/^pvc-/)
    expect(second).toEqual({
      environment: place,
      app: tenant.name,
      storage: 'data',
      claim: `${tenant.name}-data`,
      volume: nameOf(tenant),
      pool: 'shared',
      title: `${place}/${tenant.name}/data`,
      size: Gi,
      used: 1000,
      quota: Gi,
      health: `the folder ${folder} stands in for GlusterFS: quotas are counted, not enforced`,
      state: 'ok',
    })
    await replica.stop()
  })

  it('a pool that is down or unknown says so in its row', async () => {
    const tenant = tenantOnPool()
    let down = false
    const pools = pool({}, plain => ({
      usage: async volume => {
        if (down) throw new PoolError('unavailable', 'glusterd does not answer on gluster-1.')
        return plain.usage(volume)
      },
    }))
    const replica = await tenant.replica({ pools })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    down = true
    expect(await rowsOf(replica, tenant)).toMatchObject([
      { used: null, health: 'glusterd does not answer on gluster-1.', state: 'unknown' },
    ])
    await replica.stop()
  })

  it('deletes by its typed name only, only what no app uses, and keeps it in the audit', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    const title = `${place}/${tenant.name}/data`
    const at = { app: tenant.name, environment: place, storage: 'data' }
    await expect(replica.core.deleteVolume(admin, { ...at, typed: title })).rejects.toThrow(
      `${tenant.name} runs in ${place}, so its storage is not deleted.`,
    )
    await drop(replica, tenant)
    expect(await rowsOf(replica, tenant)).toMatchObject([
      { title, state: 'unused', claim: `${tenant.name}-data` },
    ])
    await expect(replica.core.deleteVolume(admin, { ...at, typed: 'yes' })).rejects.toThrow(
      `Nothing was deleted. To delete it with all its data, type its name: ${title}`,
    )
    expect(existsSync(join(folder, title))).toBe(true)
    expect(await replica.core.deleteVolume(admin, { ...at, typed: title })).toEqual({
      deleted: title,
      left: [],
    })
    expect(existsSync(join(folder, title))).toBe(false)
    expect(await claimOf(tenant)).toBeNull()
    await expect.poll(() => volumeOf(tenant), { timeout: 10_000 }).toBeNull()
    expect(await rowsOf(replica, tenant)).toEqual([])
    const { entries } = await tenant.kv.list(tenant.keys.auditIn(place))
    const audit = entries.map(entry => JSON.parse(entry.value)).filter(one => one.action === 'delete_volume')
    expect(audit.map(one => one.outcome)).toEqual(['started', 'deleted'])
    // Done again, nothing is left to do; and the lock is gone: a deploy makes it anew.
    expect(await replica.core.deleteVolume(admin, { ...at, typed: title })).toEqual({
      deleted: title,
      left: [],
    })
    expect((await ship(replica, tenant, '2')).phase).toBe('succeeded')
    expect(existsSync(join(folder, title))).toBe(true)
    await replica.stop()
  })

  it('leaves a lock of whoever deletes as it was', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    await drop(replica, tenant)
    const where = { app: tenant.name, environment: place }
    await replica.core.lock(admin, { ...where, reason: 'moving house', expiresIn: '2h', steal: false })
    const lockOf = async () => {
      const { writeId: _, ...lock } = JSON.parse(
        (await tenant.kv.get(tenant.keys.lockApp(place, tenant.name)))?.value ?? '{}',
      )
      return lock
    }
    const before = await lockOf()
    const typed = `${place}/${tenant.name}/data`
    await replica.core.deleteVolume(admin, { ...where, storage: 'data', typed })
    expect(before.reason).toBe('moving house')
    expect(await lockOf()).toEqual(before)
    await replica.stop()
  })

  it('deletes nothing while a pod still mounts it, and its claim is not even asked to go', async () => {
    const tenant = tenantOnPool()
    const replica = await tenant.replica({ pools: pool() })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    await drop(replica, tenant)
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: place, name: `${tenant.name}-by-hand` },
      spec: {
        containers: [{ name: 'shell', image: 'busybox' }],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: `${tenant.name}-data` } }],
      },
    }
    await tenant.cluster.create(pod)
    const typed = `${place}/${tenant.name}/data`
    const at = { app: tenant.name, environment: place, storage: 'data', typed }
    await expect(replica.core.deleteVolume(admin, at)).rejects.toThrow(
      `Pod ${place}/${tenant.name}-by-hand still mounts it, so nothing was deleted.`,
    )
    expect((await claimOf(tenant)).metadata.deletionTimestamp).toBeUndefined()
    expect(existsSync(join(folder, typed))).toBe(true)
    await replica.stop()
  })

  it('another gkube with the same cluster and pool: neither shares nor deletes what is theirs', async () => {
    const tenant = tenantOnPool()
    const pools = pool()
    const replica = await tenant.replica({ pools })
    await register(replica, tenant, withStorage())
    await ship(replica, tenant, '1')
    const second = world.tenant({ pool: 'shared', namespace: 'elsewhere' })
    const theirs: Tenant = {
      ...second,
      name: tenant.name,
      app: over => second.app({ app: tenant.name, ...over }),
    }
    const other = await theirs.replica({ pools })
    await register(other, theirs, withStorage())
    const words = `PersistentVolume ${nameOf(tenant)} of claim ${place}/${tenant.name}-data lies at the same place (hostPath /mnt/gv0/${place}/${tenant.name}/data)`
    expect((await ship(other, theirs, '1')).cause?.message).toContain(`Storage data is not made: ${words}`)
    const typed = `${place}/${tenant.name}/data`
    const at = { app: tenant.name, environment: place, storage: 'data', typed }
    await expect(other.core.deleteVolume(admin, at)).rejects.toThrow(`Nothing was deleted: ${words}`)
    expect(existsSync(join(folder, typed))).toBe(true)
    await other.stop()
    await replica.stop()
  })

  it('a deletion that a crash cut off: locked meanwhile, found and finished later', async () => {
    const tenant = tenantOnPool()
    let dies: (() => Promise<void>) | null = null
    const pools = pool({}, plain => ({
      remove: async (volume, typed) => {
        const dying = dies
        const result = await plain.remove(volume, typed)
        if (!dying) return result
        await dying()
        return new Promise(() => undefined)
      },
    }))
    const first = await tenant.replica({ pools })
    await register(first, tenant, withStorage())
    await ship(first, tenant, '1')
    await drop(first, tenant)
    dies = first.crash
    const typed = `${place}/${tenant.name}/data`
    const at = { app: tenant.name, environment: place, storage: 'data', typed }
    void first.core.deleteVolume(admin, at)
    await expect.poll(() => existsSync(join(folder, typed)), { timeout: 10_000 }).toBe(false)
    dies = null
    const second = await tenant.replica({ pools })
    expect(await rowsOf(second, tenant)).toMatchObject([{ state: 'unused', title: typed }])
    const other = { ...admin, actor: { ...admin.actor, id: 'token:other', name: 'otto' } }
    await expect(second.core.deleteVolume(other, at)).rejects.toThrow('its data is being deleted')
    expect(await second.core.deleteVolume(admin, at)).toEqual({ deleted: typed, left: [] })
    await expect.poll(() => volumeOf(tenant), { timeout: 10_000 }).toBeNull()
    await second.stop()
  })
})
