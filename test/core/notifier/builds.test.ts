// Builds told on a real etcd and the stand-in workspace: what each channel sees, one thread for a build and its deploys,
// and that nothing is lost where a build goes on after its end.
import { describe, test } from 'vitest'
import type { Build } from '../../../src/core/builds/build.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { ana, prepared } from '../sample.ts'
import { ending, startBuilds } from './build-world.ts'
import { diagnosis, ended, general, patient, production, staging } from './world.ts'

const failing = (more: Partial<Build> = {}): Partial<Build> =>
  ending('FAILURE', {
    tests: { total: 412, failed: 2, skipped: 0, names: ['shop.CartTest.adds', 'shop.CartTest.pays'] },
    changes: [{ commit: 'a1b2c3d', author: 'Ana', email: 'ana@example.com', slack: 'U0ANA', message: 'Pay' }],
    changesTotal: 1,
    ...more,
  })
const quiet = (channel = staging) => ({ told: [{ channel, events: 'changes' as const }] })

describe('a build', { concurrent: true }, () => {
  test('that was asked for is one message from the queue to its end', async ({ expect }) => {
    const { world, control, begin, move, replica, shows, texts, messagesOf } = await startBuilds()
    await replica()
    const build = await begin({ phase: 'queued', number: null, startedAt: null, askedBy: ana })
    await shows('waits in Jenkins’ queue')
    const runs = await move(build, { phase: 'running', number: 214, startedAt: Date.now() })
    await shows('shop/web #214: runs')
    await move(runs, ending('SUCCESS'))
    await world.told()
    expect(texts()).toEqual(['shop/web #214: passed in 1 m 01 s'])
    expect((await messagesOf(build)).main?.state).toBe('posted')
    expect(control.calls('chat.postMessage')).toHaveLength(1)
  })

  test('that fails after success is heard, with the tests, whose change it was and the console', async ({
    expect,
  }) => {
    const { world, control, begin, move, replica, shows, thread } = await startBuilds()
    await replica()
    const build = await begin({ number: 214 })
    const { ts } = await shows('runs')
    await move(build, failing(), ['compiling', 'Error: cart is <empty>', 'Finished: FAILURE'])
    await world.told()
    const [main, loud, file] = thread(ts)
    expect(main?.text).toBe('shop/web #214: failed after 1 m 01 s, 2 of 412 tests fail')
    expect(loud).toMatchObject({ subtype: 'thread_broadcast' })
    const words = JSON.stringify(loud?.blocks)
    expect(words).toContain('<@U0ANA>')
    expect(words).toContain('shop.CartTest.pays')
    expect(words).toContain('Error: cart is &lt;empty&gt;')
    expect(file?.files?.map(({ name }) => name)).toEqual(['shop-web-214-console.txt'])
    expect(control.files()[0]?.content.toString()).toContain('Error: cart is <empty>')
  })

  test('in `changes`: the success after a success is silent, the failure is one message, the next one joins it, and back to normal is heard', async ({
    expect,
  }) => {
    const { world, control, begin, move, replica, shows, thread, texts } = await startBuilds()
    await replica()
    await move(await begin({ ...quiet(), number: 213 }), ending('SUCCESS'))
    await world.told()
    expect(control.calls('chat.postMessage')).toEqual([])
    const first = await begin({ ...quiet(), number: 214 })
    await move(first, failing({ failingSince: 214 }), ['Error: 1'])
    const main = await shows('#214: failed')
    expect(JSON.stringify(main.blocks)).toContain('<@U0ANA>')
    await world.told()
    await move(
      await begin({ ...quiet(), number: 215 }),
      failing({ turn: 'still_failing', failingSince: 214 }),
      ['Error: 2'],
    )
    await world.told()
    await move(await begin({ ...quiet(), number: 216 }), ending('SUCCESS', { turn: 'back_to_normal' }))
    await world.told()
    // Nothing is shown twice in the channel, and nobody is mentioned twice.
    expect(texts()).toEqual([
      'shop/web #214: failed after 1 m 01 s, 2 of 412 tests fail',
      'shop/web #216: passed in 1 m 01 s: back to normal',
    ])
    const said = thread(main.ts)
    expect(said.map(({ text }) => text)).toEqual([
      expect.stringContaining('#214: failed'),
      'The end of the console of shop/web #214',
      '',
      'shop/web #215: failed again after 1 m 01 s, failing since #214, 2 of 412 tests fail',
      'The end of the console of shop/web #215',
      '',
    ])
    expect(JSON.stringify(said.slice(1))).not.toContain('<@')
  })

  test('asks for an input in the channel, and shows who answered in its place', async ({ expect }) => {
    const { world, control, begin, move, replica, shows } = await startBuilds()
    await replica()
    const build = await begin({ number: 214, askedBy: { ...ana, id: 'slack:U0ANA' } })
    const { ts } = await shows('runs')
    const input = {
      id: 'Publish',
      message: 'Publish <it>?',
      proceed: 'Ship it',
      parameters: [],
      submitters: [],
      askedAt: 5,
      answer: null,
      over: false,
    }
    const asks = await move(build, { inputs: [input] })
    const entry = await control.until(() => control.thread(staging, ts)[1], { what: 'the question' })
    expect(entry).toMatchObject({ subtype: 'thread_broadcast' })
    expect(JSON.stringify(entry.blocks)).toMatch(
      /<@U0ANA>.*Publish &lt;it&gt;\?.*Ship it.*b\d+\/Publish.*Abort/,
    )
    const answer = {
      decision: 'proceed' as const,
      by: { ...ana, name: 'ben' },
      at: Date.now(),
      state: 'sent' as const,
      parameters: {},
      note: '',
    }
    const goes = await move(asks, { inputs: [{ ...input, answer, over: true }] })
    await control.until(() => control.thread(staging, ts)[1]?.text.includes('was answered'))
    await move(goes, ending('SUCCESS'))
    await world.told()
    const thread = control.thread(staging, ts)
    expect(thread).toHaveLength(2)
    expect(JSON.stringify(thread[1]?.blocks)).toMatch(/Ship it\*, by .*ben at/)
    expect(JSON.stringify(thread[1]?.blocks)).not.toContain('button')
  })

  test('is told in each of its channels as that one wants it', async ({ expect }) => {
    const { world, begin, move, replica, texts } = await startBuilds()
    const told: Build['told'] = [
      { channel: staging, events: 'all' },
      { channel: production, events: 'failures' },
    ]
    await replica()
    await move(await begin({ told, number: 1 }), ending('SUCCESS'))
    await move(await begin({ told, number: 2 }), failing())
    await world.told()
    expect(texts(production)).toEqual([expect.stringContaining('#2: failed')])
    expect(texts().filter(text => text.includes('#1: passed'))).toHaveLength(1)
  })
})

