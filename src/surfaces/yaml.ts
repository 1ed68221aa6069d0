// Reads the YAML that teams write (app.yaml) and knows where in the file each value stands, so that an error
// can name line and column. No schema here: the server validates. Used by the API (YAML bodies) and the CLI (-f).
import { isNode, LineCounter, parseAllDocuments } from 'yaml'
import { UserError } from '../errors.ts'

export type Place = { readonly line: number; readonly column: number }
export type YamlDocument = {
  readonly value: unknown
  /** Where the value at a path stands; the nearest parent that is there if it is not. */
  locate(path: readonly PropertyKey[]): Place
}

/** The documents of a YAML (or JSON) text. UserError `bad_input` with line and column if it is not YAML. */
export function parseYaml(text: string, name: string): YamlDocument[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  if (documents.length === 0) throw new UserError('bad_input', `${name} is empty.`)
  return documents.map(document => {
    const [broken] = document.errors
    if (broken) {
      const { line, col } = lines.linePos(broken.pos[0])
      throw new UserError('bad_input', `${name}:${line}:${col}: ${broken.message}`, {
        details: { line, column: col },
      })
    }
    return {
      value: plain(() => document.toJS({ maxAliasCount: 100 }), name),
      locate: path => {
        for (let length = path.length; length >= 0; length--) {
          const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
          if (isNode(node) && node.range) {
            const { line, col } = lines.linePos(node.range[0])
            return { line, column: col }
          }
        }
        return { line: 1, column: 1 }
      },
    }
  })
}

// Resolving aliases can fail (a missing anchor, an alias bomb): that is the writer's mistake too.
function plain(read: () => unknown, name: string): unknown {
  try {
    return read()
  } catch (error) {
    throw new UserError('bad_input', `${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** A zod issue as the API sends it in `details.issues`. */
export type Issue = { readonly path: readonly PropertyKey[]; readonly message: string }

/** `app.yaml:12:5: replicas: expected a number`: one line an issue, `path` seen from the document's root. */
export function locateIssues(document: YamlDocument, name: string, issues: readonly Issue[]): string[] {
  return issues.map(({ path, message }) => {
    const { line, column } = document.locate(path)
    return `${name}:${line}:${column}: ${path.length > 0 ? `${path.map(String).join('.')}: ` : ''}${message}`
  })
}
