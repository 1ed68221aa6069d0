// What reaches the terminal: tables, JSON, colours, and nothing that a server's text could do to it. A closed pipe
// is no crash. Words are core/words.ts, the live view of a deploy is live-view.ts.
import { clean, width } from './terminal-text.ts'

export type Stream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number }

// Not styleText of node:util: Node 18 has none, and a name that a module lacks keeps all of it from starting.
const formats = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const
type Format = keyof typeof formats
/** A cell of a table: text from anywhere, and how it looks. */
export type Cell = string | { readonly text: string; readonly format: Format }

export type Output = {
  /** Whether a person looks at stdout. */
  readonly tty: boolean
  /** Whether stdout must hold only JSON. */
  readonly json: boolean
  readonly columns: number
  /** Nobody reads stdout any more. */
  readonly closed: AbortSignal
  /** A line for people: to stdout, or to stderr where stdout is JSON. */
  say(text?: string): void
  /** A line to stderr. */
  warn(text: string): void
  /** The one JSON document of a command. */
  data(value: unknown): void
  /** Bytes as they are, for what streams. */
  raw(text: string, to?: 'stdout' | 'stderr'): void
  table(rows: readonly (readonly Cell[])[]): void
  paint(format: Format, text: string): string
}

export function createOutput(options: {
  stdout: Stream
  stderr: Stream
  env: Readonly<Record<string, string | undefined>>
  json: boolean
  color: boolean
}): Output {
  const { stdout, stderr, env, json } = options
  const tty = stdout.isTTY === true && env.TERM !== 'dumb'
  const colored = options.color && tty && !json && !env.NO_COLOR
  const closed = new AbortController()
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // `gkube logs web | head`: the reader has what it wants. Anything else is worth an end too.
      if (stream === stdout) closed.abort(error)
    })
  const raw: Output['raw'] = (text, to = 'stdout') => {
    if (to === 'stdout' && closed.signal.aborted) return
    ;(to === 'stdout' ? stdout : stderr).write(text)
  }
  const paint: Output['paint'] = (format, text) =>
    colored ? `\u001b[${formats[format][0]}m${text}\u001b[${formats[format][1]}m` : text
  const say = (text = '') => raw(`${text}\n`, json ? 'stderr' : 'stdout')
  return {
    tty,
    json,
    get columns() {
      return stdout.columns ?? 80
    },
    closed: closed.signal,
    say,
    warn: text => raw(`${text}\n`, 'stderr'),
    data: value => raw(`${JSON.stringify(value, null, stdout.isTTY ? 2 : undefined)}\n`),
    raw,
    table: rows => {
      for (const line of tableLines(rows, paint)) say(line)
    },
    paint,
  }
}

function tableLines(rows: readonly (readonly Cell[])[], paint: Output['paint']): string[] {
  const texts = rows.map(row => row.map(cell => clean(typeof cell === 'string' ? cell : cell.text)))
  const widths: number[] = []
  for (const row of texts)
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(text))
  return rows.map((row, r) =>
    row
      .map((cell, c) => {
        const text = texts[r]?.[c] ?? ''
        const padding = ' '.repeat((widths[c] ?? 0) - width(text))
        return (typeof cell === 'string' ? text : paint(cell.format, text)) + padding
      })
      .join('  ')
      .trimEnd(),
  )
}
