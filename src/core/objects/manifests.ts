// kind: manifests: objects that Helm or kustomize rendered, made gkube's own. They keep their names, selectors
// and labels; they get a namespace, ownership labels, the revision, and the overrides that people set by hand.
import type { KubeObject } from '../cluster.ts'
import type { Frozen, Workload } from '../workload.ts'
import { ownership, restartedAnnotation, selectorLabels } from './labels.ts'
import { fillRevision } from './pod.ts'
import { type Fields, fieldsOf, isFields, listOf, mapTemplates } from './pod-templates.ts'

/** Kinds without a namespace; a kind that is not known here counts as namespaced. */
export const clusterScoped: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'PersistentVolume',
  'StorageClass',
  'VolumeAttachment',
  'CSIDriver',
  'CSINode',
  'ClusterRole',
  'ClusterRoleBinding',
  'CustomResourceDefinition',
  'APIService',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'CertificateSigningRequest',
  'ClusterTrustBundle',
  'PriorityClass',
  'RuntimeClass',
  'IngressClass',
  'FlowSchema',
  'PriorityLevelConfiguration',
  'PodSecurityPolicy',
  'ClusterIssuer',
])

const scalable = ['Deployment', 'StatefulSet']
const workloads = [...scalable, 'DaemonSet']

type Input = {
  readonly frozen: Frozen
  readonly namespace: string
  readonly overrides: Workload['overrides']
  readonly liveReplicas: number | null
}

/** `kind: List` objects taken apart. */
export const flatten = (manifests: readonly Fields[]): Fields[] =>
  manifests.flatMap(object => (object.kind === 'List' ? flatten(listOf(object.items)) : [object]))

/** The given objects as gkube writes them. app-rules.ts has checked that each has apiVersion, kind and name. */
export function manifestObjects(input: Input): KubeObject[] {
  const { frozen } = input
  const objects = flatten(frozen.spec.manifests).map(manifest => {
    // apiVersion, kind and metadata.name were checked when the app was registered.
    const filled = fillAll(manifest, frozen.revision) as KubeObject
    return owned(filled, input)
  })
  const autoscaled = new Set(
    objects
      .filter(object => object.kind === 'HorizontalPodAutoscaler')
      .map(object => fieldsOf(fieldsOf(object.spec).scaleTargetRef))
      .map(ref => `${ref.kind}/${ref.name}`),
  )
  const scaled = objects.filter(object => scalable.includes(object.kind))
  return objects.map(object => {
    if (!scalable.includes(object.kind)) return object
    if (autoscaled.has(`${object.kind}/${object.metadata.name}`))
      return withReplicas(object, input.liveReplicas)
    // `scale` means one workload; where there are several it is not known which.
    const { replicas } = input.overrides
    return replicas !== null && scaled.length === 1 ? withReplicas(object, replicas) : object
  })
}

function fillAll(value: unknown, revision: string): unknown {
  if (typeof value === 'string') return fillRevision(value, revision)
  if (Array.isArray(value)) return value.map(item => fillAll(item, revision))
  if (!isFields(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, fillAll(child, revision)]))
}

function withReplicas(object: KubeObject, replicas: number | null): KubeObject {
  const { replicas: _, ...spec } = fieldsOf(object.spec)
  return { ...object, spec: replicas === null ? spec : { ...spec, replicas } }
}

function owned(object: KubeObject, { frozen, namespace, overrides }: Input): KubeObject {
  const { status: _, ...rest } = object
  const mine = ownership(frozen)
  const labels = { ...selectorLabels(frozen), ...object.metadata.labels, ...mine }
  const home = clusterScoped.has(object.kind) ? {} : { namespace: object.metadata.namespace ?? namespace }
  const placed = { ...rest, metadata: { ...object.metadata, ...home, labels } }
  const selected = fieldsOf(fieldsOf(fieldsOf(object.spec).selector).matchLabels)
  return mapTemplates(placed, template => {
    const metadata = fieldsOf(template.metadata)
    const annotations =
      overrides.restartedAt && workloads.includes(object.kind)
        ? { ...fieldsOf(metadata.annotations), [restartedAnnotation]: overrides.restartedAt }
        : metadata.annotations
    // What a selector pins is left as it is: another value would cut the pods off from it.
    const templateLabels = { ...fieldsOf(metadata.labels), ...mine, ...selected }
    return { ...template, metadata: { ...metadata, labels: templateLabels, annotations } }
  })
}
