// What the sweep takes away of its own accord: notices that nobody told, and none that is on its way.
import { expect, it } from 'vitest'
import type { Kv } from '../../src/core/kv.ts'
import { noticeWrites } from '../../src/core/notices.ts'
import { put } from '../../src/core/records.ts'
import { admin } from '../support/stack.ts'
import { startWorld, until } from './runner/world.ts'

it('forgets notices that nobody told, where there is no Slack', async () => {
  const world = await startWorld()
  const tenant = world.tenant()
  const replica = await tenant.replica()
  const day = 24 * 3_600_000
  const write = (at: number) =>
    tenant.kv.commit({
      compares: [],
      writes: noticeWrites(tenant.keys, {
        kind: 'lock_ends',
        to: admin.actor,
        environment: 'staging',
        text: 'x',
        at,
      }),
      repeatable: true,
    })
  await write(Date.now() - 3 * day)
  await write(Date.now() - day)
  const counts = async () => {
    const { notices, messages, outbox } = tenant.keys
    const lists = [notices, messages, outbox].map(prefix => tenant.kv.list(prefix, { keysOnly: true }))
    return (await Promise.all(lists)).map(({ entries }) => entries.length)
  }
  expect(await counts()).toEqual([2, 2, 2])
  await replica.sweeper.forgetNotices()
  expect(await counts()).toEqual([1, 1, 1])
  await replica.stop()
})

it('one record that cannot be written keeps no other from being swept', async () => {
  const tenant = (await startWorld()).tenant()
  const stuck = tenant.keys.lockApp('a', tenant.name)
  const refusing = (kv: Kv): Kv => ({
    ...kv,
    commit: async commit => {
      if (commit.writes.some(write => write.key === stuck)) throw new Error('refused for ever')
      return kv.commit(commit)
    },
  })
  const replica = await tenant.replica({ kv: refusing })
  for (const environment of ['a', 'b']) {
    const [at, expiresAt] = [Date.now() - 120_000, Date.now() - 60_000]
    const whose = { scope: 'app', app: tenant.name, environment, by: admin.actor }
    const lock = { schema: 1, ...whose, reason: 'x', at, expiresAt }
    const writes = [put(tenant.keys.lockApp(environment, tenant.name), lock)]
    await tenant.kv.commit({ compares: [], writes, repeatable: true })
  }
  await until(() => replica.view.live.locks.size === 2)
  await replica.sweeper.sweep()
  expect(await tenant.kv.get(tenant.keys.lockApp('b', tenant.name))).toBeNull()
  expect(await tenant.kv.get(stuck)).not.toBeNull()
  expect(replica.log.join()).toContain('refused for ever')
  await replica.stop()
})
