// Storage on a pool through a whole replica, with a folder as the pool. One that cannot be reached stops neither gkube nor
// deploys that do not use it, and doctor says so. The real one is in test/slow/glusterfs.test.ts.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { directoryPool } from '../../src/sandbox/glusterfs/directory-pool.ts'
import { admin, callerWith, ship, startStack, webApp } from '../support/stack.ts'

it('starts without its pool, and doctor says what to do', async () => {
  const { core } = await startStack({
    config: {
      pools: {
        shared: {
          volume: 'gkube-test-none',
          servers: ['gluster-1.invalid'],
          reach: { kind: 'remote', host: '127.0.0.1' },
          mount: '/mnt/gkube-is-not-mounted',
          strategy: 'hostpath',
          hostPath: '/mnt/gv0',
        },
      },
    },
  })
  const checks = await core.doctor(admin)
  const pools = checks.filter(({ name }) => name.startsWith('pool '))
  expect(pools.map(({ name, state }) => [name, state])).toEqual([
    ['pool shared', 'failed'],
    ['pool shared mount', 'failed'],
  ])
  // Whether GlusterFS is installed here, runs here, or neither; its CLI waits for a daemon for some seconds at times.
  expect(pools[0]?.message).toMatch(
    /is not installed|does not answer on 127|no answer in 3 s|no GlusterFS volume/,
  )
  expect(pools[1]?.message).toMatch(/is not a mount.*mount -t glusterfs gluster-1\.invalid:\/gkube-test-none/)
})

it('makes, shows and deletes storage of an app through a whole replica, and any replica knows it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-e2e-pool-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { core, replica, kubectlGet } = await startStack({
    environments: { staging: { createNamespace: true, pool: 'shared' } },
    config: {
      pools: {
        shared: {
          volume: 'gv0',
          servers: ['gluster-1.invalid'],
          reach: { kind: 'local' },
          mount: '/mnt/gv0',
          strategy: 'hostpath',
          hostPath: '/mnt/gv0',
        },
      },
    },
    pool: name => directoryPool({ name, folder }),
  })
  const other = await replica()
  const user = process.getuid?.() || 1000
  const app = webApp({
    environments: { staging: {} },
    security: { runAsUser: user, runAsGroup: process.getgid?.() || 1000 },
    storage: [{ name: 'data', size: '1Gi', mount: '/srv/data' }],
  })
  await core.applyApp(admin, app, { dryRun: false })
  const plan = await core.plan(admin, { app: 'web', environment: 'staging', revision: '1' })
  expect(plan).toMatchObject({
    refusals: [],
    steps: ['volume', 'environment', 'apply', 'rollout', 'record'],
  })
  expect(plan.notes).toContain('storage data is staging/web/data on the pool shared, 1Gi; a delete keeps it')
  expect((await ship(core, { revision: '1' })).phase).toBe('succeeded')
  const [row] = await other.core.volumes(admin, {})
  expect(row).toMatchObject({ title: 'staging/web/data', used: 0, quota: 2 ** 30, state: 'ok' })
  const path = `/api/v1/persistentvolumes/${row?.volume}`
  expect(await kubectlGet(path)).toMatchObject({ status: { phase: 'Bound' } })
  // Who may only look deletes nothing, whatever they type.
  const viewer = callerWith('vic', 'viewer')
  const at = { app: 'web', environment: 'staging', storage: 'data', typed: 'staging/web/data' }
  await expect(core.deleteVolume(viewer, at)).rejects.toThrow(/vic may not delete web in staging/)
  await ship(core, { kind: 'delete' })
  expect(await other.core.deleteVolume(admin, at)).toEqual({ deleted: 'staging/web/data', left: [] })
  expect(existsSync(join(folder, 'staging/web/data'))).toBe(false)
  await expect.poll(() => kubectlGet(path), { timeout: 10_000 }).toBeNull()
})
