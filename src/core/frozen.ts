// Frozen specs: immutable, stored under their hash, so that a rollback renders exactly what ran. A small cache saves
// the read; being immutable they never go stale.
import type { Keys } from './keys.ts'
import type { Kv } from './kv.ts'
import { read, UnreadableRecord } from './records.ts'
import { type Frozen, frozenSchema } from './workload.ts'

const mostCached = 200

export type FrozenSpecs = {
  /** The spec under a hash; null if it is not there (pruned). */
  get(hash: string): Promise<Frozen | null>
  learn(hash: string, frozen: Frozen): void
}

export function frozenSpecs(deps: { kv: Pick<Kv, 'get'>; keys: Keys }): FrozenSpecs {
  const cache = new Map<string, Frozen>()
  const learn = (hash: string, frozen: Frozen): void => {
    cache.delete(hash)
    cache.set(hash, frozen)
    const oldest = cache.keys().next().value
    if (cache.size > mostCached && oldest !== undefined) cache.delete(oldest)
  }
  return {
    learn,
    async get(hash) {
      const known = cache.get(hash)
      if (known) return known
      const stored = await read(deps.kv, frozenSchema, deps.keys.spec(hash))
      if (stored) learn(hash, stored.value)
      return stored?.value ?? null
    },
  }
}

/** For who only looks at many: one that a newer gkube wrote is as one that was pruned, and keeps nobody from the others. */
export async function specIfReadable(
  specs: Pick<FrozenSpecs, 'get'>,
  hash: string,
  log: (message: string, error: unknown) => void,
): Promise<Frozen | null> {
  try {
    return await specs.get(hash)
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error
    log('a snapshot was left out of what is shown', error)
    return null
  }
}
