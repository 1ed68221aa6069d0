// What `doctor` says of a pool: whether it answers, how its bricks are, whether it is mounted. Never throws, and keeps
// to doctor's own patience.
import type { Check } from '../../core/core.ts'
import { PoolError, type PoolHealth } from '../../core/volumes/pool.ts'
import type { Mounted } from './mounted.ts'

type Deps = {
  readonly name: string
  readonly health: (ms: number) => Promise<PoolHealth>
  readonly mounted: Mounted | null
}

const patienceMs = 3_000

export async function poolChecks({ name, health, mounted }: Deps): Promise<readonly Check[]> {
  const [first, second] = await Promise.all([
    healthCheck(`pool ${name}`, health),
    mounted ? mountCheck(`pool ${name} mount`, mounted) : null,
  ])
  return second ? [first, second] : [first]
}

async function healthCheck(name: string, health: Deps['health']): Promise<Check> {
  try {
    const { state, words } = await health(patienceMs)
    if (state === 'ok') return { name, state: 'ok', message: words, mend: '' }
    return {
      name,
      state: state === 'down' ? 'failed' : 'warning',
      message: words,
      mend: 'Start what is down (gluster volume start <volume> force starts its bricks). GlusterFS heals by itself within ten minutes, at once by gluster volume heal <volume>. A split brain needs a person: gluster volume heal <volume> info split-brain.',
    }
  } catch (error) {
    return failed(name, error)
  }
}

async function mountCheck(name: string, mounted: Mounted): Promise<Check> {
  try {
    await mounted.check(patienceMs)
    return { name, state: 'ok', message: `the volume is mounted at ${mounted.mount}`, mend: '' }
  } catch (error) {
    return failed(name, error)
  }
}

const failed = (name: string, error: unknown): Check => ({
  name,
  state: 'failed',
  message: error instanceof PoolError ? error.message : 'the pool could not be asked',
  // A PoolError says itself what to do.
  mend: error instanceof PoolError ? 'Then run doctor again.' : 'The log of gkube says more.',
})
