// Pure: who goes next for one app in one environment, who is superseded, and what holds it. Order is the etcd create
// revision of the request, never a clock or a version number; rollbacks go first. Two requests may be prepared at the
// same time and end in any order, so a later one waits until the earlier one is prepared too.
import type { Lock } from './core.ts'
import type { Deploy } from './deploy.ts'
import { newer } from './kv.ts'

/** A deploy that is ready or will be; `position` is the create revision of its record. */
export type Waiting = { readonly deploy: Deploy; readonly position: string }

/** Deploys that a newer one replaces while they wait; scale, restart, delete and rollback are kept. */
const supersedable = ['deploy', 'redeploy']

export type Decision = {
  readonly next: Deploy | null
  readonly superseded: readonly { readonly deploy: Deploy; readonly by: Deploy }[]
}

/** Decides among the deploys of one app in one environment that are ready or still being prepared. */
export function decide(waiting: readonly Waiting[], policy: 'supersede' | 'keep'): Decision {
  const inOrder = [...waiting].sort((a, b) => (newer(a.position, b.position) ? 1 : -1)).map(w => w.deploy)
  const ready = inOrder.filter(deploy => deploy.phase === 'ready')
  const rollback = ready.find(deploy => deploy.kind === 'rollback')
  const newest = ready.findLast(deploy => supersedable.includes(deploy.kind))
  const old = ready.filter(deploy => supersedable.includes(deploy.kind) && deploy !== newest)
  const superseded = policy === 'supersede' && newest ? old.map(deploy => ({ deploy, by: newest })) : []
  if (rollback) return { next: rollback, superseded }
  const [first] = inOrder.filter(deploy => !superseded.some(s => s.deploy === deploy))
  return { next: first?.phase === 'ready' ? first : null, superseded }
}

/** The lock that holds a deploy now: of everything, of the environment, or of the app there. */
export function heldBy(
  locks: Iterable<Lock>,
  place: { app: string; environment: string },
  now: number,
): Lock | null {
  for (const lock of locks) {
    if (lock.expiresAt <= now) continue
    const inEnvironment = lock.environment === null || lock.environment === place.environment
    const ofApp = lock.app === null || lock.app === place.app
    if (inEnvironment && ofApp) return lock
  }
  return null
}

/** The first free slot of an environment; null when `parallel` deploys run. */
export function freeSlot(taken: ReadonlySet<number>, parallel: number): number | null {
  for (let n = 0; n < parallel; n++) if (!taken.has(n)) return n
  return null
}
