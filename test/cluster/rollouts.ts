// Rollouts for the oracle (oracle.test.ts): a list of kinds with what becomes of their pods, and generated shapes
// for each (replicas, surge, created or updated). The images play on kwok's nodes (stages.ts). Left out: a paused
// Deployment, for which kubectl waits for ever; whatever has no rollout that kubectl could follow.
import fc from 'fast-check'

/** What kubectl can say of a kind, and by which event both decide. */
export type Kind = {
  readonly name: string
  readonly count: number
  readonly verdict: 'good' | 'bad'
  /** Both see it done by the same status, or wait for the same deadline: their times can be compared. */
  readonly sameEvent: boolean
  readonly workload?: 'StatefulSet'
  /** The words of the image's tag that the nodes play. */
  readonly tag?: string
  /** Replicas to scale to, instead of a new revision. */
  readonly scale?: 'down' | 'zero'
  readonly quota?: true
  readonly recreate?: true
  /** Seconds without progress until both give up. */
  readonly progress: number
}

const good = { verdict: 'good', sameEvent: true, progress: 30 } as const
/** gkube is certain at once; kubectl waits for the deadline. */
const early = { verdict: 'bad', sameEvent: false, progress: 5 } as const
const late = { verdict: 'bad', sameEvent: true, progress: 5 } as const
/** The controller of a StatefulSet keeps no clock: kubectl only has its own time-out. */
const stateful = { workload: 'StatefulSet' } as const

/** Those that take longest come first, so that nothing long is left for the end. */
export const rolloutKinds: readonly Kind[] = [
  { name: 'config error, long deadline', count: 1, ...early, tag: 'config', progress: 25 },
  { name: 'slow', count: 6, ...good, tag: 'slow' },
  { name: 'slow, StatefulSet', count: 2, ...good, ...stateful, tag: 'slow' },
  { name: 'flaky', count: 2, ...good, tag: 'flaky' },
  { name: 'crash', count: 3, ...early, tag: 'crash' },
  { name: 'crash, StatefulSet', count: 1, ...early, ...stateful, tag: 'crash' },
  { name: 'out of memory', count: 2, ...early, tag: 'oom' },
  { name: 'image missing', count: 3, ...early, tag: 'missing' },
  { name: 'bad image name', count: 2, ...early, tag: 'badname' },
  { name: 'config error', count: 2, ...late, tag: 'config' },
  { name: 'unready', count: 3, ...late, tag: 'unready' },
  { name: 'unready, StatefulSet', count: 1, ...late, ...stateful, sameEvent: false, tag: 'unready' },
  { name: 'no node (huge)', count: 3, ...late, tag: 'huge' },
  { name: 'quota', count: 3, ...late, quota: true },
  // New pods come and go, which the controller takes for progress.
  { name: 'evicted', count: 1, ...late, sameEvent: false, tag: 'evicted' },
  { name: 'good', count: 8, ...good },
  { name: 'good, Recreate', count: 2, ...good, recreate: true },
  { name: 'good, StatefulSet', count: 2, ...good, ...stateful },
  { name: 'scaled down', count: 1, ...good, scale: 'down' },
  { name: 'scaled to 0', count: 2, ...good, scale: 'zero' },
]

export type Rollout = {
  readonly app: string
  readonly kind: Kind
  /** Written for the first time; otherwise an update of what runs. */
  readonly isNew: boolean
  readonly replicas: number
  /** The `rollout:` of the app. */
  readonly rollout: Record<string, unknown>
}

const shape = fc.record({
  isNew: fc.boolean(),
  replicas: fc.integer({ min: 1, max: 4 }),
  pace: fc
    .record({
      maxSurge: fc.constantFrom(0, 1, 2, '25%', '100%'),
      maxUnavailable: fc.constantFrom(0, 1, '25%', '50%'),
    })
    .filter(({ maxSurge, maxUnavailable }) => maxSurge !== 0 || ![0, '25%'].includes(maxUnavailable)),
  ordered: fc.boolean(),
})

/** The same rollouts for the same seed. */
export function generatedRollouts(seed: number): Rollout[] {
  const kinds = rolloutKinds.flatMap(kind => Array.from({ length: kind.count }, () => kind))
  return fc.sample(shape, { seed, numRuns: kinds.length }).flatMap((of, i) => {
    const kind = kinds[i]
    if (!kind) return []
    // There must be something to scale down from.
    const replicas = Math.max(of.replicas, kind.scale ? 2 : 1)
    const strategy = kind.recreate ? { strategy: 'recreate' } : of.pace
    const rollout = {
      stable: '0s',
      progress: `${kind.progress}s`,
      limit: '60s',
      ...(kind.workload ? { ordered: of.ordered } : strategy),
    }
    return [{ app: `o${i + 1}`, kind, isNew: of.isNew && !kind.scale, replicas, rollout }]
  })
}
