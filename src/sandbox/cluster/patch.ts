// The three patches that are not apply: JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes'
// strategic merge patch, whose lists merge by the keys of merge-schema.ts. Pure: live object in, next out.
import { applyPatch, type Operation } from 'rfc6902'
import type { Kind } from './kinds.ts'
import { fieldSchema, type Schema, schemaOf } from './merge-schema.ts'
import { clone, isMap, type Json, type KubeObject, same } from './object.ts'
import { badRequest, StatusError } from './status-error.ts'

export function jsonPatch(live: KubeObject, operations: Json): KubeObject {
  if (!Array.isArray(operations)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    )
  }
  const next = clone(live)
  const failed = applyPatch(next, operations as Operation[]).find(error => error !== null)
  if (failed) {
    throw new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {
      details: {},
    })
  }
  return next
}

export function mergePatch(live: Json, patch: Json): Json {
  if (!isMap(patch)) return patch
  const result: Record<string, Json> = isMap(live) ? { ...live } : {}
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field]
    else result[field] = mergePatch(result[field], value)
  }
  return result
}

export const strategicMergePatch = (kind: Kind, live: KubeObject, patch: Json): KubeObject =>
  mergeMap(live, patch, schemaOf(kind)) as KubeObject

function mergeMap(live: Json, patch: Json, schema: Schema): Json {
  if (patch.$patch === 'replace') return withoutDirectives(patch)
  if (patch.$patch === 'delete') return {}
  let result: Record<string, Json> = isMap(live) ? { ...live } : {}
  if (Array.isArray(patch.$retainKeys)) {
    result = Object.fromEntries(Object.entries(result).filter(([field]) => patch.$retainKeys.includes(field)))
  }
  for (const [field, value] of Object.entries<Json>(patch)) {
    if (field.startsWith('$deleteFromPrimitiveList/')) {
      const of = field.slice(field.indexOf('/') + 1)
      if (result[of]) result[of] = result[of].filter((item: Json) => !value.includes(item))
    }
    if (field.startsWith('$')) continue
    if (value === null) delete result[field]
    else result[field] = mergeValue(result[field], value, fieldSchema(schema, field))
  }
  for (const [field, order] of Object.entries<Json>(patch)) {
    if (!field.startsWith('$setElementOrder/')) continue
    const of = field.slice(field.indexOf('/') + 1)
    if (Array.isArray(result[of])) result[of] = inOrder(result[of], order, fieldSchema(schema, of))
  }
  return result
}

function mergeValue(live: Json, patch: Json, schema: Schema): Json {
  if (isMap(patch)) return mergeMap(live, patch, schema)
  if (!Array.isArray(patch)) return patch
  if (schema.set) return [...new Set([...(live ?? []), ...patch])]
  const key = schema.keys?.[0]
  if (!key) return patch
  if (patch.some(item => item?.$patch === 'replace')) {
    return patch.filter(item => item.$patch !== 'replace').map(withoutDirectives)
  }
  return mergeList(live ?? [], patch, { key, schema })
}

function mergeList(live: Json[], patch: Json[], by: { key: string; schema: Schema }): Json[] {
  const { key, schema } = by
  const named: Json[] = []
  const dropped = new Set<Json>()
  for (const item of patch) {
    if (item?.[key] === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`)
    }
    dropped.add(item[key])
    const known = live.find(one => one[key] === item[key])
    if (item.$patch !== 'delete') named.push(mergeMap(known ?? {}, item, schema.items ?? {}))
  }
  // Those that the patch names keep its order, the others theirs; a new one comes before those it meets.
  const others = live.filter(one => !dropped.has(one[key]))
  const position = (item: Json) => live.findIndex(one => one[key] === item[key])
  const result: Json[] = []
  for (const item of named) {
    while (others[0] && position(others[0]) <= position(item)) result.push(others.shift())
    result.push(item)
  }
  return [...result, ...others]
}

function inOrder(items: Json[], order: Json, schema: Schema): Json[] {
  const key = schema.keys?.[0]
  const position = (item: Json) =>
    order.findIndex((wanted: Json) => (key ? same(wanted[key], item[key]) : same(wanted, item)))
  const known = items.filter(item => position(item) >= 0).sort((a, b) => position(a) - position(b))
  return [...known, ...items.filter(item => position(item) < 0)]
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutDirectives)
  if (!isMap(value)) return value
  const fields = Object.entries(value).filter(([field, part]) => !field.startsWith('$') && part !== null)
  return Object.fromEntries(fields.map(([field, part]) => [field, withoutDirectives(part)]))
}
