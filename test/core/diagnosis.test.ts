// What people read after a failure: cause, what was seen, what to try, and nothing that is secret.
import { describe, expect, it } from 'vitest'
import { type Cluster, ClusterError, type EventFacts, type Observed } from '../../src/core/cluster.ts'
import { diagnosisSchema } from '../../src/core/deploy.ts'
import { gatherDiagnosis } from '../../src/core/diagnose.ts'
import { diagnosis, type Evidence, logTarget } from '../../src/core/diagnosis.ts'
import { judge } from '../../src/core/rollout.ts'
import {
  appliedAt,
  container,
  crashing,
  exited,
  expected,
  pod,
  seen,
  start,
  starting,
  verdictOf,
  waiting,
} from './rollout/facts.ts'

const event = (reason: string, message: string, change: Partial<EventFacts> = {}): EventFacts => ({
  type: 'Warning',
  reason,
  message,
  object: 'Pod web-new-x',
  count: 1,
  lastAt: appliedAt,
  ...change,
})

/** Judged at 0 s and 40 s, then explained. */
function explain(observed: Observed, change: Partial<Evidence> = {}, at = 40) {
  const verdict = verdictOf([
    [0, observed],
    [at, observed],
  ])
  const evidence = {
    app: 'web',
    observed,
    verdict,
    events: [],
    log: null,
    startedAt: start,
    unread: [],
    ...change,
  }
  const result = diagnosis(evidence, start + at * 1_000)
  expect(diagnosisSchema.parse(result)).toEqual(result)
  return result
}

const crash = starting(crashing(3))
const missing = seen({
  workload: { updated: 2, replicas: 5, available: 3 },
  pods: [
    pod('a', { set: 'old' }),
    pod('b', { set: 'old' }),
    pod('c', { set: 'old' }),
    pod('x', { containers: [waiting('ErrImagePull', 'manifest unknown')] }),
    pod('y', { containers: [waiting('ImagePullBackOff', 'manifest unknown')] }),
  ],
})

describe('a diagnosis', () => {
  it('of a crash has the exit, the count and one pod, and points to the log of the run before', () => {
    const { cause, seen: evidence, tries } = explain(crash)
    expect(cause).toEqual({
      reason: 'crash_loop',
      message: 'The new pods crash at start: exit code 1 after 3 s, 4 times (web-new-x).',
    })
    expect(evidence).toEqual([
      '1 of 1 new pods CrashLoopBackOff for 40 s · old pods untouched, 3/3 ready',
      'container app: exit code 1 after 3 s, 4 times',
    ])
    expect(tries[0]).toContain('`gkube logs web --previous`')
    expect(logTarget(crash)).toEqual({ pod: 'web-new-x', container: 'app', previous: true })
  })

  it('of a missing image groups the pods and names the next step', () => {
    const { cause, seen: evidence, tries } = explain(missing)
    expect(cause.message).toBe(
      'Image `registry.example.com/web:1.1.0` does not exist in the registry: manifest unknown (web-new-x).',
    )
    expect(evidence).toEqual([
      '1 of 2 new pods ErrImagePull for 40 s · 1 of 2 new pods ImagePullBackOff for 40 s · old pods untouched, 3/3 ready',
    ])
    expect(tries).toEqual(['check the tag, or `gkube history web` for one that exists'])
    expect(logTarget(missing)).toBeNull()
  })

  it('of a clock adds what only events tell', () => {
    const stuck = starting(waiting('ContainerCreating'))
    const events = [
      event('Scheduled', 'assigned', { type: 'Normal', lastAt: appliedAt - 9 }),
      event('FailedMount', 'MountVolume.SetUp failed for volume "data": secret "x" not found', { count: 7 }),
    ]
    const { cause, tries } = explain(stuck, { events }, 602)
    expect(cause.reason).toBe('deadline')
    expect(cause.message).toMatch(
      /^No progress for 10 m\. Ready: 0\/3.* A volume cannot be used: MountVolume\.SetUp failed for volume "data": secret "x" not found \(Pod web-new-x, 7 times\)\.$/,
    )
    expect(tries.length).toBeGreaterThan(0)
  })

  it('of a clock gives the advice of the probable cause', () => {
    const full = seen({
      workload: { updated: 1, available: 2 },
      pods: [
        pod('x', {
          ready: false,
          containers: [],
          unscheduled: { reason: 'Unschedulable', message: '0/3 nodes are available', since: 0 },
        }),
      ],
      claims: [{ name: 'data', phase: 'Pending', since: 0 }],
    })
    const { seen: evidence, tries } = explain(full, {}, 602)
    expect(evidence).toEqual(['1 of 1 new pods Unschedulable for 10 m 2 s', 'volume claim data is Pending'])
    expect(tries[0]).toContain('`gkube cluster`')
  })

  it.each<[string, Observed, ReturnType<typeof logTarget>]>([
    [
      'a crashed container that runs again: the run before',
      starting(container({ ready: false, restarts: 2, exit: exited(1) })),
      { pod: 'web-new-x', container: 'app', previous: true },
    ],
    [
      'a container that ended for the first time: its only run',
      starting(container({ ready: false, state: 'terminated', exit: exited(1) })),
      { pod: 'web-new-x', container: 'app', previous: false },
    ],
    [
      'a container that does not get ready: now',
      starting(container({ ready: false })),
      { pod: 'web-new-x', container: 'app', previous: false },
    ],
    [
      'the init container that fails, not the one that waits for it',
      starting(waiting('PodInitializing'), { ...crashing(2), name: 'setup', init: true }),
      { pod: 'web-new-x', container: 'setup', previous: true },
    ],
    [
      'the sidecar that crashes most',
      starting(container(), { ...crashing(5), name: 'proxy' }),
      { pod: 'web-new-x', container: 'proxy', previous: true },
    ],
    ['no container that ever ran', starting(waiting('CreateContainerConfigError')), null],
  ])('reads the log of %s', (_name, observed, target) => {
    expect(logTarget(observed)).toEqual(target)
  })

  it('keeps secrets out of everything', () => {
    const log = {
      pod: 'web-new-x',
      container: 'app',
      previous: true,
      text: 'start\nDB_PASSWORD=hunter2\nconnect postgres://web:hunter2@db/x\n-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----\nend\n',
    }
    const observed = starting(waiting('CreateContainerConfigError', 'bad value password=hunter2'))
    const events = [event('Failed', 'Error: token=hunter2')]
    const result = explain(observed, { log, events, unread: ['https://u:hunter2@x'] })
    expect(JSON.stringify(result)).not.toContain('hunter2')
    expect(result.log?.lines).toEqual([
      'start',
      'DB_PASSWORD=[redacted]',
      'connect postgres://web:[redacted]@db/x',
      '[redacted]',
      'end',
    ])
  })

  it('is 32 KiB at most, and keeps the newest', () => {
    const line = (n: number) => `${n} ${'é"x'.repeat(700)}`
    const text = Array.from({ length: 300 }, (_, n) => line(n)).join('\n')
    const events = Array.from({ length: 500 }, (_, n) =>
      event('BackOff', `${n} ${'m'.repeat(5_000)}`, { lastAt: n }),
    )
    const result = explain(crash, {
      log: { pod: 'web-new-x', container: 'app', previous: true, text },
      events,
    })
    expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThanOrEqual(32 * 1024)
    expect(result.events.at(-1)?.message).toMatch(/^499 /)
    expect(result.log?.lines.at(-1)).toMatch(/^299 /)
  })

  it('says so when nothing is known', () => {
    const verdict = verdictOf([
      [0, null],
      [600, null],
    ])
    const evidence = {
      app: 'web',
      observed: null,
      verdict,
      events: [],
      log: null,
      startedAt: start,
      unread: [],
    }
    const result = diagnosis(evidence, start + 600_000)
    expect(result.cause.reason).toBe('deadline')
    expect(result.seen).toEqual(['The cluster gave no facts about the pods.'])
  })
})

