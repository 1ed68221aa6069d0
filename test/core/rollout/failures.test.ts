// What ends a rollout: certain causes at once, probable ones by a clock, and what must not end it.
import { describe, expect, it } from 'vitest'
import {
  appliedAt,
  container,
  crashing,
  exited,
  type Look,
  pod,
  replicaSet,
  seen,
  start,
  starting,
  verdictOf,
  waiting,
} from './facts.ts'

describe('failed', () => {
  const missing = 'failed to pull: registry.example.com/web:1.1.0: manifest unknown'
  const misconfigured = starting(waiting('CreateContainerConfigError', 'secret "web" not found'))
  it.each<[string, readonly Look[], string, RegExp]>([
    [
      'an invalid image name at once',
      [[0, starting(waiting('InvalidImageName', 'couldn’t parse'))]],
      'invalid_image',
      /is not a valid image name/,
    ],
    [
      'an image that two pulls did not find',
      [
        [0, starting(waiting('ErrImagePull', missing))],
        [1, starting(waiting('ImagePullBackOff', 'Back-off pulling image'))],
        [11, starting(waiting('ErrImagePull', missing))],
      ],
      'image_not_found',
      /Image `registry\.example\.com\/web:1\.1\.0` does not exist in the registry: manifest unknown/,
    ],
    [
      'an image that two pods did not find',
      [
        [
          0,
          seen({
            workload: { updated: 2 },
            pods: [
              pod('x', { containers: [waiting('ErrImagePull', missing)] }),
              pod('y', { containers: [waiting('ErrImagePull', missing)] }),
            ],
          }),
        ],
      ],
      'image_not_found',
      /does not exist/,
    ],
    [
      'an image not found before its back-off hides why',
      [
        [0, starting(waiting('ErrImagePull', 'repository does not exist'))],
        [15, starting(waiting('ImagePullBackOff', 'Back-off'))],
      ],
      'image_not_found',
      /repository does not exist/,
    ],
    [
      'a config error after its grace',
      [
        [0, misconfigured],
        [19, misconfigured],
        [20, misconfigured],
      ],
      'config_error',
      /secret "web" not found/,
    ],
    [
      'the third crash of one pod',
      [
        [0, starting(crashing(0))],
        [40, starting(crashing(2))],
      ],
      'crash_loop',
      /crash at start: exit code 1 after 3 s, 3 times \(web-new-x\)/,
    ],
    [
      'the third crash of one pod of three',
      [
        [
          0,
          seen({
            pods: [
              pod('x', { containers: [crashing(0)] }),
              pod('y', { containers: [crashing(2)] }),
              pod('z', { containers: [crashing(1)] }),
            ],
          }),
        ],
      ],
      'crash_loop',
      /exit code 1 after 3 s, 3 times \(web-new-y; 2 more crash too\)/,
    ],
    [
      'three crashes of one container, while its neighbour crashed once',
      [[0, starting({ ...crashing(0), name: 'proxy' }, crashing(2))]],
      'crash_loop',
      /3 times \(web-new-x, container app\)/,
    ],
    [
      'crashes seen only as restarts, between two of them',
      [[0, starting(container({ ready: false, restarts: 3, exit: exited(2) }))]],
      'crash_loop',
      /exit code 2/,
    ],
    [
      'crashes though all are ready at this moment',
      [
        [
          0,
          seen({
            pods: [
              pod('a', { containers: [container({ restarts: 3, exit: exited(1) })] }),
              pod('b'),
              pod('c'),
            ],
          }),
        ],
      ],
      'crash_loop',
      /3 times/,
    ],
    [
      'a process that ends by itself',
      [[0, starting(crashing(2, 0, 'Completed'))]],
      'crash_loop',
      /ends by itself \(exit code 0\)/,
    ],
    [
      'an init container that fails',
      [[0, starting(waiting('PodInitializing'), { ...crashing(2), name: 'setup', init: true })]],
      'crash_loop',
      /do not start: exit code 1 after 3 s, 3 times \(web-new-x, container setup\)/,
    ],
    [
      'out of memory at once',
      [[0, starting(crashing(0, 137, 'OOMKilled'))]],
      'out_of_memory',
      /run out of memory: killed after 3 s, once/,
    ],
    [
      'new crashes of pods that a rollback uses again',
      [
        [0, seen({ pods: [pod('a', { createdAt: appliedAt - 500_000, containers: [crashing(9)] })] })],
        [60, seen({ pods: [pod('a', { createdAt: appliedAt - 500_000, containers: [crashing(12)] })] })],
      ],
      'crash_loop',
      /3 times/,
    ],
    [
      'the Deployment’s own clock',
      [
        [
          0,
          seen({
            workload: {
              available: 1,
              conditions: [
                {
                  type: 'Progressing',
                  status: 'False',
                  reason: 'ProgressDeadlineExceeded',
                  message: '',
                  since: appliedAt + 600_000,
                },
              ],
            },
          }),
        ],
      ],
      'deadline',
      /^No progress for 10 m\. Ready: 3\/3/,
    ],
    [
      'no progress, and a controller that says nothing for two seconds more',
      [
        [0, starting(container({ ready: false }))],
        [602, starting(container({ ready: false }))],
      ],
      'deadline',
      /^No progress for 10 m\. Ready: 0\/3, 1 of 3 new pods made\./,
    ],
    [
      'no progress, and a controller that never began: no grace',
      [
        [0, seen({ workload: { observedGeneration: 1 } })],
        [600, seen({ workload: { observedGeneration: 1 } })],
      ],
      'deadline',
      /^No progress for 10 m\. Waiting for the cluster to begin with web\./,
    ],
    [
      'a paused Deployment, whose controller keeps no clock: no grace',
      [
        [0, seen({ workload: { paused: true, updated: 0 } })],
        [600, seen({ workload: { paused: true, updated: 0 } })],
      ],
      'deadline',
      /^No progress for 10 m\..*the Deployment is paused/,
    ],
    [
      'no facts at all',
      [
        [0, null],
        [600, null],
      ],
      'deadline',
      /No progress for 10 m\. Waiting for the first facts/,
    ],
    [
      'the limit, though there is progress',
      [
        [0, seen({ workload: { updated: 1, available: 1 } })],
        [500, seen({ workload: { updated: 2, available: 2 } })],
        [1_000, seen({ workload: { available: 2 } })],
        [1_500, seen({ workload: { available: 2, observedGeneration: 3 } })],
        [1_800, seen({ workload: { available: 2, observedGeneration: 3 } })],
      ],
      'deadline',
      /^Not done after 30 m\./,
    ],
    [
      'the limit, without grace',
      [
        [0, seen({ workload: { available: 1 } })],
        [599, seen({ workload: { available: 2 } })],
        [1_199, seen({ workload: { available: 2, updated: 4 } })],
        [1_800, seen({ workload: { available: 2, updated: 4 } })],
      ],
      'deadline',
      /^Not done after 30 m\./,
    ],
    [
      'a StatefulSet, whose controller keeps no clock: no grace',
      [0, 600].map(
        (at): Look => [
          at,
          seen({ workload: { kind: 'StatefulSet', ready: 2, revision: '' }, replicaSets: [] }),
        ],
      ),
      'deadline',
      /^No progress for 10 m\. .*2 of 3 pods ready in all/,
    ],
    [
      'flapping is no progress',
      Array.from({ length: 15 }, (_, i): Look => [i * 50, seen({ workload: { available: i % 2 ? 2 : 1 } })]),
      'deadline',
      /No progress/,
    ],
    [
      'a Job that failed',
      [
        [
          0,
          seen({
            workload: {
              kind: 'Job',
              wanted: 1,
              ready: 0,
              conditions: [
                {
                  type: 'Failed',
                  status: 'True',
                  reason: 'BackoffLimitExceeded',
                  message: 'Job has reached the specified backoff limit',
                  since: appliedAt,
                },
              ],
            },
            pods: [
              pod('j', {
                phase: 'Failed',
                containers: [
                  container({ ready: false, state: 'terminated', reason: 'Error', exit: exited(4) }),
                ],
              }),
            ],
          }),
        ],
      ],
      'job_failed',
      /exit code 4 after 3 s \(web-new-j\)/,
    ],
  ])('%s', (_name, looks, reason, message) => {
    const verdict = verdictOf(looks)
    expect(verdict).toMatchObject({ status: 'failed', cause: { reason } })
    expect(verdict.cause?.message).toMatch(message)
  })

  it('not by a network that has no such host: the registry did not say that the image is missing', () => {
    const lost = starting(waiting('ErrImagePull', 'dial tcp: lookup registry.example.com: no such host'))
    expect(
      verdictOf([
        [0, lost],
        [1, starting(waiting('ImagePullBackOff'))],
        [30, lost],
      ]).status,
    ).toBe('progressing')
  })

  it('not by a config error that goes away within its grace', () => {
    const broken = starting(waiting('CreateContainerConfigError', 'secret "web" not found'))
    const verdict = verdictOf([
      [0, broken],
      [19, starting(container())],
      [25, broken],
    ])
    expect(verdict.status).toBe('progressing')
  })

  it('by a clock that the probable cause explains', () => {
    const stuck = starting(waiting('ErrImagePull', 'unauthorized: access denied'))
    const verdict = verdictOf([
      [0, stuck],
      [602, stuck],
    ])
    expect(verdict.probable?.reason).toBe('image_pull')
    expect(verdict.cause?.message).toMatch(
      /No progress for 10 m\..*unauthorized: access denied \(web-new-x\)/,
    )
  })

  it('not by crashes of several pods, each fewer than the limit: what they need may come a moment later', () => {
    const some = seen({
      workload: { available: 0 },
      pods: ['x', 'y', 'z'].map(name => pod(name, { containers: [crashing(1)] })),
    })
    const verdict = verdictOf([[1, some]])
    expect(verdict.status).toBe('progressing')
    expect(verdict.probable?.message).toBe(
      'The new pods crash at start: exit code 1 after 3 s, twice (web-new-x; 2 more crash too).',
    )
  })

  it('not by our clock of progress while the Deployment’s own may still be on its way', () => {
    const stuck = starting(container({ ready: false }))
    const before = verdictOf([
      [0, stuck],
      [600, stuck],
      [601.9, stuck],
    ])
    expect(before.status).toBe('progressing')
    expect(before.nextCheckAt).toBe(start + 602_000)
    const ready = verdictOf([
      [0, stuck],
      [601, seen()],
      [611, seen()],
    ])
    expect(ready.status).toBe('ready')
  })

  it('does not blame a new ReplicaSet that is not known yet', () => {
    const early = seen({
      workload: { observedGeneration: 1, revision: '1' },
      replicaSets: [replicaSet('old', '1')],
      pods: [pod('a', { set: 'old', containers: [crashing(9)] })],
    })
    expect(verdictOf([[0, early]]).status).toBe('progressing')
  })
})

describe('when to look again', () => {
  it.each<[string, readonly Look[], number]>([
    ['the end of a config error’s grace', [[3, starting(waiting('CreateContainerConfigError'))]], 23],
    ['the second pull', [[3, starting(waiting('ErrImagePull', 'not found'))]], 18],
    ['the clock of progress, after the grace', [[0, starting(waiting('ContainerCreating'))]], 602],
    ['the clock of progress, nothing known', [[0, null]], 600],
  ])('%s', (_name, looks, seconds) => {
    const verdict = verdictOf(looks)
    expect(verdict.nextCheckAt).toBe(start + seconds * 1_000)
  })

  it('the limit, when progress was made late', () => {
    const looks: Look[] = [
      [0, seen({ workload: { updated: 1, available: 1 } })],
      [500, seen({ workload: { updated: 2, available: 1 } })],
      [1_000, seen({ workload: { available: 1 } })],
      [1_500, seen({ workload: { available: 2 } })],
    ]
    expect(verdictOf(looks).nextCheckAt).toBe(start + 1_800_000)
  })
})
