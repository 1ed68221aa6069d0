// A YAML text and where its keys stand, so that an error about a key can name line and column.
// Parses only; what the keys may be is schema.ts.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'

export type Position = { readonly line: number; readonly column: number }
export type Path = readonly PropertyKey[]

export type Source = {
  /** The text as plain data; null for an empty file. */
  readonly data: unknown
  /** Mistakes of the YAML itself; with any of them `data` cannot be trusted. */
  readonly errors: readonly (Position & { readonly message: string })[]
  /** Where a key stands, or the nearest key above it that does; null where nothing was written. */
  at(path: Path): Position | null
}

/** Reads YAML (or JSON, which is YAML). Never throws: mistakes are in `errors`. */
export function readYaml(text: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const errors = document.errors.map(error => ({ ...position(error.pos[0]), message: error.message }))
  let data: unknown = null
  if (errors.length === 0) {
    try {
      data = document.toJS({ maxAliasCount: 100 })
      JSON.stringify(data) // An alias of a map inside that map would never end; this says so.
    } catch (error) {
      errors.push({ line: 1, column: 1, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return {
    data,
    errors,
    at: path => {
      const offset = offsetOf(document.contents, path, node =>
        isAlias(node) ? node.resolve(document) : node,
      )
      return offset === null ? null : position(offset)
    },
  }
}

/** The offset of the key a path names (of the item, in a list), as deep as the text goes. */
function offsetOf(root: Node | null, path: Path, follow: (node: Node) => Node | undefined): number | null {
  let node: Node | null | undefined = root
  let offset = root?.range?.[0] ?? null
  for (const step of path) {
    if (node) node = follow(node)
    if (isMap(node)) {
      const pair: Pair<unknown, unknown> | undefined = node.items.find(item => keyOf(item) === String(step))
      if (!pair) return offset
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      node = node.items[Number(step)] as Node | undefined
      if (!node) return offset
      offset = node.range?.[0] ?? offset
    } else return offset
  }
  return offset
}

const keyOf = (pair: Pair<unknown, unknown>): string =>
  isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
