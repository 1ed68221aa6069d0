// What is kept of an object, metadata for `peek` included, of tens of kilobytes that a server sends: a thousand deploys of
// three pods are some ten thousand of these. Never more than 2 KB, and what fails is always among it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  kept,
  mostKept,
  podFacts,
  sliceFacts,
  workloadFacts,
} from '../../../src/adapters/kubernetes/projection.ts'

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
const ours = {
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
  labels: ours,
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
/** Labels and annotations that a team and its tools put there. */
const decorated = <T extends { metadata: ReturnType<typeof metadata> }>(object: T): T => {
  const many = Object.fromEntries(times(200, n => [`example.com/tool-${n}`, 'x'.repeat(60)]))
  const { labels, annotations } = object.metadata
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...many, ...labels },
      annotations: { ...many, ...annotations },
    },
  }
}
const unscheduled = (object: ReturnType<typeof pod>) => ({
  ...object,
  metadata: metadata({ name: 'n'.repeat(63), namespace: 'n'.repeat(63) }),
  spec: { ...object.spec, nodeName: 'n'.repeat(253) },
  status: {
    ...object.status,
    reason: 'r'.repeat(200),
    message: 'm'.repeat(5_000),
    conditions: [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'm'.repeat(5_000) },
    ],
  },
})
const kinds = {
  Pod: { apiVersion: 'v1', kind: 'Pod' },
  Deployment: { apiVersion: 'apps/v1', kind: 'Deployment' },
  EndpointSlice: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
}
const keptPod = (object: object) => kept(object, kinds.Pod, (one, _, room) => podFacts(one, room))
const keptDeployment = (object: object) => kept(object, kinds.Deployment, workloadFacts)

describe('what is kept of', () => {
  it.each<[string, unknown]>([
    ['a Deployment that is refused its pods', keptDeployment(deployment(5_000))],
    ['a Deployment with labels and annotations of others', keptDeployment(decorated(deployment(250)))],
    ['a pod with one container', keptPod(pod(1, 100))],
    ['a pod with one container that says very much', keptPod(pod(1, 5_000))],
    ['a pod with ten containers that crash', keptPod(pod(10, 5_000))],
    ['a pod with fifty containers that crash', keptPod(pod(50, 5_000))],
    ['a pod with long names, that no node takes', keptPod(unscheduled(pod(50, 5_000)))],
    [
      'an EndpointSlice of a hundred pods',
      kept(
        {
          metadata: metadata(),
          ports: times(6, n => ({ name: `port-${n}` })),
          endpoints: times(100, n => ({ addresses: [`10.0.0.${n}`], conditions: { ready: true } })),
        },
        kinds.EndpointSlice,
        sliceFacts,
      ),
    ],
  ])('%s is 2 KB at most', (_, item) => {
    expect(bytes(item)).toBeLessThanOrEqual(mostKept)
    expect(JSON.stringify(item)).not.toMatch(/managedFields|last-applied|"env"/)
  })

  it('whatever a server sends', () => {
    const text = (most: number) => fc.string({ maxLength: most, unit: 'grapheme' })
    const name = (most: number) => fc.stringMatching(new RegExp(`^[a-z0-9]{1,${most}}$`))
    const state = fc.oneof(
      fc.record({ waiting: fc.record({ reason: name(60), message: text(2_000) }) }),
      fc.record({ running: fc.record({ startedAt: fc.constant(at) }) }),
      fc.record({ terminated: fc.record({ exitCode: fc.nat(255), reason: name(60), message: text(2_000) }) }),
    )
    const status = fc.record({
      name: name(63),
      image: name(200),
      ready: fc.boolean(),
      restartCount: fc.nat(50),
      state,
    })
    fc.assert(
      fc.property(
        fc.array(status, { maxLength: 60 }),
        fc.array(status, { maxLength: 20 }),
        name(63),
        text(2_000),
        fc.dictionary(name(63), name(63), { maxKeys: 50 }),
        (containerStatuses, initContainerStatuses, long, message, labels) => {
          const item = keptPod({
            metadata: metadata({
              name: long,
              namespace: long,
              labels: { ...ours, ...labels },
              annotations: labels,
            }),
            status: { phase: 'Pending', message, containerStatuses, initContainerStatuses },
          })
          expect(bytes(item)).toBeLessThanOrEqual(mostKept)
          const own = item.facts.containers.filter(one => !one.init).length + item.facts.more.containers
          expect(own).toBe(containerStatuses.length)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('of a pod with fifty containers', () => {
  const healthy = (n: number) => ({
    name: `container-${n}`,
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: at } },
  })
  const crashing = (n: number) => ({
    ...healthy(n),
    ready: false,
    restartCount: 4,
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 1m20s' } },
    lastState: { terminated: { exitCode: 3, reason: 'Error', startedAt: at, finishedAt: at } },
  })

  const podOf = (containerStatuses: readonly object[], initContainerStatuses: readonly object[] = []) => {
    const object = pod(containerStatuses.length, 0)
    return { ...object, status: { ...object.status, containerStatuses, initContainerStatuses } }
  }

  it('the one that fails is told, the others are counted', () => {
    const object = podOf(times(50, n => (n === 43 ? crashing(n) : healthy(n))))
    const { containers, more } = keptPod(object).facts
    expect(containers.find(one => !one.ready)).toMatchObject({
      name: 'container-43',
      reason: 'CrashLoopBackOff',
      restarts: 4,
      exit: { code: 3 },
    })
    expect(containers.length + more.containers).toBe(50)
    expect(containers.filter(one => one.ready).length + more.ready).toBe(49)
  })

  it('the one that bears the name of the app is told', () => {
    const object = podOf(times(50, n => ({ ...healthy(n), name: n === 40 ? 'shop-checkout' : `side-${n}` })))
    expect(keptPod(object).facts.containers.map(one => one.name)).toContain('shop-checkout')
  })

  it('an init container that is done hides none', () => {
    const initContainerStatuses = times(30, n => ({
      name: `setup-${n}`,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at } },
    }))
    const { containers, more } = keptPod(podOf(times(3, healthy), initContainerStatuses)).facts
    expect(containers.filter(one => !one.init)).toHaveLength(3)
    expect(more).toEqual({ containers: 0, ready: 0 })
  })
})
