// What the hourly look at the store removes, on a real etcd and a real directory: only what nothing refers to.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { directoryStore } from '../../../src/adapters/artifacts/directory-store.ts'
import { keepOnce } from '../../../src/core/artifacts/keeper.ts'
import { releasedPut } from '../../../src/core/artifacts/released.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { put } from '../../../src/core/records.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'
import { appOf, frozenOf } from '../specs.ts'

const directory = mkdtempSync(join(tmpdir(), 'gkube-keeper-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const hour = 3_600_000
const now = 1_700_000_000_000
const store = directoryStore({ directory, maxBytes: 1000, keepMs: hour })
let kv: TestKv
beforeAll(async () => {
  kv = await testKv()
})

/** Uploaded long ago. */
async function upload(text: string): Promise<string> {
  const sha256 = createHash('sha256').update(text).digest('hex')
  async function* content() {
    yield Buffer.from(text)
  }
  await store.put(sha256, content())
  const at = new Date(now - 10 * hour)
  utimesSync(join(directory, sha256.slice(0, 2), sha256), at, at)
  return sha256
}

it('removes what nothing refers to, and the records of revisions that are old and many', async () => {
  const keys = keysBelow(kv.root)
  const [spec, loose] = [await upload('spec'), await upload('loose')]
  const by = { id: 'token:ci', name: 'ci', via: 'api' as const }
  const frozen = { ...frozenOf(), artifact: { sha256: spec, url: null } }
  await kv.commit({ compares: [], repeatable: true, writes: [put(keys.spec('a'.repeat(64)), frozen)] })
  await kv.commit({ compares: [], repeatable: true, writes: [put(keys.app('web'), appOf())] })
  const unregistered = await upload('of an app that is gone')
  const record = { sha256: unregistered, size: 1, at: now - 5 * hour, by }
  await kv.commit({
    compares: [],
    repeatable: true,
    writes: [releasedPut(keys, { app: 'gone', revision: '1' }, record)],
  })
  const revisions: string[] = []
  for (let n = 0; n < 53; n++) {
    const sha256 = await upload(`revision ${n}`)
    revisions.push(sha256)
    const record = { sha256, size: 1, at: now - 5 * hour + n, by }
    await kv.commit({
      compares: [],
      repeatable: true,
      writes: [releasedPut(keys, { app: 'web', revision: `1.${n}` }, record)],
    })
  }
  const deps = { kv, keys, clock: { now: () => now, sleep: async () => undefined }, store, keepMs: hour }
  const gone = await keepOnce(deps)
  expect([...gone].sort()).toEqual([loose, unregistered, ...revisions.slice(0, 3)].sort())
  expect(await store.size(spec)).toBe(4)
  const { entries } = await kv.list(keys.releases, { keysOnly: true })
  expect(entries).toHaveLength(50)
  expect(await keepOnce(deps)).toEqual([])
})

it('removes nothing where a record cannot be read: it may refer to any', async () => {
  const keys = keysBelow(`${kv.root}other/`)
  const loose = await upload('another loose one')
  await kv.commit({
    compares: [],
    repeatable: true,
    writes: [{ kind: 'put', key: keys.spec('b'.repeat(64)), value: '{' }],
  })
  const clock = { now: () => now, sleep: async () => undefined }
  await expect(keepOnce({ kv, keys, clock, store, keepMs: hour })).rejects.toThrow(/cannot be read/)
  expect(await store.size(loose)).toBe('another loose one'.length)
})
