// Parses what comes in with the zod schemas of the core; what is wrong is said by core/problems.ts. Bodies are
// read here too, up to a limit. Which schema belongs to which route stands in routes-*.ts.
import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { type Problem, problemsError, schemaProblems } from '../../core/problems.ts'
import { UserError } from '../../errors.ts'

/** A body as data, and where in its text a problem stands. */
export type Body = { readonly data: unknown; readonly where?: (problem: Problem) => string }

/** The value as the schema says it, or UserError `bad_input` that lists every problem. */
export function parseInput<S extends z.ZodType>(schema: S, { data, where }: Body, what: string): z.output<S> {
  const result = schema.safeParse(data)
  if (result.success) return result.data
  throw problemsError(`The ${what} is not right:`, schemaProblems(schema, result.error, data), where)
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
export function parseJson(text: string): Body {
  if (text.trim() === '') return { data: {} }
  try {
    return { data: JSON.parse(text) }
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

/** A YAML body: one document; a mistake is at `body:<line>:<column>`. */
export async function parseYaml(text: string): Promise<Body> {
  if (text.trim() === '') return { data: {} }
  const yaml = await import('../../core/yaml.ts')
  const { value, where } = yaml.parseYaml(text, 'body')
  return { data: value ?? {}, where: ({ path }) => `${where(path)}: ` }
}
