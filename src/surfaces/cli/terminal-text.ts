// Text from a server, made harmless for a terminal: no escape sequence moves the cursor, sets a title or fakes a line.
// Tables and messages lose all of them; log lines may keep their colours. Pure.
import { stripVTControlCharacters } from 'node:util'

// Besides control characters: what turns the direction of text, so that it cannot read as something else.
const controls = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

/** One line without anything that a terminal acts on. */
export const clean = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\s*\r?\n\s*/g, ' ')
    .replaceAll('\t', ' ')
    .replace(controls, '')

/** The same for a text of several lines. */
export const cleanLines = (text: string): string =>
  stripVTControlCharacters(text)
    .split('\n')
    .map(line => line.replaceAll('\t', '  ').replace(controls, ''))
    .join('\n')

const esc = String.fromCharCode(0x1b)
const bell = String.fromCharCode(0x07)
const color = new RegExp(`^${esc}\\[[0-9;:]*m$`)
const sequences = new RegExp(
  [
    `${esc}\\[[0-?]*[ -/]*[@-~]?`, // CSI: cursor, colours, clearing
    `${esc}[\\]PX^_][^${esc}${bell}]*(?:${bell}|${esc}\\\\)?`, // OSC and other strings, up to their end
    `${esc}.?`,
    '(?!\\t)[\\p{Cc}\\p{Bidi_Control}]',
  ].join('|'),
  'gu',
)

/** A log line: colours stay if `colors`, and end with the line; everything else a terminal acts on goes. */
export function logLine(line: string, colors: boolean): string {
  let painted = false
  const text = line.replace(sequences, found => {
    if (!colors || !color.test(found)) return ''
    painted = true
    return found
  })
  return painted ? `${text}${esc}[0m` : text
}

/** Code points; names here are ASCII, and a message stands last in its row. */
export const width = (text: string): number => [...text].length

/** At most `most` code points, the last one an ellipsis where something was cut. */
export const clip = (text: string, most: number): string => {
  const points = [...text]
  return points.length <= most ? text : `${points.slice(0, Math.max(0, most - 1)).join('')}…`
}
