// What a container that runs has printed: the last lines of it, in memory, and who wants to hear of more. Each line has a
// time of its own, later than the one before, so that a follower misses none and shows none twice.
import type { Readable } from 'node:stream'

export type Line = { readonly at: number; readonly text: string }

const mostLines = 5_000
const longestLine = 16 * 1024

export function output() {
  const lines: Line[] = []
  const listeners = new Set<() => void>()
  let last = 0

  function add(text: string): void {
    last = Math.max(Date.now(), last + 0.001)
    lines.push({ at: last, text })
    if (lines.length > mostLines) lines.splice(0, lines.length - mostLines)
    for (const listener of listeners) listener()
  }

  /** Takes all that a stream brings, line by line; what is too long becomes several. */
  function take(stream: Readable): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) add(part)
      if (rest.length > longestLine) {
        add(rest)
        rest = ''
      }
    })
    stream.on('end', () => {
      if (rest) add(rest)
    })
    stream.on('error', error => add(`gkube sandbox: the output broke off: ${error.message}`))
  }

  return {
    lines: lines as readonly Line[],
    add,
    take,
    /** Ends by the function that it answers. */
    listen(listener: () => void): () => void {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

export type Output = ReturnType<typeof output>
