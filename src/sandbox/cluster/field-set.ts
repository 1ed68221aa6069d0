// Sets of fields in the fieldsV1 form (`{"f:spec":{"f:replicas":{}}}`), as server-side apply keeps them:
// a node is a member when it is empty or has '.'; lists with keys have `k:{…}`, sets have `v:…`.
// Pure; who owns which set, and what a conflict is, stands in apply.ts.
import { fieldSchema, itemKey, type Schema } from './merge-schema.ts'
import { isMap, type Json, same } from './object.ts'

export type FieldSet = { [element: string]: FieldSet }

const isMember = (set: FieldSet | undefined): boolean =>
  set !== undefined && ('.' in set || Object.keys(set).length === 0)

const elements = (set: FieldSet) => Object.entries(set).filter(([name]) => name !== '.')

/** The parts of a map or granular list by path element, or undefined for a leaf. */
export function partsOf(
  value: Json,
  schema: Schema,
): Map<string, { value: Json; schema: Schema }> | undefined {
  if (schema.atomic || typeof value !== 'object' || value === null) return undefined
  if (isMap(value)) {
    return new Map(
      Object.entries(value)
        .filter(([, part]) => part !== undefined)
        .map(([field, part]) => [`f:${field}`, { value: part, schema: fieldSchema(schema, field) }]),
    )
  }
  if (schema.keys) {
    return new Map(
      value.map((item: Json) => [
        `k:${JSON.stringify(itemKey(schema, item))}`,
        { value: item, schema: schema.items ?? {} },
      ]),
    )
  }
  if (schema.set) {
    return new Map(value.map((item: Json) => [`v:${JSON.stringify(item)}`, { value: item, schema: {} }]))
  }
  return undefined
}

/** Every field that a value states: what an applied configuration owns. */
export function fieldsOf(value: Json, schema: Schema): FieldSet {
  const parts = partsOf(value, schema)
  const set: FieldSet = {}
  if (!parts) return set
  for (const [name, part] of parts) {
    const inner = fieldsOf(part.value, part.schema)
    // A list that is empty but granular states nothing.
    if (Array.isArray(part.value) && isGranular(part.schema) && part.value.length === 0) continue
    const item = name.startsWith('k:') && Object.keys(inner).length > 0
    set[name] = item ? { '.': {}, ...inner } : inner
  }
  return set
}

const isGranular = (schema: Schema) => Boolean(schema.keys || schema.set)

export type Comparison = { readonly added: FieldSet; readonly modified: FieldSet; readonly removed: FieldSet }

/** What changed between two values, as sets of fields. */
export function compare(before: Json, after: Json, schema: Schema): Comparison {
  const result: Comparison = { added: {}, modified: {}, removed: {} }
  compareInto(result, before, after, schema)
  return result
}

function compareInto(into: Comparison, before: Json, after: Json, schema: Schema) {
  const olds = partsOf(before, schema) ?? new Map()
  const news = partsOf(after, schema) ?? new Map()
  for (const [name, part] of news) {
    const old = olds.get(name)
    if (!old) {
      into.added[name] = leafOrFields(name, part.value, part.schema)
    } else if (!same(old.value, part.value)) {
      comparePart(into, name, old.value, part)
    }
  }
  for (const [name, old] of olds) {
    if (!news.has(name)) into.removed[name] = leafOrFields(name, old.value, old.schema)
  }
}

function comparePart(into: Comparison, name: string, old: Json, part: { value: Json; schema: Schema }) {
  if (!partsOf(old, part.schema) || !partsOf(part.value, part.schema)) {
    into.modified[name] = {}
    return
  }
  const inner = compare(old, part.value, part.schema)
  if (Object.keys(inner.added).length > 0) into.added[name] = inner.added
  if (Object.keys(inner.modified).length > 0) into.modified[name] = inner.modified
  if (Object.keys(inner.removed).length > 0) into.removed[name] = inner.removed
}

// Always there in the server's types, so they never come or go as a whole.
const structs = [
  'metadata',
  'spec',
  'template',
  'strategy',
  'updateStrategy',
  'resources',
  'jobTemplate',
  'status',
  'containers',
  'scaleTargetRef',
]

