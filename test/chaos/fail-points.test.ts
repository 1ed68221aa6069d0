// kill -9 at every named point, each once, in the paths of creating, updating, rolling back, approving, hooks and
// messages; what died is started again, and nothing is lost or done twice.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { failPointNames } from '../../src/fail-points.ts'
import { judge } from './invariants.ts'
import { during, type StoryName, stories } from './stories.ts'
import { startWorld, type World } from './world.ts'

/** So many are armed at once: with three replicas, work goes on somewhere most of the time. */
const atOnce = 2
const patienceMs = 10_000
const limitMs = 480_000

let world: World
beforeAll(async () => {
  world = await startWorld('fail-points')
})

it('kills a replica at each of them', async () => {
  const left = shuffled(failPointNames)
  const armedAt = new Map<string, number>()
  await during(world, Object.keys(stories) as StoryName[], async go => {
    for (const limit = Date.now() + limitMs; Date.now() < limit && go(); await wait(100)) {
      const armed = world.armed()
      if (left.length === 0 && armed.length === 0) return
      // Rare ones wait for their moment and keep nobody.
      const young = armed.filter(name => Date.now() - (armedAt.get(name) ?? 0) < patienceMs)
      const next = young.length < atOnce ? left.shift() : undefined
      if (!next) continue
      armedAt.set(next, Date.now())
      world.arm(next)
    }
  })
  expect([...left, ...world.armed()], 'points that nobody passed').toEqual([])
  expect(world.replicas.deaths()).toBeGreaterThanOrEqual(failPointNames.length)
  expect(await judge(world)).toEqual([])
  process.stdout.write(`${failPointNames.length} points; met in all: ${world.met().length}\n`)
})

function shuffled(names: readonly string[]): string[] {
  return names
    .map(name => ({ name, at: world.random.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ name }) => name)
}
