// Keeps what did not change between two snapshots the same object: preact draws only what is another one. Pure.

/** `next`, with every part that equals that of `before` taken from there: what is the same object need not be drawn. */
export function shared<T>(before: unknown, next: T): T {
  if (Object.is(before, next)) return next
  if (typeof before !== 'object' || typeof next !== 'object' || !before || !next) return next
  if (Array.isArray(before) !== Array.isArray(next)) return next
  const old = before as Record<string, unknown>
  const keys = Object.keys(next)
  const parts = keys.map(key => [key, shared(old[key], (next as Record<string, unknown>)[key])] as const)
  const same =
    keys.length === Object.keys(old).length && parts.every(([key, part]) => Object.is(part, old[key]))
  if (same) return before as T
  return (Array.isArray(next) ? parts.map(([, part]) => part) : Object.fromEntries(parts)) as T
}
