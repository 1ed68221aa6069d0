// What is wrong with a gkube.yaml beyond its schema, in the words of core/problems.ts, each with an example.
// checks.ts and secrets.ts report what they find; config.ts turns all of it into one UserError.

import type { z } from 'zod'
import { type Path, type Problem, schemaProblems, show } from '../core/problems.ts'
import { exampleOf } from './example.ts'
import { configSchema } from './schema.ts'

/** One finding: what stands at `path` (masked where that may be a secret), and what should. */
export type Finding = {
  readonly path: Path
  readonly seen?: unknown
  readonly expected: string
  /** One more sentence: did you mean, or how to do it right. */
  readonly hint?: string
}
export type Report = (finding: Finding) => void

export const problemOf = ({ path, seen, expected, hint }: Finding): Problem => {
  const saw = seen === undefined ? '' : `, saw ${show(path, seen)}`
  // Nothing seen: what is wrong is elsewhere (a file, a variable), and the key needs no example.
  const example = seen === undefined ? null : exampleOf(path)
  const tail = [...(hint ? [hint] : []), ...(example ? [`for example ${example}`] : [])]
  return { path, message: [`expected ${expected}${saw}`, ...tail].join('; ') }
}

/** What the schema found in `data`, each with an example where the schema itself has none. */
export const problemsOf = (error: z.ZodError, data: unknown): Problem[] =>
  schemaProblems(configSchema, error, data).map(({ path, message }) => {
    if (path.at(-1) === 'password') return { path, message: inline }
    if (/for example|is not a key/.test(message)) return { path, message }
    const example = exampleOf(path)
    return { path, message: example ? `${message}; for example ${example}` : message }
  })

const inline =
  'no password stands in this file; put it in a file and name that as passwordFile, or in a variable and name that as passwordEnv'
