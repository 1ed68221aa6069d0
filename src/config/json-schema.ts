// JSON schemas for editors, from the zod schemas: `gkube config schema` prints the first, `gkube app schema` the
// second. docs/schema/ holds them too (npm run schemas); a test says when those are out of date.
import { z } from 'zod'
import { appSchema } from '../core/app.ts'
import { configSchema } from './schema.ts'

/** The schema of gkube.yaml as people write it (nothing with a default is required). */
export const configJsonSchema = (): Record<string, unknown> => schemaOf(configSchema)

/** The schema of app.yaml as people write it. */
export const appJsonSchema = (): Record<string, unknown> => schemaOf(appSchema)

function schemaOf(schema: z.ZodType): Record<string, unknown> {
  // `io: input`: what people write, before defaults are filled in.
  const { $schema, title, description, ...rest } = z.toJSONSchema(schema, { io: 'input' })
  return { $schema, title, description, ...rest }
}
