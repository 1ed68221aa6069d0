// The shared watches when things go wrong: nothing is missed and nothing is asked in a hot loop. On the stand-in
// with its faults, and through a proxy that loses connections.
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { KubernetesCluster } from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import { type Observed, refOf } from '../../../src/core/cluster.ts'
import { appLabel } from '../../../src/core/objects/labels.ts'
import { startProxy } from '../../support/proxy.ts'
import { configMap, deployment, realCluster, target, until } from './target.ts'

const here = target({ bookmarkMs: 100 })
const quick = { firstBackoffMs: 20, longestBackoffMs: 100 }

afterEach(() => {
  here.standIn?.faults.clear()
  here.closeClients()
})

const scope = (name: string) => ({
  namespace: here.namespace,
  app: name,
  workload: { apiVersion: 'apps/v1', kind: 'Deployment', name },
})

const sees = (cluster: KubernetesCluster, name: string, fits: (observed: Observed) => boolean) =>
  until(changed => cluster.observe(scope(name), changed), fits)

const scale = (name: string, replicas: number) =>
  here.client().apply(deployment(here.namespace, name, { replicas }))

/** A kubeconfig that leads through a proxy. */
async function proxied() {
  const proxy = await startProxy(here.standIn?.port ?? 0)
  const file = `${here.kubeconfig}-${proxy.port}`
  const config = JSON.stringify(here.standIn?.kubeconfig()).replace(
    /127\.0\.0\.1:\d+/,
    `127.0.0.1:${proxy.port}`,
  )
  writeFileSync(file, config)
  return { proxy, kubeconfig: file }
}

