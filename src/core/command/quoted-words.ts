// Text as typed → words with their quotes taken off, as in a shell: a job's path may hold nearly anything, and the value
// of a parameter has spaces. And back. words.ts has the words of all other commands.
import { unquoted } from './words.ts'

export type Token = {
  readonly text: string
  /** It begins with a quote, so it is no word of the grammar. */
  readonly quoted: boolean
  /** A double quote in it is never closed: it is all the rest. */
  readonly open: boolean
  readonly at: number
}

const parts = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+)|(["'])/gy

/** Inside of double quotes `\"` and `\\` are themselves. */
export function tokensOf(text: string, begin: number): readonly Token[] {
  const tokens: Token[] = []
  for (let at = begin; at < text.length; ) {
    if (/\s/.test(text[at] ?? '')) at++
    else {
      const token = tokenAt(text, at)
      tokens.push(token)
      at = token.end
    }
  }
  return tokens
}

function tokenAt(text: string, at: number): Token & { readonly end: number } {
  let word = ''
  let end = at
  parts.lastIndex = at
  for (let match = parts.exec(text); match; match = parts.exec(text)) {
    const [, double, single, plain, stray] = match
    if (stray === '"') return { text: text.slice(at), quoted: true, open: true, at, end: text.length }
    // Two apostrophes in words (`don't … it's`) are no quotes: one begins a word, or follows its `=`.
    if (single !== undefined && word !== '' && !word.endsWith('=')) {
      word += "'"
      parts.lastIndex = match.index + 1
    } else word += double?.replace(/\\(["\\])/g, '$1') ?? single ?? plain ?? stray ?? ''
    end = parts.lastIndex
  }
  return { text: word, quoted: text[at] === '"' || text[at] === "'", open: false, at, end }
}

const needsNoQuotes = /^[\w./%#@+-]*$/
const inQuotes = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/** A value as it must be typed to be read as this one. */
export const typed = (value: string): string => (needsNoQuotes.test(value) ? value : inQuotes(value))

/** The same for what could be taken for a word of the grammar. */
export const typedName = (name: string): string => inQuotes(name)

/** The rest of a text as a reason. */
export const restOf = (text: string, from: number | undefined): string =>
  from === undefined ? '' : unquoted(text.slice(from).trim())