describe('a build that goes on after its end', { concurrent: true }, () => {
  test('a deploy by a click, later: the message is there and is kept up to the end of the deploy', async ({
    expect,
  }) => {
    const { world, begin, move, replica, seen, deployUnder, idOf, messagesOf, control } = await startBuilds()
    await replica()
    const build = await begin({ number: 214 })
    const over = await move(build, ending('SUCCESS'))
    await world.told()
    const deploy = await deployUnder(idOf(build))
    const daysAgo = Date.now() - 3 * 86_400_000
    const main = (await messagesOf(build)).main
    const open = await move(over, { deploys: [seen(deploy, 'running')], endedAt: daysAgo })
    const words = () => JSON.stringify(control.messages(staging)[0]?.blocks)
    await control.until(() => words().includes('staging: deploying `1.4.2` ↓ in the thread'))
    expect(await world.inOutbox()).toBe(2)
    await world.move(deploy, ended('succeeded'))
    await move(open, { deploys: [seen(deploy, 'succeeded')] })
    await world.told()
    expect(words()).toContain('staging: `1.4.2` is live')
    expect((await messagesOf(build)).main?.ts).toBe(main?.ts)
  })

  test('what changes at the very moment at which it is taken for told is told, too', async ({ expect }) => {
    const { world, begin, move, replica, control } = await startBuilds()
    const gone = { id: 'd9', app: 'web', environment: 'staging', revision: '1.4.2' }
    let late = async () => {}
    const racing: Kv = {
      ...world.kv,
      async commit(commit) {
        const leaves = commit.writes.some(
          one => one.kind === 'delete' && one.key.startsWith(world.keys.outbox),
        )
        if (leaves) await late()
        return world.kv.commit(commit)
      },
    }
    await replica({ kv: racing })
    const build = await begin({ number: 214 })
    const over: Build = { ...build, ...ending('SUCCESS') }
    late = async () => {
      late = async () => {}
      await move(over, { deploys: [{ ...gone, phase: 'succeeded' }] })
    }
    await move(build, over)
    await expect
      .poll(() => JSON.stringify(control.messages(staging)[0]?.blocks), patient)
      .toContain('`1.4.2` is live')
    await world.told()
  })
})

