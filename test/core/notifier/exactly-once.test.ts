// One message for a deploy, whatever is lost on the way: answers, connections, Slack for a while, the process, etcd.
import { describe, test } from 'vitest'
import type { Kv } from '../../../src/core/kv.ts'
import type { Renderer } from '../../../src/core/messages.ts'
import {
  allScopes,
  diagnosis,
  ended,
  patient,
  plainRenderer,
  staging,
  startWorld,
  type World,
} from './world.ts'

const postsIn = (world: World) => () =>
  world.slack.control.messages(staging).filter(({ text }) => text.startsWith('web '))
/** Without the right to read channels. */
const blind = { scopes: allScopes.filter(scope => !scope.endsWith(':history')) }

async function start(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options)
  return { world, posts: postsIn(world), control: world.slack.control }
}

describe.each([
  { fault: 'lost', was: 'an answer that was lost', most: 2 },
  { fault: 'cut', was: 'a connection that was cut before', most: 1 },
  { fault: 'never', was: 'no answer at all', most: 1 },
] as const)('$was', { concurrent: true }, ({ fault, most }) => {
  test('with the history: exactly one message', async ({ expect }) => {
    const { world, posts, control } = await start()
    control.fault({ method: 'chat.postMessage', connection: fault })
    await world.replica({ timeoutMs: fault === 'never' ? 400 : 3_000 })
    const asked = await world.request()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts().map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
  })

  test(`without it: at most ${most}, and the recorded one is kept up`, async ({ expect }) => {
    const { world, posts, control } = await start(blind)
    control.fault({ method: 'chat.postMessage', connection: fault })
    await world.replica({ timeoutMs: fault === 'never' ? 400 : 3_000 })
    const asked = await world.request()
    await expect.poll(async () => (await world.messages(asked.id)).main?.state, patient).toBe('posted')
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts().length).toBeGreaterThan(0)
    expect(posts().length).toBeLessThanOrEqual(most)
    expect(posts().at(-1)?.text).toContain('succeeded')
  })
})

describe('one message', { concurrent: true }, () => {
  test('entries of the thread and files, too: lost answers are looked up there', async ({ expect }) => {
    const { world, posts, control } = await start()
    await world.replica()
    const asked = await world.request()
    await control.until(() => posts().length === 1)
    control.fault({ method: 'chat.postMessage', connection: 'lost', times: 2 })
    control.fault({ method: 'files.completeUploadExternal', connection: 'lost' })
    await world.move(asked, { ...ended('failed'), startedAt: 1 }, { diagnosis })
    await world.told(12_000)
    const [main] = posts()
    const thread = control.thread(staging, main?.ts ?? '')
    expect(thread.map(({ text }) => text)).toEqual([main?.text, 'started', 'why: exit code 1', ''])
  })

  test('without the scope a message that stays unclear is not posted a third time', async ({ expect }) => {
    const { world, posts, control } = await start(blind)
    control.fault({ method: 'chat.postMessage', connection: 'lost', times: 9 })
    const replica = await world.replica()
    const asked = await world.request()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts()).toHaveLength(2)
    expect(replica.log.join('\n')).toContain('may be there twice and cannot be looked up')
  })

  test('a process that dies between posting and recording: the next one finds the message', async ({
    expect,
  }) => {
    const { world, posts } = await start()
    let dies = false
    const mortal: Kv = {
      ...world.kv,
      commit(commit) {
        const records = commit.writes.some(
          write => write.kind === 'put' && write.value.includes('"state":"posted"'),
        )
        if (records) dies = true
        // Gone as by kill -9: nothing of it reaches etcd any more.
        return dies ? new Promise(() => undefined) : world.kv.commit(commit)
      },
    }
    const first = await world.replica({ kv: mortal, ttlSeconds: 1 })
    const asked = await world.request()
    await expect.poll(() => dies, patient).toBe(true)
    await first.replica.stop()
    await world.replica()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts().map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
  })

  test('Slack that is down loses nothing but time', async ({ expect }) => {
    const { world, posts, control } = await start()
    const replica = await world.replica()
    const early = await world.request({ revision: 'early' })
    await control.until(() => posts().length === 1)
    control.offline()
    const late = await world.request({ revision: 'late' })
    await world.move(early, { ...ended('failed'), startedAt: 1 }, { diagnosis })
    await world.move(late, { phase: 'running' })
    await expect.poll(() => replica.log.some(line => line.includes('waits')), patient).toBe(true)
    control.online()
    await world.move(late, ended('succeeded'))
    await world.told(15_000)
    expect(posts().map(({ text }) => text)).toEqual([
      expect.stringMatching(/early: failed/),
      expect.stringMatching(/late: succeeded/),
    ])
  })

  test('429 is waited for as Slack says, and the message arrives once', async ({ expect }) => {
    const { world, posts, control } = await start()
    control.fault({ method: 'chat.postMessage', status: 429, retryAfter: 3, times: 2 })
    await world.replica()
    const asked = await world.request()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts()).toHaveLength(1)
    expect(control.calls('chat.postMessage').map(({ status }) => status)).toEqual([429, 429, 200])
  })

  test('an error of the server is unclear for a post, and repeated for an update', async ({ expect }) => {
    const { world, posts, control } = await start()
    await world.replica()
    control.fault({ method: 'chat.postMessage', status: 500 })
    const asked = await world.request()
    await control.until(() => posts().length === 1)
    control.fault({ method: 'chat.update', status: 500 })
    control.fault({ method: 'chat.update', error: 'fatal_error' })
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(posts().map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
  })

  test('blocks that Slack does not take are told as text', async ({ expect }) => {
    const { world, posts, control } = await start()
    control.fault({ method: 'chat.postMessage', error: 'invalid_blocks' })
    const replica = await world.replica()
    await world.request()
    await control.until(() => posts().length === 1)
    expect(posts()[0]?.blocks ?? []).toEqual([])
    expect(replica.log.join('\n')).toContain('told as text: invalid_blocks')
  })

  test('without files:write the beginning of a file is a message, escaped', async ({ expect }) => {
    const { world, posts, control } = await start({
      scopes: allScopes.filter(scope => scope !== 'files:write'),
    })
    await world.replica()
    const asked = await world.request()
    await world.move(asked, { ...ended('failed'), startedAt: 1 }, { diagnosis })
    await world.told()
    const thread = control.thread(staging, posts()[0]?.ts ?? '')
    expect(thread.at(-1)?.text).toMatch(/^\*Last lines\*\n```\nError: &lt;no&gt; &amp; `nothing`/)
    expect(thread.at(-1)?.text).toMatch(/… \d+ characters more$/)
  })

  test('a part that cannot be drawn harms nothing else: the message is there once, others are told', async ({
    expect,
  }) => {
    const { world, posts } = await start()
    const renderer: Renderer = {
      ...plainRenderer,
      thread(facts) {
        if (facts.deploy.revision === 'odd') throw new Error('no such thread')
        return plainRenderer.thread(facts)
      },
    }
    const first = await world.replica({ renderer })
    const odd = await world.request({ revision: 'odd' })
    await world.move(odd, { ...ended('succeeded'), startedAt: 1 })
    const fine = await world.request({ revision: 'fine' })
    await world.move(fine, { ...ended('succeeded'), startedAt: 1 })
    await expect.poll(world.inOutbox, patient).toBe(1)
    expect(first.log.join('\n')).toContain('no such thread')
    await first.stop()
    await world.replica()
    await world.told()
    expect(posts()).toHaveLength(2)
  })
})
