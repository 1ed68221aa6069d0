// Server-side apply and the record of who owns which field (metadata.managedFields), as the real server
// does it: shared ownership of equal values, a conflict only where a value would change, removal of what a
// manager no longer applies. Pure over objects; registry.ts stores the outcome. Sets are in field-set.ts.
import {
  type Comparison,
  compare,
  type FieldSet,
  fieldsOf,
  intersectRoot,
  partsOf,
  paths,
  prune,
  subtractRoot,
  unionRoots,
} from './field-set.ts'
import { apiVersion, type Kind } from './kinds.ts'
import { itemKey, type Schema, schemaOf } from './merge-schema.ts'
import {
  clone,
  type Draft,
  isMap,
  type Json,
  type KubeObject,
  type ManagedFields,
  same,
  timestamp,
} from './object.ts'
import { StatusError } from './status-error.ts'

export type Writer = { readonly manager: string; readonly subresource?: string }

// What no manager owns.
const notOwned = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'generation',
  'managedFields',
  'resourceVersion',
]

function ownable(object: Draft, subresource: string | undefined, kind: Kind): Json {
  const { apiVersion: _v, kind: _k, metadata, ...rest } = object
  const meta = Object.fromEntries(
    Object.entries(metadata ?? {}).filter(([field]) => !notOwned.includes(field)),
  )
  if (subresource === 'status') return { status: rest.status }
  if (kind.subresources.includes('status')) delete rest.status
  return { metadata: meta, ...rest }
}

/** The object after `config` is applied by a manager, managedFields included. Throws 409 on a conflict. */
export function applyConfig(
  kind: Kind,
  live: KubeObject | undefined,
  config: Draft,
  options: Writer & { force: boolean },
): KubeObject {
  const { manager, subresource, force } = options
  const schema = schemaOf(kind)
  const base: Draft = live ?? { apiVersion: config.apiVersion, kind: config.kind, metadata: {} }
  const managers = live?.metadata.managedFields ?? []
  const mine = managers.find(entry => isApplier(entry, options))
  const others = managers.filter(entry => entry !== mine)
  const set = fieldsOf(ownable(config, subresource, kind), schema)
  if (Object.keys(set['f:metadata'] ?? { x: {} }).length === 0) delete set['f:metadata']

  const stated = ownable(config, subresource, kind)
  let result: Json = mergeTyped(base, { ...stated, metadata: stated.metadata ?? {} }, schema)
  if (mine) {
    // An applied object always states its name, so metadata itself never goes.
    const named: FieldSet = { 'f:metadata': { 'f:name': {} } }
    const owned = unionRoots([set, named, ...others.map(entry => entry.fieldsV1 as FieldSet)])
    result = prune(result, mine.fieldsV1, owned, schema)
  }
  const { name, namespace } = config.metadata
  result = { ...result, metadata: { ...result.metadata, name, namespace } }

  const changes = compare(ownable(base, subresource, kind), ownable(result, subresource, kind), schema)
  const kept = yieldFields(others, changes, force)
  const entry: ManagedFields = {
    manager,
    operation: 'Apply',
    apiVersion: apiVersion(kind),
    time: mine && same(mine.fieldsV1, set) && isNothing(changes) ? mine.time : timestamp(),
    fieldsType: 'FieldsV1',
    fieldsV1: set,
    ...(subresource ? { subresource } : {}),
  }
  const managedFields = Object.keys(set).length > 0 ? [...kept, entry] : kept
  return { ...result, metadata: { ...result.metadata, managedFields: sorted(managedFields) } }
}

/** The managedFields after `next` replaced `live` by an update or a patch. */
export function trackUpdate(
  kind: Kind,
  live: KubeObject | undefined,
  next: KubeObject,
  writer: Writer,
): ManagedFields[] {
  const schema = schemaOf(kind)
  const before = live ? ownable(live, writer.subresource, kind) : { metadata: {} }
  const changes = compare(before, ownable(next, writer.subresource, kind), schema)
  const managers = sentManagers(next) ?? live?.metadata.managedFields ?? []
  if (isNothing(changes)) return managers
  const mine = managers.find(entry => isUpdater(entry, writer, kind))
  const others = managers.filter(entry => entry !== mine)
  const changed = unionRoots([changes.modified, changes.added])
  const set = unionRoots([subtractRoot(mine?.fieldsV1 ?? {}, changes.removed), changed])
  const kept = yieldFields(others, changes, true)
  if (Object.keys(set).length === 0) return sorted(kept)
  const entry: ManagedFields = {
    manager: writer.manager,
    operation: 'Update',
    apiVersion: apiVersion(kind),
    time: timestamp(),
    fieldsType: 'FieldsV1',
    fieldsV1: set,
    ...(writer.subresource ? { subresource: writer.subresource } : {}),
  }
  return sorted([...kept, entry])
}

/** What a client sent, when it sent any; one empty entry means: forget them all. */
function sentManagers(next: KubeObject): ManagedFields[] | undefined {
  const sent = next.metadata.managedFields
  return sent?.length ? sent.filter(entry => entry.manager) : undefined
}

const isApplier = (entry: ManagedFields, writer: Writer) =>
  entry.operation === 'Apply' && entry.manager === writer.manager && entry.subresource === writer.subresource

const isUpdater = (entry: ManagedFields, writer: Writer, kind: Kind) =>
  entry.operation === 'Update' &&
  entry.manager === writer.manager &&
  entry.subresource === writer.subresource &&
  entry.apiVersion === apiVersion(kind)

const isNothing = (changes: Comparison) =>
  [changes.added, changes.modified, changes.removed].every(set => Object.keys(set).length === 0)

/** Takes changed fields from other managers; without force, a change of an owned value is a conflict. */
function yieldFields(others: readonly ManagedFields[], changes: Comparison, force: boolean): ManagedFields[] {
  const changed = unionRoots([changes.modified, changes.added])
  const conflicts = others
    .map(entry => ({ entry, fields: paths(intersectRoot(entry.fieldsV1, changed)) }))
    .filter(({ fields }) => fields.length > 0)
  if (!force && conflicts.length > 0) throw applyConflict(conflicts)
  return others
    .map(entry => ({
      ...entry,
      fieldsV1: subtractRoot(subtractRoot(entry.fieldsV1, changed), changes.removed),
    }))
    .filter(entry => Object.keys(entry.fieldsV1).length > 0)
}

function applyConflict(
  conflicts: readonly { entry: ManagedFields; fields: readonly string[] }[],
): StatusError {
  const all = conflicts.flatMap(({ entry, fields }) =>
    fields.map(field => ({ who: printManager(entry), field })),
  )
  const first = all[0]
  const message =
    all.length === 1 && first
      ? `Apply failed with 1 conflict: conflict with ${first.who}: ${first.field}`
      : `Apply failed with ${all.length} conflicts: ${conflicts
          .map(({ entry, fields }) =>
            [`conflicts with ${printManager(entry)}:`, ...fields.map(f => `- ${f}`)].join('\n'),
          )
          .join('\n')}`
  const causes = all.map(({ who, field }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${who}`,
    field,
  }))
  return new StatusError(409, 'Conflict', message, { details: { causes } })
}

function printManager(entry: ManagedFields): string {
  const sub = entry.subresource ? ` with subresource "${entry.subresource}"` : ''
  return `"${entry.manager}"${sub}${entry.operation === 'Update' ? ` using ${entry.apiVersion}` : ''}`
}

const rank = (entry: ManagedFields) => (entry.operation === 'Apply' ? 0 : 1)

const sorted = (entries: ManagedFields[]): ManagedFields[] =>
  [...entries].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.operation === 'Update' ? a.time.localeCompare(b.time) : 0) ||
      a.manager.localeCompare(b.manager),
  )

/** Merges an applied value into a live one: maps field by field, keyed lists item by item, the rest replaced. */
function mergeTyped(live: Json, config: Json, schema: Schema): Json {
  if (config === undefined) return live
  const olds = partsOf(live, schema)
  const news = partsOf(config, schema)
  if (!olds || !news || Array.isArray(live) !== Array.isArray(config)) return clone(config)
  if (isMap(config)) {
    const result: Record<string, Json> = { ...live }
    for (const [name, part] of news) {
      const field = name.slice(2)
      if (part.value === null) delete result[field]
      else result[field] = mergeTyped(live[field], part.value, part.schema)
    }
    return result
  }
  return mergeItems(olds, news)
}

type Parts = NonNullable<ReturnType<typeof partsOf>>

/** Items that both have keep the order of the configuration; those of one side only stay where they stood. */
function mergeItems(olds: Parts, news: Parts): Json[] {
  const left = [...olds.keys()]
  const right = [...news.keys()]
  const shared = right.filter(name => olds.has(name))
  const taken = new Set<string>()
  const result: Json[] = []
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const old = left[l]
    const name = right[r]
    if (old !== undefined && !news.has(old)) {
      result.push(olds.get(old)?.value)
      l++
    } else if (
      old !== undefined &&
      old !== name &&
      (taken.has(old) || old !== shared.find(one => !taken.has(one)))
    ) {
      // It comes at its place in the configuration, or has come already.
      l++
    } else if (name !== undefined) {
      const part = news.get(name)
      result.push(mergeTyped(olds.get(name)?.value, part?.value, part?.schema ?? {}))
      taken.add(name)
      if (old === name) l++
      r++
    }
  }
  return result
}

/** Refuses a configuration that names an item of a keyed list twice. */
export function checkTyped(kind: Kind, config: Draft) {
  const twice = duplicate(config, schemaOf(kind), '')
  if (!twice) return
  const { namespace = '', name } = config.metadata
  const who = `${namespace}/${name}; ${apiVersion(kind)}, Kind=${kind.kind}`
  throw new StatusError(500, '', `failed to create typed patch object (${who}): ${twice}`)
}

/** A keyed list that names an item twice: it cannot be said which one is meant. */
function duplicate(value: Json, schema: Schema, at: string): string | undefined {
  const parts = partsOf(value, schema)
  if (!parts) return undefined
  if (Array.isArray(value) && parts.size < value.length) {
    const keys = value.map(item => JSON.stringify(schema.keys ? itemKey(schema, item) : item))
    const twice = keys.find((key, i) => keys.indexOf(key) < i) ?? ''
    return `${at}: duplicate entries for key ${paths({ [`${schema.keys ? 'k' : 'v'}:${twice}`]: {} })[0]}`
  }
  for (const [name, part] of parts) {
    const found = duplicate(part.value, part.schema, at + paths({ [name]: {} })[0])
    if (found) return found
  }
  return undefined
}
