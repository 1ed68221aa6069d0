// A team's patches on rendered objects: maps merge, null removes, lists of named things merge by their name as
// in a strategic merge patch. What identifies an object cannot be patched; the allowlist judges the result.
import { UserError } from '../../errors.ts'
import type { AppSpec } from '../app.ts'
import type { KubeObject } from '../cluster.ts'
import { isFields } from './pod-templates.ts'

type Patch = AppSpec['patches'][number]

/** The key that tells the items of a list apart, by the list's field name (as in Kubernetes' own patches). */
const mergeKeys = new Map<string, readonly string[]>(
  Object.entries({
    containers: ['name'],
    initContainers: ['name'],
    volumes: ['name'],
    env: ['name'],
    imagePullSecrets: ['name'],
    volumeMounts: ['mountPath'],
    volumeClaimTemplates: ['metadata.name'],
    hostAliases: ['ip'],
    topologySpreadConstraints: ['topologyKey'],
    // Of a container, then of a Service.
    ports: ['containerPort', 'port'],
  }),
)

/** What gkube finds an object by, and the one field that `replicas`, scale and the autoscaler share. */
const fixed = [
  'apiVersion',
  'kind',
  'status',
  'metadata.name',
  'metadata.namespace',
  'spec.selector',
  'spec.replicas',
] as const

/** The objects with the patches applied, in the order they are written. Throws UserError where one fits nothing. */
export function applyPatches(objects: readonly KubeObject[], patches: readonly Patch[]): KubeObject[] {
  let result = [...objects]
  for (const [index, patch] of patches.entries()) {
    const at = `patches.${index}`
    const field = fixed.find(path => valueAt(patch.patch, path) !== undefined)
    if (field)
      throw new UserError('bad_input', `${at}.patch.${field}: gkube sets this field itself; take it out`)
    const fits = (object: KubeObject) =>
      object.kind === patch.target && (patch.name === undefined || patch.name === object.metadata.name)
    if (!result.some(fits)) {
      const there = objects.map(object => `${object.kind} ${object.metadata.name}`).join(', ')
      const wanted = patch.name ? `${patch.target} ${patch.name}` : patch.target
      throw new UserError(
        'bad_input',
        `${at}.target: no ${wanted} is rendered for this app, so the patch would change nothing. Rendered are: ${there}`,
      )
    }
    result = result.map(object =>
      // Only fields below an object are replaced, never the object itself.
      fits(object) ? (mergePatch(object, patch.patch) as KubeObject) : object,
    )
  }
  return result
}

/** One patch on one value; `field` is the name of the list it stands in. */
export function mergePatch(value: unknown, patch: unknown, field = ''): unknown {
  if (Array.isArray(patch)) return mergeList(value, patch, field)
  if (!isFields(patch)) return patch
  const base = isFields(value) ? value : {}
  const merged = new Map(Object.entries(base))
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key)
    else if (key !== '$patch') merged.set(key, mergePatch(merged.get(key), change, key))
  }
  return Object.fromEntries(merged)
}

function mergeList(value: unknown, patch: readonly unknown[], field: string): unknown {
  const items: unknown[] = Array.isArray(value) ? [...value] : []
  const key = mergeKeys
    .get(field)
    ?.find(name => [...items, ...patch].every(item => valueAt(item, name) !== undefined))
  if (key === undefined) return patch
  for (const change of patch) {
    const id = valueAt(change, key)
    const at = items.findIndex(item => valueAt(item, key) === id)
    if (isFields(change) && change.$patch === 'delete') {
      if (at >= 0) items.splice(at, 1)
    } else if (at >= 0) items[at] = mergePatch(items[at], change)
    else items.push(mergePatch({}, change))
  }
  return items
}

function valueAt(value: unknown, path: string): unknown {
  let current = value
  for (const part of path.split('.')) current = isFields(current) ? current[part] : undefined
  return current
}
