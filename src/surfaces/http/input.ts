// Parses what comes in with the zod schemas of the core and says in plain words what is wrong with it.
// Bodies are read here too, up to a limit; which schema belongs to which route stands in routes-*.ts.
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import type { Issue } from '../yaml.ts'

/** The value as the schema says it, or UserError `bad_input` whose details hold every issue with its path. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.flatMap(issue => explain(issue, [], schema)).slice(0, 50)
  const shown = issues
    .slice(0, 3)
    .map(i => (i.path.length > 0 ? `${i.path.map(String).join('.')}: ` : '') + i.message)
  const more = issues.length > shown.length ? ` (and ${issues.length - shown.length} more)` : ''
  throw new UserError('bad_input', `The ${where} is not right: ${shown.join('; ')}${more}.`, {
    details: { where, issues },
  })
}

type ZodIssue = z.core.$ZodIssue

// A union reports every branch that did not match: only the one that came nearest helps.
function explain(issue: ZodIssue, parent: readonly PropertyKey[], schema: z.ZodType): Issue[] {
  const path = [...parent, ...issue.path]
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.filter(
      branch => !branch.some(i => i.code === 'invalid_type' && i.path.length === 0),
    )
    const nearest = branches.sort((a, b) => a.length - b.length)[0]
    if (nearest) return nearest.flatMap(inner => explain(inner, path, schema))
    const kinds = issue.errors.flatMap(branch => branch.map(i => ('expected' in i ? i.expected : i.message)))
    return [{ path, message: `expected ${[...new Set(kinds)].join(' or ')}` }]
  }
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path)
    return issue.keys.map(key => ({ path: [...path, key], message: `unknown key${didYouMean(key, known)}` }))
  }
  if (issue.code === 'invalid_key') return issue.issues.map(inner => ({ path, message: inner.message }))
  if (issue.code === 'invalid_type' && issue.input === undefined && /received undefined$/.test(issue.message))
    return [{ path, message: 'is missing' }]
  return [{ path, message: issue.message.replace(/^(Invalid input|Invalid option|Too small|Too big): /, '') }]
}

type JsonSchema = {
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema
  anyOf?: JsonSchema[]
}

/** The keys that a schema knows at a path; none where it cannot be told. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: JsonSchema | undefined = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema // what zod documents it returns
  for (const step of path) {
    const next: JsonSchema | boolean | undefined =
      typeof step === 'number' ? at?.items : (at?.properties?.[String(step)] ?? at?.additionalProperties)
    at = typeof next === 'object' ? next : undefined
  }
  return [at, ...(at?.anyOf ?? [])].flatMap(one => Object.keys(one?.properties ?? {}))
}

/** ` (did you mean replicas?)` for a near miss, nothing otherwise. */
export function didYouMean(word: string, known: readonly string[]): string {
  const near = known
    .map(candidate => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]
  return near ? ` (did you mean ${near.candidate}?)` : ''
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return 99
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change))
    }
    row = next
  }
  return row[b.length] ?? 99
}

/** The query as an object; a name given twice is refused, because which one counts would be a guess. */
export function readQuery(url: string): Record<string, string> {
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of new URL(url).searchParams) {
    if (name in query) throw new UserError('bad_input', `The query names \`${name}\` twice.`)
    query[name] = value
  }
  return query
}

/** The body as text, at most `limit` bytes (UserError `too_large`), UTF-8 only. */
export async function readBody(incoming: IncomingMessage, limit: number): Promise<string> {
  const tooLarge = () =>
    new UserError('too_large', `The body is larger than ${Math.floor(limit / 1024)} KiB.`, {
      details: { limit },
    })
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  try {
    // Not destroyed on return: the answer still has to leave on the same connection.
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
      size += chunk.length
      if (size > limit) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError('bad_input', 'The body ended before its time.', { cause: error })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch (error) {
    throw new UserError('bad_input', 'The body is not UTF-8 text.', { cause: error })
  }
}

/** A JSON body. An empty one is `{}`: every field may have a default. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UserError(
      'bad_input',
      `The body is not JSON: ${error instanceof Error ? error.message : error}.`,
      {
        cause: error,
      },
    )
  }
}
