// One etcd and one stand-in cluster for many small gkubes: each has a root prefix and apps of its own, and replicas
// whose etcd and cluster can be made to fail at an exact call. Wired as server.ts wires them, without HTTP.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { stringify } from 'yaml'
import {
  type KubernetesCluster,
  kubernetesCluster,
} from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import type { App } from '../../../src/core/app.ts'
import type { Clock } from '../../../src/core/clock.ts'
import type { Cluster, KubeObject } from '../../../src/core/cluster.ts'
import type { CodeSide } from '../../../src/core/code/code-side.ts'
import type { Core } from '../../../src/core/core.ts'
import { coreOf } from '../../../src/core/core-of.ts'
import { type Deploy, deploySchema, isTerminal } from '../../../src/core/deploy.ts'
import { type Environment, environmentSchema } from '../../../src/core/environment.ts'
import type { Registry } from '../../../src/core/freezing.ts'
import { frozenSpecs } from '../../../src/core/frozen.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { createLedger } from '../../../src/core/ledger.ts'
import type { Person } from '../../../src/core/policy.ts'
import { decode } from '../../../src/core/records.ts'
import { createReplica } from '../../../src/core/replica.ts'
import { createRunner, type Runner } from '../../../src/core/runner.ts'
import { createSweeper, type Sweeper } from '../../../src/core/sweeper.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { createView, type View } from '../../../src/core/view.ts'
import type { Pools } from '../../../src/core/volumes/pool-side.ts'
import { type Workload, workloadSchema } from '../../../src/core/workload.ts'
import { type Cluster as StandIn, startCluster } from '../../../src/sandbox/cluster/cluster.ts'
import { systemClock } from '../../../src/server.ts'
import { testEtcd, testKv } from '../../support/etcd.ts'
import { webApp } from '../../support/stack.ts'

export const place = 'staging'

export type World = {
  readonly kv: Kv
  readonly standIn: StandIn
  readonly cluster: KubernetesCluster
  /** A gkube of its own: other keys, other apps. */
  tenant(over?: Partial<Environment>): Tenant
}

export type Tenant = {
  readonly keys: Keys
  readonly kv: Kv
  readonly cluster: Cluster
  readonly app: (over?: Record<string, unknown>) => App
  readonly name: string
  readonly environments: Map<string, Environment>
  replica(options?: ReplicaOptions): Promise<TestReplica>
}

export type ReplicaOptions = {
  readonly kv?: (kv: Kv) => Kv
  readonly cluster?: (cluster: Cluster) => Cluster
  readonly registry?: Registry
  readonly environments?: Map<string, Environment>
  readonly ttlSeconds?: number
  readonly clock?: Clock
  readonly people?: readonly Person[]
  readonly pools?: Pools
  readonly groups?: readonly Person[]
  readonly code?: CodeSide
  readonly artifacts?: Deps['artifacts']
}

export type TestReplica = {
  readonly core: Core
  readonly runner: Runner
  readonly view: View
  readonly sweeper: Sweeper
  readonly log: string[]
  stop(): Promise<void>
  /** Gone as by kill -9, but its lease ends at once: nothing of it reaches etcd or the cluster any more. */
  crash(): Promise<void>
}

