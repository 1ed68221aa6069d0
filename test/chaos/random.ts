// Random numbers that can be had again from their seed (mulberry32).

export type Random = {
  /** From 0 up to 1. */
  next(): number
  /** From 0 up to `below`. */
  int(below: number): number
  pick<T>(from: readonly T[]): T
}

export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (below: number) => Math.floor(next() * below)
  return {
    next,
    int,
    pick<T>(from: readonly T[]): T {
      const found = from[int(from.length)]
      if (found === undefined) throw new Error('nothing to pick from')
      return found
    },
  }
}
