// Where an app is rendered into a workload that was there before: its name, its selector and the labels of its pods
// stay. Everything that selects the app's pods asks here. An app that gkube made has the usual ones.
import type { V1LabelSelector } from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import type { Adopted } from '../workload.ts'
import { selectorLabels } from './labels.ts'
import { fieldsOf, listOf } from './pod-templates.ts'

type Whose = { readonly app: string; readonly adopted?: Adopted }

/** The name of the Deployment or StatefulSet. */
export const workloadName = ({ app, adopted }: Whose): string => adopted?.name ?? app

export const workloadKind = (spec: Pick<AppSpec, 'kind'>, adopted?: Adopted): string =>
  adopted?.kind ?? (spec.kind === 'stateful' ? 'StatefulSet' : 'Deployment')

/** `spec.selector` of the workload. */
export const workloadSelector = (whose: Whose): V1LabelSelector =>
  whose.adopted ? (whose.adopted.selector as V1LabelSelector) : { matchLabels: selectorLabels(whose) }

/** The labels that tell the app's pods from others: old and new pods of an adopted workload have them. */
export const podSelectorLabels = (whose: Whose): Record<string, string> =>
  whose.adopted ? pinned(whose.adopted.selector, whose.adopted.labels) : selectorLabels(whose)

/** What the app's own Service selects by. */
export const serviceSelector = (whose: Whose): Record<string, string> =>
  whose.adopted?.service?.selector ?? podSelectorLabels(whose)

/** Labels that the pods keep, whatever else is rendered. */
export const keptLabels = ({ adopted }: Pick<Whose, 'adopted'>): Record<string, string> =>
  adopted?.labels ?? {}

/** The labels among `labels` that a selector speaks of. */
export function pinned(
  selector: Readonly<Record<string, unknown>>,
  labels: Readonly<Record<string, string>>,
): Record<string, string> {
  const keys = new Set([
    ...Object.keys(fieldsOf(selector.matchLabels)),
    ...listOf(selector.matchExpressions).map(one => String(one.key)),
  ])
  return Object.fromEntries(Object.entries(labels).filter(([key]) => keys.has(key)))
}
