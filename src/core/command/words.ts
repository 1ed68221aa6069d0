// Text as typed → words. Takes off what keyboards and editors add: smart quotes, long dashes, odd spaces, code ticks.
// What Slack adds (`<@U1|ana>`, `&amp;`) is taken off before, by the surface.

/** One word: as it was written, bare of decoration, and where it begins in the text. */
export type Word = { readonly raw: string; readonly bare: string; readonly at: number }

/** Straight quotes, plain dashes before options, one space between words, nothing invisible. */
export function plain(text: string): string {
  return (
    text
      .normalize('NFC')
      .replace(/[\u2018\u2019\u201A\u201B\u2032]/g, "'")
      .replace(/[\u201C\u201D\u201E\u201F\u2033\u00AB\u00BB]/g, '"')
      // Zero-width characters, marks of direction, byte order mark, other controls.
      .replace(/[\u200B-\u200F\u2028-\u202E\u2060-\u2064\uFEFF]/g, '')
      .replace(/[\p{Cc}\p{Zs}]+/gu, ' ')
      // A keyboard makes one dash of the two before an option.
      .replace(/(^| )[\u2012-\u2015](?=[A-Za-z])/g, '$1--')
      .replace(/ +/g, ' ')
      .trim()
  )
}

/** The words of a plain text. */
export function wordsOf(text: string): readonly Word[] {
  return [...text.matchAll(/\S+/g)].map(match => ({
    raw: match[0],
    bare: bareOf(match[0]),
    at: match.index,
  }))
}

/** `web`, from `` `web`, `` or `*web*` or `"web"`. */
const bareOf = (word: string): string => word.replace(/^[`*~"'(]+|[`*~"'),;]+$/g, '')

/** Text in one pair of double quotes, without them. */
export const unquoted = (text: string): string =>
  text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text

const units: Readonly<Record<string, string>> = {
  s: 's', sec: 's', secs: 's', second: 's', seconds: 's',
  m: 'm', min: 'm', mins: 'm', minute: 'm', minutes: 'm',
  h: 'h', hr: 'h', hrs: 'h', hour: 'h', hours: 'h',
  d: 'd', day: 'd', days: 'd', w: 'w', week: 'w', weeks: 'w',
} // biome-ignore format: a table

/** A duration at the beginning of the words, as the core writes it (`2 hours` → `2h`, `1d` → `24h`), and its length in words. */
export function durationAt(words: readonly Word[]): { readonly text: string; readonly words: number } | null {
  const [first, second] = words
  if (!first) return null
  const whole = durationOf(first.bare)
  if (whole) return { text: whole, words: 1 }
  const unit = units[second?.bare.toLowerCase() ?? '']
  if (!/^\d{1,5}$/.test(first.bare) || !unit) return null
  const text = durationOf(`${first.bare}${unit}`)
  return text ? { text, words: 2 } : null
}

/** `90m`, `1h30m`, `2d` as the core writes durations; null: it is none. At most a year. */
export function durationOf(text: string): string | null {
  const parts = [...text.toLowerCase().matchAll(/(\d{1,6})([a-z]+)/gy)]
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== text.toLowerCase()) return null
  const each: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }
  let total = 0
  for (const [, digits, name] of parts) {
    const factor = each[units[name ?? ''] ?? '']
    if (!factor) return null
    total += Number(digits) * factor
  }
  if (total < 1 || total > 366 * 86_400) return null
  const [hours, minutes, secs] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60]
  return `${hours ? `${hours}h` : ''}${minutes ? `${minutes}m` : ''}${secs ? `${secs}s` : ''}`
}
