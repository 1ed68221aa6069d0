// Reads, commits and limits against a real etcd.
import { beforeAll, describe, expect, test } from 'vitest'
import type { Commit } from '../../../src/core/kv.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'

let kv: TestKv
beforeAll(async () => {
  kv = await testKv()
})

const put = (key: string, value: string) => ({ kind: 'put', key, value }) as const
const create = (key: string, value: string): Commit => ({
  compares: [{ kind: 'absent', key }],
  writes: [put(key, value)],
})

describe('commit', () => {
  test('writes when the compares hold, and tells the revision', async () => {
    const key = `${kv.root}apps/web`
    const result = await kv.commit(create(key, 'one'))
    expect(result.committed).toBe(true)
    expect(await kv.get(key)).toEqual({
      key,
      value: 'one',
      createRevision: result.revision,
      modRevision: result.revision,
    })
  })
})
