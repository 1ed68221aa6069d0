// What is wrong with a gkube.yaml, in words: key, place, what was seen, what is expected, an example.
// Turns zod's issues into these; config.ts adds what only shows across keys. Values of secret keys are masked.
import type { z } from 'zod'
import { suggest } from '../core/suggest.ts'
import { UserError } from '../errors.ts'
import { exampleOf } from './example.ts'
import type { Path, Position } from './positions.ts'
import { keysAt } from './schema-walk.ts'

export type Problem = {
  readonly path: Path
  /** What stands there, as data; undefined when nothing does. */
  readonly seen?: unknown
  readonly expected: string
  /** One more line: did you mean, or how to do it right. */
  readonly hint?: string
  /** Where it came from when it was not the file: an environment variable. */
  readonly variable?: string
}

const most = 10
const secretKey = /password|secret|token|bootstrap$|key$/i
const harmlessKey = /(file|env|lifetime)$/i

/** The path as people write it: `people.ana.grants[0].role`. */
export const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text && '.'}${String(step)}`),
    '',
  ) || '(the whole file)'

/** Zod's issues as problems; `data` is what was parsed. */
export function problemsOf(error: z.ZodError, data: unknown, schema: z.ZodType): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const seen = valueAt(data, issue.path)
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map(key => unknownKey([...issue.path, key], keysAt(schema, issue.path)))
    if (issue.code === 'invalid_key')
      return [
        {
          path: issue.path,
          seen: issue.path.at(-1),
          expected: `a name of ${issue.issues.map(i => i.message).join(', ')}`,
        },
      ]
    const problem: Problem = { path: issue.path, seen, expected: expectedOf(issue) }
    if (issue.code === 'invalid_value' && typeof seen === 'string') {
      const meant = suggest(seen, issue.values.map(String))
      return [meant ? { ...problem, hint: `did you mean ${meant}?` } : problem]
    }
    return [problem]
  })
}

function unknownKey(path: Path, known: readonly string[]): Problem {
  const key = String(path.at(-1))
  const meant = suggest(key, known)
  const inline = key === 'password' && known.includes('passwordFile')
  const expected = known.length === 0 ? 'no key here' : `one of the keys ${known.join(', ')}`
  if (inline)
    return {
      path,
      seen: '',
      expected: 'no password in this file',
      hint: 'put it in a file and name that file as passwordFile, or in a variable and name that as passwordEnv',
    }
  return { path, expected, ...(meant ? { hint: `did you mean ${meant}?` } : {}) }
}

const types: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of names',
}

function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return types[issue.expected] ?? issue.expected
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.join(', ')}`
    case 'too_small':
      return `${bound(issue.origin)}at least ${issue.minimum}`
    case 'too_big':
      return `${bound(issue.origin)}at most ${issue.maximum}`
    case 'invalid_union': {
      const inner = issue.errors.flat()
      const exact = inner.find(i => i.code !== 'invalid_type')
      return exact ? expectedOf(exact) : [...new Set(inner.map(expectedOf))].join(' or ')
    }
    default:
      return issue.message
  }
}

const bound = (origin: string): string =>
  origin === 'array' ? 'a number of items of ' : origin === 'string' ? 'a length of ' : ''

export const valueAt = (data: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, step) =>
      value !== null && typeof value === 'object' ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    data,
  )

/** What stands there, short and on one line; masked when its key says that it is secret. */
export function seenText(path: Path, seen: unknown): string {
  if (seen === undefined) return 'nothing'
  const name = String(path.findLast(step => typeof step === 'string') ?? '')
  if (secretKey.test(name) && !harmlessKey.test(name)) return '(masked)'
  // A password in an address must not come back in an error either.
  const text = (JSON.stringify(seen) ?? String(seen)).replace(/(\/\/[^/\s:@"]*:)[^@\s"]+@/g, '$1***@')
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** One UserError for all problems, ten at most, each with its place in the file. */
export function configError(
  file: string,
  problems: readonly Problem[],
  at: (path: Path) => Position | null,
): UserError {
  const order = (problem: Problem) => {
    const position = problem.variable ? null : at(problem.path)
    return position ? position.line * 1e6 + position.column : 0
  }
  const shown = [...problems].sort((a, b) => order(a) - order(b)).slice(0, most)
  const places = shown.map(problem => place(file, problem, at))
  const blocks = shown.map((problem, i) => blockOf(problem, places[i] ?? file))
  const more = problems.length - shown.length
  const head = problems.length === 1 ? `${file} has a mistake:` : `${file} has ${problems.length} mistakes:`
  const tail = more > 0 ? `\n\n(and ${more} more)` : ''
  return new UserError('bad_input', `${head}\n\n${blocks.join('\n\n')}${tail}`, {
    details: {
      file,
      problems: shown.map((problem, i) => ({
        key: pathText(problem.path),
        place: places[i],
        seen: seenText(problem.path, problem.seen),
        expected: problem.expected,
        ...(problem.hint ? { hint: problem.hint } : {}),
      })),
    },
  })
}

function place(file: string, problem: Problem, at: (path: Path) => Position | null): string {
  if (problem.variable) return problem.variable
  const position = at(problem.path)
  return position ? `${file}:${position.line}:${position.column}` : file
}

function blockOf(problem: Problem, where: string): string {
  const example = exampleOf(problem.path)
  const lines = [
    `${where}  ${pathText(problem.path)}`,
    `  seen      ${seenText(problem.path, problem.seen)}`,
    `  expected  ${problem.expected}`,
    ...(example ? [`  example   ${example}`] : []),
    ...(problem.hint ? [`  hint      ${problem.hint}`] : []),
  ]
  return lines.join('\n')
}
