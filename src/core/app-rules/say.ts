// How a rule says what is wrong: a path, a sentence that follows the path. Used by every file of app-rules/.
import type { Path, Problem } from '../problems.ts'

export const say = (path: Path, message: string): Problem => ({ path, message })

/** One problem if the condition holds. */
export const when = (condition: unknown, path: Path, message: string): Problem[] =>
  condition ? [say(path, message)] : []

/** A problem for each item whose key an earlier item has. */
export function repeated<T extends { path: Path }>(
  items: readonly T[],
  key: (item: T) => string,
  problem: (item: T, earlier: string) => Problem,
): Problem[] {
  const first = new Map<string, T>()
  return items.flatMap(item => {
    const earlier = first.get(key(item))
    if (!earlier) first.set(key(item), item)
    return earlier ? [problem(item, earlier.path.join('.'))] : []
  })
}
