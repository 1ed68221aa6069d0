// Pure: what of an object is not as gkube wrote it, who changed it and when. What counts is who owns a field now:
// a field that gkube renders and does not own any more was changed or removed by somebody; one that somebody else
// set after gkube's last write was added. use-cases/drift.ts finds the objects to look at.
import { shown } from './changes/lines.ts'
import { type KubeObject, nameOf, type ObjectRef } from './cluster.ts'
import { ownAnnotations } from './hash.ts'
import {
  elementText,
  type FieldTree,
  isOwn,
  leafPaths,
  type ManagedEntry,
  managedEntries,
  meansItem,
  ownedBy,
  ownersOf,
} from './managed-fields.ts'
import { fieldsOf, isFields } from './objects/pod-templates.ts'

export type DriftedField = {
  /** As the API server names it: `.spec.template.spec.containers[name="web"].image`. */
  readonly path: string
  /** Who owns it now; null where nobody does (it was removed). */
  readonly manager: string | null
  /** Epoch milliseconds of that manager's last write, by the cluster's clock. */
  readonly at: number | null
  /** As rendered and as it is, short and without secrets; empty where there is none. */
  readonly recorded: string
  readonly live: string
}

export type Drift = {
  /** `Deployment shop/web`. */
  readonly object: string
  readonly state: 'changed' | 'missing' | 'replaced'
  readonly fields: readonly DriftedField[]
}

/** An object that is not there any more. */
export const missing = (ref: ObjectRef): Drift => ({ object: nameOf(ref), state: 'missing', fields: [] })

/** Another object of the same name, with another UID. */
export const replaced = (ref: ObjectRef): Drift => ({ object: nameOf(ref), state: 'replaced', fields: [] })

const mostFields = 50

/** What differs, or null: also where somebody changed a thing and changed it back. */
export function driftOf(live: KubeObject, wanted: KubeObject): Drift | null {
  const entries = managedEntries(live).filter(entry => entry.subresource !== 'status')
  const own = entries.filter(isOwn)
  const others = entries.filter(entry => !isOwn(entry))
  const lost = lostFields(comparable(wanted), ownedBy(own), { at: '', live })
  const secret = live.kind === 'Secret'
  const changed = lost.map(({ path, value, now }) => {
    const [owner] = ownersOf(others, path)
    return field(path, owner ?? null, secret ? {} : { recorded: value, live: now })
  })
  const added = others
    .filter(entry => isPerson(entry) && isLater(entry, own))
    .flatMap(entry => addedBy(entry, own, live))
  const fields = [...changed, ...added.filter(one => !changed.some(other => other.path === one.path))]
  return fields.length > 0
    ? { object: nameOf(live), state: 'changed', fields: fields.slice(0, mostFields) }
    : null
}

/** One line for people, without the times. */
export function driftWords({ object, state, fields }: Drift): string {
  if (state === 'missing') return `${object} is missing`
  if (state === 'replaced') return `${object} is another object of the same name`
  return `${object} was changed: ${fields.map(fieldWords).join('; ')}`
}

/** `.spec.replicas 2 → 5 by kubectl`. */
export function fieldWords({ path, manager, recorded, live }: DriftedField): string {
  const values = recorded === '' && live === '' ? '' : ` ${recorded || 'none'} → ${live || 'none'}`
  return `${path}${values}${manager ? ` by ${manager}` : ''}`
}

/** Controllers of the cluster write what is theirs; that is no drift. */
const isPerson = ({ manager }: ManagedEntry): boolean =>
  !/^(kube-|kubelet|cloud-controller|endpoint|k3s|gke-|aks-)/.test(manager)

/** Since gkube's last apply; both times are the API server's, in whole seconds. */
function isLater(entry: ManagedEntry, own: readonly ManagedEntry[]): boolean {
  const applied = own.filter(one => one.operation === 'Apply').map(one => one.time ?? '')
  return (entry.time ?? '') >= (applied.toSorted().at(-1) ?? '')
}

function addedBy(entry: ManagedEntry, own: readonly ManagedEntry[], live: KubeObject): DriftedField[] {
  const mine = new Set(leafPaths(ownedBy(own)))
  return (
    leafPaths(entry.fieldsV1)
      .filter(path => !mine.has(path) && !path.startsWith(`.metadata.annotations.${ownAnnotations}`))
      // The key that an item is named by says nothing more than the item.
      .filter(path => !/\[(\w+)=[^\]]*\]\.\1$/.test(path))
      .filter(path => path.startsWith('.spec') || path.startsWith('.data') || path.startsWith('.metadata'))
      .map(path => field(path, entry, live.kind === 'Secret' ? {} : { live: valueAt(live, path) }))
  )
}

