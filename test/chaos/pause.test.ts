// The owner of a running deploy is stopped (SIGSTOP) for longer than its lease, in the middle of a write, and goes on
// (SIGCONT) when another one has finished its work: it must write nothing more of it.
import { setTimeout as wait } from 'node:timers/promises'
import { Etcd3 } from 'etcd3'
import { beforeAll, expect, it } from 'vitest'
import { judge } from './invariants.ts'
import { isOver, register, request, ship, show, until } from './stories.ts'
import { isFull, root, startWorld, type World } from './world.ts'

const rounds = isFull ? 10 : 2
const pauseMs = isFull ? 20_000 : 12_000

let world: World
let etcd: Etcd3
beforeAll(async () => {
  world = await startWorld('pause')
  etcd = new Etcd3({ hosts: [...world.members.endpoints] })
  return () => etcd.close()
})

/** The index of the replica that drives a deploy, by the record of its owner; -1: nobody now. */
async function ownerOf(id: string): Promise<number> {
  const owner = await etcd.get(`${root}owners/${id}`).json()
  // A replica is called <host>-<pid>-<random>.
  const pid = Number(/-(\d+)-[^-]*$/.exec(String((owner as { replica?: string } | null)?.replica))?.[1])
  return Array.from({ length: world.replicas.count }, (_, index) => world.replicas.pid(index)).indexOf(pid)
}

it('writes nothing when it wakes up', async () => {
  const { cluster, replicas } = world
  const app = 'sleeper'
  await register(world, app)
  const at = { app, environment: 'staging' }
  await ship(world, { ...at, revision: '1.0.0' })
  for (let round = 1; round <= rounds; round++) {
    // Its write is on its way for longer than its lease.
    cluster.faults.resetCounts()
    cluster.faults.add({ verb: 'patch', resource: 'deployments', name: app, latency: 8_000 })
    const id = await request(world, { ...at, revision: `1.${round}.0` })
    await until(world, id, deploy => deploy.steps.some(step => step.state === 'running'), 'its owner')
    for (
      const end = Date.now() + 20_000;
      (cluster.faults.counts()['patch deployments'] ?? 0) === 0;
      await wait(20)
    )
      if (Date.now() > end) throw new Error('nothing was written')
    const sleeper = await ownerOf(id)
    expect(sleeper, 'the owner').toBeGreaterThanOrEqual(0)
    replicas.kill(sleeper, 'SIGSTOP')
    const asleep = wait(pauseMs)
    const ended = await until(world, id, isOver)
    expect(ended).toMatchObject({ phase: 'succeeded', revision: `1.${round}.0` })
    await asleep
    cluster.faults.resetCounts()
    replicas.kill(sleeper, 'SIGCONT')
    await replicas.allReady()
    await wait(3_000)
    // Nobody asked for anything since: whatever is written now was decided before it slept.
    const writes = Object.entries(cluster.faults.counts()).filter(
      ([what]) => /^(patch|create|update|delete) /.test(what) && !/ (pods|events|endpointslices)$/.test(what),
    )
    expect(writes, 'written by the one that slept').toEqual([])
    expect(await show(world, id)).toEqual(ended)
  }
  expect(await judge(world)).toEqual([])
})
