// Slows down whoever tries tokens: after too many bad ones from an address, further unknown tokens from it are
// refused without a look at etcd. A token that was good lately passes: many clients share a proxy's address.
import { createHash } from 'node:crypto'

export type TokenGuard = {
  /** Seconds to wait before this token may be tried from this address; 0 means now. */
  wait(address: string, token: string): number
  good(token: string): void
  bad(address: string, token: string): void
}

const most = 20
const windowMs = 60_000
const remembered = 10_000

/** `now` in milliseconds. Both memories are bounded: the oldest entry goes first. */
export function tokenGuard(now: () => number): TokenGuard {
  const failures = new Map<string, { count: number; since: number }>()
  const known = new Map<string, number>()
  const hash = (token: string) => createHash('sha256').update(token).digest('base64')
  return {
    wait: (address, token) => {
      const seen = failures.get(address)
      if (!seen || seen.count < most) return 0
      const left = seen.since + windowMs - now()
      if (left <= 0) {
        failures.delete(address)
        return 0
      }
      return known.has(hash(token)) ? 0 : Math.ceil(left / 1000)
    },
    good: token => remember(known, hash(token), now()),
    bad: (address, token) => {
      known.delete(hash(token))
      const seen = failures.get(address)
      const fresh = !seen || now() - seen.since > windowMs
      remember(failures, address, fresh ? { count: 1, since: now() } : { ...seen, count: seen.count + 1 })
    },
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= remembered) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