const unpinned: Registry = {
  resolve: async () => ({ kind: 'unavailable', message: 'no registry in this test' }),
}
const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Starts the etcd store and the cluster of this test file. */
export async function startWorld(speed = 30): Promise<World> {
  const etcd = await testEtcd()
  const kv = await testKv()
  const folder = mkdtempSync(join(tmpdir(), 'gkube-world-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const standIn = await startCluster({
    etcd: { endpoints: [etcd.endpoint] },
    prefix: `/cluster${kv.root}`,
    token: 'test-token',
    speed,
  })
  cleanups.push(() => standIn.stop())
  const kubeconfig = join(folder, 'kubeconfig.yaml')
  writeFileSync(kubeconfig, stringify(standIn.kubeconfig()))
  const cluster = kubernetesCluster({ name: 'default', kubeconfig, log: () => undefined })
  cleanups.push(() => cluster.close())
  let tenants = 0
  return {
    kv,
    standIn,
    cluster,
    tenant(over = {}) {
      const n = ++tenants
      const environment = { ...environmentSchema.parse({ createNamespace: true }), name: place, ...over }
      const environments = new Map([[place, environment]])
      const keys = keysBelow(`${kv.root}${n}/`)
      const name = `web-${n}`
      return {
        keys,
        kv,
        cluster,
        name,
        environments,
        app: more =>
          webApp({
            app: name,
            jobs: [`shop/${name}`],
            replicas: 1,
            files: [{ path: '/etc/web/config.yaml', content: 'level: info\n' }],
            // The cluster's clocks run `speed` times faster than ours.
            rollout: { stable: '0s', progress: '20m', limit: '1h' },
            environments: { [place]: {} },
            ...more,
          }),
        replica: options => startReplica({ kv, cluster, keys, environments }, options),
      }
    },
  }
}

let replicas = 0

async function startReplica(
  world: { kv: Kv; cluster: Cluster; keys: Keys; environments: Map<string, Environment> },
  options: ReplicaOptions = {},
): Promise<TestReplica> {
  const { keys } = world
  const environments = options.environments ?? world.environments
  let dead = false
  let leaseId: (() => Promise<void>) | null = null
  const mortal = <T extends object>(inner: T): T =>
    new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (dead) return new Promise(() => undefined)
          const answer = value.apply(target, args)
          // What a dead process asked for may happen; it does not hear of it.
          return answer instanceof Promise
            ? answer.finally(() => (dead ? new Promise(() => undefined) : undefined))
            : answer
        }
      },
    })
  const mortalPools =
    (pools: Pools): Pools =>
    name => {
      const side = pools(name)
      return side && { ...side, pool: mortal(side.pool) }
    }
  const kvOf = options.kv ?? (kv => kv)
  const leasing: Kv = {
    ...world.kv,
    lease: async ttl => {
      const lease = await world.kv.lease(ttl)
      leaseId = () => lease.revoke()
      return lease
    },
  }
  const kv = mortal(kvOf(leasing))
  const cluster = mortal((options.cluster ?? (same => same))(world.cluster))
  const clock = options.clock ?? systemClock
  const random = Math.random
  const log: string[] = []
  const failed = (error: unknown) => void log.push(`failed: ${error}`)
  const ledger = createLedger({ kv, keys, clock })
  const specs = frozenSpecs({ kv, keys })
  const registry = options.registry ?? unpinned
  const view = createView({ kv, keys, clock, random, unreadable: failed, failed })
  const lookups = {
    environment: (name: string) => environments.get(name),
    cluster: (name: string) => (name === 'default' ? cluster : undefined),
  }
  const replica = createReplica({
    name: `replica-${++replicas}`,
    kv,
    ttlSeconds: options.ttlSeconds ?? 5,
    clock,
    random,
    renewed: () => runner.wake(),
    failed,
  })
  const sweeper = createSweeper({
    kv,
    keys,
    clock,
    view,
    ledger,
    environment: lookups.environment,
    swept: () => runner.wake(),
    failed,
  })
  const report = (message: string, error: unknown) => void log.push(`${message}: ${error}`)
  const runner = createRunner({
    kv,
    keys,
    clock,
    random,
    ledger,
    specs,
    registry,
    view,
    replica,
    ...lookups,
    ...(options.pools ? { pools: mortalPools(options.pools) } : {}),
    ...(options.code ? { code: options.code } : {}),
    learned: () => undefined,
    log: report,
  })
  const core = coreOf({
    kv,
    keys,
    clock,
    random,
    ledger,
    view,
    specs,
    registry,
    environments,
    clusters: new Map([['default', cluster]]),
    people: options.people ?? [],
    ...(options.pools ? { pools: mortalPools(options.pools) } : {}),
    ...(options.code ? { code: options.code } : {}),
    ...(options.artifacts ? { artifacts: options.artifacts } : {}),
    groups: options.groups ?? [],
    bootstrap: null,
    log: report,
  })
  await runner.start()
  const stop = async () => {
    if (!dead) await runner.stop(2_000)
  }
  cleanups.push(stop)
  return {
    core,
    runner,
    view,
    sweeper,
    log,
    stop,
    async crash() {
      dead = true
      view.stop()
      await leaseId?.()
    },
  }
}

