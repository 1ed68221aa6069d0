// Reads YAML that a person wrote and says where in it a mistake is: `app.yaml:3:7`, for broken syntax and for keys
// that a schema refuses alike. One document, no aliases that explode. JSON is YAML too. The command line loads this without zod.
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml'
import { UserError } from '../errors.ts'
import type { Path } from './problems.ts'

export type Source = {
  readonly value: unknown
  /** `app.yaml:3:7`, of the key at this path or of the nearest above it that is written. */
  where(path: Path): string
}

/** An App is far below; etcd takes 1.5 MB at once. */
const mostBytes = 1_400_000
const mostAliases = 50

/** The one document in `text`. Throws UserError `bad_input` with file, line and column. */
export function parseYaml(text: string, fileName: string): Source {
  if (Buffer.byteLength(text) > mostBytes)
    throw new UserError(
      'too_large',
      `${fileName} has more than ${mostBytes} bytes, which is more than etcd takes.`,
    )
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${fileName}:${line}:${col}`
  }
  const [document, second] = Array.isArray(documents) ? documents : []
  if (!document) throw new UserError('bad_input', `${fileName}:1:1: is empty`)
  const broken = document.errors.slice(0, 5).map(error => `${at(error.pos[0])}: ${sentence(error.message)}`)
  if (broken.length > 0) throw new UserError('bad_input', broken.join('\n'))
  if (second)
    throw new UserError(
      'bad_input',
      `${at(second.range[0])}: a second document begins here; one file holds one app. Split it.`,
    )
  return {
    value: toValue(() => document.toJS({ maxAliasCount: mostAliases }), fileName),
    where: path => at(offsetOf(document, path)),
  }
}

/** Where the deepest part of the path that is written stands: its key, or its item in a list. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const part of path) {
    const next = step(isAlias(node) ? node.resolve(document) : node, part)
    if (!next) break
    offset = next.written.range?.[0] ?? offset
    node = next.node
  }
  return offset
}

/** One step down: the node there, and what shows a person where it is. */
function step(node: unknown, part: Path[number]): { node: unknown; written: Node } | null {
  if (isMap(node)) {
    const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part))
    return pair && isNode(pair.key) ? { node: pair.value, written: pair.key } : null
  }
  const item = isSeq(node) ? node.items[Number(part)] : undefined
  return isNode(item) ? { node: item, written: item } : null
}

/** The library's words without its own line and column. */
const sentence = (message: string): string => message.replace(/ at line \d+, column \d+:?[\s\S]*$/, '')

function toValue(read: () => unknown, fileName: string): unknown {
  try {
    const value = read()
    // A map that holds itself cannot be written anywhere: found here, with a file's name.
    JSON.stringify(value)
    return value
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const what = message.startsWith('Unresolved alias')
      ? message
      : message.startsWith('Excessive alias')
        ? `it has more than ${mostAliases} aliases (or ones that multiply); write the values out`
        : 'an anchor holds itself'
    throw new UserError('bad_input', `${fileName}: ${what}`, { cause: error })
  }
}
