// What the sweep takes away of its own accord: notices that nobody told, and none that is on its way.
import { expect, it } from 'vitest'
import { noticeWrites } from '../../src/core/notices.ts'
import { admin } from '../support/stack.ts'
import { startWorld } from './runner/world.ts'

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
