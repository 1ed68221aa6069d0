// Pure: a frozen spec and its environment → the Kubernetes objects to write, in the order to write them.
// The same input always gives the same bytes. objects/ holds one file a concern; allowlist.ts judges the
// result, immutable.ts compares it with what is there, the apply step writes it.
import type { KubeObject } from './cluster.ts'
import { deployAnnotations, filesName, managedBy, ownLabels } from './objects/labels.ts'
import { manifestObjects } from './objects/manifests.ts'
import { headlessService, ingresses, service } from './objects/network.ts'
import { applyPatches } from './objects/patches.ts'
import { plain } from './objects/plain.ts'
import { autoscaler, disruptionBudget } from './objects/scaling.ts'
import { claims, filesData } from './objects/volumes.ts'
import {
  cronJob,
  deployment,
  replicationController,
  statefulSet,
  type WorkloadInput,
} from './objects/workload.ts'
import type { Frozen, Workload } from './workload.ts'

export type RenderInput = {
  readonly frozen: Frozen
  readonly environment: {
    readonly name: string
    readonly cluster: string
    readonly namespace: string
    readonly createNamespace: boolean
  }
  readonly overrides: Workload['overrides']
  /**
   * Autoscaled apps only. Give the live number for as long as gkube alone owns `spec.replicas` there: dropping
   * a field that nobody else owns would set it back to 1. Once the autoscaler owns it, leave it out.
   */
  readonly liveReplicas?: number | null
  /** Leave it out to render what would be written (plan, app render): then no object names a deploy. */
  readonly deploy?: { readonly id: string; readonly epoch: number }
  /** Of the environment, beside the app's own. */
  readonly imagePullSecrets?: readonly string[]
  /** `1.<minor>` of the cluster. */
  readonly serverMinor?: number
}

/** Every version that is still supported is newer; older ones get fewer fields. */
const assumedMinor = 34

/** The objects of an app in apply order. Throws UserError `bad_input` where a patch fits nothing. */
export function render(input: RenderInput): KubeObject[] {
  const { frozen, environment } = input
  const rendered = frozen.spec.kind === 'manifests' ? given(input) : own(input)
  // A ReplicationController is not rendered from the app: no patch of the app is meant for it.
  const patches = isController(frozen) ? [] : frozen.spec.patches
  const patched = applyPatches(rendered.map(plain), patches)
  const objects = patched.map(object => marked(object, input))
  const namespace = environment.createNamespace ? [namespaceObject(environment.namespace)] : []
  return [...namespace, ...objects].map(plain).sort((a, b) => rank(a) - rank(b))
}

const inputOf = (input: RenderInput): WorkloadInput => ({
  frozen: input.frozen,
  namespace: input.environment.namespace,
  overrides: input.overrides,
  liveReplicas: input.liveReplicas ?? null,
  imagePullSecrets: input.imagePullSecrets ?? [],
  serverMinor: input.serverMinor ?? assumedMinor,
})

const isController = ({ adopted }: Frozen): boolean => adopted?.kind === 'ReplicationController'

const given = (input: RenderInput): object[] => manifestObjects(inputOf(input))

function own(input: RenderInput): object[] {
  const workload = inputOf(input)
  const { frozen, namespace, overrides } = workload
  if (isController(frozen)) return [replicationController(workload)]
  const { app, environment, spec, adopted } = frozen
  const about = { app, environment, namespace, spec, adopted }
  return [
    filesConfigMap(frozen, namespace),
    ...claims(frozen, namespace),
    // An adopted StatefulSet has the Service that it was made with.
    spec.kind === 'stateful' && !adopted ? headlessService(about) : null,
    spec.ports.length > 0 ? service(about) : null,
    runs(workload),
    autoscaler(about, overrides),
    disruptionBudget(about),
    ...ingresses(about),
  ].filter(object => object !== null)
}

function runs(input: WorkloadInput): object {
  switch (input.frozen.spec.kind) {
    case 'stateful':
      return statefulSet(input)
    case 'cron':
      return cronJob(input)
    default:
      return deployment(input)
  }
}

/** Named by its content: a new content is a new object, and old pods keep theirs. */
function filesConfigMap(frozen: Frozen, namespace: string): object | null {
  const data = filesData(frozen.spec)
  if (!data) return null
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: filesName(frozen.app, data), namespace, labels: ownLabels(frozen) },
    immutable: true,
    data,
  }
}

/** A namespace that gkube creates. Every app in it shares it: nothing in it names an app, a revision or a deploy. */
export const namespaceObject = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { [managedBy]: 'gkube', 'pod-security.kubernetes.io/warn': 'restricted' } },
})

/** The team's labels, and which deploy wrote it (metadata only); ownership labels stay whatever a patch did. */
function marked(object: KubeObject, { deploy, frozen }: RenderInput): object {
  const { annotations, labels, ...metadata } = object.metadata
  const marks = deploy ? deployAnnotations(deploy, frozen.revision) : {}
  const all = { ...annotations, ...marks }
  const mine = frozen.spec.kind === 'manifests' ? {} : ownLabels(frozen)
  const team = frozen.spec.labels
  return {
    ...object,
    metadata: {
      ...metadata,
      labels: { ...team, ...labels, ...mine },
      annotations: Object.keys(all).length > 0 ? all : undefined,
    },
  }
}

/** What others need comes first; a router or an autoscaler comes after what it points to. */
const order = [
  'Namespace',
  'ResourceQuota',
  'LimitRange',
  'NetworkPolicy',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Service',
  'DaemonSet',
  'Pod',
  'ReplicaSet',
  'Deployment',
  'StatefulSet',
  'Job',
  'CronJob',
  'HorizontalPodAutoscaler',
  'PodDisruptionBudget',
]

/** Kinds that are not listed come last: Ingress and everything that is built on it. */
function rank(object: KubeObject): number {
  const at = order.indexOf(object.kind)
  return at < 0 ? order.length : at
}

/** What a hook's Job needs to be there before anything else of the deploy is written. */
export const neededByJobs = (objects: readonly KubeObject[]): KubeObject[] =>
  objects.filter(object => ['Namespace', 'ConfigMap', 'PersistentVolumeClaim'].includes(object.kind))
