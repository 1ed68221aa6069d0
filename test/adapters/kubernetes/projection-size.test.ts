// What is kept of an object, metadata for `peek` included, of tens of kilobytes that a server sends: a thousand deploys of
// three pods are some ten thousand of these. A usual pod is below 2 KB; each more container that crashes adds 450 bytes.
import { describe, expect, it } from 'vitest'
import { metadataOf, podFacts, workloadFacts } from '../../../src/adapters/kubernetes/projection.ts'

const at = '2026-01-02T03:04:05Z'
const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))
const times = <T>(count: number, one: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => one(n))
const uid = '0f0c7c2e-7a52-4b62-9c6e-0d5b2c0f7a11'

/** As a server sends it: who wrote which field is most of it. */
const managedFields = times(6, n => ({
  manager: n === 0 ? 'gkube' : 'kube-controller-manager',
  operation: n === 0 ? 'Apply' : 'Update',
  apiVersion: 'apps/v1',
  time: at,
  fieldsType: 'FieldsV1',
  fieldsV1: Object.fromEntries(times(60, i => [`f:field-${n}-${i}`, { 'f:value': {} }])),
}))
const labels = {
  'app.kubernetes.io/name': 'shop-checkout',
  'app.kubernetes.io/instance': 'shop-checkout-production',
  'app.kubernetes.io/managed-by': 'gkube',
  'gkube.dev/app': 'shop-checkout',
  'pod-template-hash': '7d4b9c6f5d',
}
const metadata = (more: object = {}) => ({
  name: 'shop-checkout-7d4b9c6f5d-x2x7k',
  namespace: 'production',
  uid,
  resourceVersion: '123456789',
  generation: 12,
  creationTimestamp: at,
  labels,
  annotations: {
    'gkube.dev/deploy': '01m85xae2hjycg0g47p1hc1ank',
    'gkube.dev/epoch': '12',
    'deployment.kubernetes.io/revision': '12',
    'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(8_000),
  },
  ownerReferences: [{ kind: 'ReplicaSet', name: 'shop-checkout-7d4b9c6f5d', uid, controller: true }],
  managedFields,
  ...more,
})
const conditions = (count: number, length: number) =>
  times(count, n => ({
    type: ['Ready', 'PodScheduled', 'Initialized', 'ContainersReady'][n] ?? `example.com/gate-${n}`,
    status: 'True',
    reason: 'x'.repeat(Math.min(length, 100)),
    message: 'x'.repeat(length),
    lastTransitionTime: at,
    lastUpdateTime: at,
  }))
const pod = (containers: number, message: number) => ({
  metadata: metadata(),
  spec: {
    nodeName: 'ip-10-0-113-17.eu-central-1.compute.internal',
    containers: times(containers, n => ({
      name: `container-${n}`,
      image: `registry.example.com/shop/checkout:1.4.${n}@sha256:${'a'.repeat(64)}`,
      env: times(50, i => ({ name: `V${i}`, value: 'x'.repeat(100) })),
    })),
  },
  status: {
    phase: 'Running',
    conditions: conditions(10, message),
    containerStatuses: times(containers, n => ({
      name: `container-${n}`,
      ready: false,
      started: true,
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'x'.repeat(message) } },
      lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: at, finishedAt: at } },
    })),
  },
})
const deployment = (message: number) => ({
  metadata: metadata({ name: 'shop-checkout' }),
  spec: { replicas: 3, template: { spec: { containers: pod(10, 0).spec.containers } } },
  status: { observedGeneration: 12, replicas: 3, conditions: conditions(3, message) },
})
const kept = {
  pod: (object: object) => ({
    meta: metadataOf(object, { apiVersion: 'v1', kind: 'Pod' }),
    facts: podFacts(object),
  }),
  deployment: (object: object) => ({
    meta: metadataOf(object, { apiVersion: 'apps/v1', kind: 'Deployment' }),
    facts: workloadFacts(object, 'Deployment'),
  }),
}

describe('what is kept of', () => {
  it.each([
    ['a Deployment that is refused its pods', kept.deployment(deployment(250)), 2_048 + 1_024],
    ['a pod with one container', kept.pod(pod(1, 100)), 2_048],
    ['a pod with ten containers that crash', kept.pod(pod(10, 100)), 8_192],
  ])('%s is small', (_, item, most) => {
    expect(bytes(item)).toBeLessThanOrEqual(most)
    expect(JSON.stringify(item)).not.toMatch(/managedFields|last-applied|"env"/)
  })
})
