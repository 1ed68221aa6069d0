// What a pod's status looks like, step by step: templates of kwok's Stage objects, in Go's template language
// with its sprig functions. Which pod gets which, and when, is in stages.ts.

/** A pattern of an image whose tag is one of these words, such as `crash`, `crash-2` or `1.4.2-crash`. */
export const tagPattern = (words: string) => `:(v?[0-9][0-9A-Za-z_.]*-)?(${words})([-.][0-9A-Za-z_.-]*)?(@|$)`

export const runningState = (since: string) => `state: {running: {startedAt: ${since}}}`
export const now = '{{ $now | Quote }}'
export const startedAt = '{{ $old.state.running.startedAt | Quote }}'

/**
 * A pod's status. `own` is what the containers with such a tag get; the others run, or do as they did before.
 * `$old` is the container's status so far, where there is one.
 */
export function podStatus(of: {
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

export const ended = (code: string, reason: string) =>
  `{terminated: {exitCode: ${code}, reason: ${reason}, startedAt: ${startedAt}, finishedAt: ${now}}}`
export const exitOf = `{{ if regexMatch "${tagPattern('oom')}" $c.image }}${ended('137', 'OOMKilled')}{{ else }}${ended('1', 'Error')}{{ end }}`
export const lastState = '{{ with $old.lastState }}lastState: {{ toJson . }}, {{ end }}'
export const lastEnd = 'lastState: {{ toJson $old.state }}'
export const keptEnd = 'lastState: {{ toJson (or $old.lastState dict) }}'
export const waiting = (reason: string, message: string) =>
  `ready: false, started: false, restartCount: 0, state: {waiting: {reason: ${reason}, message: ${message}}}`
export const again = 'restartCount: {{ add (int $old.restartCount) 1 }}'
export const runs = (isReady: boolean) =>
  `ready: ${isReady}, started: true, restartCount: {{ or $old.restartCount 0 }}, ${lastState}state: {{ if $old.state }}{{ toJson $old.state }}{{ else }}{running: {startedAt: ${now}}}{{ end }}`

export const unknown = (image: string) =>
  `"rpc error: code = NotFound desc = failed to pull and unpack image \\"${image}\\": failed to resolve reference: manifest for ${image} not found: manifest unknown"`

/** What a Job's script says about its own end: `exit N` in its command, otherwise 0. */
export const taskExit = `{{ $code := regexFind "exit [0-9]+" (join " " (concat (or $c.command list) (or $c.args list))) | trimPrefix "exit " | default "0" }}{{ if regexMatch "${tagPattern('crash|oom')}" $c.image }}{{ $code = "1" }}{{ end }}`
