// The generated parts of docs/configuration.md: a table of every key and a table of every variable.
// Tested against the schema, so that a key without a description or an example shows.
import { z } from 'zod'
import { exampleOf } from './example.ts'
import { configSchema } from './schema.ts'
import { type Leaf, leaves } from './schema-walk.ts'
import { variables } from './variables.ts'

type Row = {
  readonly key: string
  readonly type: string
  readonly fallback: string
  readonly text: string
}

/** One row a key. The keys of `defaults` are those of an environment, so they are not repeated. */
export const configRows = (): Row[] =>
  leaves(configSchema)
    .filter(({ path }) => path[0] !== 'defaults' || path.length === 1)
    .filter(({ path }) => !['<name>', '[]'].includes(path.at(-1) ?? ''))
    .map(rowOf)

function rowOf({ path, schema }: Leaf): Row {
  const json = z.toJSONSchema(schema as z.ZodType, { io: 'input', unrepresentable: 'any' })
  return {
    key: path.join('.').replaceAll('.[]', '[]'),
    type: typeOf(json),
    fallback: json.default === undefined ? '' : JSON.stringify(json.default),
    text: json.description ?? '',
  }
}

type Json = z.core.JSONSchema.BaseSchema

function typeOf(json: Json): string {
  if (json.enum) return json.enum.join(', ')
  if (json.const !== undefined) return String(json.const)
  const any = (json.anyOf as Json[] | undefined)?.filter(one => one.type !== 'null')
  if (any) return [...new Set(any.map(typeOf))].join(' or ')
  if (json.type === 'array') return `list of ${typeOf(json.items as Json)}`
  if (json.type === 'object') return 'map'
  return (
    { string: 'text', integer: 'whole number', boolean: 'true or false' }[json.type as string] ??
    String(json.type)
  )
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
const code = (text: string): string => (text === '' ? '' : `\`${cell(text)}\``)

/** The two tables in Markdown, by the name of the section they belong to. */
export function configTables(): { keys: string; variables: string } {
  const keys = configRows().map(
    row => `| ${code(row.key)} | ${cell(row.type)} | ${code(row.fallback)} | ${cell(row.text)} |`,
  )
  const names = variables.map(
    v => `| \`${v.name}\` | ${code(v.path.join('.'))} | ${cell(v.description)} | ${code(v.example)} |`,
  )
  return {
    keys: ['| key | type | default | what it is |', '|---|---|---|---|', ...keys].join('\n'),
    variables: ['| variable | overrides | what it is | example |', '|---|---|---|---|', ...names].join('\n'),
  }
}

/** The example line of a key of `configRows`; for the test that each has one. */
export const exampleOfKey = (key: string): string | null =>
  exampleOf(key.split('.').flatMap(step => (step.endsWith('[]') ? [step.slice(0, -2), 0] : [step])))
