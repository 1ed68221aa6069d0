// This replica's lease: one for all its owner keys. When it is lost, everything it drives stops before its next
// effect, and a new lease is taken. Time is counted from when the last keepalive was sent (kv.ts, Lease).
import { backoff, type Clock } from './clock.ts'
import type { Kv, Lease } from './kv.ts'

/** A replica stops this long before its lease could run out on the server. */
const marginMs = 500

export type Replica = {
  readonly name: string
  /** The lease now; null while there is none (etcd does not answer). */
  lease(): Lease | null
  start(): Promise<void>
  stop(): Promise<void>
}

/** Thrown instead of an effect once this replica may no longer be the owner. */
export class Fenced extends Error {
  constructor(why: string) {
    super(`this replica stopped: ${why}`)
    this.name = 'Fenced'
  }
}

/** Throws Fenced unless the lease surely still holds. */
export function assertHeld(lease: Lease): void {
  if (lease.lost.aborted || lease.remaining() <= marginMs) throw new Fenced('its lease ran out')
}

export function createReplica(deps: {
  name: string
  kv: Pick<Kv, 'lease'>
  ttlSeconds: number
  clock: Clock
  random: () => number
  /** A new lease holds: look for work. */
  renewed: () => void
  failed: (error: unknown) => void
}): Replica {
  let current: Lease | null = null
  const stopping = new AbortController()

  async function take(): Promise<void> {
    for (let attempt = 0; !stopping.signal.aborted; attempt++) {
      try {
        const lease = await deps.kv.lease(deps.ttlSeconds)
        if (stopping.signal.aborted) return void (await lease.revoke())
        current = lease
        lease.lost.addEventListener('abort', () => void retake(lease), { once: true })
        return
      } catch (error) {
        deps.failed(error)
        await deps.clock.sleep(
          backoff(attempt, { base: 200, most: 5000, random: deps.random }),
          stopping.signal,
        )
      }
    }
  }

  async function retake(lost: Lease): Promise<void> {
    if (current === lost) current = null
    if (stopping.signal.aborted) return
    await take()
    deps.renewed()
  }

  return {
    name: deps.name,
    lease: () => (current && !current.lost.aborted && current.remaining() > marginMs ? current : null),
    start: take,
    async stop() {
      stopping.abort()
      const lease = current
      current = null
      // SIGTERM hands over at once: the owner keys vanish with the lease. If etcd is down they expire by themselves.
      await lease?.revoke().catch(deps.failed)
    },
  }
}
