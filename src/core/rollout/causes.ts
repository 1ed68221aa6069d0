// Why new pods do not get ready: what is certain ends a rollout at once, what is only probable is named while it
// waits. Pure; every message has numbers and the name of one pod to look at.
import type { ContainerFacts, Observed, PodFacts } from '../cluster.ts'
import type { Cause } from '../deploy.ts'
import { configReasons, containerKey, type Memo } from './memo.ts'
import { evictedPods, newPods } from './new-pods.ts'
import { inWords, oneLine, times } from './words.ts'

/** A missing Secret or ConfigMap may arrive a moment later. */
export const configGraceMs = 20_000
/** The kubelet tries again after ten seconds: still not there means two pulls failed. */
export const secondPullMs = 15_000

type Place = { readonly pod: PodFacts; readonly container: ContainerFacts }
type Limits = { readonly crashes: number; readonly now: number }

const places = (observed: Observed): Place[] =>
  newPods(observed).flatMap(pod => pod.containers.map(container => ({ pod, container })))

const at = ({ pod, container }: Place): string =>
  pod.containers.filter(other => !other.init).length > 1 || container.init
    ? `${pod.name}, container ${container.name}`
    : pod.name

/** What waiting cannot mend; null when nothing is certain. */
export function certainCause(observed: Observed, memo: Memo, limits: Limits): Cause | null {
  const all = places(observed)
  return (
    invalidImage(all) ??
    missingImage(all, memo, limits.now) ??
    outOfMemory(all, memo) ??
    crashes(all, memo, limits.crashes, observed) ??
    misconfigured(all, memo, limits.now - configGraceMs)
  )
}

/** The most probable reason why it is not done; null when nothing looks wrong. */
export function probableCause(observed: Observed, memo: Memo, limits: Limits): Cause | null {
  const all = places(observed)
  return (
    pullFails(all) ??
    misconfigured(all, memo, limits.now) ??
    crashes(all, memo, 1, observed) ??
    creationRefused(observed) ??
    unschedulable(observed) ??
    evicted(observed) ??
    notReady(observed)
  )
}

function invalidImage(all: readonly Place[]): Cause | null {
  const found = all.find(
    ({ container }) =>
      container.state === 'waiting' && ['InvalidImageName', 'ErrImageNeverPull'].includes(container.reason),
  )
  if (!found) return null
  const { image, reason, message } = found.container
  return reason === 'InvalidImageName'
    ? { reason: 'invalid_image', message: `\`${image}\` is not a valid image name (${at(found)}).` }
    : {
        reason: 'image_pull',
        message: `\`${image}\` may not be pulled and is not on the node: ${oneLine(message)} (${at(found)}).`,
      }
}

function missingImage(all: readonly Place[], memo: Memo, now: number): Cause | null {
  const missing = all.flatMap(place => {
    const known = memo.containers.get(containerKey(place.pod, place.container))
    return known?.notFound ? [{ place, known }] : []
  })
  const [first] = missing
  if (!first) return null
  const pulls = missing.reduce((sum, { known }) => sum + known.pulls, 0)
  const long = missing.some(({ known }) => now - (known.notFoundSince ?? now) >= secondPullMs)
  if (pulls < 2 && !long) return null
  return {
    reason: 'image_not_found',
    message: `Image \`${first.place.container.image}\` does not exist in the registry: ${registryWords(first.known.notFound)} (${at(first.place)}).`,
  }
}

/** The end of a pull error's chain is what the registry said. */
const registryWords = (message: string): string =>
  /manifest unknown|name unknown|repository does not exist|not found|does not exist/i.exec(message)?.[0] ??
  oneLine(message)

/** A pull error without the layers that only name the image again: why it failed stands at its end. */
const pullWords = (message: string): string =>
  oneLine(
    message
      .replace(/^Back-off pulling image "[^"]*"(: ErrImagePull: )?/, '')
      .replace(/^rpc error: code = \w+ desc = /, '')
      .replace(/failed to (pull and unpack image|resolve reference) "[^"]*": /g, ''),
  )

function pullFails(all: readonly Place[]): Cause | null {
  const found = all.filter(
    ({ container }) =>
      container.state === 'waiting' && ['ErrImagePull', 'ImagePullBackOff'].includes(container.reason),
  )
  // The error itself, not the back-off after it, says why.
  const first = found.find(({ container }) => container.reason === 'ErrImagePull') ?? found[0]
  if (!first) return null
  const { image, message } = first.container
  return {
    reason: 'image_pull',
    message: `Image \`${image}\` cannot be pulled: ${pullWords(message) || first.container.reason} (${at(first)}).`,
  }
}

