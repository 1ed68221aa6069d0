// Verdicts, case by case: what counts as ready and what as on its way. A look is [seconds since the start, what
// is seen]; the last one's verdict counts. Failures are in rollout/failures.test.ts.
import { describe, expect, it } from 'vitest'
import type { Observed } from '../../src/core/cluster.ts'
import type { Expectation, Verdict } from '../../src/core/rollout.ts'
import {
  appliedAt,
  container,
  crashing,
  exited,
  type Look,
  pod,
  seen,
  start,
  starting,
  steady,
  verdictOf,
  waiting,
} from './rollout/facts.ts'

const stateful = (change: Partial<NonNullable<Observed['workload']>> = {}): Observed =>
  seen({
    workload: { kind: 'StatefulSet', currentRevision: 'new', updateRevision: 'new', revision: '', ...change },
    replicaSets: [],
  })

describe('ready', () => {
  it.each<[string, readonly Look[], Partial<Expectation>, string]>([
    ['all new pods ready for the window', steady(seen()), {}, 'Ready: 3/3'],
    [
      'without a Service',
      [
        [0, seen({ endpoints: [] })],
        [10, seen({ endpoints: [] })],
      ],
      { servicePorts: [] },
      'Ready: 3/3',
    ],
    [
      'scaled to 0: nothing to be stable, no endpoint to wait for',
      [
        [
          0,
          seen({
            workload: { wanted: 0, replicas: 0, updated: 0, ready: 0, available: 0 },
            pods: [],
            endpoints: [],
          }),
        ],
      ],
      {},
      'Ready: 0/0',
    ],
    [
      'old pods that end slowly do not hold it up',
      steady(seen({ pods: [pod('a'), pod('b'), pod('c'), pod('z', { set: 'old', terminating: true })] })),
      {},
      'Ready: 3/3',
    ],
    [
      'a crashing pod of an old ReplicaSet says nothing about the new',
      steady(
        seen({
          pods: [
            pod('a'),
            pod('b'),
            pod('c'),
            pod('z', { set: 'old', terminating: true, containers: [crashing(40)] }),
          ],
        }),
      ),
      {},
      'Ready: 3/3',
    ],
    [
      'an evicted pod that was replaced',
      steady(
        seen({
          pods: [
            pod('a'),
            pod('b'),
            pod('c'),
            pod('z', { phase: 'Failed', reason: 'Evicted', ready: false }),
          ],
        }),
      ),
      {},
      'Ready: 3/3',
    ],
    [
      'autoscaled while it rolls out: the live number counts',
      [
        [0, seen({ workload: { wanted: 5, replicas: 5, updated: 5, available: 3 } })],
        [
          5,
          seen({
            workload: { wanted: 5, replicas: 5, updated: 5, ready: 5, available: 5 },
            pods: ['a', 'b', 'c', 'd', 'e'].map(name => pod(name)),
          }),
        ],
        [
          15,
          seen({
            workload: { wanted: 5, replicas: 5, updated: 5, ready: 5, available: 5 },
            pods: ['a', 'b', 'c', 'd', 'e'].map(name => pod(name)),
          }),
        ],
      ],
      {},
      'Ready: 5/5',
    ],
    [
      'nothing was replaced and all was stable before: no window',
      [
        [
          0,
          seen({
            pods: ['a', 'b', 'c'].map(name =>
              pod(name, { createdAt: appliedAt - 90_000, readyAt: appliedAt - 80_000 }),
            ),
          }),
        ],
      ],
      {},
      'Ready: 3/3',
    ],
    [
      'a ReplicaSet that a rollback uses again: its pods’ old crashes do not count',
      steady(
        seen({
          pods: ['a', 'b', 'c'].map(name =>
            pod(name, {
              createdAt: appliedAt - 500_000,
              containers: [container({ restarts: 9, exit: exited(1) })],
            }),
          ),
        }),
      ),
      {},
      'Ready: 3/3',
    ],
    [
      'a rollback after the deadline of the rollout before',
      steady(
        seen({
          workload: {
            conditions: [
              {
                type: 'Progressing',
                status: 'False',
                reason: 'ProgressDeadlineExceeded',
                message: '',
                since: appliedAt - 5_000,
              },
            ],
          },
        }),
      ),
      {},
      'Ready: 3/3',
    ],
    [
      'a StatefulSet',
      [
        [0, stateful()],
        [10, stateful()],
      ],
      { kind: 'StatefulSet' },
      'Ready: 3/3',
    ],
    [
      'a StatefulSet with a partition: only the pods above it',
      steady({
        ...stateful({ partition: 2, updated: 1, updateRevision: 'new', currentRevision: 'old' }),
        pods: [pod('0', { set: 'old' }), pod('1', { set: 'old' }), pod('2')],
      }),
      { kind: 'StatefulSet' },
      'Ready: 1/1, partition 2',
    ],
    [
      'OnDelete: people replace the pods',
      [
        [0, stateful({ onDelete: true, updated: 0, updateRevision: 'newer' })],
        [10, stateful({ onDelete: true, updated: 0, updateRevision: 'newer' })],
      ],
      { kind: 'StatefulSet' },
      'Ready: 0/3, pods are replaced when someone deletes them (OnDelete)',
    ],
    [
      'a DaemonSet',
      steady(seen({ workload: { kind: 'DaemonSet', revision: '' }, replicaSets: [] })),
      { kind: 'DaemonSet' },
      'Ready: 3/3',
    ],
    [
      'a CronJob as soon as it is seen',
      [[0, seen({ workload: { kind: 'CronJob', wanted: 0 }, pods: [], endpoints: [] })]],
      { kind: 'CronJob' },
      'Scheduled',
    ],
    [
      'a Job that is complete',
      [
        [
          0,
          seen({
            workload: {
              kind: 'Job',
              wanted: 1,
              ready: 1,
              conditions: [{ type: 'Complete', status: 'True', reason: '', message: '', since: appliedAt }],
            },
            endpoints: [],
          }),
        ],
      ],
      { kind: 'Job', servicePorts: [] },
      'Done: 1/1',
    ],
  ])('%s', (_name, looks, change, message) => {
    expect(verdictOf(looks, change)).toMatchObject({ status: 'ready', message })
  })
})

