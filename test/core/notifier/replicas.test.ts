// Several replicas, restarts, and many deploys: one notifier at a time, nobody starts over, nothing is read but the outbox.
import { describe, test } from 'vitest'
import type { Deploy } from '../../../src/core/deploy.ts'
import { sha256 } from '../../../src/core/hash.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { put } from '../../../src/core/records.ts'
import { deployOf } from '../sample.ts'
import { ended, patient, plainRenderer, staging, startWorld } from './world.ts'

/** What a message shows, without the time that passes. */
const shownOf = (deploy: Deploy): string =>
  sha256(
    plainRenderer.main({
      deploy,
      environment: null,
      progress: null,
      diagnosis: null,
      planned: null,
      waiting: null,
      now: deploy.requestedAt,
    }),
  )

/** For a replica: `sent` once a call of that method is on its way. */
function calling(method: string) {
  const { promise: sent, resolve } = Promise.withResolvers<void>()
  const fetch: typeof globalThis.fetch = (to, init) => {
    if (String(to).includes(method)) resolve()
    return globalThis.fetch(to, init)
  }
  return { sent, fetch }
}

describe('replicas', { concurrent: true }, () => {
  test('one tells; when it dies another one goes on within the lease', async ({ expect }) => {
    const world = await startWorld()
    const { control } = world.slack
    const both = [await world.replica({ ttlSeconds: 2 }), await world.replica({ ttlSeconds: 2 })]
    const elected = () => both.filter(({ notifier }) => notifier.state().elected)
    const asked = await world.request()
    await control.until(() => control.messages(staging).length === 1)
    await expect.poll(() => elected().length, patient).toBe(1)
    const [first] = elected()
    const second = both.find(one => one !== first)
    expect(second?.notifier.state()).toEqual({ elected: false, open: 0, behind: 0 })
    // Its lease ends, as after a crash; nothing is handed over.
    await first?.replica.stop()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(second?.notifier.state().elected).toBe(true)
    expect(control.messages(staging).map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
  })

  test('one that stops records what it has sent, and the next posts nothing twice', async ({ expect }) => {
    const world = await startWorld()
    const { control } = world.slack
    const { sent, fetch } = calling('chat.postMessage')
    const first = await world.replica({ timeoutMs: 10_000, ttlSeconds: 20, fetch })
    control.fault({ method: 'chat.postMessage', delay: 500 })
    const asked = await world.request()
    await sent
    await first.stop()
    expect((await world.messages(asked.id)).main?.state).toBe('posted')
    await world.replica()
    await world.move(asked, ended('succeeded'))
    await world.told()
    expect(control.calls('chat.postMessage')).toHaveLength(1)
  })

  test('an edit of an old one that arrives after the last one of the new one is mended', async ({
    expect,
  }) => {
    const world = await startWorld()
    const { control } = world.slack
    const { sent, fetch } = calling('chat.update')
    const first = await world.replica({ ttlSeconds: 20, timeoutMs: 10_000, fetch })
    const asked = await world.request()
    await control.until(() => control.messages(staging)[0]?.text.includes('requested'))
    control.fault({ method: 'chat.update', delay: 1_200 })
    const running = await world.move(asked, { phase: 'running', startedAt: Date.now() })
    await sent
    await first.replica.stop()
    await world.replica({ times: { unclear: 2_000 } })
    await world.move(running, ended('succeeded'))
    const text = () => control.messages(staging)[0]?.text
    await control.until(() => text()?.includes('succeeded'))
    // The old one's words come last.
    await control.until(() => text()?.includes('running'))
    expect(await world.inOutbox()).toBe(1)
    await world.told()
    expect(text()).toContain('succeeded')
  })

  test('deploys that come at once are read together, also after etcd did not answer', async ({ expect }) => {
    const world = await startWorld()
    const { control } = world.slack
    const read: number[] = []
    const { promise: come, resolve: allAsked } = Promise.withResolvers<void>()
    const slow: Kv = {
      ...world.kv,
      async getMany(keys) {
        read.push(keys.length)
        await come
        if (read.length === 2) throw new Error('etcd does not answer')
        return world.kv.getMany(keys)
      },
    }
    const replica = await world.replica({ kv: slow })
    await expect.poll(() => replica.notifier.state().elected, patient).toBe(true)
    const asked = await Promise.all(
      Array.from({ length: 30 }, (_, n) => world.request({ revision: `r${n}` })),
    )
    await expect.poll(() => read.length, patient).toBe(1)
    allAsked()
    for (const one of asked) await world.move(one, ended('succeeded'))
    await world.told()
    expect(control.messages(staging)).toHaveLength(30)
    expect(new Set(control.messages(staging).map(({ text }) => text.split(':')[0])).size).toBe(30)
    expect(read.length).toBeLessThanOrEqual(6)
  })

  test('an old one that wakes up late writes nothing and posts nothing', async ({ expect }) => {
    const world = await startWorld()
    const { control } = world.slack
    const { promise: awake, resolve: wake } = Promise.withResolvers<void>()
    let stuck = false
    const slow: Kv = {
      ...world.kv,
      async commit(commit) {
        const begins = commit.writes.some(write => write.kind === 'put' && write.value.includes('"posting"'))
        if (begins) {
          stuck = true
          await awake
        }
        return world.kv.commit(commit)
      },
    }
    const first = await world.replica({ kv: slow })
    const asked = await world.request()
    await expect.poll(() => stuck, patient).toBe(true)
    await first.replica.stop()
    await world.replica()
    await control.until(() => control.messages(staging).length === 1)
    await world.move(asked, ended('succeeded'))
    await world.told()
    wake()
    await first.notifier.stop()
    expect(control.calls('chat.postMessage')).toHaveLength(1)
    expect((await world.messages(asked.id)).main?.state).toBe('posted')
  })

  test('a thousand open deploys: a new notifier reads the outbox, and sends nothing that is shown', async ({
    expect,
  }) => {
    const world = await startWorld()
    const { keys, kv } = world
    const count = 1_000
    const open: Deploy[] = Array.from({ length: count }, (_, n) =>
      deployOf({ id: `many-${n}`, app: `app-${n}`, phase: 'running', startedAt: 1, requestedAt: Date.now() }),
    )
    const post = { state: 'posted', at: 1, channel: staging, shown: null, again: false }
    for (let at = 0; at < count; at += 30)
      await kv.commit({
        compares: [],
        repeatable: true,
        writes: open.slice(at, at + 30).flatMap(deploy => [
          put(keys.deploy(deploy.id), deploy),
          put(keys.message(deploy.id), {
            schema: 1,
            deploy: deploy.id,
            channels: [staging],
            main: { ...post, ts: '1.000001', shown: shownOf(deploy) },
            thread: { started: { ...post, ts: '1.000002' } },
            direct: {},
          }),
          put(keys.outboxEntry(deploy.id), { schema: 1 }),
        ]),
      })
    // A deploy that ended long ago is no burden: it is not in the outbox.
    await kv.commit({
      compares: [],
      repeatable: true,
      writes: [put(keys.deploy('old'), deployOf({ id: 'old', phase: 'succeeded' }))],
    })
    const lists: string[] = []
    const watched: Kv = {
      ...kv,
      list(prefix, options) {
        lists.push(prefix)
        return kv.list(prefix, options)
      },
    }
    const { notifier } = await world.replica({ kv: watched })
    await expect.poll(() => notifier.state().open, patient).toBe(count)
    expect(new Set(lists)).toEqual(new Set([keys.outbox]))
    expect(world.slack.control.calls().map(({ method }) => method)).toEqual([])
  })
})
