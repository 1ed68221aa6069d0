// The notifier end to end on a real etcd and the stand-in workspace: what people see for each story of a deploy.
import { beforeAll, describe, expect, test } from 'vitest'
import { environmentSchema } from '../../../src/core/environment.ts'
import type { Renderer } from '../../../src/core/messages.ts'
import { ana } from '../sample.ts'
import {
  diagnosis,
  ended,
  general,
  patient,
  plainRenderer,
  production,
  staging,
  startWorld,
  type TestReplica,
  type World,
} from './world.ts'

let world: World
let replica: TestReplica
beforeAll(async () => {
  world = await startWorld()
  replica = await world.replica({ times: { refused: 60_000 } })
})

const mine = (revision: string, channel = staging) =>
  world.slack.control.messages(channel).filter(({ text }) => text.includes(` ${revision}:`))
const shows = (revision: string, text: string, channel = staging) =>
  world.slack.control.until(
    () => mine(revision, channel).at(-1)?.text.includes(text) && mine(revision, channel).at(-1),
    {
      what: `${revision} to show ${text}`,
    },
  )

describe('one deploy', () => {
  test('is one message, updated in place to its end, and leaves the outbox', async () => {
    const asked = await world.request({ revision: 'one' })
    await shows('one', 'requested')
    const running = await world.move(asked, { phase: 'running', startedAt: Date.now() })
    await shows('one', 'running')
    await world.move(running, ended('succeeded'))
    await world.told()
    const found = mine('one')
    expect(found).toHaveLength(1)
    expect(found[0]?.text).toContain('succeeded')
    expect(found[0]?.blocks).toHaveLength(1)
    const thread = world.slack.control.thread(staging, found[0]?.ts ?? '')
    expect(thread.map(({ text }) => text)).toEqual([found[0]?.text, 'started'])
  })

  test('that is over before it was told is told once, as it ended', async () => {
    const before = world.slack.control.calls('chat.update').length
    const asked = await world.request({ revision: 'quick' })
    await world.move(asked, ended('superseded'))
    await world.told()
    expect(mine('quick').map(({ text }) => text)).toEqual([expect.stringContaining('superseded')])
    expect(world.slack.control.calls('chat.update').length - before).toBeLessThanOrEqual(1)
  })

  test('tells a failure in the channel: the message first, then its cause with a file in the thread', async () => {
    const asked = await world.request({ revision: 'bad' })
    await world.move(asked, { ...ended('failed'), startedAt: Date.now() }, { diagnosis })
    await world.told()
    const [main] = mine('bad')
    const thread = world.slack.control.thread(staging, main?.ts ?? '')
    expect(thread.map(({ text, subtype, files }) => [text, subtype, files?.map(({ name }) => name)])).toEqual(
      [
        [expect.stringContaining('failed'), undefined, undefined],
        ['started', undefined, undefined],
        ['why: exit code 1', 'thread_broadcast', undefined],
        ['', undefined, ['log.txt']],
      ],
    )
    const file = world.slack.control.files().at(-1)
    expect(file?.content.toString()).toContain('<no> & `nothing`')
  })

  test('coalesces what happens fast: an update shows the latest state only', async () => {
    const asked = await world.request({ revision: 'fast', phase: 'running', startedAt: Date.now() })
    const { ts } = await shows('fast', 'running')
    for (let ready = 1; ready <= 60; ready++)
      await world.move(
        asked,
        { phase: 'running' },
        { progress: { ready, wanted: 60, message: '', at: Date.now() } },
      )
    await shows('fast', '60/60')
    const updates = world.slack.control.calls('chat.update').filter(({ args }) => args.ts === ts)
    expect(updates.length).toBeLessThan(20)
    await world.move(asked, ended('succeeded'))
    await world.told()
  })
})

