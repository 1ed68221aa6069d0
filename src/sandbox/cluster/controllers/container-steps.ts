// One container's next step: pull, start, become ready, end, wait, start again. Changes the container status
// it is given and answers in how many ms to look again. The pod around it is in kubelet.ts.
import { randomUUID } from 'node:crypto'
import { type Json, type KubeObject, timestamp } from '../object.ts'
import { type Play, play } from '../play.ts'
import type { Real } from '../runs/instance.ts'

/** What is remembered of a pod between two looks, in memory only. */
export type Clock = {
  /** How many ms a step that takes `ms` (at speed 1) still needs, from when it was first asked about. */
  left(step: string, ms: number): number
  /** True the first time it is asked. */
  once(step: string): boolean
  /** How often something was tried, and one more. */
  tries(what: string): number
  tried(what: string): void
}

export type Step = {
  readonly pod: KubeObject
  readonly container: Json
  /** With its tag, where the container names only a digest. */
  readonly image: string
  readonly task: boolean
  readonly clock: Clock
  /** It runs for real; undefined: it is played. */
  readonly real?: Real
  /** Why its configuration cannot be made, if so. */
  readonly problem: () => string | undefined
  readonly tell: (event: { reason: string; message: string; warning?: boolean }) => void
}

const pullMs = 300
const startMs = 100
// The real one begins with 10 s and ends at 300 s; the sandbox is for people who watch.
const backOff = (times: number) => Math.min(1000 * 2 ** times, 60_000)

const pulled = new Set<string>()

export function stepContainer(status: Json, step: Step): number | undefined {
  const { container, image, task, clock } = step
  const played = play({ container, image, task, restarts: status.restartCount })
  // A process decides itself when it ends and what it prints; a web server only whether it answers.
  const does = step.real && task ? { pull: played.pull, ready: 0, lines: [] } : played
  if (status.state.running) return whileRunning(status, step, does)
  if (status.state.terminated) return afterEnd(status, step)
  if (status.state.waiting?.reason !== 'CrashLoopBackOff') return beforeStart(status, step, does)
  const left = clock.left(`${container.name} back-off ${status.restartCount}`, backOff(status.restartCount))
  return left > 0 ? left : start(status, step, status.restartCount + 1)
}

/** Makes it wait for a reason; false when it already does. */
function wait(status: Json, reason: string, message: string): boolean {
  const { waiting } = status.state
  if (waiting?.reason === reason && waiting.message === message) return false
  status.state = { waiting: { reason, message } }
  return true
}