describe('a deploy of a build', { concurrent: true }, () => {
  test('is told in the thread of the build; that it fails is heard in the channel', async ({ expect }) => {
    const { world, begin, move, replica, shows, deployUnder, idOf, inThread, thread } = await startBuilds()
    await replica()
    const build = await begin({ number: 214 })
    // Asked for before the message of the build is there: it waits for it.
    const deploy = await deployUnder(idOf(build))
    const { ts } = await shows('#214')
    await inThread(ts, 'web 1.4.2 → staging: preparing')
    await move(build, ending('SUCCESS'))
    await world.move(deploy, { ...ended('failed'), startedAt: 1 }, { diagnosis })
    await world.told()
    expect(thread(ts).map(({ text, subtype }) => [text, subtype])).toEqual([
      [expect.stringContaining('#214: passed'), undefined],
      ['web 1.4.2 → staging: failed: exit code 1', undefined],
      ['Why: exit code 1', undefined],
      ['web 1.4.2 → staging: failed: exit code 1', 'thread_broadcast'],
    ])
    expect((await world.messages(deploy.id)).main).toMatchObject({ root: ts, channel: staging })
  })

  test('of a silent build makes its message appear: there is one thread for both', async ({ expect }) => {
    const { world, begin, move, replica, deployUnder, idOf, control, texts } = await startBuilds()
    await replica()
    const build = await begin({ ...quiet(), number: 214 })
    await move(build, ending('SUCCESS'))
    await world.told()
    expect(texts()).toEqual([])
    const deploy = await deployUnder(idOf(build))
    await control.until(() => control.thread(staging, control.messages(staging)[0]?.ts ?? '').length === 2)
    await world.move(deploy, ended('succeeded'))
    await world.told()
    expect(texts()).toEqual(['shop/web #214: passed in 1 m 01 s'])
  })

  test('that asks for approval does so in the channel, with buttons until it is decided', async ({
    expect,
  }) => {
    const { world, begin, move, replica, shows, deployUnder, idOf, control, thread } = await startBuilds()
    await replica()
    const build = await begin({ number: 214 })
    await move(build, ending('SUCCESS'))
    const { ts } = await shows('#214: passed')
    const approval = { required: 1, requesterCounts: false, votes: [], expiresAt: Date.now() + 60_000 }
    const asks = await deployUnder(idOf(build), { phase: 'awaiting_approval', approval, prepared })
    const loud = await control.until(() => thread(ts).find(({ subtype }) => subtype === 'thread_broadcast'))
    expect(JSON.stringify(loud.blocks)).toMatch(
      /\*web\*.*staging.*waiting for 1 of 1 approval.*Approve.*Deny…/,
    )
    // Once is enough: its own message does not have them, too.
    const own = thread(ts).find(one => one.subtype === undefined && one.text.startsWith('web 1.4.2'))
    expect(JSON.stringify(own?.blocks)).toContain('Cancel')
    expect(JSON.stringify(own?.blocks)).not.toContain('Approve')
    const vote = { by: { ...ana, name: 'ben' }, decision: 'approve' as const, reason: '', at: 1, hash: 'a' }
    const given = await world.move(asks, { phase: 'running', approval: { ...approval, votes: [vote] } })
    await control.until(() => thread(ts).some(one => one.ts === loud.ts && one.text.includes('approved')))
    await world.move(given, ended('succeeded'))
    await world.told()
    const after = thread(ts).find(one => one.ts === loud.ts)
    expect(after?.text).toBe('web 1.4.2 → staging: approved')
    expect(JSON.stringify(after?.blocks)).not.toContain('button')
  })

  test('goes to its own channel where the build’s message does not come', async ({ expect }) => {
    const { world, begin, replica, deployUnder, idOf, shows } = await startBuilds()
    await replica()
    // gkube is not in that channel.
    const build = await begin({ told: [{ channel: general, events: 'all' }] })
    const there = await deployUnder(idOf(build, general))
    const nowhere = await deployUnder('b999.C0STAGING', { revision: 'orphan' })
    await shows('web 1.4.2 → staging')
    await shows('web orphan → staging')
    for (const one of [there, nowhere]) {
      await world.move(one, ended('succeeded'))
      expect((await world.messages(one.id)).main?.root).toBeUndefined()
    }
  })

  test('that was told first has the build in its thread, and the deploys of that build', async ({
    expect,
  }) => {
    const { world, begin, move, replica, deployUnder, idOf, control, thread } = await startBuilds()
    await replica()
    const first = await world.request({ revision: 'first' })
    const build = await begin({ ...quiet(), number: 214 }, new Map([[staging, first.id]]))
    const last = await deployUnder(idOf(build), { revision: 'last' })
    const top = await control.until(() => control.messages(staging)[0])
    await control.until(() => thread(top.ts).length === 3)
    await world.move(first, ended('succeeded'))
    await move(build, ending('SUCCESS'))
    await world.move(last, ended('succeeded'))
    await world.told()
    expect(thread(top.ts).map(({ text }) => text)).toEqual([
      expect.stringContaining('first'),
      'shop/web #214: passed in 1 m 01 s',
      expect.stringContaining('last'),
    ])
    expect(control.messages(staging)).toHaveLength(1)
  })

  test('whose answer was lost is found in the thread, and one that was deleted comes again there', async ({
    expect,
  }) => {
    const { world, begin, move, replica, shows, deployUnder, idOf, control, thread } = await startBuilds()
    await replica()
    const build = await begin({ number: 214 })
    const { ts } = await shows('#214')
    control.fault({ method: 'chat.postMessage', connection: 'lost' })
    const deploy = await deployUnder(idOf(build))
    await expect.poll(async () => (await world.messages(deploy.id)).main?.state, patient).toBe('posted')
    expect(thread(ts)).toHaveLength(2)
    control.deleteMessage(staging, thread(ts)[1]?.ts ?? '')
    const running = await world.move(deploy, { phase: 'running', startedAt: Date.now() })
    await control.until(() => thread(ts).length === 2)
    await world.move(running, ended('succeeded'))
    await move(build, ending('SUCCESS'))
    await world.told()
    expect(thread(ts).map(({ text }) => text)).toEqual([
      expect.stringContaining('#214: passed'),
      'web 1.4.2 → staging: live',
    ])
  })

  test('goes on where another replica takes over', async ({ expect }) => {
    const { world, begin, move, replica, shows, deployUnder, idOf, inThread, thread } = await startBuilds()
    const one = await replica({ ttlSeconds: 20 })
    const build = await begin({ number: 214 })
    const deploy = await deployUnder(idOf(build))
    const { ts } = await shows('#214')
    await inThread(ts, 'preparing')
    await one.stop()
    await move(build, ending('SUCCESS'))
    await world.move(deploy, ended('succeeded'))
    await replica()
    await world.told()
    expect(thread(ts).map(({ text }) => text)).toEqual([
      expect.stringContaining('#214: passed'),
      'web 1.4.2 → staging: live',
    ])
  })
})
