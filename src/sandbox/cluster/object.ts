// The shape every object of the stand-in cluster shares, and the few things done with all of them.
// Objects are plain JSON as on the wire; one that the store handed out is shared and must not be changed:
// `clone` it first. Which kinds there are is in kinds.ts.

// biome-ignore lint/suspicious/noExplicitAny: objects arrive as untyped JSON; validation.ts judges what is needed
export type Json = any

export type OwnerReference = {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export type ManagedFields = {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  time: string
  fieldsType: 'FieldsV1'
  fieldsV1: Json
  subresource?: string
}

export type Meta = {
  name: string
  namespace?: string
  generateName?: string
  uid: string
  resourceVersion: string
  generation?: number
  creationTimestamp: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFields[]
}

export type KubeObject = {
  apiVersion: string
  kind: string
  metadata: Meta
  spec?: Json
  status?: Json
  [field: string]: Json
}

/** What callers hand in: metadata may be partial. */
export type Draft = { apiVersion?: string; kind?: string; metadata: Partial<Meta>; [field: string]: Json }

/** A copy as the wire would make it: what is undefined is gone. */
export const clone = <T>(value: T): T => copy(value, undefined)

/** A copy without nulls: to the real server, which decodes into types, they are the same as nothing. */
export const withoutNulls = <T>(value: T): T => copy(value, null)

function copy(value: Json, dropped: null | undefined): Json {
  if (Array.isArray(value)) return value.map(item => copy(item, dropped))
  if (typeof value !== 'object' || value === null) return value
  const result: Record<string, Json> = {}
  for (const key in value) {
    const part = value[key]
    if (part !== undefined && (part !== null || dropped === undefined)) result[key] = copy(part, dropped)
  }
  return result
}

/** A time as Kubernetes writes it, in whole seconds. */
export const timestamp = (ms: number = Date.now()): string =>
  new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')

/** True for two JSON values that are the same, whatever the order of their keys. */
export function same(a: Json, b: Json): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  if (Array.isArray(a)) return a.length === b.length && a.every((item, i) => same(item, b[i]))
  const keys = Object.keys(a).filter(key => a[key] !== undefined)
  const others = Object.keys(b).filter(key => b[key] !== undefined)
  return keys.length === others.length && keys.every(key => same(a[key], b[key]))
}

export const isMap = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The owner that controls this object, if any. */
export const controllerOf = (object: Draft): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find(owner => owner.controller)

/** The reference that makes `owner` the controller of a child. */
export const ownedBy = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
})

const letters = 'bcdfghjklmnpqrstvwxz2456789'

/** Random characters as in generated names. */
export const randomSuffix = (length = 5): string =>
  Array.from({ length }, () => letters[Math.floor(Math.random() * letters.length)]).join('')

/** A short name for a template, the same for equal JSON: as in pod-template-hash. */
export function shortHash(value: Json): string {
  let hash = 0xcbf29ce484222325n
  for (const char of stable(value))
    hash = ((hash ^ BigInt(char.codePointAt(0) ?? 0)) * 0x100000001b3n) & 0xffffffffffffffffn
  let text = ''
  for (; text.length < 10; hash /= 27n) text += letters[Number(hash % 27n)]
  return text
}

function stable(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`
  if (!isMap(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value).filter(key => value[key] !== undefined)
  return `{${keys
    .sort()
    .map(key => `${JSON.stringify(key)}:${stable(value[key])}`)
    .join()}}`
}
