// A notice reaches the one it is for, once: by direct message where Slack knows and takes it, else in the channel; then
// nothing of it is left.
import { describe, test } from 'vitest'
import { type Notice, noticeWrites } from '../../../src/core/notices.ts'
import { put } from '../../../src/core/records.ts'
import { patient, production, staging, startWorld, type World } from './world.ts'

const ana = { id: 'slack:U0ANA', name: 'ana' }

const notice = (over: Partial<Notice> = {}): Omit<Notice, 'schema'> => ({
  kind: 'lock_ends',
  to: ana,
  environment: 'staging',
  text: 'Your lock ends soon.',
  at: Date.now(),
  ...over,
})

const write = (world: World, one: Omit<Notice, 'schema'>) =>
  world.kv.commit({ compares: [], writes: noticeWrites(world.keys, one), repeatable: true })

const texts = (world: World, channel: string) =>
  world.slack.control.messages(channel).flatMap(({ text }) => (text.includes('lock ends soon') ? [text] : []))

/** Texts of the direct messages with a person. */
const direct = (world: World, user: string) => {
  const room = world.slack.control.channels().find(one => one.im === user)
  return room ? texts(world, room.id) : []
}

async function nothingLeft(world: World) {
  const { entries } = await world.kv.list(world.keys.root, { keysOnly: true })
  return entries.map(entry => entry.key).filter(key => /notice|outbox/.test(key))
}

describe('a notice', { concurrent: true }, () => {
  test('goes to a person by direct message, and leaves nothing behind', async ({ expect }) => {
    const world = await startWorld()
    await world.replica()
    await write(world, notice())
    await world.told()
    expect(direct(world, 'U0ANA')).toEqual(['lock_ends: Your lock ends soon.'])
    expect(texts(world, staging)).toEqual([])
    await expect.poll(() => nothingLeft(world), patient).toEqual([])
  })

  test.for([
    { name: 'whom Slack does not know', to: { id: 'token:ci', name: 'ci' }, fault: null },
    { name: 'who takes no messages', to: ana, fault: 'user_disabled' },
  ])('to somebody $name: in the channel of the environment', async ({ to, fault }, { expect }) => {
    const world = await startWorld()
    if (fault) world.slack.control.fault({ method: 'conversations.open', error: fault, times: 5 })
    await world.replica()
    await write(world, notice({ to }))
    await world.told()
    expect(texts(world, staging)).toEqual(['lock_ends: Your lock ends soon.'])
    expect(await nothingLeft(world)).toEqual([])
  })

  test('for everybody: in the channel; where there is none, it is dropped', async ({ expect }) => {
    const world = await startWorld()
    await world.replica()
    await write(world, notice({ to: null }))
    await world.told()
    expect(texts(world, staging)).toHaveLength(1)
    await write(world, notice({ to: null, environment: 'nowhere' }))
    await world.told()
    expect(texts(world, production)).toEqual([])
    expect(await nothingLeft(world)).toEqual([])
  })

  test('whose post was lost on the way is looked up, and told once', async ({ expect }) => {
    const world = await startWorld()
    world.slack.control.fault({ method: 'chat.postMessage', connection: 'lost' })
    await world.replica()
    await write(world, notice({ to: null }))
    await world.told()
    expect(texts(world, staging)).toHaveLength(1)
  })

  test('of another version is left alone: what comes after it is told', async ({ expect }) => {
    const world = await startWorld()
    const first = await world.replica()
    const writes = noticeWrites(world.keys, notice({ to: null }))
    const [record] = writes
    if (record?.kind !== 'put') throw new Error('a notice begins with its record')
    await world.kv.commit({
      compares: [],
      writes: [put(record.key, { schema: 2 }), ...writes.slice(1)],
      repeatable: true,
    })
    await expect.poll(() => first.log.some(line => line.includes('left alone')), patient).toBe(true)
    await write(world, notice({ to: null }))
    await expect.poll(() => texts(world, staging), patient).toHaveLength(1)
  })
})