/** The deploy when it has ended, read from etcd; throws with what it was doing when it does not end. */
export async function ended(tenant: Tenant, id: string, seconds = 20): Promise<Deploy> {
  const until = Date.now() + seconds * 1000
  for (;;) {
    const entry = await tenant.kv.get(tenant.keys.deploy(id))
    const deploy = entry && decode(deploySchema, entry).value
    if (deploy && isTerminal(deploy.phase)) return deploy
    if (Date.now() > until) throw new Error(`deploy ${id} did not end: ${JSON.stringify(deploy)}`)
    await new Promise(resolve => setTimeout(resolve, 15))
  }
}

/** The deploy as soon as it is so, read from etcd. */
export async function phaseOf(
  tenant: Tenant,
  id: string,
  holds: (deploy: Deploy) => boolean,
): Promise<Deploy> {
  let deploy: Deploy | null = null
  await until(async () => {
    const entry = await tenant.kv.get(tenant.keys.deploy(id))
    deploy = entry && decode(deploySchema, entry).value
    if (deploy && isTerminal(deploy.phase) && !holds(deploy))
      throw new Error(`it ended: ${JSON.stringify(deploy)}`)
    return deploy !== null && holds(deploy)
  })
  if (!deploy) throw new Error(`there is no deploy ${id}`)
  return deploy
}

/** Waits until it holds. */
export async function until(holds: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not come true in time')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

export async function workloadOf(tenant: Tenant): Promise<Workload | null> {
  const entry = await tenant.kv.get(tenant.keys.workload(place, tenant.name))
  return entry && decode(workloadSchema, entry).value
}

const written = [
  ['v1', 'Service'],
  ['v1', 'ConfigMap'],
  ['apps/v1', 'Deployment'],
  ['policy/v1', 'PodDisruptionBudget'],
] as const

/** What of an app is on the cluster, as `Kind name uid`, sorted. */
export async function onCluster(tenant: Tenant): Promise<string[]> {
  const labels = { 'gkube.dev/app': tenant.name }
  const lists = await Promise.all(
    written.map(([apiVersion, kind]) => tenant.cluster.list({ apiVersion, kind, namespace: place, labels })),
  )
  return lists
    .flat()
    .map(object => `${object.kind} ${object.metadata.name} ${object.metadata.uid}`)
    .sort()
}

export const inInventory = (workload: Workload | null): string[] =>
  (workload?.inventory ?? []).map(item => `${item.kind} ${item.name} ${item.uid}`).sort()

type PodTemplate = { template: { spec: { containers: { image: string }[] } } }
export const imageOf = (object: KubeObject | null): string =>
  (object?.spec as PodTemplate | undefined)?.template.spec.containers[0]?.image ?? ''

export const liveImage = async (tenant: Tenant): Promise<string> =>
  imageOf(
    await tenant.cluster.get({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: place,
      name: tenant.name,
    }),
  )

/** Keys that must be gone when nothing runs or waits, and who is still active. */
export async function leftovers({ kv, keys }: Pick<Tenant, 'kv' | 'keys'>): Promise<string[]> {
  const prefixes = [keys.open, keys.owners, keys.intents, keys.queues, keys.slotsAll]
  const lists = await Promise.all(prefixes.map(prefix => kv.list(prefix)))
  const active = await kv.list(keys.actives)
  return [
    ...lists.flatMap(({ entries }) => entries.map(entry => entry.key)),
    ...active.entries.filter(entry => !entry.value.includes('"deploy":null')).map(entry => entry.value),
  ]
}
