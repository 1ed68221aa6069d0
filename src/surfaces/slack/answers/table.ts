// Tables for Slack: aligned columns in code letters, one line a thing, in the order of the command line. What does not
// fit one section goes on in the next; fit.ts cuts what is too much for one message.
import { type Block, section } from '../blocks/elements.ts'
import { codeBlock, cut, oneLine } from '../blocks/mrkdwn.ts'

type Row = readonly string[]

const width = (text: string): number => [...text].length
/** Slack shows about this many letters in a line before it wraps them. */
const widest = 160
const perSection = 2800

/** Aligned lines; the last column is as long as it is. */
export function tableLines(rows: readonly Row[]): string[] {
  const texts = rows.map(row => row.map(cell => cut(oneLine(cell), widest)))
  const widths: number[] = []
  for (const row of texts)
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(text))
  return texts.map(row =>
    row
      .map((text, i) => text + ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(text))))
      .join('  ')
      .trimEnd(),
  )
}

/** A table as sections of code letters. */
export const table = (rows: readonly Row[]): Block[] => boxes(tableLines(rows))

/** Lines as they are, in as many boxes as they need. */
export function boxes(lines: readonly string[]): Block[] {
  const groups: string[][] = []
  let size = 0
  for (const line of lines) {
    // `&`, `<` and `>` are longer when sent; five times is the worst.
    const more = line.length + 1 + 4 * (line.match(/[&<>]/g)?.length ?? 0)
    if (groups.length === 0 || size + more > perSection) {
      groups.push([])
      size = 0
    }
    groups.at(-1)?.push(line)
    size += more
  }
  // Without `expand`, Slack folds a long one behind "show more".
  return groups.map(group => ({ ...section(codeBlock(group.join('\n'))), expand: true }))
}