describe('progressing', () => {
  it.each<[string, readonly Look[], Partial<Expectation>, Partial<Verdict>]>([
    ['no facts yet', [[0, null]], {}, { message: 'Waiting for the first facts from the cluster', ready: 0 }],
    [
      'not there yet',
      [[0, seen({ workload: null })]],
      {},
      { message: 'Waiting for Deployment web to appear' },
    ],
    [
      'the watch is behind our write',
      [[0, seen({ workload: { generation: 1, observedGeneration: 1 } })]],
      {},
      { message: 'Waiting to see the new version' },
    ],
    [
      'the controller has not begun',
      [[0, seen({ workload: { observedGeneration: 1 } })]],
      {},
      { message: 'Waiting for the cluster to begin with web' },
    ],
    [
      'new pods are being made',
      [[0, starting(waiting('ContainerCreating'))]],
      {},
      { ready: 0, wanted: 3, message: 'Ready: 0/3, 1 of 3 new pods made' },
    ],
    [
      'surge: an old pod more than wanted is still there',
      [[0, seen({ workload: { replicas: 4 } })]],
      {},
      { message: 'Ready: 3/3, 1 old pod still there' },
    ],
    [
      'a rollback, while the controller still says that the rollout before it was too late',
      [
        [
          0,
          seen({
            workload: {
              replicas: 4,
              conditions: [
                {
                  type: 'Progressing',
                  status: 'False',
                  reason: 'ProgressDeadlineExceeded',
                  message: '',
                  since: appliedAt + 1_000,
                },
              ],
            },
          }),
        ],
      ],
      {},
      { message: 'Ready: 3/3, 1 old pod still there' },
    ],
    [
      'ready, but not available for minReadySeconds',
      [[0, seen({ workload: { available: 2 } })]],
      {},
      { message: 'Ready: 3/3, not all ready for long enough yet' },
    ],
    [
      'not all ready',
      [[0, seen({ workload: { available: 2 }, pods: [pod('a'), pod('b'), pod('c', { ready: false })] })]],
      {},
      { ready: 2, message: 'Ready: 2/3' },
    ],
    [
      'paused',
      [[0, seen({ workload: { paused: true, updated: 0 } })]],
      {},
      { message: 'Ready: 3/3, the Deployment is paused' },
    ],
    [
      'within the stability window',
      [
        [0, seen()],
        [4, seen()],
      ],
      {},
      { message: 'Ready: 3/3, stable for 4 s of 10 s', nextCheckAt: start + 10_000 },
    ],
    [
      'a gap in the window begins it anew',
      [
        [0, seen()],
        [8, seen({ workload: { available: 2 } })],
        [9, seen()],
        [12, seen()],
      ],
      {},
      { nextCheckAt: start + 19_000 },
    ],
    [
      'a restart in the window begins it anew, though all are ready again',
      [
        [0, seen()],
        [
          8,
          seen({
            pods: [
              pod('a'),
              pod('b'),
              pod('c', { containers: [container({ restarts: 1, exit: exited(1) })] }),
            ],
          }),
        ],
        [
          12,
          seen({
            pods: [
              pod('a'),
              pod('b'),
              pod('c', { containers: [container({ restarts: 1, exit: exited(1) })] }),
            ],
          }),
        ],
      ],
      {},
      { nextCheckAt: start + 18_000 },
    ],
    [
      'no endpoint behind one port',
      [[0, seen({ endpoints: [{ service: 'web', port: 'http', ready: 0 }] })]],
      {},
      { message: 'Ready: 3/3, no endpoints for web:http' },
    ],
    [
      'a StatefulSet whose last pod is old',
      [
        [
          0,
          {
            ...stateful({ updated: 2, updateRevision: 'new', currentRevision: 'old' }),
            pods: [pod('0', { set: 'old' }), pod('1'), pod('2')],
          },
        ],
      ],
      { kind: 'StatefulSet' },
      { message: 'Ready: 2/3, 2 of 3 pods updated' },
    ],
    [
      'a DaemonSet that reaches node by node',
      [
        [
          0,
          seen({
            workload: { kind: 'DaemonSet', updated: 1, available: 3 },
            pods: [pod('a', { set: 'old' }), pod('b', { set: 'old' }), pod('c')],
          }),
        ],
      ],
      { kind: 'DaemonSet' },
      { message: 'Ready: 1/3, 1 of 3 pods updated' },
    ],
    [
      'a Job that runs',
      [[0, seen({ workload: { kind: 'Job', wanted: 1, ready: 0 }, pods: [pod('a')] })]],
      { kind: 'Job' },
      { message: 'Done: 0/1' },
    ],
  ])('%s', (_name, looks, change, verdict) => {
    expect(verdictOf(looks, change)).toMatchObject({ status: 'progressing', ...verdict })
  })

  it.each<[string, Observed, string, RegExp]>([
    [
      'the first failed pull',
      starting(waiting('ErrImagePull', 'manifest unknown')),
      'image_pull',
      /cannot be pulled: manifest unknown/,
    ],
    [
      'a registry that refuses',
      starting(waiting('ImagePullBackOff', 'unauthorized')),
      'image_pull',
      /unauthorized/,
    ],
    [
      'a registry that does not answer, as containerd says it',
      starting(
        waiting(
          'ErrImagePull',
          'failed to pull and unpack image "10.0.0.9:5000/shop/web:1.0.0": failed to resolve reference "10.0.0.9:5000/shop/web:1.0.0": failed to do request: Head "https://10.0.0.9:5000/v2/shop/web/manifests/1.0.0": dial tcp 10.0.0.9:5000: connect: connection refused',
        ),
      ),
      'image_pull',
      /cannot be pulled: failed to do request: Head "[^"]+": dial tcp 10\.0\.0\.9:5000: connect: connection refused \(/,
    ],
    [
      'a pull that waits for its next try, as a kubelet says it',
      starting(
        waiting(
          'ImagePullBackOff',
          'Back-off pulling image "shop/web:1": ErrImagePull: rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/shop/web:1": unexpected status from HEAD request: 401 Unauthorized',
        ),
      ),
      'image_pull',
      /cannot be pulled: unexpected status from HEAD request: 401 Unauthorized \(/,
    ],
    [
      'a pull that waits, with no word why',
      starting(waiting('ImagePullBackOff', 'Back-off pulling image "shop/web:1"')),
      'image_pull',
      /cannot be pulled: ImagePullBackOff \(/,
    ],
    [
      'a Secret that is not there yet',
      starting(waiting('CreateContainerConfigError', 'secret "web" not found')),
      'config_error',
      /secret "web" not found/,
    ],
    ['the first crash', starting(crashing(0)), 'crash_loop', /exit code 1 after 3 s, once/],
    [
      'no node',
      seen({
        workload: { updated: 1, available: 2 },
        pods: [
          pod('x', {
            ready: false,
            node: '',
            containers: [],
            unscheduled: { reason: 'Unschedulable', message: '0/3 nodes are available', since: 0 },
          }),
        ],
        claims: [{ name: 'data', phase: 'Pending', since: 0 }],
      }),
      'unschedulable',
      /1 of 1 new pods have no node: 0\/3 nodes are available \(web-new-x\)\. Volume claim data is pending/,
    ],
    [
      'quota',
      seen({
        workload: {
          updated: 0,
          available: 3,
          conditions: [
            {
              type: 'ReplicaFailure',
              status: 'True',
              reason: 'FailedCreate',
              message: 'pods "web" is forbidden: exceeded quota: small',
              since: 0,
            },
          ],
        },
        pods: [],
      }),
      'create_failed',
      /exceeded quota: small/,
    ],
    [
      'a probe that does not pass',
      seen({
        workload: { available: 2 },
        pods: [pod('a'), pod('b'), pod('c', { phase: 'Running', containers: [container({ ready: false })] })],
      }),
      'not_ready',
      /1 of 3 running new pods are not ready: their readiness probe/,
    ],
    [
      'an eviction',
      seen({
        workload: { updated: 2, available: 2 },
        pods: [
          pod('a'),
          pod('b'),
          pod('c', {
            phase: 'Failed',
            reason: 'Evicted',
            message: 'The node was low on resource: memory.',
            ready: false,
          }),
        ],
      }),
      'evicted',
      /Evicted, The node was low on resource: memory/,
    ],
  ])('names as probable: %s', (_name, observed, reason, message) => {
    const verdict = verdictOf([[1, observed]])
    expect(verdict.status).toBe('progressing')
    expect(verdict.probable?.reason).toBe(reason)
    expect(verdict.probable?.message).toMatch(message)
  })
})
