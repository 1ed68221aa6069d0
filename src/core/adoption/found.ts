// Pure: what a workload that was there before gkube is made of, and what of it the app must keep so that nothing
// that points to its pods loses them.
import type { KubeObject } from '../cluster.ts'
import { pinned } from '../objects/adopted.ts'
import { selectorLabels } from '../objects/labels.ts'
import { type Fields, fieldsOf, isFields, listOf } from '../objects/pod-templates.ts'
import type { Adopted } from '../workload.ts'

type Labels = Readonly<Record<string, string>>

/** Labels of the pods that the workload makes. */
export const templateLabels = (workload: KubeObject): Labels =>
  textsOf(fieldsOf(fieldsOf(fieldsOf(workload.spec).template).metadata).labels)

/** Its selector as apps/v1 writes it: a ReplicationController has plain labels, by default those of its pods. */
export function selectorOf(workload: KubeObject): Fields {
  const selector = fieldsOf(fieldsOf(workload.spec).selector)
  if (workload.kind !== 'ReplicationController') return selector
  return { matchLabels: Object.keys(selector).length > 0 ? selector : templateLabels(workload) }
}

/** Whether a label selector (matchLabels, matchExpressions) picks these labels; an empty one picks none here. */
export function selects(selector: Fields, labels: Labels): boolean {
  const wanted = Object.entries(fieldsOf(selector.matchLabels))
  const rules = listOf(selector.matchExpressions)
  if (wanted.length + rules.length === 0) return false
  return wanted.every(([key, value]) => labels[key] === value) && rules.every(rule => fits(rule, labels))
}

function fits(rule: Fields, labels: Labels): boolean {
  const value = labels[String(rule.key)]
  const values = Array.isArray(rule.values) ? rule.values : []
  switch (rule.operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return false
  }
}

/** What stands around a workload: whatever points to its pods or scales it. */
export type Around = {
  readonly services: readonly KubeObject[]
  readonly budgets: readonly KubeObject[]
  readonly autoscalers: readonly KubeObject[]
}

/** Only what is about this workload. */
export function aboutWorkload(workload: KubeObject, all: Around): Around {
  const labels = templateLabels(workload)
  return {
    services: all.services.filter(one =>
      selects({ matchLabels: fieldsOf(fieldsOf(one.spec).selector) }, labels),
    ),
    budgets: all.budgets.filter(one => selects(fieldsOf(fieldsOf(one.spec).selector), labels)),
    autoscalers: all.autoscalers.filter(one => {
      const target = fieldsOf(fieldsOf(one.spec).scaleTargetRef)
      return target.kind === workload.kind && target.name === workload.metadata.name
    }),
  }
}

const fixedFields = ['serviceName', 'podManagementPolicy', 'volumeClaimTemplates'] as const

/** What an app keeps for ever of the workload that it is rendered into. */
export function adoptedOf(
  workload: KubeObject,
  around: Around,
  given: { readonly app: string; readonly replaceByDeployment: boolean },
): Adopted {
  const labels = templateLabels(workload)
  const selector = selectorOf(workload)
  // Whoever points to the pods must still find them.
  const asked = {
    ...Object.assign({}, ...around.budgets.map(one => pinned(fieldsOf(fieldsOf(one.spec).selector), labels))),
    ...Object.assign({}, ...around.services.map(one => textsOf(fieldsOf(one.spec).selector))),
  }
  const own = around.services.find(one => one.metadata.name === given.app)
  const service = own
    ? { selector: textsOf(fieldsOf(own.spec).selector), headless: fieldsOf(own.spec).clusterIP === 'None' }
    : null
  if (given.replaceByDeployment) {
    // A selector of its own: the pods of both are there at once.
    const kept = { ...selectorLabels(given), ...asked }
    const matchLabels = Object.fromEntries(
      Object.keys(selectorLabels(given)).map(key => [key, kept[key] ?? '']),
    )
    return {
      kind: 'Deployment',
      name: given.app,
      selector: { matchLabels },
      labels: kept,
      fixed: {},
      service,
    }
  }
  return {
    // The caller has read one of these kinds.
    kind: workload.kind as Adopted['kind'],
    name: workload.metadata.name,
    selector: jsonOf(selector) as Adopted['selector'],
    labels: { ...pinned(selector, labels), ...asked },
    fixed: workload.kind === 'StatefulSet' ? (fixedOf(workload) as Adopted['fixed']) : {},
    service,
  }
}

/** Fields that can never change, without what the server adds to them. */
function fixedOf(workload: KubeObject): Fields {
  const spec = fieldsOf(workload.spec)
  return Object.fromEntries(
    fixedFields.flatMap(field => {
      const value = spec[field]
      if (value === undefined) return []
      return [[field, field === 'volumeClaimTemplates' ? listOf(value).map(withoutStatus) : jsonOf(value)]]
    }),
  )
}

function withoutStatus(template: Fields): Fields {
  const { status: _, metadata, ...rest } = template
  const { creationTimestamp: __, ...kept } = fieldsOf(metadata)
  return jsonOf({ ...rest, metadata: kept }) as Fields
}

const jsonOf = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const textsOf = (value: unknown): Record<string, string> =>
  isFields(value)
    ? Object.fromEntries(
        Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])),
      )
    : {}
