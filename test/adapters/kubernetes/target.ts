// The cluster that the adapter's tests run on: the stand-in, or a real one when GKUBE_TEST_KUBECONFIG names a
// kubeconfig. Each file gets a namespace of its own, deleted at its end.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { kubernetesCredentials } from '../../../src/adapters/kubernetes/credentials.ts'
import {
  type KubernetesCluster,
  type KubernetesOptions,
  kubernetesCluster,
} from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import { kubernetesWire, type Wire } from '../../../src/adapters/kubernetes/wire.ts'
import type { KubeObject, Observed, Observer } from '../../../src/core/cluster.ts'
import { type Cluster as StandIn, startCluster } from '../../../src/sandbox/cluster/cluster.ts'
import { testEtcd } from '../../support/etcd.ts'

export type Target = {
  readonly namespace: string
  readonly kubeconfig: string
  /** Null on a real cluster. */
  readonly standIn: StandIn | null
  /** A client of its own, closed at the end of the file. */
  client(options?: Partial<KubernetesOptions>): KubernetesCluster
  /** Raw requests beside the adapter. */
  wire(): Wire
  /** Closes every client made so far. */
  closeClients(): void
  readonly problems: string[]
}

export const realCluster = process.env.GKUBE_TEST_KUBECONFIG

/** Call once at the top of a file; what it returns is filled before the tests run. */
export function target(options: Partial<Parameters<typeof startCluster>[0]> = {}): Target {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-kubernetes-'))
  const kubeconfig = realCluster ?? join(folder, 'config')
  const namespace = `gkube-test-${Math.random().toString(36).slice(2, 8)}`
  const clients: { close(): void }[] = []
  const problems: string[] = []
  let standIn: StandIn | null = null

  const client: Target['client'] = (more = {}) => {
    const one = kubernetesCluster({ name: 'test', kubeconfig, log: line => problems.push(line), ...more })
    clients.push(one)
    return one
  }
  beforeAll(async () => {
    if (!realCluster) {
      const etcd = await testEtcd()
      standIn = await startCluster({
        etcd: { endpoints: [etcd.endpoint] },
        prefix: `/cluster/${namespace}`,
        speed: 10,
        ...options,
      })
      writeFileSync(kubeconfig, JSON.stringify(standIn.kubeconfig()))
    }
    await client().create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  }, 30_000)
  afterAll(async () => {
    if (realCluster) await client().remove({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, {})
    for (const one of clients) one.close()
    await standIn?.stop()
    rmSync(folder, { recursive: true, force: true })
  }, 30_000)
  return {
    namespace,
    kubeconfig,
    get standIn() {
      return standIn
    },
    client,
    wire: () => {
      const one = kubernetesWire({
        name: 'test',
        credentials: kubernetesCredentials({ kubeconfig }),
        callTimeoutMs: 10_000,
      })
      clients.push(one)
      return one
    },
    closeClients: () => {
      for (const one of clients.splice(0)) one.close()
    },
    problems,
  }
}

const labels = (app: string) => ({
  'app.kubernetes.io/name': app,
  'app.kubernetes.io/instance': app,
})
const owned = (app: string) => ({
  ...labels(app),
  'app.kubernetes.io/managed-by': 'gkube',
  'gkube.dev/app': app,
  'gkube.dev/environment': 'test',
})

/** A Deployment as gkube writes it, small. */
export function deployment(namespace: string, name: string, spec: Record<string, unknown> = {}): KubeObject {
  const { image = 'registry.example.com/web:1.0.0', env = [], ...rest } = spec
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: owned(name), annotations: { 'gkube.dev/epoch': '1' } },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels(name) },
      template: {
        metadata: { labels: owned(name) },
        spec: { containers: [{ name: 'app', image, env, ports: [{ name: 'http', containerPort: 8080 }] }] },
      },
      ...rest,
    },
  }
}

export const service = (namespace: string, name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace, labels: owned(name) },
  spec: { selector: labels(name), ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
})

export const configMap = (
  namespace: string,
  name: string,
  data: Record<string, string> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace, labels: owned(name) },
  data,
})

/** Waits until what is observed fits; fails with what was seen last. */
export async function until(
  observe: (changed: () => void) => Observer,
  fits: (observed: Observed) => boolean,
  ms = 10_000,
): Promise<Observed> {
  const end = performance.now() + ms
  let wake = () => {}
  const observer = observe(() => wake())
  try {
    for (;;) {
      const observed = observer.current()
      if (observed && fits(observed)) return observed
      const left = end - performance.now()
      if (left <= 0)
        throw new Error(`not within ${ms} ms: ${observer.problem() ?? ''} ${JSON.stringify(observed)}`)
      await new Promise<void>(resolve => {
        wake = resolve
        setTimeout(resolve, left)
      })
    }
  } finally {
    observer.stop()
  }
}
