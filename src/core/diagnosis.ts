// From a failed verdict and its evidence to words for people: what happened, what was seen, what to try.
// Pure; diagnose.ts fetches the events and the log. Everything that came from a cluster or a log is redacted here.
import type { ContainerFacts, EventFacts, Observed, PodFacts } from './cluster.ts'
import type { Cause, Diagnosis, Reason } from './deploy.ts'
import { redactText as redact } from './redact.ts'
import { exitsOf } from './rollout/memo.ts'
import { newPods, oldPods } from './rollout/new-pods.ts'
import { inWords, oneLine, times } from './rollout/words.ts'
import type { Verdict } from './rollout.ts'

export type LogTarget = { readonly pod: string; readonly container: string; readonly previous: boolean }

export type Evidence = {
  readonly app: string
  readonly observed: Observed | null
  readonly verdict: Pick<Verdict, 'cause' | 'probable' | 'message'>
  readonly events: readonly EventFacts[]
  readonly log: (LogTarget & { readonly text: string }) | null
  /** When the wait began, by the same clock as `now`. */
  readonly startedAt: number
  /** What could not be read, and why: shown with what was seen. */
  readonly unread: readonly string[]
}

const most = { bytes: 32 * 1024, events: 30, lines: 100, lineLength: 2000 }

/** Explains a failure; 32 KiB at most as JSON. */
export function diagnosis(evidence: Evidence, now: number): Diagnosis {
  const { verdict, app, events } = evidence
  const fromEvents = eventCause(events)
  const probable = verdict.probable ?? fromEvents
  const cause = explained(verdict.cause ?? probable, verdict, fromEvents)
  const reason = cause.reason === 'deadline' ? (probable?.reason ?? 'deadline') : cause.reason
  return bounded({
    cause: { ...cause, message: clean(cause.message, 1000) },
    seen: seen(evidence, now).map(line => clean(line, 500)),
    tries: tries(reason, app),
    events: chosen(events).map(event => ({
      at: event.lastAt,
      type: event.type,
      reason: event.reason,
      object: event.object,
      message: clean(event.message, 1000),
      count: event.count,
    })),
    log: logOf(evidence.log),
    at: now,
  })
}

const clean = (text: string, length: number): string => redact(text).slice(0, length)

/** The container whose log says most, and whether its last or its current run; null when none has run. */
export function logTarget(observed: Observed | null): LogTarget | null {
  if (!observed) return null
  const all = newPods(observed).flatMap(pod => pod.containers.map(container => ({ pod, container })))
  const ran = all.filter(({ container }) => container.exit !== null || container.state === 'running')
  const failed = ({ container }: (typeof ran)[number]): number =>
    exitsOf(container) * 2 + (container.exit && container.exit.code !== 0 ? 1 : 0)
  const crashed = ran.filter(one => failed(one) > 0).sort((a, b) => failed(b) - failed(a))[0]
  const stuck = ran.find(({ container }) => container.state === 'running' && !container.ready)
  const found = crashed ?? stuck ?? ran.find(({ container }) => !container.init)
  if (!found) return null
  const { pod, container } = found
  // A container that is up again, or waits to be, left its reason in the run before.
  const previous = container.restarts > 0 && container.state !== 'terminated' && container.exit !== null
  return { pod: pod.name, container: container.name, previous }
}

/** A clock alone explains little: what events say is added where the pods themselves say nothing. */
function explained(
  cause: Cause | null | undefined,
  verdict: Evidence['verdict'],
  fromEvents: Cause | null,
): Cause {
  if (!cause) return { reason: 'internal', message: `It failed, and nothing says why. ${verdict.message}.` }
  const silent = !verdict.probable || verdict.probable.reason === 'not_ready'
  if (cause.reason !== 'deadline' || !fromEvents || !silent) return cause
  return { ...cause, message: `${cause.message} ${fromEvents.message}` }
}

const eventCauses: readonly (readonly [pattern: RegExp, reason: Reason, words: string])[] = [
  [
    /^(FailedMount|FailedAttachVolume|VolumeFailed|ProvisioningFailed)/,
    'not_ready',
    'A volume cannot be used',
  ],
  [/^FailedCreatePodSandBox/, 'not_ready', 'The node cannot set a pod up'],
  [/^FailedCreate$/, 'create_failed', 'The cluster refuses to create pods'],
  [/^FailedScheduling/, 'unschedulable', 'Pods have no node'],
  [/^(Evicted|NodeNotReady|Preempted)/, 'evicted', 'A node ended pods'],
  [/^Unhealthy/, 'not_ready', 'A probe fails'],
]

/** What only events tell: mounts, sandboxes, probes. */
function eventCause(events: readonly EventFacts[]): Cause | null {
  const warnings = events.filter(event => event.type === 'Warning')
  for (const [pattern, reason, words] of eventCauses) {
    const event = warnings.findLast(one => pattern.test(one.reason))
    if (event)
      return {
        reason,
        message: `${words}: ${oneLine(event.message)} (${event.object}${event.count > 1 ? `, ${times(event.count)}` : ''}).`,
      }
  }
  return null
}

