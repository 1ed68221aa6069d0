// "Did you mean": the known word that a misspelt one is closest to, or none when nothing is close.

/** The closest of `words` within two edits (one for short words; swapped neighbours are one edit); null if none is. */
export function nearest(word: string, words: readonly string[]): string | null {
  const limit = word.length <= 4 ? 1 : 2
  let best: { word: string; distance: number } | null = null
  for (const candidate of words) {
    if (Math.abs(candidate.length - word.length) > limit) continue
    const d = distance(word.toLowerCase(), candidate.toLowerCase())
    if (d <= limit && (best === null || d < best.distance)) best = { word: candidate, distance: d }
  }
  return best?.word ?? null
}

/** Optimal string alignment: insertions, deletions, replacements, swapped neighbours. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(at(previous, j) + 1, at(row, j - 1) + 1, at(previous, j - 1) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(before, j - 2) + 1)
      row.push(least)
    }
    before = previous
    previous = row
  }
  return at(previous, b.length)
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY
