// Who owns which field of an object: `metadata.managedFields` read, compared and moved. Pure; sets are kept in the
// server's own form (FieldsV1: `f:` a field, `k:` an item by its keys, `v:` an item of a set, `.` the thing itself).
// drift.ts and steps/conflict.ts put it in words; adoption moves what kubectl owned into gkube's own entry.
import type { KubeObject } from './cluster.ts'
import { isFields } from './objects/pod-templates.ts'

export type FieldTree = { readonly [element: string]: FieldTree }

export type ManagedEntry = {
  readonly manager: string
  readonly operation: string
  readonly subresource?: string
  readonly time?: string
  readonly fieldsV1: FieldTree
  readonly [other: string]: unknown
}

export const ownManager = 'gkube'
/** Holds `replicas` while an autoscaler takes over from gkube. */
export const autoscalerManager = 'gkube-autoscaler'

export function managedEntries(object: Pick<KubeObject, 'metadata'>): ManagedEntry[] {
  const entries = object.metadata.managedFields
  // The server's own form; an entry without fields owns nothing.
  return Array.isArray(entries) ? (entries.filter(entry => isFields(entry?.fieldsV1)) as ManagedEntry[]) : []
}

export const isOwn = ({ manager }: Pick<ManagedEntry, 'manager'>): boolean =>
  manager === ownManager || manager === autoscalerManager

/** Everything that these entries own together. */
export const ownedBy = (entries: readonly ManagedEntry[]): FieldTree =>
  entries.reduce<FieldTree>((sum, entry) => union(sum, entry.fieldsV1), {})

export function union(a: FieldTree, b: FieldTree): FieldTree {
  const merged: Record<string, FieldTree> = { ...a }
  for (const [name, below] of Object.entries(b)) {
    const mine = Object.hasOwn(merged, name) ? merged[name] : undefined
    merged[name] = mine ? joined(mine, below) : below
  }
  return merged
}

/** One node of both: an empty one is the thing itself, which a `.` says where there is more below. */
function joined(a: FieldTree, b: FieldTree): FieldTree {
  const both = union(a, b)
  const whole = isMember(a) || isMember(b)
  const more = Object.keys(both).some(name => name !== '.')
  return whole && more ? { '.': {}, ...both } : both
}

const isMember = (tree: FieldTree): boolean => '.' in tree || Object.keys(tree).length === 0

/** The members of `a` that are not in `b`; null where none is left. */
export function subtract(a: FieldTree, b: FieldTree): FieldTree | null {
  const left: Record<string, FieldTree> = {}
  for (const [name, below] of Object.entries(a)) {
    if (name === '.') continue
    const other = Object.hasOwn(b, name) ? b[name] : undefined
    const rest = other ? nodeWithout(below, other) : below
    if (rest) left[name] = rest
  }
  return Object.keys(left).length > 0 ? left : null
}

function nodeWithout(a: FieldTree, b: FieldTree): FieldTree | null {
  const below = subtract(a, b)
  const whole = isMember(a) && !isMember(b)
  if (!below) return whole ? {} : null
  return whole ? { '.': {}, ...below } : below
}

/** Each field as the API server names it in a conflict: `.spec.template.spec.containers[name="web"].image`. */
export function fieldPaths(tree: FieldTree, at = ''): string[] {
  const own = at !== '' && isMember(tree) ? [at] : []
  const below = Object.entries(tree).filter(([name]) => name !== '.')
  return [...own, ...below.flatMap(([name, inner]) => fieldPaths(inner, at + elementText(name)))]
}

/** The fields without the items and maps that only hold them: what a person wants to read. */
export function leafPaths(tree: FieldTree, at = ''): string[] {
  const below = Object.entries(tree).filter(([name]) => name !== '.')
  if (below.length === 0) return at === '' ? [] : [at]
  return below.flatMap(([name, inner]) => leafPaths(inner, at + elementText(name)))
}

/** One element as the API server writes it. */
export function elementText(element: string): string {
  const text = element.slice(2)
  if (element.startsWith('f:')) return `.${text}`
  if (element.startsWith('v:')) return `[=${text}]`
  const keys = Object.entries(keysOf(element)).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return `[${keys.join(',')}]`
}

/** The keys that a `k:` element names its item by. */
function keysOf(element: string): Readonly<Record<string, unknown>> {
  const keys: unknown = JSON.parse(element.slice(2))
  return isFields(keys) ? keys : {}
}

/** Whether an element of a list means this item. A key that is left out has its default (`protocol: TCP`). */
export function meansItem(element: string, item: unknown): boolean {
  if (element.startsWith('v:')) return JSON.stringify(item) === element.slice(2)
  if (!element.startsWith('k:') || !isFields(item)) return false
  return Object.entries(keysOf(element)).every(
    ([key, value]) => item[key] === value || (item[key] === undefined && key === 'protocol'),
  )
}

/** Which of these entries owns a field, the latest first; `path` as the server writes it. */
export const ownersOf = (entries: readonly ManagedEntry[], path: string): ManagedEntry[] =>
  entries
    .filter(({ fieldsV1 }) => fieldPaths(fieldsV1).some(owned => owned === path || isBelow(owned, path)))
    .toSorted((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))

const isBelow = (path: string, above: string): boolean =>
  path.startsWith(`${above}.`) || path.startsWith(`${above}[`)

/**
 * The entries with what `moves` owned put into gkube's own `Apply` entry, as `kubectl apply --server-side` does it
 * for itself: what gkube then leaves out is removed. Null where there is nothing to move. With `only`, no more than
 * those fields.
 */
export function movedToGkube(
  entries: readonly ManagedEntry[],
  moves: (entry: ManagedEntry) => boolean,
  only?: FieldTree,
): ManagedEntry[] | null {
  const taken = entries.filter(entry => !isOwn(entry) && entry.subresource !== 'status' && moves(entry))
  const fields = taken.reduce<FieldTree>((sum, { fieldsV1 }) => union(sum, within(fieldsV1, only)), {})
  const [first] = taken
  if (!first || Object.keys(fields).length === 0) return null
  const own = entries.find(entry => entry.manager === ownManager && entry.operation === 'Apply')
  const { subresource: _, ...plain } = first
  const base = own ?? { ...plain, manager: ownManager, operation: 'Apply', fieldsV1: {} }
  const others = entries.filter(entry => entry !== own)
  const left = others.flatMap(entry => {
    if (!taken.includes(entry)) return [entry]
    const rest = only ? subtract(entry.fieldsV1, only) : null
    return rest ? [{ ...entry, fieldsV1: rest }] : []
  })
  return [{ ...base, fieldsV1: union(base.fieldsV1, fields) }, ...left]
}

/** The members of `tree` that are in `only` too. */
function within(tree: FieldTree, only: FieldTree | undefined): FieldTree {
  if (!only) return tree
  const rest = subtract(tree, only)
  return rest ? (subtract(tree, rest) ?? {}) : tree
}

/** A value without the fields of `gone`, except where somebody in `kept` still owns something below. */
export function withoutTree(value: unknown, gone: FieldTree, kept: FieldTree): unknown {
  const goes = (element: string | undefined): boolean => {
    const node = element === undefined ? undefined : gone[element]
    return node !== undefined && isMember(node) && element !== undefined && kept[element] === undefined
  }
  const inside = (element: string | undefined, child: unknown): unknown => {
    const node = element === undefined ? undefined : gone[element]
    return node && element !== undefined ? withoutTree(child, node, kept[element] ?? {}) : child
  }
  if (Array.isArray(value)) {
    const elements = value.map(item => Object.keys(gone).find(name => meansItem(name, item)))
    return value.flatMap((item, i) => (goes(elements[i]) ? [] : [inside(elements[i], item)]))
  }
  if (!isFields(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, child]) =>
      goes(`f:${key}`) ? [] : [[key, inside(`f:${key}`, child)]],
    ),
  )
}

/** The object without some fields, named as the server names them. What they leave empty stays. */
export function withoutFields(object: KubeObject, paths: readonly string[]): KubeObject {
  // Only fields below an object are taken out, never the object itself.
  return paths.reduce((left, path) => omit(left, path) as KubeObject, object)
}

function omit(value: unknown, path: string): unknown {
  if (Array.isArray(value)) {
    const end = path.indexOf(']')
    const [selector, rest] = [path.slice(1, end), path.slice(end + 1)]
    const fits = (item: unknown) => isMeant(item, selector)
    return rest === ''
      ? value.filter(item => !fits(item))
      : value.map(item => (fits(item) ? omit(item, rest) : item))
  }
  if (!isFields(value)) return value
  // Keys have dots in them (labels): the longest that fits is meant.
  const key = Object.keys(value)
    .filter(name => path === `.${name}` || isBelow(path, `.${name}`))
    .sort((a, b) => b.length - a.length)[0]
  if (key === undefined) return value
  const { [key]: inner, ...others } = value
  const rest = path.slice(key.length + 1)
  return rest === '' ? others : { ...value, [key]: omit(inner, rest) }
}

function isMeant(item: unknown, selector: string): boolean {
  if (selector.startsWith('=')) return JSON.stringify(item) === selector.slice(1)
  const keys = selector.split(/,(?=\w+=)/).map(pair => {
    const at = pair.indexOf('=')
    return `${JSON.stringify(pair.slice(0, at))}:${pair.slice(at + 1)}`
  })
  return meansItem(`k:{${keys.join(',')}}`, item)
}
