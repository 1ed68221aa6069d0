// A unified diff of two objects as YAML, as a person wants to read it: without what the server keeps for itself,
// without gkube's own marks, without values of secrets (a hidden value that changed says so).
import { createTwoFilesPatch } from 'diff'
import { stringify } from 'yaml'
import { type KubeObject, nameOf } from '../cluster.ts'
import { withoutOwnMarks } from '../hash.ts'
import { hidden, looksSecret } from '../mask.ts'
import { type Fields, fieldsOf, isFields } from '../objects/pod-templates.ts'
import { redactText } from '../redact.ts'

const ofTheServer = new Set([
  'managedFields',
  'uid',
  'generation',
  'selfLink',
  'creationTimestamp',
  'resourceVersion',
])
const ofControllers =
  /^(kubectl\.kubernetes\.io\/last-applied-configuration|deployment\.kubernetes\.io\/revision)$/

/** An object without status, the server's own metadata and gkube's marks. */
export function readable(object: KubeObject): Fields {
  const { status: _, metadata, ...rest } = withoutOwnMarks(object)
  const { annotations, ...own } = metadata
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !ofControllers.test(key))
  const cleaned = Object.entries({
    ...own,
    ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
  })
  return {
    ...fieldsOf(withoutTimestamps(rest)),
    metadata: Object.fromEntries(cleaned.filter(([key]) => !ofTheServer.has(key))),
  }
}

/** Templates come back with `creationTimestamp: null`. */
function withoutTimestamps(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimestamps)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(
    ([key, child]) => !(key === 'creationTimestamp' && child === null),
  )
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutTimestamps(child)]))
}

/** `--- live`, `+++ wanted`, hunks; empty where there is nothing to see. Either side may be missing. */
export function unifiedDiff(live: KubeObject | null, wanted: KubeObject | null): string {
  const [old, next] = [live && readable(live), wanted && readable(wanted)]
  const secret = (live ?? wanted)?.kind === 'Secret'
  const from = old ? yaml(masked(old, undefined, { secret })) : ''
  const to = next ? yaml(masked(next, old ?? undefined, { secret })) : ''
  if (from === to) return ''
  const name = nameOf((wanted ?? live) as KubeObject)
  const patch = createTwoFilesPatch(
    live ? name : '/dev/null',
    wanted ? name : '/dev/null',
    from,
    to,
    live ? 'live' : '',
    wanted ? 'wanted' : '',
    { context: 3 },
  )
  // Without the library's own heading.
  return patch.slice(patch.indexOf('--- '))
}

const yaml = (value: unknown): string => stringify(value, { sortMapEntries: true, lineWidth: 0 })

type Where = { readonly secret: boolean; readonly name?: string; readonly variable?: string }

/** The value with secrets hidden; one that differs from `other` says that it changed. */
function masked(value: unknown, other: unknown, where: Where): unknown {
  if (typeof value === 'string') return maskedText(value, other, where)
  if (Array.isArray(value)) {
    const others = Array.isArray(other) ? other : []
    return value.map((item, index) => masked(item, counterpart(item, others, index), where))
  }
  if (!isFields(value)) return value
  const old = fieldsOf(other)
  // An environment variable: its name says whether its value is secret.
  const variable = typeof value.name === 'string' && 'value' in value ? value.name : undefined
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => {
      const inSecret = where.secret && (where.name === 'data' || where.name === 'stringData')
      const named = key === 'value' ? variable : undefined
      if (inSecret && typeof child === 'string') return [key, hide(child, old[key])]
      return [key, masked(child, old[key], { ...where, name: key, variable: named })]
    }),
  )
}

function counterpart(item: unknown, others: readonly unknown[], index: number): unknown {
  const name = fieldsOf(item).name
  return name === undefined ? others[index] : others.find(other => fieldsOf(other).name === name)
}

const hide = (value: string, other: unknown): string =>
  other !== undefined && other !== value ? '(hidden, changed)' : hidden

/** Names are looked at for variables only: `secretName` and the like name a Secret, they are none. */
function maskedText(value: string, other: unknown, { variable }: Where): string {
  if (variable !== undefined && looksSecret(variable, value)) return hide(value, other)
  const text = redactText(value)
  const looksSame = typeof other === 'string' && other !== value && redactText(other) === text
  return looksSame ? `${text} (changed)` : text
}
