// Pure: who goes next for one app in one environment, who is superseded, and what holds it. Order is the etcd create
// revision of the request, never a clock or a version number; rollbacks go first. Two requests may be prepared at the
// same time and end in any order, so a later one waits until the earlier one is prepared too.
import type { Freeze } from './coordination.ts'
import type { Lock } from './core.ts'
import type { Deploy } from './deploy.ts'
import { newer } from './kv.ts'

/** A deploy that is ready or will be; `position` is the create revision of its record. */
export type Waiting = { readonly deploy: Deploy; readonly position: string }

/**
 * What a newer one of these kinds replaces while it waits. A redeploy runs the revision of then with the newest
 * configuration, so it replaces no deploy: a revision that somebody asked for would be lost.
 */
const replaced: Partial<Record<Deploy['kind'], readonly Deploy['kind'][]>> = {
  deploy: ['deploy', 'redeploy'],
  redeploy: ['redeploy'],
}

export type Decision = {
  readonly next: Deploy | null
  readonly superseded: readonly { readonly deploy: Deploy; readonly by: Deploy }[]
}

/**
 * Decides among the deploys of one app in one environment that are ready or still being prepared. What is `frozen`
 * keeps its place and blocks nobody: a later one that was overridden goes past it.
 */
export function decide(
  waiting: readonly Waiting[],
  policy: 'supersede' | 'keep',
  frozen: (deploy: Deploy) => boolean = () => false,
): Decision {
  const inOrder = [...waiting].sort((a, b) => (newer(a.position, b.position) ? 1 : -1)).map(w => w.deploy)
  const ready = inOrder.filter(deploy => deploy.phase === 'ready')
  const rollback = ready.find(deploy => deploy.kind === 'rollback')
  const superseded =
    policy === 'supersede'
      ? ready.flatMap((deploy, at) => replacedBy(deploy, ready.slice(at + 1), frozen))
      : []
  if (rollback) return { next: rollback, superseded }
  const left = inOrder.filter(deploy => !superseded.some(s => s.deploy === deploy))
  const first = left.find(deploy => deploy.phase !== 'ready' || !frozen(deploy))
  return { next: first?.phase === 'ready' ? first : null, superseded }
}

/** The newest later one that takes its place, if any. */
function replacedBy(
  deploy: Deploy,
  after: readonly Deploy[],
  frozen: (deploy: Deploy) => boolean,
): Decision['superseded'] {
  // That the environment shall be initialised again is asked for by nobody else.
  if (deploy.params.init) return []
  // Break-glass cannot wait for the end of a freeze: what may go does not make room for what may not.
  const goes = !frozen(deploy)
  const by = after.findLast(later => replaced[later.kind]?.includes(deploy.kind) && !(goes && frozen(later)))
  return by ? [{ deploy, by }] : []
}

/**
 * The lock that holds a deploy now: of everything, of the environment, or of the app there. One that a rollback left
 * behind asks for somebody to look before more is shipped: a person who goes back to what worked has looked.
 */
export function heldBy(
  locks: Iterable<Lock>,
  place: { app: string; environment: string; kind?: Deploy['kind'] },
  now: number,
): Lock | null {
  for (const lock of locks) {
    if (!lasts(lock, now) || (lock.deploy !== undefined && place.kind === 'rollback')) continue
    const inEnvironment = lock.environment === null || lock.environment === place.environment
    const ofApp = lock.app === null || lock.app === place.app
    if (inEnvironment && ofApp) return lock
  }
  return null
}

/** Whether a lock has not expired. */
export const lasts = ({ expiresAt }: Pick<Lock, 'expiresAt'>, now: number): boolean =>
  expiresAt === null || expiresAt > now

/** Whether a freeze has not ended. */
export const holdsNow = (freeze: Freeze, now: number): boolean => freeze.endsAt > now

/** Whether a freeze holds this deploy: not what goes back to what worked, nor what a named person lets through. */
export const frozenBy = (deploy: Pick<Deploy, 'kind' | 'overridden'>): boolean =>
  deploy.kind !== 'rollback' && deploy.overridden === null

/** A free slot of an environment, looked for from number `from` on; null when `parallel` deploys run. */
export function freeSlot(taken: ReadonlySet<number>, parallel: number, from = 0): number | null {
  // The limit was lowered, or is lower on this replica: those beyond it count.
  if (taken.size >= parallel) return null
  for (let n = 0; n < parallel; n++) {
    const slot = (from + n) % parallel
    if (!taken.has(slot)) return slot
  }
  return null
}
