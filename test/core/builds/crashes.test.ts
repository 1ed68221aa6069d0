// A follower ends as by kill -9, before or after any of its steps, and another one takes over: Jenkins is asked at most
// once, a build is deployed once, and what is told in the end is the same as if nothing had happened.
import { describe, expect, it } from 'vitest'
import type { Build } from '../../../src/core/builds/build.ts'
import type { Commit } from '../../../src/core/kv.ts'
import type { Scripted } from './scripted.ts'
import {
  ana,
  crashingKv,
  endDeploy,
  job,
  type Moment,
  startWorld,
  type TestFollower,
  until,
  type World,
  when,
} from './world.ts'

const writes =
  (part: string, text = '') =>
  (commit: Commit) =>
    commit.writes.some(
      write =>
        write.key.includes(part) && (write.kind === 'delete' ? text === '' : write.value.includes(text)),
    )
const deletes = (part: string) => (commit: Commit) =>
  commit.writes.some(write => write.kind === 'delete' && write.key.includes(part))

/** Named points of the life of a build that was asked for. */
const points: [string, { readonly kv?: (commit: Commit) => boolean; readonly call?: string }][] = [
  ['that it is about to ask is written', { kv: writes('jenkins/builds/', '"postingAt":1') }],
  ['Jenkins is asked', { call: 'start' }],
  ['its place in the queue is written', { kv: writes('jenkins/queue/') }],
  ['its number is written', { kv: writes('jenkins/numbers/') }],
  ['its run is read', { call: 'build' }],
  ['its end is written', { kv: writes('jenkins/jobs/') }],
  ['its deploy is asked for', { kv: writes('/newest/') }],
  ['its deploy is in its record', { kv: writes('jenkins/builds/', '"settled":true') }],
  ['it is closed', { kv: deletes('jenkins/open/') }],
]
const cases = points.flatMap(([name, point]) =>
  (['before', 'after'] as const).map((moment): [string, Moment, typeof point] => [name, moment, point]),
)

const patient = { timeout: 20_000 }

describe.concurrent('a follower that ends', () => {
  it.each(cases)('where %s: %s it', patient, async (name, moment, point) => {
    const world = await startWorld()
    await world.register({ environments: { staging: { deployOn: 'success' } } })
    const first = await dying(world, point, moment)
    const id = await world.ask(ana, 'C0ASK', { WHO: 'me' })
    await until(async () => {
      // Deploys end by themselves.
      if (name === 'it is closed')
        for (const { id: deploy } of await world.deploys()) await endDeploy(world, deploy, 'succeeded')
      return first.crashed()
    })
    await world.follower({ jenkins: ending })
    const asked =
      !(name === 'that it is about to ask is written' && moment === 'after') &&
      !(name === 'Jenkins is asked' && moment === 'before')
    const build = await when(
      world,
      id,
      one => (asked ? one.deploys.length === 1 : one.phase === 'not_started'),
      12,
    )
    expect(world.jenkins.posts).toHaveLength(asked ? 1 : 0)
    if (asked) await once(world, build)
    else expect(build.note).toMatch(/did not say whether it took it.*not asked again/)
  })
})

async function once(world: World, build: Build): Promise<void> {
  expect(build).toMatchObject({
    phase: 'finished',
    result: 'SUCCESS',
    number: 1,
    turn: 'first',
    askedBy: ana,
  })
  expect(await world.builds()).toHaveLength(1)
  expect(await world.deploys()).toMatchObject([
    { id: build.deploys[0]?.id, environment: 'staging', source: { build: 1 } },
  ])
}

/** Runs end as soon as they are looked at. */
function ending(jenkins: Scripted): Scripted {
  return {
    ...jenkins,
    build: async (path, number) => {
      jenkins.end(path, number, 'SUCCESS')
      return jenkins.build(path, number)
    },
  }
}

async function dying(
  world: World,
  point: { readonly kv?: (commit: Commit) => boolean; readonly call?: string },
  moment: Moment,
): Promise<TestFollower> {
  let self: TestFollower | undefined
  const crash = async () => {
    await self?.crash()
  }
  const fits = point.kv ?? (() => false)
  let struck = false
  const jenkins = (inner: Scripted): Scripted => {
    inner.around = async (name, at) => {
      if (struck || name !== point.call || at !== moment) return
      struck = true
      await crash()
      if (moment === 'before') await new Promise<never>(() => undefined)
    }
    return ending(inner)
  }
  self = await world.follower({ kv: crashingKv(fits, moment, crash), jenkins })
  return self
}

describe.concurrent('hooks', () => {
  const effects: [string, (commit: Commit) => boolean][] = [
    ['makes the record', commit => writes('jenkins/open/')(commit) && deletes('inbox/')(commit)],
    ['ends the build', commit => writes('jenkins/jobs/')(commit)],
  ]
  const all = effects.flatMap(([name, fits]) =>
    (['before', 'after'] as const).map((moment): [string, Moment, typeof fits] => [name, moment, fits]),
  )
  it.each(all)(
    'have their effect once where the follower dies while one %s: %s it',
    patient,
    async (_, moment, fits) => {
      const world = await startWorld()
      await world.register({ environments: { staging: { deployOn: 'success' } } })
      let self: TestFollower | undefined
      self = await world.follower({
        hooksOnly: true,
        kv: crashingKv(fits, moment, async () => self?.crash()),
      })
      await world.hook({ phase: 'started' })
      await world.hook({ phase: 'finalized', result: 'SUCCESS', commit: 'c0ffee1' })
      await until(() => self?.crashed() ?? false)
      await world.follower({ hooksOnly: true })
      await until(
        async () => (await world.deploys()).length > 0 && (await world.under(world.keys.inbox)).length === 0,
      )
      const builds = await world.builds()
      expect(builds).toHaveLength(1)
      expect(builds[0]).toMatchObject({ phase: 'finished', turn: 'first', result: 'SUCCESS' })
      expect(await world.deploys()).toHaveLength(1)
    },
  )
})

it('two followers at once: one works, the other waits for it', patient, async () => {
  const world = await startWorld()
  await world.register({ environments: { staging: { deployOn: 'success' } } })
  const both = [await world.follower(), await world.follower()]
  await until(() => both.some(one => one.state().elected))
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await world.ask())
  for (const id of ids) await when(world, id, one => one.phase === 'running')
  expect(both.filter(one => one.state().elected)).toHaveLength(1)
  await both.find(one => one.state().elected)?.stop()
  for (const run of world.jenkins.runs(job)) world.jenkins.end(job, run.number, 'SUCCESS')
  for (const id of ids) await when(world, id, one => one.settled)
  expect(world.jenkins.posts).toHaveLength(5)
  // One each, but never an older one over a newer one.
  const builds = (await world.deploys()).map(deploy => deploy.source.build)
  expect(new Set(builds).size).toBe(builds.length)
})
