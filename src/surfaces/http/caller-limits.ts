// What one replica gives at most: requests a minute to each token (a bucket that refills), open streams to all.
// Bad tokens are token-guard.ts; sizes and time-outs are server.ts.
import { Refusal } from './failures.ts'

export type CallerLimits = {
  /** Counts a request; throws Refusal 429 when the token (or `what` else it is) asks too often. */
  request(caller: string, what?: string): void
  /** Counts a stream until the returned function is called; throws Refusal 429 when there are too many. */
  stream(): () => void
}

/** `now` in milliseconds. */
export function callerLimits(options: {
  requestsPerMinute: number
  streams: number
  now: () => number
}): CallerLimits {
  const { requestsPerMinute: most, streams, now } = options
  const buckets = new Map<string, { left: number; at: number }>()
  let open = 0
  return {
    request: (caller, what = 'This token') => {
      const at = now()
      const before = buckets.get(caller) ?? { left: most, at }
      const left = Math.min(most, before.left + ((at - before.at) / 60_000) * most)
      if (left < 1) throw tooMany(`${what} asks too often.`, Math.ceil(((1 - left) * 60) / most))
      buckets.delete(caller)
      buckets.set(caller, { left: left - 1, at })
      // Whoever asked longest ago has a full bucket again, or nearly.
      const [oldest] = buckets.keys()
      if (buckets.size > 1000 && oldest !== undefined) buckets.delete(oldest)
    },
    stream: () => {
      if (open >= streams) throw tooMany(`${streams} streams are open, more are not taken.`, 5)
      open++
      let counted = true
      return () => {
        if (counted) open--
        counted = false
      }
    },
  }
}

const tooMany = (what: string, seconds: number): Refusal =>
  new Refusal(429, 'too_many_requests', `${what} Try again in ${seconds} s.`, {
    headers: { 'retry-after': String(seconds) },
  })
