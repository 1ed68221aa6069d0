// Slack's mrkdwn, parsed: text from the wire → pieces and spans. Pure; text.ts draws them as elements, never as HTML.
// Where Slack itself is vague (a marker inside a word), it stays plain text.
import { emoji } from './emoji.ts'

export type Span =
  | { readonly kind: 'text' | 'code'; readonly text: string }
  | { readonly kind: 'bold' | 'italic' | 'strike'; readonly spans: readonly Span[] }
  | { readonly kind: 'link'; readonly href: string; readonly text: string }
  | { readonly kind: 'user' | 'channel' | 'group' | 'broadcast'; readonly id: string; readonly label: string }
  | {
      readonly kind: 'date'
      readonly at: number
      readonly format: string
      readonly href: string | null
      readonly label: string
    }
  | { readonly kind: 'emoji'; readonly name: string }
  | { readonly kind: 'break' }

export type Piece =
  | { readonly kind: 'paragraph' | 'quote'; readonly spans: readonly Span[] }
  | { readonly kind: 'pre'; readonly text: string }

/** `&amp;`, `&lt;` and `&gt;` are all that Slack escapes. */
export const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** The pieces of a mrkdwn text, in order. */
export function pieces(text: string): Piece[] {
  const parts = text.split('```')
  // A fence that is not closed is text.
  if (parts.length % 2 === 0) parts.push(`${parts.splice(-2).join('```')}`)
  return parts.flatMap((part, index): Piece[] => {
    if (index % 2 === 1) return [{ kind: 'pre', text: unescaped(part.replace(/^\n|\n$/g, '')) }]
    const afterFence = index > 0 ? part.replace(/^\n/, '') : part
    return lines(index < parts.length - 1 ? afterFence.replace(/\n$/, '') : afterFence)
  })
}

function lines(text: string): Piece[] {
  if (text === '') return []
  const found: { kind: 'paragraph' | 'quote'; lines: string[] }[] = []
  for (const line of text.split('\n')) {
    const quoted = /^(?:&gt;|>) ?/.exec(line)
    const kind = quoted ? 'quote' : 'paragraph'
    const shown = quoted ? line.slice(quoted[0].length) : line
    const last = found.at(-1)
    if (last?.kind === kind) last.lines.push(shown)
    else found.push({ kind, lines: [shown] })
  }
  return found.map(piece => ({ kind: piece.kind, spans: spans(piece.lines.join('\n')) }))
}

const marks = { '*': 'bold', _: 'italic', '~': 'strike' } as const

/** The spans of one paragraph. */
export function spans(text: string): Span[] {
  const found: Span[] = []
  let plain = ''
  const flush = () => {
    if (plain) found.push({ kind: 'text', text: unescaped(plain) })
    plain = ''
  }
  for (let at = 0; at < text.length; ) {
    const next = special(text, at)
    if (next) {
      flush()
      found.push(next.span)
      at += next.length
    } else {
      plain += text[at]
      at += 1
    }
  }
  flush()
  return found
}

function special(text: string, at: number): { span: Span; length: number } | null {
  const rest = text.slice(at)
  const mark = text[at] ?? ''
  if (mark === '\n') return { span: { kind: 'break' }, length: 1 }
  if (mark === '<') {
    const inside = /^<([^<>\n]+)>/.exec(rest)?.[1]
    return inside ? { span: reference(inside), length: inside.length + 2 } : null
  }
  if (mark === '`') {
    const inside = /^`([^`\n]+)`/.exec(rest)?.[1]
    return inside ? { span: { kind: 'code', text: unescaped(inside) }, length: inside.length + 2 } : null
  }
  if (mark === ':') {
    const name = /^:([a-z0-9_+-]+):/.exec(rest)?.[1]
    return name && name in emoji ? { span: { kind: 'emoji', name }, length: name.length + 2 } : null
  }
  if (mark === '*' || mark === '_' || mark === '~') {
    if (/\w/.test(text[at - 1] ?? '')) return null
    const escaped = `\\${mark}`
    const inside = new RegExp(`^${escaped}(\\S(?:[^\\n]*?\\S)?)${escaped}(?!\\w)`).exec(rest)?.[1]
    if (!inside || inside === mark) return null
    return { span: { kind: marks[mark], spans: spans(inside) }, length: inside.length + 2 }
  }
  return null
}

/** What stands between angle brackets: a person, a channel, a group, a date, everybody, or a link. */
function reference(inside: string): Span {
  const cut = inside.indexOf('|')
  const target = cut < 0 ? inside : inside.slice(0, cut)
  const label = cut < 0 ? '' : unescaped(inside.slice(cut + 1))
  const id = target.slice(1)
  if (target.startsWith('@')) return { kind: 'user', id, label }
  if (target.startsWith('#')) return { kind: 'channel', id, label }
  if (target.startsWith('!subteam^')) return { kind: 'group', id: target.slice(9), label }
  if (target.startsWith('!date^')) {
    const [, at = '0', format = '', href = null] = target.split('^')
    return { kind: 'date', at: Number(at), format, href: href && safe(href), label }
  }
  if (target.startsWith('!')) return { kind: 'broadcast', id, label: label || `@${id}` }
  const href = safe(unescaped(target))
  return href
    ? { kind: 'link', href, text: label || href }
    : { kind: 'text', text: label || unescaped(target) }
}

/** Links go to the web or to mail; `javascript:` and the like stay text. */
export const safe = (href: string): string | null => (/^(https?:\/\/|mailto:)/i.test(href) ? href : null)
