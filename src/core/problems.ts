// What is wrong with something a person wrote: the key path, the value seen, what is expected, an example.
// Turns zod's issues into such lines; yaml.ts adds line and column, gkube.yaml and app.yaml share it.
import type { z } from 'zod'
import { UserError } from '../errors.ts'
import { hidden, looksSecret } from './mask.ts'
import { suggest } from './suggest.ts'

export type Path = readonly (string | number)[]
export type Problem = { readonly path: Path; readonly message: string }

/** More than this many at once help nobody. */
export const mostProblems = 10

export const pathText = (path: Path): string => path.join('.') || '(top level)'

/** `replicas: expected a whole number, saw "three"; for example 3` */
export const problemText = ({ path, message }: Problem): string => `${pathText(path)}: ${message}`

/** All problems in one message; `where` gives each its place in a file. */
export function problemsError(
  title: string,
  problems: readonly Problem[],
  where: (problem: Problem) => string = () => '',
): UserError {
  const lines = problems.slice(0, mostProblems).map(problem => `  ${where(problem)}${problemText(problem)}`)
  const more = problems.length - lines.length
  if (more > 0) lines.push(`  and ${more} more`)
  return new UserError('bad_input', [title, ...lines].join('\n'), {
    details: { problems: problems.map(({ path, message }) => ({ path: pathText(path), message })) },
  })
}

/** Each path and message once, in the order found. */
export const distinct = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map(problem => [problemText(problem), problem])).values(),
]

/** The lines for what a schema found in `value`. */
export function schemaProblems(schema: z.ZodType, error: z.ZodError, value: unknown): Problem[] {
  return error.issues.flatMap(issue => issueProblems(schema, issue, value))
}

type Issue = z.core.$ZodIssue

function issueProblems(schema: z.ZodType, issue: Issue, value: unknown): Problem[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(schema, path))
    return issue.keys.map(key => ({ path: [...path, key], message: unknownKey(key, known) }))
  }
  const seen = valueAt(value, path)
  const at = schemaAt(schema, path)
  const said = expectation(issue, at)
  const example = exampleOf(at)
  const tail = example === undefined ? '' : `; for example ${example}`
  if (issue.code === 'custom') return [{ path, message: said }]
  const what = seen === undefined ? 'is missing' : `saw ${show(path, seen)}`
  return [
    {
      path,
      message: seen === undefined ? `${what}, expected ${said}${tail}` : `expected ${said}, ${what}${tail}`,
    },
  ]
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a map',
  record: 'a map',
}

function expectation(issue: Issue, at: z.ZodType | undefined): string {
  switch (issue.code) {
    case 'invalid_type':
      return wholeNumber(at) ? 'a whole number' : (typeNames[issue.expected] ?? issue.expected)
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`
    case 'too_small':
      return `at least ${issue.minimum}${unit(issue.origin)}`
    case 'too_big':
      return `at most ${issue.maximum}${unit(issue.origin)}`
    case 'invalid_format':
      return issue.message.startsWith('Invalid ') ? `another form (${issue.message})` : issue.message
    case 'invalid_union':
      return at?.description ?? alternatives(issue.errors)
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.map(inner => inner.message).join(', ')
    default:
      return issue.message
  }
}

const unit = (origin: string): string =>
  origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : ''

/** What each branch of a union would have taken, at the place itself. */
function alternatives(branches: readonly (readonly Issue[])[]): string {
  const said = branches.map(branch => {
    const first = branch.find(issue => issue.path.length === 0) ?? branch[0]
    return first ? expectation(first, undefined) : ''
  })
  return [...new Set(said.filter(Boolean))].join(' or ')
}

function unknownKey(key: string, known: readonly string[]): string {
  const close = suggest(key, known)
  if (close) return `is not a key here; did you mean ${close}?`
  return known.length > 0 ? `is not a key here; known are ${known.join(', ')}` : 'is not a key here'
}

export function show(path: Path, value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a map'
  if (typeof value !== 'string') return String(value)
  // Secrets sit in maps of variables by name, and in texts that give themselves away.
  if (path.some(part => looksSecret(String(part), value))) return hidden
  return value.length > 60 ? `${JSON.stringify(value.slice(0, 57))}…` : JSON.stringify(value)
}

export function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined
    // Own property of an object or a list, checked in the line above.
    current = (current as Record<string | number, unknown>)[part]
  }
  return current
}

/** What zod 4 keeps about a schema, as far as it is walked here. */
type Def = {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly options?: readonly z.ZodType[]
}
// The public `def` of a schema is a union over all schema classes; only these fields are read.
const defOf = (schema: z.ZodType): Def => schema.def as unknown as Def

/** Through defaults, optionals and the like, to what holds the keys. */
function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType } = defOf(schema)
  return innerType ? unwrap(innerType) : schema
}

function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let current: z.ZodType | undefined = schema
  for (const part of path) {
    if (!current) return undefined
    const { shape, element, valueType } = defOf(unwrap(current))
    current = typeof part === 'number' ? element : (shape?.[part] ?? valueType)
  }
  return current
}

const keysOf = (schema: z.ZodType | undefined): string[] =>
  schema ? Object.keys(defOf(unwrap(schema)).shape ?? {}) : []

const wholeNumber = (schema: z.ZodType | undefined): boolean => {
  if (!schema) return false
  const inner = unwrap(schema)
  return defOf(inner).type === 'number' && (inner as z.ZodNumber).format === 'safeint'
}

/** An example of the schema or of what it wraps, as YAML would have it. */
function exampleOf(schema: z.ZodType | undefined): string | undefined {
  if (!schema) return undefined
  const example = schema.meta()?.examples
  if (Array.isArray(example) && example.length > 0) {
    const [first] = example
    return typeof first === 'object' ? JSON.stringify(first) : String(first)
  }
  const { innerType } = defOf(schema)
  return innerType ? exampleOf(innerType) : undefined
}
