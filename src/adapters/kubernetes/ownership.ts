// One owner a field. A POST makes gkube an `Update` manager of everything, and a later apply as `gkube` would
// then share those fields with it: what is no longer rendered would stay. So `Update` becomes `Apply` right after
// a create, and wherever a crash left it. Pure; kubernetes-cluster.ts sends the patches.
// biome-ignore lint/suspicious/noExplicitAny: managedFields and FieldsV1 are trees of JSON
type Json = any

export const manager = 'gkube'

const isOwnUpdate = (entry: Json): boolean =>
  entry.manager === manager && entry.operation === 'Update' && !entry.subresource

/** The entries with our `Update` merged into our `Apply`; null when there is nothing to mend. */
export function ownedByApply(entries: readonly Json[] | undefined): Json[] | null {
  // A stamp of annotations alone is an Update by nature, and the next apply takes it over.
  const updates = (entries ?? []).filter(entry => isOwnUpdate(entry) && !isStamp(entry.fieldsV1))
  if (!entries || updates.length === 0) return null
  const apply = entries.find(entry => entry.manager === manager && entry.operation === 'Apply')
  const [first] = updates
  const base = apply ?? { ...first, operation: 'Apply' }
  const fieldsV1 = updates.reduce((fields, entry) => union(fields, entry.fieldsV1), base.fieldsV1)
  const others = entries.filter(entry => entry !== apply && !updates.includes(entry))
  return [{ ...base, fieldsV1 }, ...others]
}

/** Right after a create our entry is the first: a patch that cannot race with the controllers' status. */
export function claimFirst(entries: readonly Json[] | undefined): Json[] | null {
  const [first] = entries ?? []
  if (!first || !isOwnUpdate(first)) return null
  const at = '/metadata/managedFields/0'
  return [
    { op: 'test', path: `${at}/manager`, value: manager },
    { op: 'test', path: `${at}/operation`, value: 'Update' },
    { op: 'replace', path: `${at}/operation`, value: 'Apply' },
  ]
}

function isStamp(fields: Json): boolean {
  const paths = Object.keys(fields ?? {})
  return (
    paths.every(path => path === 'f:metadata') &&
    Object.keys(fields?.['f:metadata'] ?? {}).every(path => path === 'f:annotations')
  )
}

function union(a: Json, b: Json): Json {
  const merged: Json = { ...a }
  for (const [key, value] of Object.entries<Json>(b ?? {}))
    merged[key] = key in merged ? union(merged[key], value) : value
  return merged
}