describe.skipIf(realCluster)('a shared watch', () => {
  it('goes on where it was after its connection ends, without listing again', async () => {
    const cluster = here.client({ tuning: quick })
    await here.client().create(deployment(here.namespace, 'ended', { replicas: 0 }))
    await sees(cluster, 'ended', o => o.workload !== null)
    here.standIn?.endWatches()
    await scale('ended', 1)
    await sees(cluster, 'ended', o => o.workload?.wanted === 1)
    expect(cluster.counts()['list deployments']).toBe(1)
    expect(cluster.counts()['watch deployments']).toBeGreaterThan(1)
  })

  it.each(['expired while it runs', 'expired when it resumes'])(
    'lists again when its version has %s',
    async how => {
      const name = how.includes('resumes') ? 'resumes' : 'runs'
      const cluster = here.client({ tuning: quick })
      const other = here.client()
      const gone = await other.create(deployment(here.namespace, `${name}-gone`, { replicas: 0 }))
      await other.create(deployment(here.namespace, name, { replicas: 0 }))
      await sees(cluster, name, o => o.workload !== null)
      expect((await cluster.peek(refOf(gone.object)))?.metadata.uid).toBe(gone.object.metadata.uid)
      if (how.includes('resumes'))
        here.standIn?.faults.add({ verb: 'watch', resource: 'deployments', status: 410 })
      // The first list fails too: the change and the absence come with the second.
      here.standIn?.faults.add({ verb: 'list', resource: 'deployments', status: 500 })
      here.standIn?.endWatches(how.includes('resumes') ? 'silently' : 'expired')
      await other.remove(refOf(gone.object), { uid: gone.object.metadata.uid })
      await scale(name, 1)
      await sees(cluster, name, o => o.workload?.wanted === 1)
      expect(cluster.counts()['list deployments']).toBeGreaterThan(1)
      const before = cluster.counts()['get deployments'] ?? 0
      expect(await cluster.peek(refOf(gone.object))).toBeNull()
      // It is known to be gone, so that was a live read.
      expect(cluster.counts()['get deployments']).toBe(before + 1)
    },
  )

  it('starts again after errors, and says what is wrong meanwhile', async () => {
    const cluster = here.client({ tuning: quick })
    here.standIn?.faults.add({ verb: 'list', resource: 'deployments', status: 500, times: 3 })
    const observer = cluster.observe(scope('errors'), () => undefined)
    await expect.poll(() => observer.problem()).toContain('deployments:')
    expect(observer.current()).toBeNull()
    await expect.poll(() => observer.current()).not.toBeNull()
    await expect.poll(() => observer.problem()).toBeNull()
    observer.stop()
  })

  it('shows an object to the app of its label of now, and to that one alone', async () => {
    const cluster = here.client({ tuning: quick })
    for (const name of ['claims-a', 'claims-b'])
      await cluster.create(deployment(here.namespace, name, { replicas: 0 }))
    const claim = (app: string) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'moves',
        namespace: here.namespace,
        labels: { 'app.kubernetes.io/managed-by': 'gkube', [appLabel]: app },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    await cluster.create(claim('claims-a'))
    await sees(cluster, 'claims-a', o => o.claims.length === 1)
    await sees(cluster, 'claims-b', o => o.claims.length === 0)
    await cluster.apply(claim('claims-b'))
    await sees(cluster, 'claims-b', o => o.claims.length === 1)
    await sees(cluster, 'claims-a', o => o.claims.length === 0)
    await cluster.remove(refOf(claim('claims-b')), {})
    await sees(cluster, 'claims-b', o => o.claims.length === 0)
  })

  it('that may not list claims does not hold a rollout up', async () => {
    const cluster = here.client({ tuning: quick })
    here.standIn?.faults.add({ verb: 'list', resource: 'persistentvolumeclaims', status: 403, times: 1000 })
    await here.client().create(deployment(here.namespace, 'noclaims', { replicas: 0 }))
    const observed = await sees(cluster, 'noclaims', o => o.workload !== null)
    expect(observed.claims).toEqual([])
  })

  it('notices a connection that died without a word, and misses nothing of that time', async () => {
    const { proxy, kubeconfig } = await proxied()
    const cluster = here.client({ kubeconfig, tuning: { ...quick, quietMs: 400 } })
    await here.client().create(deployment(here.namespace, 'frozen', { replicas: 0 }))
    await sees(cluster, 'frozen', o => o.workload !== null)
    proxy.freeze()
    await scale('frozen', 1)
    await sees(cluster, 'frozen', o => o.workload?.wanted === 1)
    expect(cluster.counts()['list deployments']).toBe(1)
    cluster.close()
    await proxy.close()
  })

  it('is asked for again when nothing was said for long: a server is silent while nothing is written', async () => {
    const cluster = here.client({ tuning: { ...quick, quietMs: 300 } })
    await cluster.warm(here.namespace, ['ConfigMap'])
    await vi.waitFor(() => expect(cluster.counts()['watch configmaps']).toBeGreaterThan(1), 5_000)
    expect(cluster.counts()['list configmaps']).toBe(1)
  })

  it('does not ask in a hot loop while the cluster is down, and comes back', async () => {
    const { proxy, kubeconfig } = await proxied()
    const cluster = here.client({ kubeconfig, tuning: { firstBackoffMs: 50, longestBackoffMs: 400 } })
    await here.client().create(deployment(here.namespace, 'down', { replicas: 0 }))
    await sees(cluster, 'down', o => o.workload !== null)
    const before = cluster.counts()['watch deployments'] ?? 0
    proxy.down()
    await sleep(1_000)
    expect((cluster.counts()['watch deployments'] ?? 0) - before).toBeLessThan(14)
    await scale('down', 1)
    proxy.resume()
    await sees(cluster, 'down', o => o.workload?.wanted === 1)
    cluster.close()
    await proxy.close()
  })

  it('that is long broken is not believed: peek reads live', async () => {
    const { proxy, kubeconfig } = await proxied()
    const cluster = here.client({ kubeconfig, tuning: { ...quick, staleAfterMs: 0 } })
    const { object } = await here.client().create(configMap(here.namespace, 'broken', {}))
    await cluster.warm(here.namespace, ['ConfigMap'])
    await cluster.peek(refOf(object))
    expect(cluster.counts()['get configmaps']).toBeUndefined()
    proxy.down()
    const peeked = () =>
      cluster.peek(refOf(object)).then(
        () => 'from memory',
        error => error.kind,
      )
    await expect.poll(peeked).toBe('unavailable')
    proxy.resume()
    cluster.close()
    await proxy.close()
  })

  it('ends some time after its last use, and at once when the client closes', async () => {
    const cluster = here.client({ warmMs: 100 })
    const observer = cluster.observe(scope('ends'), () => undefined)
    expect(cluster.watching()).toBe(5)
    observer.stop()
    await expect.poll(() => cluster.watching()).toBe(0)
    await expect.poll(() => here.standIn?.watchCount()).toBe(0)
    const other = here.client()
    await other.warm(here.namespace, ['Service', 'ConfigMap'])
    await expect.poll(() => here.standIn?.watchCount()).toBe(2)
    other.close()
    await expect.poll(() => here.standIn?.watchCount()).toBe(0)
  })

  it('can be one for all namespaces', async () => {
    const cluster = here.client({ watchEverywhere: true })
    await here.client().create(deployment(here.namespace, 'everywhere', { replicas: 0 }))
    await sees(cluster, 'everywhere', o => o.workload !== null)
    const elsewhere = cluster.observe({ ...scope('everywhere'), namespace: 'default' }, () => undefined)
    expect(elsewhere.current()).toMatchObject({ workload: null, pods: [] })
    expect(cluster.watching()).toBe(5)
    elsewhere.stop()
  })

  it('keeps facts small: 2 KB an object at most', async () => {
    const cluster = here.client()
    const object = deployment(here.namespace, 'large', { replicas: 1 })
    const env = Array.from({ length: 100 }, (_, n) => ({ name: `V${n}`, value: 'x'.repeat(100) }))
    // biome-ignore lint/suspicious/noExplicitAny: untyped JSON
    const spec = object.spec as any
    spec.template.spec.containers[0].env = env
    spec.template.spec.containers[0].image = 'registry.example.com/web:crash'
    const annotations = { long: 'x'.repeat(5_000), ...object.metadata.annotations }
    await here.client().create({ ...object, metadata: { ...object.metadata, annotations } })
    const observed = await sees(cluster, 'large', o =>
      o.pods.some(pod => (pod.containers[0]?.restarts ?? 0) > 0),
    )
    expect(JSON.stringify(observed.workload).length).toBeLessThan(2_048)
    for (const pod of observed.pods) expect(JSON.stringify(pod).length).toBeLessThan(2_048)
  })
})
