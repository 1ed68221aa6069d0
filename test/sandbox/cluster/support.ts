// What the tests of the stand-in cluster share: a running one on a real etcd, and objects to put into it.
import { afterAll } from 'vitest'
import { type Cluster, type ClusterOptions, startCluster } from '../../../src/sandbox/cluster/cluster.ts'
import { testEtcd } from '../../support/etcd.ts'
import { type Json, wireTo } from './wire.ts'

const clusters: Cluster[] = []
afterAll(async () => {
  await Promise.all(clusters.splice(0).map(cluster => cluster.stop()))
})

/** A stand-in cluster of this file's etcd, fast by default; ended with the file. */
export async function testCluster(options: Partial<ClusterOptions> = {}) {
  const etcd = await testEtcd()
  const problems: string[] = []
  const note = (facts: Json, text: string) => problems.push(`${text}: ${facts.err ?? JSON.stringify(facts)}`)
  const settings: ClusterOptions = {
    etcd: { endpoints: [etcd.endpoint] },
    prefix: etcd.root(),
    speed: 20,
    log: { warn: note, error: note },
    ...options,
  }
  const cluster = await startCluster(settings)
  clusters.push(cluster)
  const kubeconfig = JSON.stringify(cluster.kubeconfig())
  return { cluster, settings, kubeconfig, problems, wire: wireTo(kubeconfig) }
}

export const deployment = (name: string, image: string, spec: Json = {}, container: Json = {}): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: 'web', image, ports: [{ containerPort: 8080, name: 'http' }], ...container }],
      },
    },
    ...spec,
  },
})

export const job = (name: string, command: string[], spec: Json = {}, image = 'reg/tool:1'): Json => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: {
    backoffLimit: 0,
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'tool', image, command }] } },
    ...spec,
  },
})
