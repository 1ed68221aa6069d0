// One-time tokens of artifacts on a real etcd: for one hash, once, and again only while a cut download begins anew.
import { beforeAll, describe, expect, it } from 'vitest'
import { artifactTickets } from '../../../src/core/artifacts/tickets.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'

const sha256 = 'a'.repeat(64)
let kv: TestKv
beforeAll(async () => {
  kv = await testKv()
})

let at = 1_700_000_000_000
const minutes = (count: number) => {
  at += count * 60_000
}
const tickets = () => artifactTickets({ kv, keys: keysBelow(kv.root), clock: { now: () => at } })
const issued = (ttlSeconds = 3600) => tickets().issue({ sha256, deploy: '01abc', ttlSeconds })

describe('a token', () => {
  it('gives its artifact, and again for longer than a download may take', async () => {
    const token = await issued()
    expect(token).toMatch(/^gka_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$/)
    expect(await tickets().redeem(token, sha256)).toEqual({ deploy: '01abc' })
    minutes(16)
    expect(await tickets().redeem(token, sha256)).toEqual({ deploy: '01abc' })
    minutes(5)
    await expect(tickets().redeem(token, sha256)).rejects.toThrow('was used before')
  })

  it('that is used late still has its time', async () => {
    const token = await issued(600)
    minutes(9)
    await tickets().redeem(token, sha256)
    minutes(5)
    expect(await tickets().redeem(token, sha256)).toEqual({ deploy: '01abc' })
  })

  it('expires unused', async () => {
    const token = await issued(60)
    minutes(1)
    await expect(tickets().redeem(token, sha256)).rejects.toMatchObject({ kind: 'unauthenticated' })
  })

  it.each([
    ['another artifact', (token: string) => [token, 'b'.repeat(64)]],
    [
      'another secret',
      (token: string) => [`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, sha256],
    ],
    ['another id', (token: string) => [token.replace(/^gka_.{26}/, `gka_${'0'.repeat(26)}`), sha256]],
    ['another shape', () => ['gk_x', sha256]],
    ['a path', () => ['gka_../../tokens_x', sha256]],
  ])('is not %s', async (_name, change) => {
    const [token = '', hash = ''] = change(await issued())
    await expect(tickets().redeem(token, hash)).rejects.toThrow('does not give this artifact')
  })

  it('may be used by several at the same moment', async () => {
    const token = await issued()
    const all = await Promise.all([1, 2, 3, 4].map(() => tickets().redeem(token, sha256)))
    expect(all).toHaveLength(4)
  })

  it('is not in the store as it is', async () => {
    const token = await issued()
    const { entries } = await kv.list(`${kv.root}artifacts/`)
    expect(entries.length).toBeGreaterThan(0)
    for (const { value } of entries) expect(value).not.toContain(token.slice(-43))
  })
})
