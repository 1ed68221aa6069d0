// The folder that stands in for GlusterFS keeps the contract of a pool, and says what it is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { directoryPool } from '../../../src/sandbox/glusterfs/directory-pool.ts'
import { poolContract } from './pool-contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-pool-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const pool = directoryPool({ name: 'shared', folder })

poolContract(() => ({ pool, folder }))

it('says that it stands in', async () =>
  expect((await pool.health()).words).toMatch(/stands in for GlusterFS: quotas are counted, not enforced/))

it('has volumes of their own too', async () => {
  const volume = { kind: 'own', place: { environment: 'staging', app: 'db', storage: 'data' } } as const
  const wish = { uid: 0, gid: 0, bytes: 1000 }
  expect(await pool.ensure(volume, wish)).toEqual({ made: true, bytes: 1000 })
  expect(await pool.usage(volume)).toEqual({ used: 0, quota: 1000 })
})
