// Objects as servers really send them, with holes and oddities, cut to facts; and who owns which field.
import { describe, expect, it } from 'vitest'
import { claimFirst, ownedByApply } from '../../../src/adapters/kubernetes/ownership.ts'
import {
  claimFacts,
  eventFacts,
  metadataOf,
  podFacts,
  sliceFacts,
  workloadFacts,
} from '../../../src/adapters/kubernetes/projection.ts'

const at = '2026-01-02T03:04:05Z'
const ms = Date.parse(at)
const meta = (more: object = {}) => ({
  name: 'web',
  uid: 'u',
  resourceVersion: '7',
  creationTimestamp: at,
  ...more,
})

describe('a pod', () => {
  it('that nothing is known of yet', () => {
    expect(podFacts({ metadata: meta() })).toEqual({
      name: 'web',
      uid: 'u',
      createdAt: ms,
      terminating: false,
      phase: '',
      reason: '',
      message: '',
      node: '',
      ready: false,
      readyAt: null,
      unscheduled: null,
      templateHash: '',
      owner: null,
      containers: [],
      more: { containers: 0, ready: 0 },
    })
  })

  it('with all it can have', () => {
    const facts = podFacts({
      metadata: meta({
        deletionTimestamp: at,
        labels: { 'pod-template-hash': 'abc', 'gkube.dev/app': 'web', team: 'shop' },
        ownerReferences: [
          { kind: 'Other', name: 'x', uid: 'x' },
          { kind: 'ReplicaSet', name: 'web-abc', uid: 'r', controller: true },
        ],
      }),
      spec: {
        nodeName: 'n1',
        initContainers: [{ name: 'setup', image: 'setup:1' }],
        containers: [{ name: 'app', image: 'web:1' }],
      },
      status: {
        phase: 'Running',
        conditions: [
          { type: 'PodScheduled', status: 'True' },
          { type: 'Ready', status: 'True', lastTransitionTime: at },
        ],
        initContainerStatuses: [
          {
            name: 'setup',
            state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at } },
          },
        ],
        containerStatuses: [
          {
            name: 'app',
            image: 'docker.io/library/web:1',
            ready: true,
            started: true,
            restartCount: 2,
            state: { running: { startedAt: at } },
            lastState: { terminated: { exitCode: 137, reason: 'OOMKilled', startedAt: at, finishedAt: at } },
          },
        ],
      },
    })
    expect(facts).toMatchObject({
      terminating: true,
      ready: true,
      readyAt: ms,
      node: 'n1',
      templateHash: 'abc',
      owner: { kind: 'ReplicaSet', name: 'web-abc', uid: 'r' },
      containers: [
        {
          name: 'setup',
          init: true,
          image: 'setup:1',
          state: 'terminated',
          reason: 'Completed',
          exit: { code: 0 },
        },
        {
          name: 'app',
          init: false,
          image: 'web:1',
          state: 'running',
          restarts: 2,
          exit: { code: 137, reason: 'OOMKilled' },
        },
      ],
    })
    expect(JSON.stringify(facts)).not.toContain('shop')
  })

  it('without a node, and an evicted one', () => {
    const conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: '0/3 nodes',
        lastTransitionTime: at,
      },
    ]
    expect(podFacts({ metadata: meta(), status: { conditions } }).unscheduled).toEqual({
      reason: 'Unschedulable',
      message: '0/3 nodes',
      since: ms,
    })
    const status = { phase: 'Failed', reason: 'Evicted', message: 'x'.repeat(1_000) }
    const evicted = podFacts({ metadata: meta(), status })
    expect(evicted).toMatchObject({ phase: 'Failed', reason: 'Evicted' })
    expect(evicted.message).toHaveLength(300)
  })
})

describe('a workload', () => {
  it.each<[string, object, object]>([
    [
      'Deployment',
      { spec: { paused: true }, status: {} },
      { wanted: 1, observedGeneration: 0, updated: 0, available: 0, paused: true, conditions: [] },
    ],
    [
      'StatefulSet',
      {
        spec: { replicas: 3, updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
        status: {
          observedGeneration: 4,
          currentRevision: 'web-a',
          updateRevision: 'web-b',
          readyReplicas: 3,
        },
      },
      {
        wanted: 3,
        partition: 2,
        currentRevision: 'web-a',
        updateRevision: 'web-b',
        ready: 3,
        onDelete: false,
      },
    ],
    [
      'DaemonSet',
      {
        spec: { updateStrategy: { type: 'OnDelete' } },
        status: { desiredNumberScheduled: 5, updatedNumberScheduled: 2, numberAvailable: 4, numberReady: 4 },
      },
      { wanted: 5, updated: 2, available: 4, onDelete: true },
    ],
    ['CronJob', { spec: { suspend: true }, status: {} }, { wanted: 0, observedGeneration: 4, paused: true }],
    [
      'Job',
      {
        spec: {},
        status: { succeeded: 1, conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: at }] },
      },
      {
        wanted: 1,
        ready: 1,
        observedGeneration: 4,
        conditions: [{ type: 'Complete', status: 'True', since: ms }],
      },
    ],
  ])('%s', (kind, object, facts) => {
    expect(workloadFacts({ metadata: meta({ generation: 4 }), ...object }, kind)).toMatchObject(facts)
  })

  it('knows when gkube applied it last: not when a stamp or another manager wrote', () => {
    const later = '2026-01-02T04:00:00Z'
    const managedFields = [
      { manager: 'gkube', operation: 'Apply', time: at },
      { manager: 'gkube', operation: 'Update', time: later },
      { manager: 'gkube', operation: 'Apply', time: later, subresource: 'scale' },
      { manager: 'kube-controller-manager', operation: 'Update', time: later },
    ]
    expect(workloadFacts({ metadata: meta({ managedFields }) }, 'Deployment').appliedAt).toBe(ms)
    const created = managedFields.slice(1)
    expect(workloadFacts({ metadata: meta({ managedFields: created }) }, 'Deployment').appliedAt).toBe(
      Date.parse(later),
    )
    expect(workloadFacts({ metadata: meta() }, 'Deployment').appliedAt).toBeNull()
  })
})

