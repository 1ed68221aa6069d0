// kill -9 at random times, of any replica, again and again: also of all of them at once.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { judge } from './invariants.ts'
import { during, type StoryName } from './stories.ts'
import { isFull, startWorld, type World } from './world.ts'

const kills = isFull ? 200 : 25
const told: readonly StoryName[] = [
  'life',
  'hooks',
  'told',
  'voted',
  'cancelled',
  'locked',
  'queued',
  'built',
]

let world: World
beforeAll(async () => {
  world = await startWorld('kills')
})

it(`${kills} times`, async () => {
  const { random, replicas } = world
  await during(world, told, async go => {
    while (replicas.deaths() < kills && go()) {
      await wait(300 + random.int(2_500))
      const all = random.next() < 0.05
      for (let index = 0; index < replicas.count; index++) if (all) replicas.kill(index)
      if (!all) replicas.kill(random.int(replicas.count))
    }
  })
  expect(replicas.deaths()).toBeGreaterThanOrEqual(kills)
  expect(await judge(world)).toEqual([])
})
