// Walks a zod schema and lists its keys, for the tables of docs/configuration.md. Reads zod's definitions.
import type { z } from 'zod'

// zod keeps these on `_zod.def`; only the fields read here are named.
type Def = {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>
  readonly innerType?: z.core.$ZodType
  readonly valueType?: z.core.$ZodType
  readonly element?: z.core.$ZodType
  readonly in?: z.core.$ZodType
}
const defOf = (schema: z.core.$ZodType): Def => schema._zod.def as Def

/** Without optional, default and the like. */
function bare(schema: z.core.$ZodType): Def {
  let def = defOf(schema)
  for (let inner = def.innerType ?? def.in; inner; inner = def.innerType ?? def.in) def = defOf(inner)
  return def
}

export type Leaf = { readonly path: readonly string[]; readonly schema: z.core.$ZodType }

/** Every key of a schema, maps before what is in them; names a person chooses are `<name>`, items of lists `[]`. */
export function leaves(schema: z.core.$ZodType, path: readonly string[] = []): Leaf[] {
  const def = bare(schema)
  const below = def.shape
    ? Object.entries(def.shape).flatMap(([key, value]) => leaves(value, [...path, key]))
    : def.valueType && def.type === 'record'
      ? leaves(def.valueType, [...path, '<name>'])
      : def.element && bare(def.element).shape
        ? leaves(def.element, [...path, '[]'])
        : []
  return path.length === 0 ? below : [{ path, schema }, ...below]
}