function seen({ observed, startedAt, unread, log }: Evidence, now: number): string[] {
  if (!observed) return ['The cluster gave no facts about the pods.', ...unread]
  const lasted = inWords(now - startedAt)
  const fresh = newPods(observed)
  const states = countBy(fresh.map(stateOf))
  const pods =
    fresh.length === 0
      ? [`no new pod after ${lasted}`]
      : states.map(([state, n]) => `${n} of ${fresh.length} new pods ${state} for ${lasted}`)
  const pending = observed.claims.filter(claim => claim.phase !== 'Bound')
  return [
    [...pods, ...oldState(observed)].join(' · '),
    ...countBy(fresh.flatMap(exitLines)).map(([line, n]) => (n > 1 ? `${line} (${n} pods)` : line)),
    ...pending.map(claim => `volume claim ${claim.name} is ${claim.phase}`),
    ...unread,
    ...(log && log.text.trim() === '' ? [`the log of ${log.pod}, container ${log.container}, is empty`] : []),
  ].slice(0, 20)
}

function oldState(observed: Observed): string[] {
  const old = oldPods(observed)
  if (old.length === 0) return []
  const ready = old.filter(pod => pod.ready).length
  const left = ready === old.length ? 'old pods untouched' : 'old pods'
  return [`${left}, ${ready}/${old.length} ready`]
}

/** One word for a pod's state, as kubectl shows it. */
function stateOf(pod: PodFacts): string {
  if (pod.unscheduled) return 'Unschedulable'
  const waiting = pod.containers.find(container => container.state === 'waiting' && isTrouble(container))
  if (waiting) return `${waiting.init ? 'Init:' : ''}${waiting.reason}`
  const ended = pod.containers.find(one => one.state === 'terminated' && !(one.init && one.exit?.code === 0))
  if (ended) return `${ended.init ? 'Init:' : ''}${ended.reason || 'ended'}`
  if (pod.ready) return 'ready'
  return pod.phase === 'Running' ? 'running but not ready' : pod.phase || 'pending'
}

const isTrouble = ({ reason }: ContainerFacts): boolean =>
  reason !== '' && reason !== 'ContainerCreating' && reason !== 'PodInitializing'

function exitLines(pod: PodFacts): string[] {
  return pod.containers.flatMap(container => {
    const { exit } = container
    const exits = exitsOf(container)
    if (!exit || exits === 0) return []
    const why = exit.reason && exit.reason !== 'Error' ? `${exit.reason}, ` : ''
    return [
      `container ${container.name}: ${why}exit code ${exit.code} after ${inWords(exit.finishedAt - exit.startedAt)}, ${times(exits)}`,
    ]
  })
}

/** What occurs how often, most often first. */
function countBy(values: readonly string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a)
}

function tries(reason: Reason, app: string): string[] {
  const logs = `read the log lines; \`gkube logs ${app} --previous\` shows all of the crashed run`
  const changed = `\`gkube history ${app}\` shows what ran before`
  switch (reason) {
    case 'image_not_found':
      return [`check the tag, or \`gkube history ${app}\` for one that exists`]
    case 'image_pull':
      return [
        'check that the cluster may pull it: `imagePullSecrets` of the app, and the registry itself',
        `check the tag, or \`gkube history ${app}\` for one that exists`,
      ]
    case 'invalid_image':
      return ['correct `image` in the app: host/path:{revision}, lower case']
    case 'crash_loop':
      return [logs, changed]
    case 'out_of_memory':
      return ['raise `resources.limits.memory` in the app, or make it use less', logs]
    case 'config_error':
      return ['create the Secret or ConfigMap that is named, or take it out of `env`, `envFrom` or `files`']
    case 'create_failed':
      return [
        'ask for more quota or lower `resources` and `replicas`; if admission refused, it says what it wants',
      ]
    case 'unschedulable':
      return [
        'lower `resources.requests`, relax `placement`, or add nodes; `gkube cluster` shows what is free',
        `\`gkube events ${app}\` shows what the scheduler says`,
      ]
    case 'not_ready':
      return [
        'check `probes.readiness`: its path, port and timings',
        `\`gkube logs ${app}\` shows what the app waits for`,
      ]
    case 'no_endpoints':
      return ['check `ports`: the Service must point to a port that the container listens on']
    case 'evicted':
      return ['`gkube cluster` shows the nodes; raise `resources.requests` to what the app really uses']
    case 'job_failed':
      return ['read the log lines, correct the hook, and deploy again']
    default:
      return [`\`gkube events ${app}\` and \`gkube pods ${app}\` show more`, changed]
  }
}

/** Warnings before the rest, newest last. */
function chosen(events: readonly EventFacts[]): EventFacts[] {
  const warnings = events.filter(event => event.type === 'Warning').slice(-most.events)
  const room = most.events - warnings.length
  const others = room > 0 ? events.filter(event => event.type !== 'Warning').slice(-room) : []
  return [...warnings, ...others].sort((a, b) => a.lastAt - b.lastAt)
}

function logOf(log: Evidence['log']): Diagnosis['log'] {
  if (!log) return null
  const lines = redact(log.text)
    .replace(/\n$/, '')
    .split('\n')
    .slice(-most.lines)
    .map(line => line.slice(0, most.lineLength))
  const { pod, container, previous } = log
  return { pod, container, previous, lines: log.text.trim() === '' ? [] : lines }
}

/** Drops the oldest: lines while they take more than half, then events, until it fits. */
function bounded(whole: Diagnosis): Diagnosis {
  const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
  const newest = <T>(all: readonly T[]): T[] => all.slice(Math.ceil(all.length / 8))
  let result = whole
  while (size(result) > most.bytes) {
    const { log, events } = result
    if (log && log.lines.length > 0 && (events.length === 0 || size(log) > most.bytes / 2))
      result = { ...result, log: { ...log, lines: newest(log.lines) } }
    else if (events.length > 0) result = { ...result, events: newest(events) }
    else break
  }
  return result
}
