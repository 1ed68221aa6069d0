// How the fake nodes play pods: kwok's Stage objects, made from the same tags that the stand-in cluster knows
// (src/sandbox/cluster/play.ts), so that one test means the same on both. Only containers whose own image says so
// misbehave; init containers always succeed. Not played: probes, grace periods, mounts, missing ConfigMaps.
// kwok's events are fixed texts: they name no image and no container. Logs are in pod-logs.ts.

type Step = {
  readonly name: string
  /** jq over the pod, each of which must answer true. */
  readonly when: readonly string[]
  readonly afterMs: number
  readonly status: string
  readonly events?: readonly { type: 'Normal' | 'Warning'; reason: string; message: string }[]
}

/** A pattern of an image whose tag is one of these words, such as `crash`, `crash-2` or `1.4.2-crash`. */
export const tagPattern = (words: string) => `:(v?[0-9][0-9A-Za-z_.]*-)?(${words})([-.][0-9A-Za-z_.-]*)?(@|$)`

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

const runningState = (since: string) => `state: {running: {startedAt: ${since}}}`
const now = '{{ $now | Quote }}'
const startedAt = '{{ $old.state.running.startedAt | Quote }}'

/**
 * A pod's status. `own` is what the containers with such a tag get; the others run, or do as they did before.
 * `$old` is the container's status so far, where there is one.
 */
function podStatus(of: {
  readonly phase: string
  readonly words?: string
  readonly own: string
  readonly ready: boolean
  readonly extra?: string
}): string {
  const other = `ready: true, started: true, restartCount: 0, ${runningState(now)}`
  const own = of.words
    ? `{{ if regexMatch "${tagPattern(of.words)}" $c.image }}${of.own}{{ else }}${other}{{ end }}`
    : of.own
  const condition = (type: string, is: boolean) =>
    `{type: ${type}, status: "${is ? 'True' : 'False'}", lastTransitionTime: ${now}${is ? '' : ', reason: ContainersNotReady'}}`
  return `
{{ $now := Now }}
{{ $root := . }}
phase: ${of.phase}
${of.extra ?? ''}
startTime: {{ or .status.startTime $now | Quote }}
hostIP: 127.0.0.1
hostIPs: [{ip: 127.0.0.1}]
{{ $ip := or .status.podIP (PodIPWith .spec.nodeName false (or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "")) }}
podIP: {{ $ip | Quote }}
podIPs: [{ip: {{ $ip | Quote }}}]
conditions:
- ${condition('PodReadyToStartContainers', true)}
- ${condition('Initialized', true)}
- ${condition('Ready', of.ready)}
- ${condition('ContainersReady', of.ready)}
{{ with .spec.initContainers }}
initContainerStatuses:
{{ range $c := . }}
- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: "", ready: true, restartCount: 0,
  {{ if eq (or $c.restartPolicy "") "Always" }}started: true, ${runningState(now)}
  {{ else }}state: {terminated: {exitCode: 0, reason: Completed, startedAt: ${now}, finishedAt: ${now}}}{{ end }}}
{{ end }}
{{ end }}
containerStatuses:
{{ range $i, $c := .spec.containers }}
{{ $old := dict }}
{{ if $root.status.containerStatuses }}{{ $old = index $root.status.containerStatuses $i }}{{ end }}
- {name: {{ $c.name | Quote }}, image: {{ $c.image | Quote }}, imageID: "", ${own}}
{{ end }}`
}

const ended = (code: string, reason: string) =>
  `{terminated: {exitCode: ${code}, reason: ${reason}, startedAt: ${startedAt}, finishedAt: ${now}}}`
const exitOf = `{{ if regexMatch "${tagPattern('oom')}" $c.image }}${ended('137', 'OOMKilled')}{{ else }}${ended('1', 'Error')}{{ end }}`
const lastState = '{{ with $old.lastState }}lastState: {{ toJson . }}, {{ end }}'
const lastEnd = 'lastState: {{ toJson $old.state }}'
const keptEnd = 'lastState: {{ toJson (or $old.lastState dict) }}'
const waiting = (reason: string, message: string) =>
  `ready: false, started: false, restartCount: 0, state: {waiting: {reason: ${reason}, message: ${message}}}`