/** Exits of this rollout: what an old pod did before it does not count. */
const recentExits = (memo: Memo, { pod, container }: Place): number => {
  const known = memo.containers.get(containerKey(pod, container))
  return known ? Math.max(0, known.exits - known.before) : 0
}

function outOfMemory(all: readonly Place[], memo: Memo): Cause | null {
  const found = all.find(
    place => place.container.exit?.reason === 'OOMKilled' && recentExits(memo, place) > 0,
  )
  if (!found) return null
  return {
    reason: 'out_of_memory',
    message: `The new pods run out of memory: killed ${ranFor(found.container)}, ${times(recentExits(memo, found))} (${at(found)}).`,
  }
}

/**
 * One container that crashed so often. Never summed over pods: many replicas that each crash once, because what they
 * need comes a moment later, are no loop.
 */
function crashes(all: readonly Place[], memo: Memo, limit: number, observed: Observed): Cause | null {
  if (observed.workload?.kind === 'Job') return null
  const counted = all.map(place => ({ place, exits: recentExits(memo, place) })).filter(c => c.exits > 0)
  const [worst] = counted.sort((a, b) => b.exits - a.exits)
  if (!worst || worst.exits < limit) return null
  const { container } = worst.place
  const { exit } = container
  const ran = exit ? exit.finishedAt - exit.startedAt : 0
  const who = container.init
    ? 'The new pods do not start'
    : ran < 60_000
      ? 'The new pods crash at start'
      : 'The new pods crash'
  const how = exit
    ? exit.code === 0
      ? `the process ends by itself (exit code 0) ${ranFor(container)}`
      : `exit code ${exit.code} ${ranFor(container)}`
    : container.message || container.reason || 'no exit code is known'
  const others = new Set(counted.map(({ place }) => place.pod.uid)).size - 1
  const too = others > 0 ? `; ${others} more ${others === 1 ? 'crashes' : 'crash'} too` : ''
  const message = `${who}: ${oneLine(how)}, ${times(worst.exits)} (${at(worst.place)}${too}).`
  return { reason: 'crash_loop', message }
}

const ranFor = ({ exit }: ContainerFacts): string =>
  exit && exit.finishedAt >= exit.startedAt && exit.startedAt > 0
    ? `after ${inWords(exit.finishedAt - exit.startedAt)}`
    : 'at once'

function misconfigured(all: readonly Place[], memo: Memo, before: number): Cause | null {
  const found = all.find(place => {
    const since = memo.containers.get(containerKey(place.pod, place.container))?.misconfiguredSince ?? null
    return configReasons.includes(place.container.reason) && since !== null && since <= before
  })
  if (!found) return null
  return {
    reason: 'config_error',
    message: `The new pods cannot be configured: ${oneLine(found.container.message) || found.container.reason} (${at(found)}).`,
  }
}

function creationRefused({ workload, replicaSets }: Observed): Cause | null {
  const conditions = [...(workload?.conditions ?? []), ...replicaSets.flatMap(set => set.conditions)]
  const found = conditions.find(c => c.type === 'ReplicaFailure' && c.status === 'True')
  return found
    ? { reason: 'create_failed', message: `The cluster refuses to create pods: ${oneLine(found.message)}.` }
    : null
}

function unschedulable(observed: Observed): Cause | null {
  const pods = newPods(observed)
  const stuck = pods.filter(pod => pod.unscheduled)
  const [first] = stuck
  if (!first?.unscheduled) return null
  const pending = observed.claims.filter(claim => claim.phase === 'Pending').map(claim => claim.name)
  const claims = pending.length > 0 ? ` Volume claim ${pending.join(', ')} is pending.` : ''
  return {
    reason: 'unschedulable',
    message: `${stuck.length} of ${pods.length} new pods have no node: ${oneLine(first.unscheduled.message)} (${first.name}).${claims}`,
  }
}

function evicted(observed: Observed): Cause | null {
  const [first] = evictedPods(observed)
  return first
    ? {
        reason: 'evicted',
        message: `A new pod was ended by its node: ${first.reason}${first.message ? `, ${oneLine(first.message)}` : ''} (${first.name}).`,
      }
    : null
}

function notReady(observed: Observed): Cause | null {
  const running = newPods(observed).filter(pod => pod.phase === 'Running')
  const unready = running.filter(pod => !pod.ready)
  const [first] = unready
  const container = first?.containers.find(one => !one.init && !one.ready)
  if (!first || !container || container.state !== 'running') return null
  const probe = container.started ? 'readiness probe' : 'startup probe'
  return {
    reason: 'not_ready',
    message: `${unready.length} of ${running.length} running new pods are not ready: their ${probe} does not pass (${first.name}).`,
  }
}