test('that somebody is asked, and that it is over, does not wait for the pace of progress', async () => {
  // A workspace of its own: one notifier is elected in each.
  const slow = await startWorld()
  await slow.replica({ times: { betweenUpdates: 60_000 } })
  const text = () => slow.slack.control.messages(staging)[0]?.text
  const asked = await slow.request({ phase: 'preparing' })
  await slow.slack.control.until(() => text()?.includes('preparing'))
  const waits = await slow.move(asked, { phase: 'awaiting_approval' })
  await slow.slack.control.until(() => text()?.includes('awaiting_approval'))
  await slow.move(waits, ended('expired'))
  await slow.told()
  expect(text()).toContain('expired')
})

describe('a message that somebody deleted', () => {
  test('is posted again once, and what belongs to it goes on there', async () => {
    const asked = await world.request({ revision: 'gone' })
    const { ts } = await shows('gone', 'requested')
    world.slack.control.deleteMessage(staging, ts)
    const running = await world.move(asked, { phase: 'running', startedAt: Date.now() })
    const second = await shows('gone', 'running')
    expect(second.ts).not.toBe(ts)
    await world.slack.control.until(() => world.slack.control.thread(staging, second.ts).length === 2)
    world.slack.control.deleteMessage(staging, second.ts)
    await world.move(running, ended('succeeded'))
    await world.told()
    expect(mine('gone')).toEqual([])
    expect((await world.messages(asked.id)).main).toMatchObject({ state: 'gone', again: true })
  })
})

describe('a channel that does not take it', () => {
  test('is left for the next one', async () => {
    const asked = await world.request({ revision: 'elsewhere' }, [general, 'C0NOWHERE', production])
    await shows('elsewhere', 'requested', production)
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(mine('elsewhere', general)).toEqual([])
    expect((await world.messages(asked.id)).main).toMatchObject({ state: 'posted', channel: production })
  })

  test('is tried again when gkube was invited; doctor tells it until then', async () => {
    world.environments.delete('staging')
    const asked = await world.request({ revision: 'invited' }, [general])
    await expect.poll(async () => (await world.messages(asked.id)).main?.state, patient).toBe('refused')
    expect(await replica.notifier.checks()).toMatchObject([
      { name: 'slack notifier', state: 'ok' },
      { name: 'slack messages', state: 'failed', message: expect.stringContaining(asked.id) },
    ])
    const members = world.slack.control.channels().find(({ id }) => id === general)?.members ?? []
    world.slack.control.setChannel(general, { members: [...members, 'U0GKUBE'] })
    // Whichever replica hears of it.
    const other = await world.replica()
    expect(other.notifier.state().elected).toBe(false)
    await other.notifier.retry(general)
    await shows('invited', 'requested', general)
    world.slack.control.setChannel(general, { members })
    // It lost its place again: the message stays as it is, and the environment's channel of now is taken.
    world.environments.set('staging', { ...environmentSchema.parse({ channel: staging }), name: 'staging' })
    await world.move(asked, ended('failed'))
    await world.told()
    expect((await world.messages(asked.id)).main?.state).toBe('posted')
  })
})

