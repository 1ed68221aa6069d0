// Pure: who goes next for one app in one environment, who is superseded, and what holds it. Order is the etcd create
// revision of the queue entry, never a clock or a version number; rollbacks go first.
import type { Lock } from './core.ts'
import type { Deploy } from './deploy.ts'
import { newer } from './kv.ts'

export type Waiting = { readonly deploy: Deploy; readonly position: string }

/** Deploys that a newer one replaces while they wait; scale, restart, delete and rollback are kept. */
const supersedable = ['deploy', 'redeploy']

export type Decision = {
  readonly next: Deploy | null
  readonly superseded: readonly { readonly deploy: Deploy; readonly by: Deploy }[]
}

/** Decides among the ready deploys of one app in one environment. */
export function decide(waiting: readonly Waiting[], policy: 'supersede' | 'keep'): Decision {
  const inOrder = [...waiting].sort((a, b) => (newer(a.position, b.position) ? 1 : -1)).map(w => w.deploy)
  const newest = inOrder.findLast(deploy => supersedable.includes(deploy.kind))
  const old = inOrder.filter(deploy => supersedable.includes(deploy.kind) && deploy !== newest)
  const superseded = policy === 'supersede' && newest ? old.map(deploy => ({ deploy, by: newest })) : []
  const rest = inOrder.filter(deploy => !superseded.some(s => s.deploy === deploy))
  const next = rest.find(deploy => deploy.kind === 'rollback') ?? rest[0] ?? null
  return { next, superseded }
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