describe('gathering', () => {
  type Reads = Pick<Cluster, 'events' | 'logs'>
  const gather = (cluster: Reads, observed: Observed = crash) => {
    const verdict = judge(observed, expected(), start + 40_000)
    const input = { cluster, namespace: 'shop', app: 'web', observed, verdict, expected: expected() }
    return gatherDiagnosis(input, start + 40_000)
  }

  it('asks for the events of the workload, its ReplicaSet and the troubled pods, and for one log', async () => {
    const asked: unknown[] = []
    const result = await gather({
      events: async (...args) => {
        asked.push(args)
        return [event('BackOff', 'Back-off restarting failed container')]
      },
      logs: async (...args) => {
        asked.push(args)
        return 'Error: connect ECONNREFUSED\n'
      },
    })
    expect(asked).toEqual([
      ['shop', ['web', 'web-new', 'web-new-x']],
      ['shop', 'web-new-x', { container: 'app', previous: true, tailLines: 60, limitBytes: 65_536 }],
    ])
    expect(result.log?.lines).toEqual(['Error: connect ECONNREFUSED'])
    expect(result.events).toHaveLength(1)
  })

  it('names what it could not read and explains the rest', async () => {
    const refuse = async () => {
      throw new ClusterError('forbidden', 'events is forbidden: User "gkube" cannot list resource "events"')
    }
    const result = await gather({ events: refuse, logs: refuse })
    expect(result.cause.reason).toBe('crash_loop')
    expect(result.seen).toContain(
      'the events could not be read: events is forbidden: User "gkube" cannot list resource "events"',
    )
    expect(result.seen.join()).toContain('the log of web-new-x could not be read')
    expect(result.log).toBeNull()
  })

  it('reads the current log when the run before left none', async () => {
    const result = await gather({
      events: async () => [],
      logs: async (_namespace, _pod, { previous }) => {
        if (previous) throw new ClusterError('invalid', 'previous terminated container "app" not found')
        return 'now\n'
      },
    })
    expect(result.log).toMatchObject({ previous: false, lines: ['now'] })
  })

  it('does not hide a mistake of ours', async () => {
    const broken = {
      events: async () => {
        throw new TypeError('not a function')
      },
      logs: async () => '',
    }
    await expect(gather(broken)).rejects.toThrow('not a function')
  })
})
