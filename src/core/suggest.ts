// Near misses: "did you mean `web`?". Pure.
import { closest, distance } from 'fastest-levenshtein'

/** The name nearest to what was typed, if it is near enough to be a slip, or the one that begins so; else null. */
export function suggest(typed: string, names: readonly string[]): string | null {
  if (names.length === 0) return null
  const [begun, another] = typed.length < 3 ? [] : names.filter(name => name.startsWith(typed))
  if (begun !== undefined && another === undefined) return begun
  const best = closest(typed, [...names])
  return distance(typed, best) <= (typed.length < 3 ? 1 : Math.max(2, Math.floor(typed.length / 3)))
    ? best
    : null
}

/** One sentence for an unknown name: the near miss, or the names there are. */
export function unknownName(what: string, typed: string, names: readonly string[]): string {
  const near = suggest(typed, names)
  const article = /^[aeiou]/.test(what) ? 'an' : 'a'
  if (near) return `\`${typed}\` is not ${article} ${what}. Did you mean \`${near}\`?`
  const some = names.slice(0, 20).join(', ')
  return names.length === 0
    ? `\`${typed}\` is not ${article} ${what}: there are none yet.`
    : `\`${typed}\` is not ${article} ${what}. There is: ${some}${names.length > 20 ? ', …' : ''}.`
}
