// Storage on a pool on a real control plane with no more rights than `gkube rbac` prints: its binder decides what is bound,
// released and bound again, its API server what of a PersistentVolume may change. The pool is a folder; the same stories,
// and many more, on the stand-in: test/core/runner/volumes.slow.test.ts.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { volumeName } from '../../src/core/volumes/bound.ts'
import { directoryPool } from '../../src/sandbox/glusterfs/directory-pool.ts'
import type { Json } from '../sandbox/cluster/wire.ts'
import { admin, ship, webApp } from '../support/stack.ts'
import { played, type RealStack, startRealStack } from './real-stack.ts'

let stack: RealStack
const folder = mkdtempSync(join(tmpdir(), 'gkube-cluster-pool-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const storage = { environment: 'staging', app: 'web', storage: 'data' }
const volumePath = () =>
  `/api/v1/persistentvolumes/${volumeName({ ...storage, namespace: stack.namespace('staging') })}`
const claimPath = () => `/api/v1/namespaces/${stack.namespace('staging')}/persistentvolumeclaims/web-data`
const get = async (path: string): Promise<Json> => (await stack.wire.get(path)).body
const isGone = async (path: string) => (await stack.wire.get(path)).status === 404
const register = (size: string) =>
  stack.core.applyApp(
    admin,
    webApp({
      replicas: 1,
      environments: { staging: {} },
      security: { runAsUser: process.getuid?.() || 1000, runAsGroup: process.getgid?.() || 1000 },
      storage: [{ name: 'data', size, mount: '/srv/data' }],
    }),
    { dryRun: false },
  )

describe.runIf(played)('storage on a pool', () => {
  beforeAll(async () => {
    const shared = {
      volume: 'gv0',
      servers: ['gluster-1.invalid'],
      reach: { kind: 'local' },
      mount: '/mnt/gv0',
      strategy: 'hostpath',
      hostPath: '/mnt/gv0',
    }
    stack = await startRealStack({ staging: { pool: 'shared' } }, undefined, {
      config: { pools: { shared } },
      pool: name => directoryPool({ name, folder }),
    })
  })

  it('is bound, grows, is released and bound again, and goes by its name', async () => {
    await register('1Gi')
    const first = await ship(stack.core, { revision: '1.0.0' })
    expect(first, first.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'create' })
    await stack.wire.until(async () => (await get(claimPath())).status?.phase === 'Bound')
    const claim = await get(claimPath())
    expect((await get(volumePath())).spec).toMatchObject({
      claimRef: { name: 'web-data', uid: claim.metadata.uid },
      hostPath: { path: '/mnt/gv0/staging/web/data', type: 'Directory' },
    })

    await register('2Gi')
    const grown = await ship(stack.core, { revision: '1.1.0' })
    expect(grown, grown.cause?.message).toMatchObject({ phase: 'succeeded' })
    expect((await get(volumePath())).spec.capacity.storage).toBe('2Gi')
    expect((await get(claimPath())).spec).toEqual(claim.spec)

    await ship(stack.core, { kind: 'delete', claims: ['web-data'] })
    await stack.wire.until(() => isGone(claimPath()))
    await stack.wire.until(async () => (await get(volumePath())).status.phase === 'Released')
    const again = await ship(stack.core, { revision: '1.2.0' })
    expect(again, again.cause?.message).toMatchObject({ phase: 'succeeded' })
    expect(again.steps[0]?.message).toContain('bound again with its data')
    await stack.wire.until(async () => (await get(claimPath())).status?.phase === 'Bound')
    expect((await get(volumePath())).spec.claimRef.uid).not.toBe(claim.metadata.uid)

    await ship(stack.core, { kind: 'delete' })
    const typed = 'staging/web/data'
    expect(await stack.core.deleteVolume(admin, { ...storage, typed })).toEqual({ deleted: typed, left: [] })
    await stack.wire.until(() => isGone(volumePath()))
    expect(existsSync(join(folder, typed))).toBe(false)
    expect(stack.log.filter(line => /forbidden/i.test(line))).toEqual([])
  })
})