function beforeStart(status: Json, step: Step, does: Play): number | undefined {
  const { container, clock, tell } = step
  const { image, name } = container
  if (does.pull === 'invalid') {
    const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`
    if (wait(status, 'InvalidImageName', message)) {
      tell({ reason: 'InspectFailed', message, warning: true })
      tell({ reason: 'Failed', message: 'Error: InvalidImageName', warning: true })
    }
    return undefined
  }
  if (does.pull === 'missing') return failPull(status, step)
  const present = container.imagePullPolicy !== 'Always' && pulled.has(image)
  if (!present && clock.once(`${name} pulling`))
    tell({ reason: 'Pulling', message: `Pulling image "${image}"` })
  const left = clock.left(`${name} pull`, present ? 0 : pullMs)
  if (left > 0) return left
  if (clock.once(`${name} pulled`)) {
    const took = `${pullMs}ms (${pullMs}ms including waiting). Image size: 52428800 bytes.`
    const message = present
      ? `Container image "${image}" already present on machine`
      : `Successfully pulled image "${image}" in ${took}`
    tell({ reason: 'Pulled', message })
  }
  pulled.add(image)
  const problem = step.problem()
  if (problem) {
    if (wait(status, 'CreateContainerConfigError', problem))
      tell({ reason: 'Failed', message: `Error: ${problem}`, warning: true })
    return undefined
  }
  const starting = clock.left(`${name} start`, startMs)
  return starting > 0 ? starting : start(status, step, 0)
}

/** ErrImagePull and ImagePullBackOff in turn, with growing pauses. */
function failPull(status: Json, { container, clock, tell }: Step): number | undefined {
  const { image, name } = container
  const tries = clock.tries(`${name} pull`)
  const reason = status.state.waiting?.reason
  if (reason === 'ErrImagePull') {
    const left = clock.left(`${name} give up ${tries}`, pullMs)
    if (left > 0) return left
    wait(
      status,
      'ImagePullBackOff',
      `Back-off pulling image "${image}": ErrImagePull: manifest for ${image} not found: manifest unknown`,
    )
    tell({ reason: 'BackOff', message: `Back-off pulling image "${image}"` })
    tell({ reason: 'Failed', message: 'Error: ImagePullBackOff', warning: true })
    return 1
  }
  if (clock.once(`${name} pulling ${tries}`) && reason !== 'ImagePullBackOff')
    tell({ reason: 'Pulling', message: `Pulling image "${image}"` })
  const left = clock.left(
    `${name} pull ${tries}`,
    reason === 'ImagePullBackOff' ? backOff(tries + 1) : pullMs,
  )
  if (left > 0) return left
  clock.tried(`${name} pull`)
  const why = `rpc error: code = NotFound desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": manifest for ${image} not found: manifest unknown`
  wait(status, 'ErrImagePull', why)
  tell({ reason: 'Failed', message: `Failed to pull image "${image}": ${why}`, warning: true })
  tell({ reason: 'Failed', message: 'Error: ErrImagePull', warning: true })
  return 1
}

function start(status: Json, { container, tell, task, real }: Step, restarts: number): number {
  status.restartCount = restarts
  real?.start(restarts)
  status.state = { running: { startedAt: timestamp() } }
  status.containerID = `containerd://${randomUUID().replaceAll('-', '')}`
  status.imageID = container.image
  status.started = task || !container.startupProbe
  status.ready = false
  tell({ reason: 'Created', message: `Created container: ${container.name}` })
  tell({ reason: 'Started', message: `Started container ${container.name}` })
  return 1
}

function whileRunning(status: Json, step: Step, does: Play): number | undefined {
  const { container, clock, real } = step
  const run = `${container.name} ${status.restartCount}`
  let again: number | undefined
  const ended = real?.ended(status.restartCount)
  if (ended) return end(status, ended)
  if (does.exit) {
    const left = clock.left(`${run} exit`, does.exit.after)
    if (left <= 0) {
      real?.stopped(status.restartCount)
      return end(status, does.exit)
    }
    again = left
  }
  if (status.ready) return again
  if (does.ready === undefined) return does.exit ? again : unready(step, run)
  const left = clock.left(`${run} ready`, does.ready)
  if (left > 0) return Math.min(left, again ?? left)
  const answered = real ? real.ready(status.restartCount) : { ok: true, said: '' }
  // Its news wake the kubelet.
  if (!answered) return again
  if (!answered.ok) return unready(step, run, answered.said)
  status.ready = true
  status.started = true
  return again
}

function unready(
  { container, clock, tell }: Step,
  run: string,
  said = 'HTTP probe failed with statuscode: 503',
): number {
  const probe = container.readinessProbe ?? container.startupProbe
  const tries = clock.tries(`${run} probe`)
  const left = clock.left(`${run} probe ${tries}`, tries === 0 ? 1000 : 1000 * (probe?.periodSeconds ?? 10))
  if (left > 0) return left
  const at = probe?.tcpSocket ? 'dial tcp: connect: connection refused' : said
  tell({ reason: 'Unhealthy', message: `Readiness probe failed: ${at}`, warning: true })
  clock.tried(`${run} probe`)
  return Math.max(200, clock.left(`${run} probe ${tries + 1}`, 1000 * (probe?.periodSeconds ?? 10)))
}

function end(status: Json, { code, reason }: { code: number; reason: string }): number {
  const { startedAt } = status.state.running
  status.state = {
    terminated: {
      exitCode: code,
      reason,
      startedAt,
      finishedAt: timestamp(),
      containerID: status.containerID,
    },
  }
  status.ready = false
  status.started = false
  return 1
}

function afterEnd(status: Json, step: Step): number | undefined {
  const { pod, container, clock, tell } = step
  const { terminated } = status.state
  const init = (pod.spec.initContainers ?? []).includes(container)
  // An init container that succeeded is done, whatever the pod's policy.
  const policy =
    container.restartPolicy ??
    (init && pod.spec.restartPolicy === 'Always' ? 'OnFailure' : pod.spec.restartPolicy)
  if (policy === 'Never' || (policy === 'OnFailure' && terminated.exitCode === 0)) return undefined
  if (status.restartCount === 0) {
    const left = clock.left(`${container.name} restart`, startMs)
    if (left > 0) return left
    status.lastState = { terminated }
    return start(status, step, 1)
  }
  status.lastState = { terminated }
  const { name, namespace, uid } = pod.metadata
  const id = `pod=${name}_${namespace}(${uid})`
  wait(
    status,
    'CrashLoopBackOff',
    `back-off ${Math.round(backOff(status.restartCount) / 1000)}s restarting failed container=${container.name} ${id}`,
  )
  tell({
    reason: 'BackOff',
    message: `Back-off restarting failed container ${container.name} in pod ${name}_${namespace}(${uid})`,
    warning: true,
  })
  return 1
}
