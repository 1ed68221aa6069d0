// Slack's rate tiers: 1, 20, 50 or 100 calls a minute per method and workspace, and one message a second per channel.
// The strict reading: a window of 60 s, no more than the tier's number. Real Slack forgives more ("50+"), never less.

export type Tier = 1 | 2 | 3 | 4 | 'none' | 'post'
export type Rates = ReturnType<typeof ratesOf>

const perMinute: Readonly<Record<Tier, number>> = { 1: 1, 2: 20, 3: 50, 4: 100, none: Infinity, post: 300 }
/** Messages to one channel: one a second, with as much of a burst as clocks and networks need. */
const burst = 3

export function ratesOf(initial: 'real' | 'off') {
  let mode = initial
  const windows = new Map<string, number[]>()
  const buckets = new Map<string, { left: number; at: number }>()

  const window = (key: string, limit: number, now: number): number => {
    const times = (windows.get(key) ?? []).filter(at => at > now - 60_000)
    windows.set(key, times)
    const oldest = times[0]
    if (times.length >= limit && oldest !== undefined)
      return Math.max(1, Math.ceil((oldest + 60_000 - now) / 1000))
    times.push(now)
    return 0
  }
  const bucket = (key: string, now: number): number => {
    const known = buckets.get(key) ?? { left: burst, at: now }
    const left = Math.min(burst, known.left + (now - known.at) / 1000)
    buckets.set(key, { left: left < 1 ? left : left - 1, at: now })
    return left < 1 ? 1 : 0
  }

  return {
    set(next: 'real' | 'off') {
      mode = next
      windows.clear()
      buckets.clear()
    },
    /** Seconds to wait before calling again; 0: go on. What is refused does not count. */
    take(method: string, tier: Tier, channel: string | undefined, now: number): number {
      if (mode === 'off') return 0
      if (tier === 'post' && channel) {
        const wait = bucket(channel, now)
        if (wait) return wait
      }
      return window(method, perMinute[tier], now)
    },
  }
}