/** The fields of what came or went, and each map and list that did so with them. */
function leafOrFields(name: string, value: Json, schema: Schema): FieldSet {
  const set: FieldSet = {}
  for (const [inner, part] of partsOf(value, schema) ?? [])
    set[inner] = leafOrFields(inner, part.value, part.schema)
  const whole = Object.keys(set).length > 0 && !structs.includes(name.slice(2))
  return whole ? { '.': {}, ...set } : set
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a
  const result: FieldSet = { ...a }
  if (isMember(a) !== isMember(b) || '.' in a || '.' in b) {
    if (isMember(a) || isMember(b)) result['.'] = {}
  }
  for (const [name, set] of elements(b)) {
    const mine = a[name]
    result[name] = mine ? union(mine, set) : set
  }
  // A lone '.' is written as an empty node.
  return Object.keys(result).length === 1 && '.' in result ? {} : result
}

/** The union of roots, which are never members themselves. */
export function unionRoots(sets: readonly FieldSet[]): FieldSet {
  const result: FieldSet = {}
  for (const set of sets) {
    for (const [name, part] of elements(set)) {
      const mine = result[name]
      result[name] = mine ? union(mine, part) : part
    }
  }
  return result
}

/** The members of both; undefined when there are none. */
export function intersect(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return combine(
    a,
    b,
    (inA, inB) => inA && inB,
    (inner, other) => (other ? intersect(inner, other) : undefined),
  )
}

/** The members of `a` that are not in `b`; undefined when none are left. */
export function subtract(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return combine(
    a,
    b,
    (inA, inB) => inA && !inB,
    (inner, other) => (other ? subtract(inner, other) : inner),
  )
}

function combine(
  a: FieldSet,
  b: FieldSet,
  keep: (inA: boolean, inB: boolean) => boolean,
  descend: (inner: FieldSet, other: FieldSet | undefined) => FieldSet | undefined,
): FieldSet | undefined {
  const result: FieldSet = {}
  for (const [name, inner] of elements(a)) {
    const part = descend(inner, b[name])
    if (part) result[name] = part
  }
  const member = keep(isMember(a), isMember(b))
  if (Object.keys(result).length === 0) return member ? {} : undefined
  return member ? { '.': {}, ...result } : result
}

/** Root sets: never members, empty means nothing. */
export const subtractRoot = (a: FieldSet, b: FieldSet): FieldSet => withoutSelf(a, b, subtract)
export const intersectRoot = (a: FieldSet, b: FieldSet): FieldSet => withoutSelf(a, b, intersect)

function withoutSelf(a: FieldSet, b: FieldSet, op: typeof subtract): FieldSet {
  const result: FieldSet = {}
  for (const [name, inner] of elements(a)) {
    const other = b[name]
    const part = other ? op(inner, other) : op === subtract ? inner : undefined
    if (part) result[name] = part
  }
  return result
}

/** Takes out what `last` states and nobody in `owned` still does. Named fields go with all that is below. */
export function prune(value: Json, last: FieldSet, owned: FieldSet, schema: Schema): Json {
  const parts = partsOf(value, schema)
  if (!parts) return value
  const kept: [string, Json][] = []
  for (const [name, part] of parts) {
    const mine = last[name]
    const others = owned[name]
    if (!mine) kept.push([name, part.value])
    else if (name.startsWith('f:') ? others : isMember(others))
      kept.push([name, prune(part.value, mine, others ?? {}, part.schema)])
  }
  if (Array.isArray(value)) return kept.map(([, item]) => item)
  return Object.fromEntries(kept.map(([name, item]) => [name.slice(2), item]))
}

/** Each member as people read it: `.spec.template.spec.containers[name="web"].image`. */
export function paths(set: FieldSet, at = ''): string[] {
  const own = at !== '' && isMember(set) ? [at] : []
  return [...own, ...elements(set).flatMap(([name, inner]) => paths(inner, at + printElement(name)))]
}

function printElement(name: string): string {
  const text = name.slice(2)
  if (name.startsWith('f:')) return `.${text}`
  if (name.startsWith('v:')) return `[=${text}]`
  const fields = Object.entries(JSON.parse(text)).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return `[${fields.join(',')}]`
}
