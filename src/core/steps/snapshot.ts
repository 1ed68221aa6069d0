// The snapshot step: before a release changes data (`before`), the pool keeps what the volumes hold now. gkube never goes
// back to one by itself: a person does, with GlusterFS' own commands. No snapshot, no release: nothing is written yet.
import { storageOn } from '../volumes/bound.ts'
import { PoolError } from '../volumes/pool.ts'
import { done, failed, type StepBody } from './step.ts'

export const snapshot: StepBody = async ({ deploy, frozen, pools, cancelled }) => {
  const names: string[] = []
  for (const { bound, storage, volume } of storageOn(frozen)) {
    const side = pools(bound.pool)
    if (!side?.snapshots) continue
    if (cancelled.aborted) return { kind: 'cancelled' }
    // A snapshot is of a whole volume: directories share one.
    const name = `gkube-${deploy.id.toLowerCase()}-${bound.kind === 'own' ? storage.name : bound.pool}`
    if (names.includes(name)) continue
    try {
      await side.pool.snapshot(volume, name)
    } catch (error) {
      if (error instanceof PoolError && error.code !== 'unavailable')
        return failed('volume_failed', `No snapshot of storage ${storage.name} was made: ${error.message}`)
      throw error
    }
    names.push(name)
  }
  return done(names.join(', '))
}
