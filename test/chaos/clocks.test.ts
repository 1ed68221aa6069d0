// The clocks of the replicas are minutes apart, and deploys change hands between them: order and deadlines must not
// depend on whose clock it is.
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { judge } from './invariants.ts'
import { during, isOver, register, request, type StoryName, ship, until } from './stories.ts'
import { isFull, startWorld, type World } from './world.ts'

const apartMinutes = [-4, 0, 4]
const kills = isFull ? 40 : 6
const told: readonly StoryName[] = ['life', 'hooks', 'voted', 'locked', 'queued']

/** Loaded before anything of gkube's: what this process takes for the time. */
const clock = `data:text/javascript,${encodeURIComponent(
  'const real = Date.now; const by = Number(process.env.CHAOS_CLOCK_MS); Date.now = () => real() + by',
)}`

let world: World
beforeAll(async () => {
  world = await startWorld('clocks', {
    node: ['--import', clock],
    envOf: index => ({ CHAOS_CLOCK_MS: String((apartMinutes[index] ?? 0) * 60_000) }),
  })
})

it('a deploy that changes hands has the time that it was given', async () => {
  const app = 'patient'
  await register(world, app)
  const at = { app, environment: 'lab' }
  await ship(world, { ...at, revision: '1.0.0' })
  for (let round = 1; round <= 3; round++) {
    const id = await request(world, { ...at, revision: `1.${round}.0-slow` })
    await until(world, id, ({ steps }) =>
      steps.some(({ name, state }) => name === 'rollout' && state === 'running'),
    )
    for (let index = 0; index < world.replicas.count; index++)
      if (index !== round - 1) world.replicas.kill(index)
    expect(await until(world, id, isOver)).toMatchObject({ phase: 'succeeded' })
    await world.replicas.allReady()
  }
})

it('and nothing else goes wrong', async () => {
  const { random, replicas } = world
  const before = replicas.deaths()
  await during(world, told, async go => {
    while (replicas.deaths() - before < kills && go()) {
      await wait(1_500 + random.int(2_000))
      replicas.kill(random.int(replicas.count))
    }
  })
  expect(await judge(world)).toEqual([])
})
