// What a verdict remembers from one look to the next: crashes since this rollout began, failed pulls, since when
// all is well. Every duration is measured between looks on the caller's own clock, so that skew between the
// cluster's clocks and ours cannot end a rollout. A fresh memo (after a restart) only makes a verdict slower.
import type { ContainerFacts, Observed, PodFacts } from '../cluster.ts'
import { isOlderThan, newPods } from './new-pods.ts'

type ContainerMemo = {
  /** Exits from before this rollout. */
  readonly before: number
  /** Exits in all. */
  readonly exits: number
  /** Times it was seen to start failing to pull. */
  readonly pulls: number
  readonly pulling: boolean
  /** What the registry said when it does not have the image; empty otherwise. */
  readonly notFound: string
  readonly notFoundSince: number | null
  readonly misconfiguredSince: number | null
}

export type Memo = {
  /** The best seen of each measure of progress, and when one last got better. */
  readonly progress: { readonly best: readonly number[]; readonly at: number }
  /** Since when everything is as it should be; null while it is not. */
  readonly steadySince: number | null
  /** By pod UID and container name; new pods only. */
  readonly containers: ReadonlyMap<string, ContainerMemo>
  /** A container ended between the last look and this one. */
  readonly restarted: boolean
}

export const containerKey = (pod: PodFacts, container: ContainerFacts): string =>
  `${pod.uid}/${container.name}`

/** Times a container ended other than as an init container should. */
export function exitsOf(container: ContainerFacts): number {
  const { state, reason, exit, restarts } = container
  const down = state === 'waiting' && reason === 'CrashLoopBackOff'
  const ended = state === 'terminated' && !(container.init && exit?.code === 0)
  return restarts + (down || ended ? 1 : 0)
}

const notFoundWords = /manifest unknown|not found|does not exist|no such manifest|name unknown|404/i
const pullReasons = ['ErrImagePull', 'ImagePullBackOff']
export const configReasons = ['CreateContainerConfigError', 'CreateContainerError']

/** The registry answered, and what it said is that there is no such image. */
export const isNotFound = (message: string): boolean =>
  // `host not found` is the network's, not the registry's.
  notFoundWords.test(message) && !/no such host|lookup |host not found|i\/o timeout/i.test(message)

/** The memo after a look at `observed`. */
export function remember(
  before: Memo | undefined,
  observed: Observed | null,
  { startedAt, now }: { startedAt: number; now: number },
): Memo {
  const pods = observed ? newPods(observed) : []
  const appliedAt = observed?.workload?.appliedAt ?? null
  const containers = new Map<string, ContainerMemo>()
  let restarted = false
  for (const pod of pods)
    for (const container of pod.containers) {
      const key = containerKey(pod, container)
      const known = before?.containers.get(key)
      const next = containerMemo(known, container, now, isOlderThan(pod, appliedAt, startedAt))
      restarted ||= known !== undefined && next.exits > known.exits
      containers.set(key, next)
    }
  return {
    progress: progressOf(before, measures(observed, pods), before ? now : startedAt),
    steadySince: before?.steadySince ?? null,
    containers,
    restarted,
  }
}

function containerMemo(
  known: ContainerMemo | undefined,
  container: ContainerFacts,
  now: number,
  older: boolean,
): ContainerMemo {
  const exits = exitsOf(container)
  const failing = container.state === 'waiting' && pullReasons.includes(container.reason)
  const pulling = failing && container.reason === 'ErrImagePull'
  const says = failing && isNotFound(container.message) ? container.message : (known?.notFound ?? '')
  const notFound = failing ? says : ''
  const misconfigured = container.state === 'waiting' && configReasons.includes(container.reason)
  const newPull = (pulling && !known?.pulling) || (failing && known === undefined)
  return {
    before: known?.before ?? (older ? exits : 0),
    exits,
    pulls: failing ? (known?.pulls ?? 0) + (newPull ? 1 : 0) : 0,
    pulling,
    notFound,
    notFoundSince: notFound ? (known?.notFoundSince ?? now) : null,
    misconfiguredSince: misconfigured ? (known?.misconfiguredSince ?? now) : null,
  }
}

/** Numbers that grow as a rollout gets on. */
function measures(observed: Observed | null, pods: readonly PodFacts[]): number[] {
  const workload = observed?.workload
  if (!workload) return []
  const initialised = pods.flatMap(pod => pod.containers).filter(c => c.init && c.exit?.code === 0).length
  return [
    workload.observedGeneration,
    workload.updated,
    -Math.max(0, workload.replicas - workload.updated),
    workload.available,
    pods.filter(pod => pod.node !== '').length,
    initialised,
    pods.filter(pod => pod.ready).length,
    observed.endpoints.filter(endpoint => endpoint.ready > 0).length,
  ]
}

/** Only a new best is progress: a pod that flaps between ready and not makes none. */
function progressOf(before: Memo | undefined, now: readonly number[], at: number): Memo['progress'] {
  const best = before?.progress.best ?? []
  if (now.length === 0) return before?.progress ?? { best, at }
  const better = now.some((value, i) => value > (best[i] ?? Number.NEGATIVE_INFINITY))
  return {
    best: now.map((value, i) => Math.max(value, best[i] ?? value)),
    at: better || !before ? at : before.progress.at,
  }
}
