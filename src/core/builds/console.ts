// Pure: the last lines of a console as they may be kept and shown: without what colours them, without Jenkins' own
// marks, and without what looks like a secret.
import { redactText } from '../redact.ts'
import type { Console } from './build.ts'

const mostLines = 100
const mostBytes = 30 * 1024

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out.
const marks = /\x1b\[8mha:[^\x1b]*\x1b\[0m|\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]/g

export function consoleOf(text: string, at: number): Console {
  const clean = redactText(text.replaceAll('\r\n', '\n').replace(marks, '')).toWellFormed()
  const lines = clean.replace(/\n+$/, '').split('\n').slice(-mostLines)
  const kept: string[] = []
  let bytes = 0
  for (const line of lines.toReversed()) {
    const cut = line.length > 2000 ? `${line.slice(0, 1990).toWellFormed()} …` : line
    // Quoted, as the record has it.
    bytes += Buffer.byteLength(JSON.stringify(cut)) + 1
    if (bytes > mostBytes) break
    kept.unshift(cut)
  }
  return { schema: 1, lines: kept, at }
}
