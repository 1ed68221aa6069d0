// How the fake nodes play pods: kwok's Stage objects, made from the same tags that the stand-in cluster knows
// (src/sandbox/cluster/play.ts), so that one test means the same on both. Only containers whose own image says so
// misbehave; init containers always succeed. Not played: probes, grace periods, mounts, missing ConfigMaps.
// kwok's events are fixed texts: they name no image and no container. Logs are in pod-logs.ts.
import { must, nodeStages, stage } from './nodes.ts'
import {
  again,
  ended,
  exitOf,
  keptEnd,
  lastEnd,
  lastState,
  now,
  podStatus,
  runningState,
  runs,
  startedAt,
  tagPattern,
  taskExit,
  unknown,
  waiting,
} from './pod-status.ts'

type Step = {
  readonly name: string
  /** jq over the pod, each of which must answer true. */
  readonly when: readonly string[]
  readonly afterMs: number
  readonly status: string
  readonly events?: readonly { type: 'Normal' | 'Warning'; reason: string; message: string }[]
}

const restarting = 'crash|oom|flaky'
const special = `${restarting}|missing|badname|config|unready|slow|evicted`

/** Any container's image has such a tag. */
const tagged = (words: string) => `any(.spec.containers[].image; test("${tagPattern(words)}"))`
/** The state of the first container with such a tag; null when there is none yet. */
const stateOf = (words: string) =>
  `first((.status.containerStatuses // [])[] | select(.image | test("${tagPattern(words)}")))`
const isIn = (words: string, state: string) => `(${stateOf(words)} | .state | has("${state}"))`
const waitsFor = (words: string, reason: string) =>
  `(${stateOf(words)} | .state.waiting.reason == "${reason}")`
const restarts = (words: string, test: string) => `(${stateOf(words)} | .restartCount ${test})`

const fresh = '.status.phase == "Pending" and (.status.containerStatuses // [] | length == 0)'
const running = '.status.phase == "Running"'
const unready = 'any(.status.conditions[]?; .type == "Ready" and .status == "True") | not'
const isTask = '.spec.restartPolicy != "Always"'
const serves = '.spec.restartPolicy == "Always"'
const works = `${tagged(special)} | not`

