// etcd loses its leader, a member is cut off from the others while clients still reach it, and for a while there is no
// quorum at all. Work goes on where it can and stops where it must.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { judge } from './invariants.ts'
import { during, type StoryName } from './stories.ts'
import { isFull, startWorld, type World } from './world.ts'

const rounds = isFull ? 10 : 2
const cutMs = isFull ? 20_000 : 8_000
const withoutQuorumMs = isFull ? 30_000 : 15_000
const told: readonly StoryName[] = ['life', 'hooks', 'told', 'voted', 'cancelled', 'queued']

let world: World
beforeAll(async () => {
  world = await startWorld('etcd')
})

it('its leader is killed, a member is alone, most are gone', async () => {
  const { members, random } = world
  await during(world, told, async go => {
    for (let round = 0; round < rounds && go(); round++) {
      await wait(2_000)
      const leader = await members.leader()
      members.cutOff(leader)
      await wait(cutMs)
      members.join()
      await members.healthy()
      await wait(2_000)

      const next = await members.leader()
      await members.kill(next)
      await wait(4_000)
      await members.start(next)
      await members.healthy()

      const alone = random.int(3)
      members.cutOff(alone)
      await wait(cutMs / 2)
      members.join()
      await members.healthy()
    }
    const [one, two] = random.next() < 0.5 ? [0, 1] : [2, 1]
    members.pause(one)
    members.pause(two)
    await wait(withoutQuorumMs)
    members.resume(one)
    members.resume(two)
    await members.healthy()
    await wait(3_000)
  })
  expect(await judge(world)).toEqual([])
})