describe('those who may approve', () => {
  const approval = (ms: number) => ({
    required: 1,
    requesterCounts: false,
    votes: [],
    expiresAt: Date.now() + ms,
  })
  const waits = (ms: number) => ({
    phase: 'awaiting_approval' as const,
    approval: approval(ms),
    environment: 'guarded',
  })
  const dm = (person: string) => world.slack.control.messages(`@${person}`).map(({ text }) => text)

  beforeAll(() => {
    const approvals = { required: 1, tell: true, remind: '1s' }
    world.environments.set('guarded', { ...environmentSchema.parse({ approvals }), name: 'guarded' })
  })

  test('are told by direct message, reminded before it expires, and see what was decided', async () => {
    const asked = await world.request({ revision: 'ask', ...waits(2_500) })
    await world.slack.control.until(() => dm('ben').length === 1 && dm('cho').length === 1)
    // Ben has voted: only Cho is reminded.
    const vote = {
      by: { ...ana, id: 'slack:U0BEN' },
      decision: 'approve' as const,
      reason: '',
      at: 1,
      hash: '',
    }
    const voted = await world.move(asked, { approval: { ...approval(1_200), required: 2, votes: [vote] } })
    await world.slack.control.until(() => dm('cho').length === 2)
    expect(dm('cho')[1]).toBe('reminder: web ask awaiting_approval')
    await world.move(voted, ended('denied'))
    await world.told()
    expect(dm('ben')).toEqual(['web ask denied'])
    expect(dm('cho')).toEqual(['web ask denied', 'reminder: web ask denied'])
  })

  test('are not asked for what they have approved already', async () => {
    world.approvers = ['U0BEN', 'U0CHO']
    const by = { ...ana, id: 'slack:U0BEN' }
    const votes = [{ by, decision: 'approve' as const, reason: '', at: 1, hash: '' }]
    const before = dm('ben').length
    const asked = await world.request({
      revision: 'half',
      ...waits(60_000),
      approval: { ...approval(60_000), required: 2, votes },
    })
    await world.slack.control.until(() => dm('cho').at(-1) === 'web half awaiting_approval')
    await world.move(asked, ended('cancelled'))
    await world.told()
    expect(dm('ben')).toHaveLength(before)
  })

  test('who cannot be told do not hold up the rest', async () => {
    world.approvers = ['U0NOBODY', 'U0CHO']
    const asked = await world.request({ revision: 'leaver', ...waits(60_000) })
    await world.slack.control.until(() => dm('cho').at(-1) === 'web leaver awaiting_approval')
    await world.move(asked, ended('cancelled'))
    await world.told()
    expect((await world.messages(asked.id)).direct).toMatchObject({ U0NOBODY: { state: 'refused' } })
  })
})

test('what must be loud is said in the channel of the environment too, once', async () => {
  const loud: Renderer = {
    ...plainRenderer,
    thread: ({ deploy }) =>
      deploy.overridden
        ? [
            {
              key: 'override',
              message: { text: 'OVERRIDDEN', blocks: [] },
              broadcast: true,
              loud: true,
              files: [],
            },
          ]
        : [],
  }
  const own = await startWorld()
  own.environments.set('live', { ...environmentSchema.parse({ channel: production }), name: 'live' })
  await own.replica({ renderer: loud })
  const overridden = { by: ana, reason: 'fire', at: 1, hash: 'h' }
  const inQuiet = await own.request({ environment: 'live', overridden }, [staging, production])
  const said = (channel: string) =>
    own.slack.control.messages(channel).filter(({ text }) => text === 'OVERRIDDEN')
  await own.slack.control.until(() => said(production).length === 1)
  await own.move(inQuiet, ended('succeeded'))
  const inOwn = await own.request({ environment: 'live', overridden, ...ended('succeeded') }, [production])
  await own.told()
  expect((await own.messages(inQuiet.id)).thread['override-channel']?.state).toBe('posted')
  expect(Object.keys((await own.messages(inOwn.id)).thread)).toEqual(['override'])
  // In the quiet channel the thread's own, shown there too; here the notice, then the thread's own of the other.
  expect([said(staging).length, said(production).length]).toEqual([1, 2])
})

test('a record that cannot be read is left alone, and the others are told', async () => {
  const { kv, keys } = world
  const broken = await world.request({ revision: 'broken' })
  await shows('broken', 'requested')
  await kv.commit({
    compares: [],
    writes: [{ kind: 'put', key: keys.deploy(broken.id), value: '{"schema":9}' }],
    repeatable: true,
  })
  const fine = await world.request({ revision: 'fine' })
  await world.move(fine, ended('succeeded'))
  await shows('fine', 'succeeded')
  await expect
    .poll(() => replica.log.some(line => line.includes(broken.id) || line.includes('schema')), patient)
    .toBe(true)
  await kv.commit({
    compares: [],
    writes: [{ kind: 'delete', key: keys.outboxEntry(broken.id) }],
    repeatable: true,
  })
  await world.told()
})
