// The queue with several replicas at once: one deploy an app at a time, in the order they were asked for, no more at once
// in an environment than it says; and what people are told while they wait. Seen from outside, by what etcd's feed shows.
import { beforeAll, expect, it } from 'vitest'
import { type Deploy, deploySchema } from '../../../src/core/deploy.ts'
import { decode } from '../../../src/core/records.ts'
import { admin, ask } from '../../support/stack.ts'
import { ended, leftovers, phaseOf, place, startWorld, type Tenant, until, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

/** Every state of every deploy, in the order in which etcd took them. */
function states(tenant: Tenant) {
  const seen: Deploy[] = []
  const stop = tenant.kv.subscribe(tenant.keys.root, {
    change: change => {
      if (change.kind === 'put' && change.entry.key.startsWith(tenant.keys.deploys))
        seen.push(decode(deploySchema, change.entry).value)
    },
    reset: () => {
      throw new Error('the feed missed something')
    },
  })
  return { seen, stop }
}

const runs = ({ phase }: Deploy): boolean => phase === 'running' || phase === 'rolling_back'

it('keep: every one runs, in order, one an app at a time, no more at once than the environment says', async () => {
  const tenant = world.tenant({ queue: 'keep', parallel: 2 })
  const replicas = await Promise.all([1, 2, 3].map(() => tenant.replica()))
  const [first] = replicas
  if (!first) throw new Error('no replica')
  const apps = ['a', 'b', 'c'].map(letter => `${tenant.name}-${letter}`)
  for (const app of apps)
    await first.core.applyApp(admin, tenant.app({ app, jobs: [`shop/${app}`] }), { dryRun: false })
  const feed = states(tenant)
  const ids: string[] = []
  for (const revision of ['1', '2-crash'])
    for (const [n, app] of apps.entries()) {
      const { core } = replicas[n % replicas.length] ?? first
      ids.push((await core.request(admin, ask({ app, revision }))).deploy.id)
    }
  const all = await Promise.all(ids.map(id => ended(tenant, id, 30)))
  await until(() => ids.every(id => feed.seen.some(one => one.id === id && one.endedAt !== null)))
  feed.stop()
  const now = new Map<string, Deploy>()
  let most = 0
  for (const state of feed.seen) {
    now.set(state.id, state)
    const running = [...now.values()].filter(runs)
    most = Math.max(most, running.length)
    expect(new Set(running.map(({ app }) => app)).size).toBe(running.length)
    expect(new Set(running.map(({ slot }) => slot)).size).toBe(running.length)
  }
  expect(most).toBe(2)
  for (const app of apps) {
    const claimed = [...new Set(feed.seen.filter(one => one.app === app && runs(one)).map(({ id }) => id))]
    expect(claimed).toEqual(all.filter(one => one.app === app).map(({ id }) => id))
  }
  expect(all.map(({ phase }) => phase)).toEqual([
    ...apps.map(() => 'succeeded'),
    ...apps.map(() => 'rolled_back'),
  ])
  expect(await leftovers(tenant)).toEqual([])
  await Promise.all(replicas.map(replica => replica.stop()))
}, 40_000)

it('who waits is told behind whom, and when it is their turn', async () => {
  const tenant = world.tenant({ queue: 'keep' })
  const replica = await tenant.replica()
  await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
  const request = async (revision: string) =>
    (await replica.core.request(admin, ask({ app: tenant.name, revision }))).deploy.id
  const slow = await request('slow')
  await phaseOf(tenant, slow, deploy => deploy.phase === 'running')
  const [second, third] = [await request('2'), await request('3')]
  const told: string[] = []
  const stop = new AbortController()
  const watching = (async () => {
    for await (const event of replica.core.watchDeploy(admin, third, { signal: stop.signal }))
      told.push(event.kind === 'waiting' ? event.message : event.kind === 'deploy' ? event.deploy.phase : '')
  })()
  for (const id of [second, third]) await phaseOf(tenant, id, deploy => deploy.phase === 'ready')
  await until(() => told.some(words => words.startsWith('third in line')))
  await replica.core.cancel(admin, slow, { reason: 'next, please', onCancel: 'hold' })
  for (const id of [second, third]) expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
  await watching
  stop.abort()
  const words = told.filter(Boolean)
  expect(words).toContain('third in line, behind 2 (@ana, waiting)')
  const turn = words.indexOf('running')
  expect(turn).toBeGreaterThan(words.indexOf('third in line, behind 2 (@ana, waiting)'))
  expect(words.at(-1)).toBe('succeeded')
  await replica.stop()
})

it('cancelled while it waits: it never runs, and those behind it move up', async () => {
  const tenant = world.tenant({ queue: 'keep' })
  const replica = await tenant.replica()
  await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
  await replica.core.lock(admin, {
    environment: place,
    app: tenant.name,
    reason: 'until all wait',
    expiresIn: '1h',
    steal: false,
  })
  await until(() => replica.view.live.locks.size === 1)
  const ids: string[] = []
  for (const revision of ['1', '2', '3'])
    ids.push((await replica.core.request(admin, ask({ app: tenant.name, revision }))).deploy.id)
  for (const id of ids) await phaseOf(tenant, id, deploy => deploy.phase === 'ready')
  const cancelled = await replica.core.cancel(admin, ids[0] ?? '', { reason: 'wrong', onCancel: 'rollback' })
  expect(cancelled).toMatchObject({ phase: 'cancelled', startedAt: null, rollback: null })
  await replica.core.unlock(admin, { environment: place, app: tenant.name, reason: '' })
  const [, two, three] = await Promise.all(ids.map(id => ended(tenant, id)))
  expect([two?.phase, three?.phase]).toEqual(['succeeded', 'succeeded'])
  expect(two?.endedAt ?? 0).toBeLessThanOrEqual(three?.startedAt ?? 0)
  expect(await leftovers(tenant)).toEqual([])
  await replica.stop()
})
