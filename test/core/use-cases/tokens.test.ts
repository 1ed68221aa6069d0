// The longest life of a token is the operators' (tokens.maxLifetime). The rest of tokens is in test/e2e/people.test.ts.
import { expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { tokens } from '../../../src/core/use-cases/tokens.ts'
import { testKv } from '../../support/etcd.ts'

const admin: Caller = {
  actor: { id: 'token:bootstrap', name: 'bootstrap', via: 'cli' },
  grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
}
const input = { name: 'ci', grants: [{ role: 'deployer' as const, apps: ['*'], environments: ['*'] }] }

it('a token may live as long as the operators say, and no longer', async () => {
  const kv = await testKv()
  const deps = {
    kv,
    keys: keysBelow(kv.root),
    clock: { now: () => 1_000 },
    people: [],
    bootstrap: null,
    maxTokenSeconds: 24 * 3600,
    log: () => undefined,
  }
  // The other things that use cases are given are not read here.
  const { createToken } = tokens(deps as unknown as Deps)
  const { info } = await createToken(admin, { ...input, expiresIn: '24h' })
  expect(info.expiresAt).toBe(1_000 + 24 * 3_600_000)
  await expect(createToken(admin, { ...input, expiresIn: '24h1s' })).rejects.toThrow(
    'A token may live for 24h at most here (tokens.maxLifetime in gkube.yaml), not 24h1s.',
  )
  expect((await kv.list(deps.keys.tokens)).entries).toHaveLength(1)
})

it('a token says whose it is, and that person is in gkube.yaml', async () => {
  const kv = await testKv()
  const deps = {
    kv,
    keys: keysBelow(kv.root),
    clock: { now: () => 1_000 },
    people: [{ id: 'ana', name: 'Ana Alves', grants: [] }],
    bootstrap: null,
    log: () => undefined,
  }
  const { createToken, authenticate } = tokens(deps as unknown as Deps)
  const { token, info } = await createToken(admin, { ...input, expiresIn: '1h', person: 'ana' })
  expect(info.person).toBe('ana')
  expect(await authenticate(token, 'cli')).toMatchObject({ person: 'ana', actor: { person: 'ana' } })
  // Made by another admin it counts as hers for votes, but it does not break glass in her name.
  const other = { ...admin, actor: { ...admin.actor, id: 'slack:U0CHO' }, person: 'cho' }
  const made = await createToken(other, { ...input, expiresIn: '1h', person: 'ana' })
  const caller = await authenticate(made.token, 'cli')
  expect(caller).toMatchObject({ actor: { person: 'ana' } })
  expect(caller.person).toBeUndefined()
  await expect(createToken(admin, { ...input, expiresIn: '1h', person: 'anna' })).rejects.toThrow(
    'Did you mean `ana`?',
  )
})
