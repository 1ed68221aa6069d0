// Finds pod templates in an object of any kind, known or not: whatever holds a list of containers is one.
// The allowlist, changes and given manifests all look through here, so none of them can miss one.
import type { KubeObject } from '../cluster.ts'

export type Fields = Readonly<Record<string, unknown>>

export type FoundPod = {
  /** Field path of the pod's spec: `spec.template.spec`, `spec.jobTemplate.spec.template.spec`, `spec`. */
  readonly path: string
  readonly spec: Fields
  /** metadata beside that spec (labels and annotations of the pods). */
  readonly metadata: Fields
}

/** A JSON object, as opposed to a list, a text or nothing. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value as an object; an empty one where it is none. */
export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

/** The objects of a list; anything else in it is left out. */
export const listOf = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : [])

/** Every pod spec in an object, at any depth. */
export function podsIn(object: KubeObject): FoundPod[] {
  const found: FoundPod[] = []
  const walk = (value: unknown, path: readonly string[], parent: Fields): void => {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) walk(item, [...path, String(index)], {})
      return
    }
    if (!isFields(value)) return
    if (Array.isArray(value.containers))
      found.push({ path: path.join('.'), spec: value, metadata: fieldsOf(parent.metadata) })
    for (const [key, child] of Object.entries(value)) walk(child, [...path, key], value)
  }
  walk(object, [], {})
  return found
}

/**
 * The object with each of its pod templates changed. `change` gets the template ({ metadata, spec }) and returns
 * the new one; templates are what holds `spec.containers`, a bare Pod is none.
 */
export function mapTemplates(object: KubeObject, change: (template: Fields) => Fields): KubeObject {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (!isFields(value)) return value
    const walked = Object.fromEntries(Object.entries(value).map(([key, child]) => [key, walk(child)]))
    return Array.isArray(fieldsOf(value.spec).containers) ? change(walked) : walked
  }
  const rest = Object.entries(object).filter(([key]) => key !== 'metadata')
  const changed = object.kind === 'Pod' ? rest : rest.map(([key, value]) => [key, walk(value)] as const)
  // apiVersion and kind are texts, which walk returns as they are.
  return { ...Object.fromEntries(changed), metadata: object.metadata } as KubeObject
}
