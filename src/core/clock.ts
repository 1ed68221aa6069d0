// Time as the core sees it: given from outside, so that tests own it. Never used for order (etcd revisions are).
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Waits; ends early, without an error, when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Full jitter over an exponential back-off: between half and all of `base * 2^attempt`, at most `most` ms. */
export function backoff(
  attempt: number,
  options: { base: number; most: number; random: () => number },
): number {
  const full = Math.min(options.most, options.base * 2 ** attempt)
  return full / 2 + (full / 2) * options.random()
}