it('metadata for peek leaves out long annotations, the spec and who wrote what', () => {
  const annotations = {
    'gkube.dev/epoch': '3',
    long: 'x'.repeat(300),
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
  }
  const object = { metadata: meta({ namespace: 'shop', annotations, managedFields: [{}] }), spec: { a: 1 } }
  expect(metadataOf(object, { apiVersion: 'v1', kind: 'Service' })).toEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '7',
      generation: undefined,
      labels: {},
      annotations: { 'gkube.dev/epoch': '3' },
    },
  })
})

it('an EndpointSlice counts as ready what the API tells consumers to take as ready', () => {
  const endpoints = [
    { conditions: { ready: true } },
    { conditions: {} },
    {},
    { conditions: { ready: false } },
  ]
  const labels = { 'kubernetes.io/service-name': 'web' }
  expect(
    sliceFacts({ metadata: meta({ labels }), addressType: 'IPv6', endpoints, ports: [{ name: 'http' }, {}] }),
  ).toEqual({
    service: 'web',
    addressType: 'IPv6',
    ports: ['http', ''],
    ready: 3,
  })
  expect(sliceFacts({ metadata: meta({ labels }), endpoints: null, ports: null }).ready).toBe(0)
})

it.each<[string, object, object]>([
  [
    'the older form',
    {
      involvedObject: { kind: 'Pod', name: 'web-1' },
      count: 4,
      firstTimestamp: null,
      lastTimestamp: at,
      message: 'm',
    },
    { object: 'Pod web-1', count: 4, lastAt: ms, message: 'm' },
  ],
  [
    'the newer form, repeated',
    { regarding: { kind: 'Pod', name: 'web-1' }, series: { count: 9, lastObservedTime: at }, note: 'n' },
    { object: 'Pod web-1', count: 9, lastAt: ms, message: 'n' },
  ],
  [
    'the newer form, once',
    { involvedObject: { kind: 'Pod', name: 'web-1' }, eventTime: at },
    { count: 1, lastAt: ms },
  ],
  ['without any time', { involvedObject: {} }, { count: 1, lastAt: ms }],
])('an event of %s', (_name, event, facts) => {
  expect(eventFacts({ metadata: meta(), type: 'Warning', reason: 'BackOff', ...event })).toMatchObject(facts)
})

it('a claim without a status is pending', () => {
  expect(claimFacts({ metadata: meta() })).toEqual({ name: 'web', phase: 'Pending', since: ms })
})

describe('ownership', () => {
  const entry = (operation: string, fieldsV1: object, more: object = {}) => ({
    manager: 'gkube',
    operation,
    apiVersion: 'v1',
    time: at,
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...more,
  })
  const others = [
    entry('Update', { 'f:status': {} }, { subresource: 'status' }),
    entry('Update', { 'f:spec': {} }, { manager: 'kubectl' }),
  ]

  it('turns a lone Update into an Apply and leaves the others', () => {
    const fields = { 'f:data': { 'f:a': {} } }
    expect(ownedByApply([entry('Update', fields), ...others])).toEqual([entry('Apply', fields), ...others])
  })

  it('merges an Update into the Apply beside it', () => {
    const merged = ownedByApply([
      entry('Apply', { 'f:data': { 'f:a': {} } }),
      ...others,
      entry('Update', { 'f:data': { 'f:b': {} }, 'f:immutable': {} }),
    ])
    expect(merged).toEqual([
      entry('Apply', { 'f:data': { 'f:a': {}, 'f:b': {} }, 'f:immutable': {} }),
      ...others,
    ])
  })

  it.each<[string, object[] | undefined]>([
    ['nothing to mend', [entry('Apply', { 'f:data': {} }), ...others]],
    ['a stamp of annotations', [entry('Update', { 'f:metadata': { 'f:annotations': { 'f:x': {} } } })]],
    ['no managed fields', undefined],
  ])('leaves alone: %s', (_name, entries) => {
    expect(ownedByApply(entries)).toBeNull()
  })

  it('claims only what is ours and first', () => {
    expect(claimFirst([entry('Update', {})])?.at(-1)).toEqual({
      op: 'replace',
      path: '/metadata/managedFields/0/operation',
      value: 'Apply',
    })
    expect(claimFirst([entry('Apply', {})])).toBeNull()
    expect(claimFirst(others)).toBeNull()
    expect(claimFirst(undefined)).toBeNull()
  })
})