function field(
  path: string,
  owner: ManagedEntry | null,
  values: { recorded?: unknown; live?: unknown },
): DriftedField {
  const say = (value: unknown) => valueText(nameIn(path), value)
  return {
    path,
    manager: owner ? managerText(owner) : null,
    at: owner?.time ? Date.parse(owner.time) || null : null,
    recorded: say(values.recorded),
    live: say(values.live),
  }
}

/** Short, and never a secret: a variable's value is judged by its name, a map is only said to be one. */
function valueText(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (!isFields(value)) return shown(name, value)
  return typeof value.value === 'string' && typeof value.name === 'string'
    ? shown(value.name, value.value)
    : '{…}'
}

/** What says whether a value is secret: the variable's name, else the field's. */
function nameIn(path: string): string {
  const variable = /\.env\[name="([^"]+)"\]/.exec(path)
  return variable?.[1] ?? path.slice(path.lastIndexOf('.') + 1)
}

/** `kubectl`, or `kubectl (scale)` where it wrote by a subresource. */
export const managerText = ({
  manager,
  subresource,
}: Pick<ManagedEntry, 'manager' | 'subresource'>): string =>
  subresource ? `${manager} (${subresource})` : manager

/** A rendered object as far as its fields can be owned. */
function comparable(object: KubeObject): Record<string, unknown> {
  const { apiVersion: _, kind: __, metadata, status: ___, ...rest } = object
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !key.startsWith(ownAnnotations),
  )
  return { metadata: { labels: metadata.labels, annotations: Object.fromEntries(annotations) }, ...rest }
}

const isZero = (value: unknown): boolean =>
  value === undefined || value === null || value === 0 || value === false || value === ''

type Lost = { readonly path: string; readonly value: unknown; readonly now: unknown }
type Place = { readonly at: string; readonly live: unknown }

/** Fields of `wanted` that `owned` does not hold, each at its leaf where that has a name. */
function lostFields(wanted: unknown, owned: FieldTree | undefined, { at, live }: Place): Lost[] {
  // Nobody owns a zero that the server leaves out.
  if (wanted === undefined || wanted === null || (isZero(wanted) && isZero(live))) return []
  const isLeaf = owned !== undefined && Object.keys(owned).every(name => name === '.')
  if (isLeaf && at !== '') return []
  if (isFields(wanted)) {
    const entries = Object.entries(wanted)
    if (entries.length === 0) return []
    return entries.flatMap(([key, value]) =>
      lostFields(value, owned?.[`f:${key}`], { at: `${at}.${key}`, live: fieldsOf(live)[key] }),
    )
  }
  if (Array.isArray(wanted)) return lostItems(wanted, owned, { at, live })
  return [{ path: at, value: wanted, now: live }]
}

function lostItems(wanted: readonly unknown[], owned: FieldTree | undefined, { at, live }: Place): Lost[] {
  if (wanted.length === 0) return []
  // Nothing says how its items are told apart.
  if (!owned) return [{ path: at, value: wanted, now: live }]
  const now = Array.isArray(live) ? live : []
  return wanted.flatMap(item => {
    const element = Object.keys(owned).find(name => meansItem(name, item))
    const counterpart = now.find(one => (element ? meansItem(element, one) : sameName(one, item)))
    if (element) return lostFields(item, owned[element], { at: at + elementText(element), live: counterpart })
    return [{ path: at + itemText(item), value: item, now: counterpart }]
  })
}

const sameName = (a: unknown, b: unknown): boolean =>
  isFields(a) && isFields(b) ? a.name !== undefined && a.name === b.name : a === b

const itemText = (item: unknown): string =>
  isFields(item) && typeof item.name === 'string' ? `[name=${JSON.stringify(item.name)}]` : ''

/** The value at a path as the server writes it; undefined where there is none. */
function valueAt(value: unknown, path: string): unknown {
  if (path === '') return value
  if (Array.isArray(value)) {
    const end = path.indexOf(']')
    const keys = path.slice(1, end)
    const item = value.find(one => keys.split(/,(?=\w+=)/).every(pair => holdsPair(one, pair)))
    return valueAt(item, path.slice(end + 1))
  }
  if (!isFields(value)) return undefined
  const key = Object.keys(value)
    .filter(name => path === `.${name}` || path.startsWith(`.${name}.`) || path.startsWith(`.${name}[`))
    .sort((a, b) => b.length - a.length)[0]
  return key === undefined ? undefined : valueAt(value[key], path.slice(key.length + 1))
}

function holdsPair(item: unknown, pair: string): boolean {
  const at = pair.indexOf('=')
  return JSON.stringify(fieldsOf(item)[pair.slice(0, at)]) === pair.slice(at + 1)
}
