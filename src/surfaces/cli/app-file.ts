// `-f app.yaml`: reads the file, and gives what the server says about it a place in it. The server validates; here
// only the YAML has to be YAML.
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { UserError } from '../../errors.ts'
import type { Cli } from './cli.ts'
import { ApiError } from './client.ts'

export type AppFile = {
  readonly value: Readonly<Record<string, unknown>>
  /** The name of the app; UserError where there is none. */
  readonly app: string
  /** Runs what sends the file; errors about it get file, line and column. `below` is where the app sits in the body. */
  placed<T>(send: () => Promise<T>, below?: string): Promise<T>
}

/** Reads an app from a file, or from stdin for `-`. */
export async function readAppFile(cli: Cli, path: string): Promise<AppFile> {
  const name = path === '-' ? 'stdin' : path
  const content = path === '-' ? await text(cli.io.stdin) : contentOf(path)
  const { parseYaml } = await import('../../core/yaml.ts')
  const { value, where } = parseYaml(content, name)
  const fields = value as Record<string, unknown> // checked in the next line
  if (typeof fields !== 'object' || fields === null || typeof fields.app !== 'string' || !fields.app)
    throw new UserError('bad_input', `${name}:1:1: an app file needs a name: \`app: web\``)
  return {
    value: fields,
    app: fields.app,
    placed: async (send, below = '') => {
      try {
        return await send()
      } catch (error) {
        throw error instanceof ApiError ? withPlaces(error, below) : error
      }
    },
  }

  function withPlaces(error: ApiError, below: string): Error {
    const lines = problemsIn(error).flatMap(({ path, message }) => {
      const own = below && path.startsWith(`${below}.`) ? path.slice(below.length + 1) : path
      return `${where(pathOf(fields, own))}: ${own}: ${message}`
    })
    if (lines.length === 0) return error
    const { status, kind, details, requestId } = error
    return new ApiError(status, { kind, message: lines.join('\n'), details, requestId })
  }
}

type Problem = { path: string; message: string }
const problemsIn = ({ details }: ApiError): Problem[] =>
  Array.isArray(details.problems)
    ? details.problems.filter(one => typeof one?.path === 'string' && typeof one?.message === 'string')
    : []

/** `ports.0.name` as steps into this very value: a key may hold dots itself. */
function pathOf(value: unknown, text: string): (string | number)[] {
  const path: (string | number)[] = []
  let at = value
  let rest = text
  while (rest !== '') {
    const keys = typeof at === 'object' && at !== null ? Object.keys(at) : []
    const key = keys
      .filter(one => rest === one || rest.startsWith(`${one}.`))
      .sort((a, b) => b.length - a.length)[0]
    if (key === undefined) return [...path, rest]
    path.push(Array.isArray(at) ? Number(key) : key)
    at = (at as Record<string, unknown>)[key] // its own key, found a line above
    rest = rest.slice(key.length + 1)
  }
  return path
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const why = code === 'ENOENT' ? 'there is no such file' : code
    throw new UserError('bad_input', `Cannot read ${path}: ${why}.`, { cause: error })
  }
}
