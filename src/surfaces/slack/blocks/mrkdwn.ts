// Text for Slack that cannot do harm: what people, branches and logs say is always escaped, so that `<!channel>` pings
// nobody, a backtick ends no code and nothing turns the direction of a line. Mrkdwn is built by `md` only: a string
// that is put into it is somebody's words, a Mrkdwn is ours. Limits of whole messages are in fit.ts.

/** Text in Slack's markup, made safe. */
export type Mrkdwn = { readonly mrkdwn: string }

/** Invisible or direction-turning: controls, formats (zero-width, bidi, tags), fillers that look like nothing. */
const hidden = /[\p{Cc}\p{Cf}\u115f\u1160\u17b4\u17b5\u2028\u2029\u2800\u3164\uffa0]/gu

const spaced = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\s\u2028\u2029]+/g, ' ')
    .replace(hidden, '')

/** One line without anything that does not show. */
export const oneLine = (text: string): string => spaced(text).trim()

/** The same for text of several lines; tabs become spaces. */
const manyLines = (text: string): string =>
  text
    .toWellFormed()
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map(line => line.replaceAll('\t', '  ').replace(hidden, '').trimEnd())
    .join('\n')

/** The three characters that Slack's markup begins with. */
export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const noCode = (text: string): string => text.replaceAll('`', "'")

/** Builds Mrkdwn: strings are escaped and put on one line, Mrkdwn goes in as it is. */
export const md = (
  parts: TemplateStringsArray,
  ...values: readonly (Mrkdwn | string | number)[]
): Mrkdwn => ({
  mrkdwn: parts
    .map((part, i) => {
      const value = values[i]
      return part + (value === undefined ? '' : markup(value))
    })
    .join(''),
})

const markup = (value: Mrkdwn | string | number): string =>
  typeof value === 'object' ? value.mrkdwn : escaped(noCode(spaced(String(value))))

/** Joins what is not empty. */
export const joined = (parts: readonly Mrkdwn[], separator = ' '): Mrkdwn => ({
  mrkdwn: parts
    .map(part => part.mrkdwn)
    .filter(text => text !== '')
    .join(separator),
})

export const nothing: Mrkdwn = { mrkdwn: '' }

/** `text` in code letters, at most `most` characters of it; nothing for an empty one. */
export function code(text: string, most = 140): Mrkdwn {
  const inside = escaped(noCode(cut(oneLine(text), most)))
  return inside === '' ? nothing : { mrkdwn: `\`${inside}\`` }
}

/** What gkube itself said (causes, refusals, advice): its `code` stays code where every backtick has its partner. */
export function prose(text: string, most = 1000): Mrkdwn {
  const line = cut(oneLine(text), most)
  const whole = (line.match(/`/g)?.length ?? 0) % 2 === 0
  return { mrkdwn: escaped(whole ? line.replaceAll('``', "''") : noCode(line)) }
}

/** Several lines in a box, as they are; `most` is of what is sent. Cut at its end, by whole lines where it can. */
export function codeBlock(text: string, most = 2900): Mrkdwn {
  const inside = limited(escaped(noCode(manyLines(text))), most - 8)
  return { mrkdwn: `\`\`\`\n${inside || ' '}\n\`\`\`` }
}

/** A link; only the words where the address is none that a browser should open. */
export function link(url: string, words: string): Mrkdwn {
  const href = safeUrl(url)
  return href === null
    ? md`${words}`
    : { mrkdwn: `<${href}|${escaped(noCode(oneLine(words)).replaceAll('|', '/'))}>` }
}

/** http and https only, nothing that ends the markup. */
function safeUrl(url: string): string | null {
  if (!URL.canParse(url)) return null
  const parsed = new URL(url)
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return null
  // A build's address may hold the password that Jenkins was asked with.
  parsed.username = ''
  parsed.password = ''
  // What URL leaves as it is and Slack reads as the end of the link.
  const href = parsed.href.replaceAll('|', '%7C').replaceAll('<', '%3C').replaceAll('>', '%3E')
  return href.length > 2000 ? null : href.replaceAll('&', '&amp;')
}

/** At most `most` characters by whole code points; the last one an ellipsis where something was cut. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  let kept = ''
  for (const point of text) {
    if (kept.length + point.length > most - 1) break
    kept += point
  }
  return `${kept}…`
}

/** Cuts finished markup: never inside an entity, a link or a code point; an open code span or box is closed. */
export function limited(text: string, most: number): string {
  if (text.length <= most) return text
  const kept = cut(text, most - 5)
    .slice(0, -1)
    .replace(/&[a-z]{0,4}$/, '')
    .replace(/<[^<>]*$/, '')
    .replace(/`+$/, '')
  if ((kept.split('```').length - 1) % 2 === 1) return `${kept}\n\`\`\`…`
  const isOpen = (kept.replaceAll('```', '').match(/`/g)?.length ?? 0) % 2 === 1
  return `${kept}${isOpen ? '`' : ''}…`
}
