// The stand-in cluster: an HTTP server that speaks the Kubernetes REST protocol, with its objects in etcd, and
// the controllers and kubelets played beside it. For laptops and tests only; what it can and cannot do is in
// README.md. This file wires the parts; each of them is one concern.
import { Etcd3 } from 'etcd3'
import { bootstrap, defaultNodes, type NodeSpec } from './bootstrap.ts'
import { allControllers } from './controllers/all.ts'
import { runControllers } from './controllers/engine.ts'
import { eventRecorder } from './controllers/events.ts'
import { version } from './discovery.ts'
import { execServer } from './exec.ts'
import { type Fault, faultBox } from './faults.ts'
import { listen } from './http.ts'
import { kinds } from './kinds.ts'
import { registryOver } from './registry.ts'
import { type FrontDoor, openFrontDoor } from './runs/front-door.ts'
import { type RunsOptions, runContainers } from './runs/runs.ts'
import { expired } from './status-error.ts'
import { openStore } from './store.ts'
import { watchHub } from './watch.ts'

type Log = { warn(facts: object, text: string): void; error(facts: object, text: string): void }

export type ClusterOptions = {
  readonly etcd: { readonly endpoints: readonly string[] }
  /** Where in etcd its objects live, such as `/sandbox/cluster/eu-1`. */
  readonly prefix: string
  /** 0 or nothing: a free one. */
  readonly port?: number
  /** Asked for as a bearer token when given. */
  readonly token?: string
  readonly nodes?: readonly NodeSpec[]
  /** How many times faster than written every duration of the cluster passes; default 1. */
  readonly speed?: number
  /** The image with its tag, for a container that names only a digest: tags tell how a container behaves. */
  readonly images?: (image: string) => string
  /** How often watches that ask for it get a bookmark; default every minute, as the real server. */
  readonly bookmarkMs?: number
  /** Scripts of Jobs and web servers of pods run for real, in this folder; left out: everything is played. */
  readonly runs?: RunsOptions
  readonly log?: Log
}

export type Cluster = {
  /** Such as `http://127.0.0.1:34567`. */
  readonly url: string
  readonly port: number
  /** A kubeconfig with one context, as an object; JSON is YAML too, so it can be written as it is. */
  kubeconfig(options?: { name?: string; namespace?: string }): KubeConfigFile
  /** For tests: make requests fail, count them. */
  readonly faults: {
    add(fault: Fault): void
    clear(): void
    counts(): Readonly<Record<string, number>>
    resetCounts(): void
  }
  /** For tests: forgets history, so that older resourceVersions and continue tokens are answered with 410. */
  compact(): void
  /** For tests: ends all watches, without a word or with an ERROR event 410. */
  endWatches(how?: 'silently' | 'expired'): void
  watchCount(): number
  /** With `runs`: opens the port by which its Services are reached on this machine (0: a free one); ends with it. */
  openFrontDoor(port: number): Promise<FrontDoor>
  stop(): Promise<void>
}

export type KubeConfigFile = {
  readonly apiVersion: 'v1'
  readonly kind: 'Config'
  readonly 'current-context': string
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, unknown>> }[]
  readonly contexts: readonly { readonly name: string; readonly context: Readonly<Record<string, string>> }[]
  readonly users: readonly { readonly name: string; readonly user: { readonly token?: string } }[]
}

const quiet: Log = { warn: () => undefined, error: () => undefined }

/** Starts a stand-in cluster on 127.0.0.1. State is in etcd: started again over the same prefix, it goes on. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { speed = 1, log = quiet, token, images = image => image } = options
  const client = new Etcd3({
    hosts: [...options.etcd.endpoints],
    // A deadline for each call, none for the watch.
    defaultCallOptions: call => (call.isStream ? {} : { deadline: Date.now() + 2000 }),
    grpcOptions: { 'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 3000 },
  })
  const store = await openStore(client, { prefix: options.prefix, log })
  const registry = registryOver(store)
  const watches = watchHub(store, { bookmarkMs: options.bookmarkMs ?? 60_000 })
  const faults = faultBox()
  const events = eventRecorder(store, registry, log)
  const runs = options.runs && runContainers({ ...options.runs, store })
  const context = { store, registry, record: events.record, speed, images, runs, outputs: runs?.outputOf }
  await bootstrap(store, registry, options.nodes ?? defaultNodes, version.gitVersion)
  const controllers = runControllers(allControllers(context), store, log)
  const server = await listen({ ...context, watches, faults, token, log }, options.port ?? 0)
  const exec = execServer({ store, registry, token, runs })
  server.server.on('upgrade', exec.upgrade)
  controllers.begin(kinds.flatMap(kind => store.list(kind).map(object => ({ kind, object }))))
  const url = `http://127.0.0.1:${server.port}`
  const doors: FrontDoor[] = []
  let stopping: Promise<void> | undefined

  async function stop() {
    for (const door of doors) await door.close()
    watches.close()
    exec.close()
    await server.close()
    await controllers.stop()
    await runs?.stop()
    await events.stop()
    await store.close()
    client.close()
  }

  return {
    url,
    port: server.port,
    kubeconfig: ({ name = 'sandbox', namespace = 'default' } = {}) => ({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      // client-node refuses plain http unless it is told not to mind.
      clusters: [{ name, cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      contexts: [{ name, context: { cluster: name, user: name, namespace } }],
      users: [{ name, user: token === undefined ? {} : { token } }],
    }),
    faults: { add: faults.add, clear: faults.clear, counts: faults.counts, resetCounts: faults.resetCounts },
    compact: () => store.forget(),
    endWatches: how =>
      watches.fail(
        how === 'expired' ? expired('The resourceVersion for the provided watch is too old.') : undefined,
      ),
    watchCount: () => watches.count(),
    openFrontDoor: async port => {
      const door = await openFrontDoor({ store, portOf: uid => runs?.portOf(uid) }, port)
      doors.push(door)
      return door
    },
    stop: () => (stopping ??= stop()),
  }
}
