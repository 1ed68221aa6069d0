// Wires one replica: etcd and clusters → core → runner, sweeper and HTTP. The only place besides the sandbox that
// sees every side. serve.ts gives it a configuration and signals; tests give it other clocks and stores.
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { etcdKv } from './adapters/etcd/kv.ts'
import { type KubernetesCluster, kubernetesCluster } from './adapters/kubernetes/kubernetes-cluster.ts'
import { registryClient } from './adapters/registry/registry-client.ts'
import type { Config } from './config.ts'
import type { Clock } from './core/clock.ts'
import type { Core } from './core/core.ts'
import { coreOf } from './core/core-of.ts'
import type { Registry } from './core/freezing.ts'
import { frozenSpecs } from './core/frozen.ts'
import { keysBelow } from './core/keys.ts'
import { createLedger } from './core/ledger.ts'
import { createReplica } from './core/replica.ts'
import { createRunner } from './core/runner.ts'
import { createSweeper } from './core/sweeper.ts'
import type { Deps } from './core/use-cases/deps.ts'
import { waitingWords } from './core/use-cases/waiting-words.ts'
import { createView } from './core/view.ts'
import { createDrain } from './drain.ts'
import { UserError } from './errors.ts'
import type { FailPoints } from './fail-points.ts'
import type { Log } from './log.ts'
import { createPace } from './pace.ts'
import { wireAudit } from './server/audit.ts'
import { wireCode } from './server/code.ts'
import { watchEtcdSpace } from './server/etcd-space.ts'
import { openPools, type PoolInstead } from './server/pools.ts'
import { artifactRoutes } from './surfaces/http/artifacts.ts'
import { jenkinsHooks } from './surfaces/http/hooks/jenkins-hooks.ts'
import { metricsRegistry } from './surfaces/http/metrics.ts'
import { httpServer } from './surfaces/http/server.ts'
import { version } from './version.ts'

export type Server = {
  readonly url: string
  readonly core: Core
  readonly kv: ReturnType<typeof etcdKv>
  readonly clusters: ReadonlyMap<string, KubernetesCluster>
  /** Resolves when etcd answered and this replica looks for work. */
  readonly ready: Promise<void>
  /** Drains and closes; running deploys are handed over at once. Safe to call twice. */
  close(): Promise<void>
}

export type ServerOptions = {
  readonly config: Config
  readonly log: Log
  readonly registry?: Registry
  readonly clock?: Clock
  /** Instead of a real pool of that name: tests and the sandbox give a folder. */
  readonly pool?: PoolInstead
  /** Seconds until another replica may take over what a dead one held; default: as configured. */
  readonly leaseSeconds?: number
  /** Tests of crashes only. */
  readonly failPoints?: FailPoints
}

export const systemClock: Clock = {
  now: Date.now,
  // Not of node:timers/promises: most sleeps are ended early, and each such end is an error with its stack there.
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) return resolve()
      const end = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal?.addEventListener('abort', end, { once: true })
      return undefined
    }),
}

