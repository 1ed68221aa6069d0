// The logs of containers: what play.ts says they print, as far as they have come by now.
// Nothing is stored; a pod that is gone has no logs, as on a real node. Streaming is in pod-streams.ts.
import type { Json, KubeObject } from './object.ts'
import { play } from './play.ts'
import type { Output } from './runs/output.ts'
import { badRequest } from './status-error.ts'

export type LogOptions = {
  readonly container?: string
  readonly previous?: boolean
  readonly timestamps?: boolean
  readonly tailLines?: number
  readonly limitBytes?: number
  readonly sinceSeconds?: number
  readonly sinceTime?: string
}

export type Images = (image: string) => string

export type LogView = {
  /** Lines with the time (ms) each was or will be printed. */
  readonly lines: readonly { readonly at: number; readonly text: string }[]
  /** Set once no more can come. */
  readonly ended: boolean
  readonly instance: string
  /** Of a container that runs: all lines have come, and it tells of more. */
  readonly output?: Output
}

/** What a container that runs for real has printed; undefined: it is played. */
export type Outputs = (uid: string, container: string, restarts: number) => Output | undefined

/** True for a container that ends when its work is done. */
export function isTask(pod: KubeObject, container: Json): boolean {
  const init = (pod.spec.initContainers ?? []).includes(container)
  return init ? container.restartPolicy !== 'Always' : pod.spec.restartPolicy !== 'Always'
}

/** The log of one container of a pod. Throws what the server answers when there is none. */
export function logView(
  pod: KubeObject,
  options: LogOptions,
  by: { images: Images; speed: number; outputs?: Outputs },
): LogView {
  const containers: Json[] = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const name = options.container || defaultContainer(pod)
  const container = containers.find(one => one.name === name)
  if (!container) throw badRequest(`container ${name} is not valid for pod ${pod.metadata.name}`)
  const statuses: Json[] = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ]
  const status = statuses.find(one => one.name === name)
  const state = status?.state ?? {}
  const past = status?.lastState?.terminated
  if (options.previous && !past)
    throw badRequest(`previous terminated container "${name}" in pod "${pod.metadata.name}" not found`)
  const current = state.running ?? state.terminated
  const seen = options.previous ? past : (current ?? past)
  if (!seen)
    throw badRequest(
      `container "${name}" in pod "${pod.metadata.name}" is waiting to start: ${waitingWording(state.waiting?.reason)}`,
    )
  // The instance that is running or has ended counts the restarts so far; the one before it, one less.
  const restarts = status.restartCount - (options.previous && current ? 1 : 0)
  const ended = !state.running || Boolean(options.previous)
  const instance = `${name}/${restarts}`
  const output = by.outputs?.(pod.metadata.uid, name, restarts)
  if (output) return { lines: output.lines, ended, instance, output }
  const { lines } = play({
    container,
    image: by.images(container.image),
    task: isTask(pod, container),
    restarts,
  })
  const started = Date.parse(seen.startedAt)
  return {
    lines: lines.map(line => ({ at: started + line.at / by.speed, text: line.text })),
    ended,
    instance,
  }
}

function defaultContainer(pod: KubeObject): string {
  const { name, annotations } = pod.metadata
  const names = pod.spec.containers.map((one: Json) => one.name)
  const chosen = annotations?.['kubectl.kubernetes.io/default-container']
  if (chosen) return chosen
  if (names.length > 1)
    throw badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`,
    )
  return names[0]
}

function waitingWording(reason: string | undefined): string {
  if (reason === 'ErrImagePull' || reason === 'ImagePullBackOff') return 'trying and failing to pull image'
  if (reason === 'InvalidImageName') return 'image name is invalid'
  return reason ?? 'ContainerCreating'
}

/** The lines that the options let through, as text. */
export function logText(lines: LogView['lines'], options: LogOptions, now: number): string {
  const since = options.sinceTime
    ? Date.parse(options.sinceTime)
    : options.sinceSeconds
      ? now - options.sinceSeconds * 1000
      : 0
  let chosen = lines.filter(line => line.at <= now && line.at >= since)
  if (options.tailLines !== undefined)
    chosen = options.tailLines === 0 ? [] : chosen.slice(-options.tailLines)
  const text = chosen
    .map(line => `${options.timestamps ? `${new Date(line.at).toISOString()} ` : ''}${line.text}\n`)
    .join('')
  return options.limitBytes === undefined
    ? text
    : Buffer.from(text).subarray(0, options.limitBytes).toString()
}