const event = (type: 'Normal' | 'Warning', reason: string, message: string) => ({ type, reason, message })
const started = event('Normal', 'Started', 'Started container')
const steps: readonly Step[] = [
  {
    name: 'serve',
    when: [fresh, serves, works],
    afterMs: 150,
    status: podStatus({ phase: 'Running', own: runs(true), ready: true }),
    events: [started],
  },
  {
    name: 'task-start',
    when: [fresh, isTask, `${tagged('missing|badname|config')} | not`],
    afterMs: 100,
    status: podStatus({ phase: 'Running', own: runs(true), ready: true }),
    events: [started],
  },
  ...(['Succeeded', 'Failed'] as const).map(phase => ({
    name: `task-${phase.toLowerCase()}`,
    when: [
      running,
      isTask,
      `([.spec.containers[] | (.command // []) + (.args // []) | .[]] | join(" ") | test("exit [1-9]")) or (${tagged('crash|oom')}) | ${phase === 'Failed' ? '.' : 'not'}`,
    ],
    afterMs: 300,
    status: podStatus({
      phase,
      own: `${taskExit}ready: false, started: false, restartCount: 0, state: {terminated: {exitCode: {{ $code }}, reason: {{ if eq $code "0" }}Completed{{ else }}Error{{ end }}, startedAt: ${startedAt}, finishedAt: ${now}}}`,
      ready: false,
    }),
  })),
  {
    name: 'late-start',
    when: [fresh, serves, tagged(`${restarting}|unready|slow|evicted`)],
    afterMs: 100,
    status: podStatus({
      phase: 'Running',
      words: `${restarting}|unready|slow|evicted`,
      own: runs(false),
      ready: false,
    }),
    events: [started],
  },
  {
    name: 'slow-ready',
    when: [running, serves, unready, tagged('slow')],
    afterMs: 2500,
    status: podStatus({ phase: 'Running', words: 'slow', own: runs(true), ready: true }),
  },
  {
    name: 'unready-probe',
    when: [
      running,
      serves,
      tagged('unready'),
      `any(.status.conditions[]?; .type == "Ready" and .message == null)`,
    ],
    afterMs: 300,
    status: `conditions: [{type: Ready, status: "False", reason: ContainersNotReady, message: "containers with unready status"}]`,
    events: [event('Warning', 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503')],
  },
  {
    name: 'evicted-gone',
    when: [running, serves, tagged('evicted')],
    afterMs: 300,
    status: podStatus({
      phase: 'Failed',
      own: `ready: false, started: false, restartCount: 0, state: ${ended('137', 'Error')}`,
      ready: false,
      extra: 'reason: Evicted\nmessage: "The node was low on resource: memory."',
    }),
    events: [event('Warning', 'Evicted', 'The node was low on resource: memory.')],
  },
  {
    name: 'crash-end',
    when: [
      running,
      serves,
      `${tagged('crash|oom')} or ${restarts(restarting, '< 2')}`,
      isIn(restarting, 'running'),
    ],
    afterMs: 300,
    status: podStatus({
      phase: 'Running',
      words: restarting,
      own: `ready: false, started: false, restartCount: {{ $old.restartCount }}, ${lastState}state: ${exitOf}`,
      ready: false,
    }),
  },
  {
    name: 'crash-restart',
    when: [running, serves, restarts(restarting, '== 0'), isIn(restarting, 'terminated')],
    afterMs: 100,
    status: podStatus({
      phase: 'Running',
      words: restarting,
      own: `ready: false, started: true, ${again}, ${lastEnd}, ${runningState(now)}`,
      ready: false,
    }),
    events: [started],
  },
  {
    name: 'crash-wait',
    when: [running, serves, restarts(restarting, '> 0'), isIn(restarting, 'terminated')],
    afterMs: 50,
    status: podStatus({
      phase: 'Running',
      words: restarting,
      own: `ready: false, started: false, restartCount: {{ $old.restartCount }}, ${lastEnd}, state: {waiting: {reason: CrashLoopBackOff, message: "back-off 1s restarting failed container={{ $c.name }} pod={{ $root.metadata.name }}_{{ $root.metadata.namespace }}({{ $root.metadata.uid }})"}}`,
      ready: false,
    }),
    events: [event('Warning', 'BackOff', 'Back-off restarting failed container')],
  },
  {
    name: 'crash-again',
    when: [running, serves, waitsFor(restarting, 'CrashLoopBackOff')],
    afterMs: 1000,
    status: podStatus({
      phase: 'Running',
      words: restarting,
      own: `ready: false, started: true, ${again}, ${keptEnd}, ${runningState(now)}`,
      ready: false,
    }),
    events: [started],
  },
  {
    name: 'flaky-ready',
    when: [running, serves, tagged('flaky'), unready, restarts('flaky', '>= 2'), isIn('flaky', 'running')],
    afterMs: 300,
    status: podStatus({ phase: 'Running', words: 'flaky', own: runs(true), ready: true }),
  },
  ...(
    [
      ['missing-pull', fresh, 300],
      ['missing-retry', waitsFor('missing', 'ImagePullBackOff'), 1000],
    ] as const
  ).map(([name, when, afterMs]) => ({
    name,
    when: [tagged('missing'), when],
    afterMs,
    status: podStatus({
      phase: 'Pending',
      words: 'missing',
      own: waiting('ErrImagePull', unknown('{{ $c.image }}')),
      ready: false,
    }),
    events: [
      event('Warning', 'Failed', 'Failed to pull image: manifest unknown'),
      event('Warning', 'Failed', 'Error: ErrImagePull'),
    ],
  })),
  {
    name: 'missing-wait',
    when: [tagged('missing'), waitsFor('missing', 'ErrImagePull')],
    afterMs: 300,
    status: podStatus({
      phase: 'Pending',
      words: 'missing',
      own: waiting('ImagePullBackOff', '"Back-off pulling image \\"{{ $c.image }}\\""'),
      ready: false,
    }),
    events: [
      event('Normal', 'BackOff', 'Back-off pulling image'),
      event('Warning', 'Failed', 'Error: ImagePullBackOff'),
    ],
  },
  {
    name: 'badname',
    when: [tagged('badname'), fresh],
    afterMs: 50,
    status: podStatus({
      phase: 'Pending',
      words: 'badname',
      own: waiting(
        'InvalidImageName',
        '"Failed to apply default image tag \\"{{ $c.image }}\\": couldn\'t parse image name: invalid reference format"',
      ),
      ready: false,
    }),
    events: [
      event('Warning', 'InspectFailed', "couldn't parse image name: invalid reference format"),
      event('Warning', 'Failed', 'Error: InvalidImageName'),
    ],
  },
  {
    name: 'config',
    when: [tagged('config'), fresh],
    afterMs: 50,
    status: podStatus({
      phase: 'Pending',
      words: 'config',
      own: waiting('CreateContainerConfigError', '"secret \\"web-credentials\\" not found"'),
      ready: false,
    }),
    events: [event('Warning', 'Failed', 'Error: secret "web-credentials" not found')],
  },
]

const podStages = [
  ...steps.map(step =>
    stage(step.name, 'Pod', {
      selector: { matchExpressions: ['.metadata.deletionTimestamp == null', ...step.when].map(must) },
      delay: { durationMilliseconds: step.afterMs },
      steps: [
        ...(step.events ?? []).map(one => ({ event: one })),
        { patch: { subresource: 'status', root: 'status', type: 'strategic', template: step.status } },
      ],
    }),
  ),
  stage('delete', 'Pod', {
    selector: { matchExpressions: [must('.metadata.deletionTimestamp != null')] },
    delay: { durationMilliseconds: 50 },
    steps: [{ finalizers: { empty: true } }, { delete: true }],
  }),
]

/** kwok's whole configuration, as the documents of one YAML file. */
export const kwokConfig = (logPort: number): readonly object[] => [
  {
    apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
    kind: 'KwokConfiguration',
    // All of them: a default that is not named here is 0.
    options: {
      podPlayStageParallelism: 16,
      nodePlayStageParallelism: 4,
      nodeLeaseParallelism: 4,
      nodeLeaseDurationSeconds: 40,
      podsOnNodeSyncParallelism: 4,
    },
  },
  ...nodeStages(logPort),
  ...podStages,
]