/** Starts one replica. Throws UserError where the configuration does not fit the world. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, clock = systemClock, failPoints } = options
  const random = Math.random
  const keys = keysBelow(config.etcd.root)
  const store = etcdKv(config.etcd, { log })
  const kv = failPoints ? failPoints.kv(store, keys.root) : store
  const clusters = new Map(
    Object.entries(config.clusters).map(([name, given]) => {
      const cluster = clusterAdapter(name, given, log)
      return [name, failPoints ? failPoints.cluster(cluster) : cluster]
    }),
  )
  const pools = await openPools(config.pools, options.pool ?? (() => undefined))
  const environments = new Map(Object.entries(config.environments))
  const metrics = metricsRegistry()
  const ends = metrics.counter('gkube_deploys_ended_total', 'Deploys whose end this replica wrote.')
  const ledger = createLedger({
    kv,
    keys,
    clock,
    ended: ({ environment, kind, phase }) => ends.add({ environment, kind, phase }),
  })
  const specs = frozenSpecs({ kv, keys })
  const registry = options.registry ?? registryClient({ credentials: config.registries, cacheSeconds: 0 })
  const report = (message: string, error: unknown) => log.error({ err: error }, message)
  const view = createView({
    kv,
    keys,
    clock,
    random,
    unreadable: error =>
      log.error({ key: error.key, err: error }, 'a record cannot be read and is left alone'),
    failed: error => log.warn({ err: error }, 'etcd could not be read; trying again'),
  })
  const lookups = {
    environment: (name: string) => environments.get(name),
    cluster: (name: string) => clusters.get(name),
  }
  const replica = createReplica({
    name: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`,
    kv,
    ttlSeconds: options.leaseSeconds ?? config.limits.leaseSeconds,
    clock,
    random,
    renewed: () => runner.wake(),
    failed: error => log.warn({ err: error }, 'the lease could not be taken; trying again'),
  })
  const sweeper = createSweeper({
    kv,
    keys,
    clock,
    view,
    ledger,
    environment: lookups.environment,
    swept: () => {
      runner.wake()
      void audit.refusals.due()
    },
    failed: error => log.warn({ err: error }, 'a sweep failed; the next one tries again'),
  })
  const audit = wireAudit({ config, kv, keys, clock, random, replica, log: report })
  const code = wireCode({ config, kv, keys, clock, random, replica, log: report })
  const volumeWatch = pools.watch({ kv, keys, clock, random, replica, specs, log: report })
  const drain = createDrain()
  const pace = createPace()
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
    turn: pace.turn,
    ...lookups,
    pools: pools.pools,
    code: code.side,
    learned: stored =>
      log.info(
        {
          deploy: stored.value.id,
          app: stored.value.app,
          environment: stored.value.environment,
          phase: stored.value.phase,
        },
        'deploy moved',
      ),
    log: report,
    ended: deploy =>
      void drain
        .track('prune', () => sweeper.prune(deploy))
        .catch(error => report('history was not pruned', error)),
  })
  const people = Object.values(config.people)
  // Only then: what it brings along is a third of all that is loaded.
  const slack =
    config.slack &&
    (await import('./server/slack.ts')).wireSlack({
      config: { ...config, slack: config.slack },
      kv,
      keys,
      clock,
      random,
      replica,
      drain: {
        track: (name, work) => {
          pace.came()
          return drain.track(name, work)
        },
      },
      log,
      failPoints,
      core: () => core,
      turn: () => pace.turn(drain.closing),
      waiting: deploy => waitingWords(deps, deploy),
    })
  const jenkins =
    config.jenkins &&
    (await import('./server/jenkins.ts')).wireJenkins({
      config: { ...config, jenkins: config.jenkins },
      kv,
      keys,
      clock,
      random,
      replica,
      log,
      failPoints,
      core: () => core,
      mention: async email => (await slack?.mention(email)) ?? null,
    })
  const deps: Deps = {
    kv,
    keys,
    clock,
    random,
    ledger,
    view,
    specs,
    registry,
    environments,
    clusters,
    people,
    groups: config.slack?.groups ?? [],
    etcd: () => kv.ping(),
    jenkins: jenkins?.side,
    pools: pools.pools,
    code: code.side,
    artifacts: code.store ?? undefined,
    checks: [audit, slack, jenkins, code.store, ...pools.all].flatMap(side => (side ? [side.checks] : [])),
    bootstrap: config.tokens.bootstrap,
    maxTokenSeconds: config.tokens.maxLifetimeSeconds,
    refusals: audit.refusals,
    log: report,
  }
  const core: Core = coreOf(deps)
  let working = false
  /** etcd answers before this replica has read what is live: until then it would not see a lock. */
  async function health(): ReturnType<Core['health']> {
    const { ok, checks } = await core.health()
    const message = working ? '' : 'it still reads what is live'
    return { ok: ok && working, checks: [...checks, { name: 'replica', ok: working, message }] }
  }
  metrics.gauge('gkube_deploys_open', 'Deploys that have not ended.', () => view.live.deploys.size)
  const surface = slack?.surface()
  if (slack && surface) slack.measure(metrics, surface)
  jenkins?.measure(metrics)
  audit.measure(metrics)
  const space = watchEtcdSpace({ look: () => kv.ping(), clock, log, metrics })
  const hooks = config.jenkins?.hooks.length
    ? jenkinsHooks({ hooks: config.jenkins.hooks, receive: core.receiveBuild, now: clock.now, log, metrics })
    : null
  const uploads =
    code.store &&
    artifactRoutes({
      store: code.store,
      redeem: code.redeem,
      authenticate: core.authenticate,
      people,
      maxBytes: config.artifacts.maxBytes,
      now: clock.now,
      ...audit.uploads,
    })
  const http = httpServer({
    core: { ...core, health },
    config: {
      host: config.listen.host,
      port: config.listen.port,
      bodyLimit: config.limits.bodyBytes,
      limits: config.limits,
    },
    log,
    version,
    metrics,
    drain,
    mounts: [surface?.mount, hooks, uploads].filter(mount => !!mount),
  })

  async function close(): Promise<void> {
    const patience = config.limits.drainSeconds * 1000
    const left = drain.close(patience)
    const elected = [audit.sealer, code.keeper, volumeWatch, slack?.notifier, jenkins?.follower].flatMap(
      one => one ?? [],
    )
    const work = stopElected(elected, clock).then(() => runner.stop(patience))
    await Promise.all([http.close(), surface?.stop(), work, sweeper.stop(), space.stop(), left])
    await audit.refusals.flush()
    slack?.close()
    pools.close()
    for (const cluster of clusters.values()) cluster.close()
    await kv.close()
  }

  try {
    const url = await http.listen()
    surface?.start()
    space.start()
    // etcd may be down: /readyz says so, requests get a clear error, and work begins once it answers.
    const ready = runner.start().then(() => {
      working = true
      sweeper.start()
      audit.sealer.start()
      slack?.notifier.start()
      jenkins?.follower.start()
      code.keeper?.start()
      volumeWatch?.start()
    })
    ready.catch(error => report('this replica could not start to work', error))
    let closing: Promise<void> | undefined
    return {
      url,
      core,
      kv,
      clusters,
      ready,
      close: () => {
        closing ??= close()
        return closing
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Their elections hang on the lease that the runner gives back, so they go first; deploys do not wait for a slow Slack. */
async function stopElected(all: readonly { stop(): Promise<void> }[], clock: Clock): Promise<void> {
  const stopped = new AbortController()
  const stopping = Promise.all(all.map(one => one.stop()))
  await Promise.race([stopping, clock.sleep(all.length > 0 ? 2_000 : 0, stopped.signal)])
  stopped.abort()
}

function clusterAdapter(name: string, cluster: Config['clusters'][string], log: Log): KubernetesCluster {
  try {
    return kubernetesCluster({
      name,
      kubeconfig: cluster.kubeconfig ?? undefined,
      context: cluster.context ?? undefined,
      inCluster: cluster.inCluster,
      watchEverywhere: cluster.watch === 'cluster-wide',
      log: message => log.warn({ cluster: name }, message),
    })
  } catch (error) {
    if (error instanceof UserError)
      throw new UserError(error.kind, `clusters.${name}: ${error.message}`, { cause: error })
    throw error
  }
}
