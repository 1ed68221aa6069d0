// The files of the checkout that are generated from the schemas, by path. scripts/write-schemas.ts writes them and
// a test compares them: one list for both.
import { exampleText } from './example.ts'
import { appJsonSchema, configJsonSchema } from './json-schema.ts'
import { configTables } from './reference.ts'

/** Path → content. `read` gives a file as it is now: only its generated parts are replaced. */
export function generatedFiles(read: (path: string) => string): Record<string, string> {
  const tables = configTables()
  const page = 'docs/configuration.md'
  return {
    'gkube.example.yaml': exampleText,
    'docs/schema/gkube.schema.json': json(configJsonSchema()),
    'docs/schema/app.schema.json': json(appJsonSchema()),
    [page]: between(between(read(page), 'keys', tables.keys), 'variables', tables.variables),
  }
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
function between(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the marks ${begin} and ${end} are missing`)
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`
}
