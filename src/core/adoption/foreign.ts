// Pure: who else would write an object again: Helm, Argo CD, Flux, an operator that owns it, another app of gkube.
// What they own is refused with what to do; the tools can be forced by name.
import { type KubeObject, nameOf } from '../cluster.ts'
import type { AdoptParams, foreignTools } from '../deploy.ts'
import { type ManagedEntry, managedEntries } from '../managed-fields.ts'
import { appLabel, environmentLabel, managedBy } from '../objects/labels.ts'
import { listOf } from '../objects/pod-templates.ts'

type Tool = (typeof foreignTools)[number]

type Signs = {
  readonly name: string
  readonly keys: RegExp
  readonly managers: RegExp
  readonly todo: string
}

/** By labels, annotations and the names under which they write. */
const tools: Readonly<Record<Tool, Signs>> = {
  flux: {
    name: 'Flux',
    keys: /^(kustomize|helm)\.toolkit\.fluxcd\.io\//,
    managers: /^(kustomize-controller|helm-controller|flux.*)$/,
    todo: 'Take it out of the Kustomization or HelmRelease with prune: false (or annotate it kustomize.toolkit.fluxcd.io/prune: disabled first), so that Flux lets go of it.',
  },
  argocd: {
    name: 'Argo CD',
    keys: /^argocd\.argoproj\.io\//,
    managers: /^(argocd-.*|argocd)$/,
    todo: 'Take it out of the Application with pruning off (annotation argocd.argoproj.io/sync-options: Prune=false), so that Argo CD lets go of it.',
  },
  helm: {
    name: 'Helm',
    keys: /^(meta\.helm\.sh\/|helm\.sh\/chart$)/,
    managers: /^helm$/,
    todo: 'Annotate it helm.sh/resource-policy: keep and take it out of the chart (or uninstall the release), so that Helm lets go of it.',
  },
}

/** The tool that writes an object, most telling first: Flux may work through Helm. */
export function toolOf(object: KubeObject): Tool | null {
  const { labels = {}, annotations = {} } = object.metadata
  const keys = [...Object.keys(labels), ...Object.keys(annotations)]
  const writers = managedEntries(object).map(entry => entry.manager)
  const found = (['flux', 'argocd', 'helm'] as const).find(
    tool =>
      keys.some(key => tools[tool].keys.test(key)) || writers.some(name => tools[tool].managers.test(name)),
  )
  return found ?? (labels[managedBy] === 'Helm' ? 'helm' : null)
}

type Asked = Pick<AdoptParams, 'forceFrom' | 'takeFrom'>

/** Managers whose fields become gkube's: kubectl in all its forms, the tools that were forced, those that were named. */
export const movesWith =
  ({ forceFrom, takeFrom }: Asked) =>
  ({ manager }: ManagedEntry): boolean =>
    /^kubectl(-.*)?$/.test(manager) ||
    manager === 'before-first-apply' ||
    takeFrom.includes(manager) ||
    forceFrom.some(tool => tools[tool].managers.test(manager))

/** Why an object may not be taken over, one sentence each. */
export function foreignRefusals(
  object: KubeObject,
  asked: Asked,
  own: { readonly app: string; readonly environment: string },
): string[] {
  const name = nameOf(object)
  const { labels = {}, ownerReferences } = object.metadata
  const tool = toolOf(object)
  const forced = tool !== null && asked.forceFrom.includes(tool)
  const owner = listOf(ownerReferences).find(one => one.controller === true)
  const other = labels[managedBy] === 'gkube' ? labels[appLabel] : undefined
  const elsewhere = labels[environmentLabel]
  const isOthers =
    other !== undefined && (other !== own.app || (elsewhere ?? own.environment) !== own.environment)
  return [
    ...(tool && !forced
      ? [
          `${name} belongs to ${tools[tool].name}, which would write over it again. ${tools[tool].todo} If that is settled, add --force-from ${tool}.`,
        ]
      : []),
    ...(owner
      ? [
          `${name} belongs to ${String(owner.kind)} ${String(owner.name)}, which would write over it again. Take that over, or make it let go first.`,
        ]
      : []),
    ...(isOthers
      ? [
          `${name} belongs to the app ${other}${elsewhere ? ` in ${elsewhere}` : ''} already. Delete that app's workload first, or adopt another one.`,
        ]
      : []),
  ]
}
