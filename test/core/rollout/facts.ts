// Facts of a cluster for the tests of verdicts and diagnoses: a healthy Deployment of three pods, to be changed.
import type { ContainerFacts, Observed, PodFacts, WorkloadFacts } from '../../../src/core/cluster.ts'
import { type Expectation, judge, type Verdict } from '../../../src/core/rollout.ts'

/** The cluster's clock is an hour ahead of ours, so that a comparison between the two shows. */
export const skew = 3_600_000
export const start = 1_700_000_000_000
/** When gkube applied, by the cluster's clock. */
export const appliedAt = start + skew

export const container = (change: Partial<ContainerFacts> = {}): ContainerFacts => ({
  name: 'app',
  init: false,
  image: 'registry.example.com/web:1.1.0',
  ready: true,
  started: true,
  restarts: 0,
  state: 'running',
  reason: '',
  message: '',
  exit: null,
  ...change,
})

export const waiting = (reason: string, message = '', change: Partial<ContainerFacts> = {}): ContainerFacts =>
  container({ ready: false, started: false, state: 'waiting', reason, message, ...change })

export const exited = (code: number, seconds = 3, reason = 'Error'): ContainerFacts['exit'] => ({
  code,
  reason,
  startedAt: appliedAt + 5_000,
  finishedAt: appliedAt + 5_000 + seconds * 1_000,
})

/** In its back-off after `restarts + 1` exits. */
export const crashing = (restarts: number, code = 1, reason = 'Error'): ContainerFacts =>
  waiting('CrashLoopBackOff', '', { restarts, exit: exited(code, 3, reason) })

type PodChange = Partial<Omit<PodFacts, 'containers'>> & { set?: string; containers?: ContainerFacts[] }

export function pod(name: string, { set = 'new', ...change }: PodChange = {}): PodFacts {
  const ready = change.ready ?? (change.containers ?? [container()]).every(one => one.init || one.ready)
  return {
    name: `web-${set}-${name}`,
    uid: `uid-${set}-${name}`,
    createdAt: set === 'old' ? appliedAt - 86_400_000 : appliedAt + 1_000,
    terminating: false,
    phase: ready ? 'Running' : 'Pending',
    reason: '',
    message: '',
    node: 'n1',
    readyAt: ready ? (set === 'old' ? appliedAt - 86_000_000 : appliedAt + 4_000) : null,
    unscheduled: null,
    templateHash: set,
    owner: { kind: 'ReplicaSet', name: `web-${set}`, uid: `rs-${set}` },
    more: { containers: 0, ready: 0 },
    containers: [container()],
    ...change,
    ready,
  }
}

export const workload = (change: Partial<WorkloadFacts> = {}): WorkloadFacts => ({
  kind: 'Deployment',
  name: 'web',
  uid: 'uid-web',
  resourceVersion: '100',
  generation: 2,
  observedGeneration: 2,
  paused: false,
  wanted: 3,
  replicas: 3,
  updated: 3,
  ready: 3,
  available: 3,
  partition: 0,
  onDelete: false,
  currentRevision: '',
  updateRevision: '',
  templateHash: '',
  revision: '2',
  owner: '',
  createdAt: appliedAt - 864_000_000,
  appliedAt,
  conditions: [],
  ...change,
})

export const replicaSet = (set: string, revision: string): WorkloadFacts =>
  workload({
    kind: 'ReplicaSet',
    name: `web-${set}`,
    uid: `rs-${set}`,
    templateHash: set,
    revision,
    owner: 'web',
  })

type Change = Partial<Omit<Observed, 'workload'>> & { workload?: Partial<WorkloadFacts> | null }

/** Three ready new pods behind one port; `change` says what differs. */
export function seen(change: Change = {}): Observed {
  return {
    replicaSets: [replicaSet('old', '1'), replicaSet('new', '2')],
    pods: [pod('a'), pod('b'), pod('c')],
    endpoints: [{ service: 'web', port: 'http', ready: 3 }],
    claims: [],
    ...change,
    workload: change.workload === null ? null : workload(change.workload),
  }
}

export const expected = (change: Partial<Expectation> = {}): Expectation => ({
  kind: 'Deployment',
  name: 'web',
  generation: 2,
  servicePorts: [{ service: 'web', port: 'http' }],
  progressSeconds: 600,
  limitSeconds: 1800,
  stableSeconds: 10,
  crashes: 3,
  startedAt: start,
  ...change,
})

export type Look = readonly [seconds: number, observed: Observed | null]

/** Judges one look after the other, as the rollout step does. */
export function verdictOf(looks: readonly Look[], change: Partial<Expectation> = {}): Verdict {
  let verdict: Verdict | undefined
  for (const [seconds, observed] of looks)
    verdict = judge(observed, { ...expected(change), memo: verdict?.memo }, start + seconds * 1_000)
  if (!verdict) throw new Error('no looks')
  return verdict
}

/** Seen twice, ten seconds apart: long enough to be stable. */
export const steady = (observed: Observed): readonly Look[] => [
  [0, observed],
  [10, observed],
]

export const starting = (...containers: ContainerFacts[]): Observed =>
  seen({
    workload: { updated: 1, replicas: 4, ready: 3, available: 3 },
    pods: [
      pod('a', { set: 'old' }),
      pod('b', { set: 'old' }),
      pod('c', { set: 'old' }),
      pod('x', { containers }),
    ],
  })
