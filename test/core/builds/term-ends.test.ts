// A follower whose lease is nearly over when a build ends: it may ask for nothing any more, and what it did not ask for
// is not over. Found by test/chaos on a machine that was slow to renew leases.
import { expect, it } from 'vitest'
import type { Kv } from '../../../src/core/kv.ts'
import { startWorld, until } from './world.ts'

it('leaves the deploy that it could not ask for to whoever is elected', { timeout: 20_000 }, async () => {
  const world = await startWorld()
  await world.register({ environments: { staging: { deployOn: 'success' } } })
  let isShort = false
  const shortly = (kv: Kv): Kv => ({
    ...kv,
    async lease(seconds) {
      const lease = await kv.lease(seconds)
      return { ...lease, remaining: () => (isShort ? 100 : lease.remaining()) }
    },
  })
  const follower = await world.follower({ hooksOnly: true, kv: shortly })
  await world.hook({ phase: 'started' })
  await until(async () => (await world.builds()).length === 1)
  isShort = true
  await world.hook({ phase: 'finalized', result: 'SUCCESS', commit: 'c0ffee1' })
  await until(async () => (await world.builds())[0]?.phase === 'finished')
  // It has tried, and tries again: nothing is asked for, and the build is not let go.
  await until(async () => follower.log.length > 0 || (await world.under(world.keys.jenkinsOpen)).length === 0)
  expect(await world.under(world.keys.jenkinsOpen)).toHaveLength(1)
  expect(await world.deploys()).toEqual([])
  isShort = false
  await until(async () => (await world.deploys()).length === 1)
})