const again = 'restartCount: {{ add (int $old.restartCount) 1 }}'
const runs = (isReady: boolean) =>
  `ready: ${isReady}, started: true, restartCount: {{ or $old.restartCount 0 }}, ${lastState}state: {{ if $old.state }}{{ toJson $old.state }}{{ else }}{running: {startedAt: ${now}}}{{ end }}`

const event = (type: 'Normal' | 'Warning', reason: string, message: string) => ({ type, reason, message })
const started = event('Normal', 'Started', 'Started container')
const unknown = (image: string) =>
  `"rpc error: code = NotFound desc = failed to pull and unpack image \\"${image}\\": failed to resolve reference: manifest for ${image} not found: manifest unknown"`

/** What a Job's script says about its own end: `exit N` in its command, otherwise 0. */
const taskExit = `{{ $code := regexFind "exit [0-9]+" (join " " (concat (or $c.command list) (or $c.args list))) | trimPrefix "exit " | default "0" }}{{ if regexMatch "${tagPattern('crash|oom')}" $c.image }}{{ $code = "1" }}{{ end }}`

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

const stage = (name: string, kind: 'Pod' | 'Node', spec: object) => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'Stage',
  metadata: { name },
  spec: { resourceRef: { apiGroup: 'v1', kind }, ...spec },
})
const must = (jq: string) => ({ key: jq, operator: 'In', values: ['true'] })

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

/** A node becomes ready with 8 CPUs, and names the port where its pods' logs are asked for. */
const nodeStages = (logPort: number) => [
  stage('ready', 'Node', {
    selector: {
      matchExpressions: [must('any(.status.conditions[]?; .type == "Ready" and .status == "True") | not')],
    },
    steps: [
      {
        patch: {
          subresource: 'status',
          root: 'status',
          type: 'strategic',
          template: `
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
addresses: [{type: InternalIP, address: 127.0.0.1}]
daemonEndpoints: {kubeletEndpoint: {Port: ${logPort}}}
allocatable: {cpu: "8", memory: 32Gi, pods: "500"}
capacity: {cpu: "8", memory: 32Gi, pods: "500"}`,
        },
      },
    ],
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

const mutation = `Object{spec: Object.spec{containers: [Object.spec.containers{name: object.spec.containers[0].name, resources: Object.spec.containers.resources{requests: {"cpu": "1k"}}}]}}`

/**
 * Objects that the harness writes at the start: the nodes, and a policy that lets pods of `:huge` images ask for
 * more CPU than any node has. So the real scheduler is what refuses them.
 */
export function seedObjects(nodes: number, policyVersion: string): { path: string; object: object }[] {
  const policies = `/apis/admissionregistration.k8s.io/${policyVersion}`
  const apiVersion = `admissionregistration.k8s.io/${policyVersion}`
  const metadata = { name: 'huge-images' }
  const hasTag = `object.spec.containers.exists(c, has(c.image) && c.image.matches("${tagPattern('huge')}"))`
  const pods = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }
  const node = (name: string) => ({
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
  })
  return [
    ...Array.from({ length: nodes }, (_, i) => ({ path: '/api/v1/nodes', object: node(`node-${i + 1}`) })),
    {
      path: `${policies}/mutatingadmissionpolicies`,
      object: {
        apiVersion,
        kind: 'MutatingAdmissionPolicy',
        metadata,
        spec: {
          matchConstraints: { resourceRules: [pods] },
          matchConditions: [{ name: 'huge', expression: hasTag }],
          failurePolicy: 'Fail',
          reinvocationPolicy: 'Never',
          mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: mutation } }],
        },
      },
    },
    {
      path: `${policies}/mutatingadmissionpolicybindings`,
      object: {
        apiVersion,
        kind: 'MutatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: metadata.name },
      },
    },
  ]
}
