// What gkube talks to is broken: the cluster's API refuses, fails, hangs, cuts connections, ends its watches and forgets
// their past; Slack and Jenkins are gone for a while.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import type { Fault } from '../../src/sandbox/cluster/faults.ts'
import { judge } from './invariants.ts'
import { during, type StoryName } from './stories.ts'
import { isFull, startWorld, type World } from './world.ts'

const bursts = isFull ? 120 : 25
const goneMs = isFull ? 60_000 : 15_000
const told: readonly StoryName[] = ['life', 'hooks', 'told', 'cancelled', 'built']

const faults: readonly Fault[] = [
  { status: 429, retryAfter: 1, times: 5 },
  { status: 429, times: 5 },
  { status: 500, times: 5 },
  { status: 503, retryAfter: 1, times: 5 },
  { status: 504, times: 3 },
  { status: 410, times: 3, verb: 'watch' },
  { latency: 12_000, times: 2 },
  { latency: 1_500, times: 10 },
  { reset: 'before', times: 4 },
  { reset: 'after', times: 4 },
  { reset: 'after', times: 2, verb: 'patch' },
  { reset: 'after', times: 2, verb: 'create' },
  { reset: 'after', times: 2, verb: 'delete' },
]

let world: World
beforeAll(async () => {
  world = await startWorld('outside')
})

it('the cluster fails in every way, Slack and Jenkins are gone', async () => {
  const { cluster, random, slack, jenkins } = world
  await during(world, told, async go => {
    for (let burst = 0; burst < bursts && go(); burst++) {
      cluster.faults.add(random.pick(faults))
      if (random.next() < 0.2) cluster.endWatches(random.pick(['silently', 'expired']))
      if (random.next() < 0.1) cluster.compact()
      await wait(random.int(1_500))
    }
    cluster.faults.clear()
    slack.control.offline()
    jenkins.control.fault({ kind: 'down' })
    await wait(goneMs)
    slack.control.online()
    jenkins.control.clear()
    await wait(3_000)
  })
  expect(await judge(world)).toEqual([])
})
