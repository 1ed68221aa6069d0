// Label and field selectors: from query parameters and from LabelSelector objects, to one predicate.
// Pure. A field that a kind does not offer is refused, as the real server does.
import type { Kind } from './kinds.ts'
import type { Draft, Json, KubeObject } from './object.ts'
import { badRequest } from './status-error.ts'

export type Predicate = (object: Draft) => boolean
type Labels = Readonly<Record<string, string>>

/** `app=web,tier!=db,env in (a,b),!old,new` */
export function labelSelector(text: string | null | undefined): Predicate {
  if (!text) return () => true
  const tests = splitTop(text).map(parseRequirement)
  return object => tests.every(test => test(object.metadata.labels ?? {}))
}

// Commas inside of parentheses do not separate requirements.
const splitTop = (text: string) =>
  text
    .split(/,(?![^(]*\))/)
    .map(part => part.trim())
    .filter(Boolean)

function parseRequirement(text: string): (labels: Labels) => boolean {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text)
  if (set) {
    const [, key = '', op, list = ''] = set
    const values = list.split(',').map(value => value.trim())
    const within = (labels: Labels) => key in labels && values.includes(labels[key] ?? '')
    return op === 'in' ? within : labels => !within(labels)
  }
  const pair = /^([^!=\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text)
  if (pair) {
    const [, key = '', op, value] = pair
    return labels => (labels[key] === value) === (op !== '!=')
  }
  if (/^!\s*[^\s!=()]+$/.test(text)) return labels => !(text.slice(1).trim() in labels)
  if (/^[^\s!=()]+$/.test(text)) return labels => text in labels
  const word = text.split(/\s+/)[1] ?? text
  throw badRequest(`unable to parse requirement: found '${word}', expected: in, notin, =, ==, !=, gt, lt`)
}

/** True where a LabelSelector object (matchLabels, matchExpressions) selects these labels; an empty one selects all. */
export function selects(selector: Json, labels: Labels = {}): boolean {
  if (!selector) return false
  const pairs = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  return pairs && (selector.matchExpressions ?? []).every((test: Json) => expression(test, labels))
}

/** One matchExpressions entry, of label and node selectors. */
export function expression(test: Json, labels: Labels): boolean {
  const value = labels[test.key]
  switch (test.operator) {
    case 'In':
      return value !== undefined && test.values.includes(value)
    case 'NotIn':
      return value === undefined || !test.values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return Number(value) > Number(test.values[0])
    case 'Lt':
      return Number(value) < Number(test.values[0])
    default:
      return false
  }
}

/** A LabelSelector object as the text of a query. */
export function selectorText(selector: Json): string {
  const pairs = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const sets = (selector?.matchExpressions ?? []).map((test: Json) =>
    test.values ? `${test.key} ${test.operator.toLowerCase()} (${test.values.join(',')})` : test.key,
  )
  return [...pairs, ...sets].join(',')
}

const ofEveryKind = ['metadata.name', 'metadata.namespace']
const offered: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.podIP',
  ],
  Event: [
    ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
      f => `involvedObject.${f}`,
    ),
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  Secret: ['type'],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  Job: ['status.successful'],
  ReplicaSet: ['status.replicas'],
  ReplicationController: ['status.replicas'],
}

/** `metadata.name=web,status.phase!=Running` */
export function fieldSelector(kind: Kind, text: string | null | undefined): Predicate {
  if (!text) return () => true
  const tests = text.split(',').map(part => {
    const match = /^([\w.]+)(==|=|!=)(.*)$/.exec(part.trim())
    if (!match) throw badRequest(`invalid field selector: ${part}`)
    const [, field = '', op, value] = match
    if (![...ofEveryKind, ...(offered[kind.kind] ?? [])].includes(field)) {
      throw badRequest(unknownField(kind, field))
    }
    return (object: Draft) => (fieldOf(object, field) === value) === (op !== '!=')
  })
  return object => tests.every(test => test(object))
}

const unknownField = (kind: Kind, field: string) =>
  offered[kind.kind]
    ? `field label not supported: ${field}`
    : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`

function fieldOf(object: Draft, path: string): string {
  if (path === 'source') return object.source?.component ?? ''
  const value = path.split('.').reduce((at: Json, field) => at?.[field], object as KubeObject)
  return value === undefined || value === null ? '' : String(value)
}
