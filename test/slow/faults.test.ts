// Whatever fails once, at whatever point, a deploy ends once: for each commit to etcd and each write to the cluster of
// a create, an update and a rollback, that call fails before or after it happened, or the replica dies there.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ClusterError } from '../../src/core/cluster.ts'
import type { Core, RequestInput } from '../../src/core/core.ts'
import { type Kv, OutcomeUnknown } from '../../src/core/kv.ts'
import { UserError } from '../../src/errors.ts'
import {
  ended,
  imageOf,
  inInventory,
  leftovers,
  liveImage,
  onCluster,
  place,
  startWorld,
  type Tenant,
  type TestReplica,
  type World,
  workloadOf,
} from '../core/runner/world.ts'
import { admin, ask } from '../support/stack.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const modes = ['unavailable', 'unknown before', 'unknown after', 'crash before', 'crash after'] as const
type Mode = (typeof modes)[number]

/** Fails the n-th call after `arm`; counts calls. */
function trap(mode: Mode, die: () => void) {
  let left = 0
  let calls = 0
  return {
    arm: (n: number) => {
      left = n
      calls = 0
    },
    calls: () => calls,
    async pass<T>(work: () => Promise<T>, unknown: () => Error, unavailable: () => Error): Promise<T> {
      calls++
      if (--left !== 0) return work()
      if (mode === 'unavailable') throw unavailable()
      if (mode === 'unknown after') await work()
      if (mode === 'crash after') await work()
      if (mode.startsWith('crash')) {
        die()
        return new Promise<T>(() => undefined)
      }
      throw unknown()
    },
  }
}
type Trap = ReturnType<typeof trap>

const trappedKv = (kv: Kv, { pass }: Trap): Kv => ({
  ...kv,
  commit: commit =>
    // Progress is no state: losing it is no loss.
    commit.repeatable
      ? kv.commit(commit)
      : pass(
          () => kv.commit(commit),
          () =>
            new OutcomeUnknown(
              commit.writes.map(write => write.key),
              new Error('injected'),
            ),
          () => new UserError('unavailable', 'injected: etcd does not answer'),
        ),
})

const trappedCluster = (cluster: Cluster, { pass }: Trap): Cluster => {
  const unavailable = () => new ClusterError('unavailable', 'injected: no answer')
  return {
    ...cluster,
    create: (...args) => pass(() => cluster.create(...args), unavailable, unavailable),
    apply: (...args) => pass(() => cluster.apply(...args), unavailable, unavailable),
    remove: (...args) => pass(() => cluster.remove(...args), unavailable, unavailable),
    stamp: (...args) => pass(() => cluster.stamp(...args), unavailable, unavailable),
  }
}

/** Asks as a client does: the same key again until there is an answer. */
async function insist(core: () => Core, input: RequestInput): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const late = new Promise<never>((_, reject) =>
        setTimeout(() => reject(new Error('late')), 1000).unref(),
      )
      return (await Promise.race([core().request(admin, input), late])).deploy.id
    } catch (error) {
      if (tries > 5) throw error
    }
  }
}

/** A create, an update and a rollback of one app, each with its n-th call failing; what must hold after each. */
async function chain(side: 'etcd' | 'cluster', mode: Mode, n: number): Promise<number> {
  const tenant = world.tenant()
  let current: TestReplica | undefined
  let next: Promise<unknown> = Promise.resolve()
  const launch = async () => {
    const here = trap(mode, () => {
      next = replace()
    })
    current = await tenant.replica(
      side === 'etcd'
        ? { kv: kv => trappedKv(kv, here) }
        : { cluster: cluster => trappedCluster(cluster, here) },
    )
    return here
  }
  let armed: Trap
  const replace = async () => {
    await current?.crash()
    armed = await launch()
  }
  armed = await launch()
  const core = () => {
    if (!current) throw new Error('no replica')
    return current.core
  }
  await core().applyApp(admin, tenant.app(), { dryRun: false })
  const rounds: Partial<RequestInput>[] = [{ revision: '1.0.0' }, { revision: '1.1.0' }, { kind: 'rollback' }]
  let most = 0
  for (const [i, round] of rounds.entries()) {
    armed.arm(n)
    const trapHere = armed
    const id = await insist(core, ask({ app: tenant.name, ...round, idempotencyKey: `round-${i}` }))
    await ended(tenant, id)
    await next
    most = Math.max(most, trapHere.calls())
    await holds(tenant, id, i)
  }
  await current?.stop()
  return most
}

async function holds(tenant: Tenant, id: string, round: number): Promise<void> {
  const revision = round === 1 ? '1.1.0' : '1.0.0'
  const deploy = await ended(tenant, id)
  expect(deploy, JSON.stringify(deploy)).toMatchObject({ phase: 'succeeded', revision })
  expect(deploy.steps.every(step => step.state === 'done')).toBe(true)
  const workload = await workloadOf(tenant)
  expect(workload).toMatchObject({ state: 'ready', revision, deploy: id, good: { deploy: id, revision } })
  expect(await tenant.kv.get(tenant.keys.spec(workload?.spec ?? ''))).not.toBeNull()
  expect(await liveImage(tenant)).toMatch(new RegExp(`:${revision}$`))
  expect(inInventory(workload)).toEqual(await onCluster(tenant))
  expect(await leftovers(tenant)).toEqual([])
  const history = await tenant.kv.list(tenant.keys.history(place, tenant.name))
  expect(history.entries).toHaveLength(round + 1)
  const sets = await tenant.cluster.list({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace: place,
    labels: { 'gkube.dev/app': tenant.name },
  })
  // Going back uses the old ReplicaSet again: nothing was rolled out twice.
  expect(sets.map(imageOf).sort()).toHaveLength(Math.min(round + 1, 2))
  const { entries } = await tenant.kv.list(tenant.keys.auditIn(place))
  const claims = entries.filter(entry => entry.value.includes('"action":"claim"') && entry.value.includes(id))
  expect(claims).toHaveLength(1)
}

type Case = { readonly side: 'etcd' | 'cluster'; readonly mode: Mode; readonly n: number }

/** A few at a time: much of it is waiting. Returns the most calls that one deploy made. */
async function all(cases: readonly Case[], atOnce = 8): Promise<number> {
  const waiting = [...cases]
  let most = 0
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const calls = await chain(next.side, next.mode, next.n)
      most = Math.max(most, calls)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return most
}

const commits = [1, 2, 3, 4, 5, 6, 7, 8]
const writes = [1, 2, 3, 4]

describe('whatever fails once', () => {
  it.each(modes)(
    'in etcd: %s',
    async mode => {
      const most = await all(commits.map(n => ({ side: 'etcd', mode, n })))
      // Every commit of a create had its turn.
      expect(most).toBeGreaterThanOrEqual(7)
    },
    60_000,
  )
  // Before an answer of the cluster, unknown is the same as unavailable.
  it.each(modes.filter(mode => mode !== 'unknown before'))(
    'on the cluster: %s',
    async mode => {
      await all(writes.map(n => ({ side: 'cluster', mode, n })))
    },
    60_000,
  )
})
