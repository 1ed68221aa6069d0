// Where a kind lives in the API: its plural and scope. The usual kinds are a table; others are discovered once
// per group version and kept. Paths only; wire.ts sends them.
import { ClusterError, type ObjectRef } from '../../core/cluster.ts'
import type { Wire } from './wire.ts'

export type Resource = {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
}

const row = (apiVersion: string, kind: string, plural: string, namespaced = true): Resource => ({
  apiVersion,
  kind,
  plural,
  namespaced,
})

const known = [
  row('v1', 'Namespace', 'namespaces', false),
  row('v1', 'Node', 'nodes', false),
  row('v1', 'PersistentVolume', 'persistentvolumes', false),
  row('v1', 'Pod', 'pods'),
  row('v1', 'Service', 'services'),
  row('v1', 'ConfigMap', 'configmaps'),
  row('v1', 'Secret', 'secrets'),
  row('v1', 'ServiceAccount', 'serviceaccounts'),
  row('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  row('v1', 'Event', 'events'),
  row('v1', 'ReplicationController', 'replicationcontrollers'),
  row('v1', 'ResourceQuota', 'resourcequotas'),
  row('apps/v1', 'Deployment', 'deployments'),
  row('apps/v1', 'ReplicaSet', 'replicasets'),
  row('apps/v1', 'StatefulSet', 'statefulsets'),
  row('apps/v1', 'DaemonSet', 'daemonsets'),
  row('batch/v1', 'Job', 'jobs'),
  row('batch/v1', 'CronJob', 'cronjobs'),
  row('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  row('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  row('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  row('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices'),
  row('discovery.k8s.io/v1beta1', 'EndpointSlice', 'endpointslices'),
] as const

const keyOf = (ref: { apiVersion: string; kind: string }): string => `${ref.apiVersion}/${ref.kind}`
const table = new Map<string, Resource>(known.map(resource => [keyOf(resource), resource]))

/** A kind of the table; undefined where only discovery knows. */
export const knownResource = (ref: { apiVersion: string; kind: string }): Resource | undefined =>
  table.get(keyOf(ref))

/** `/api/v1` or `/apis/apps/v1`. */
export const groupPath = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`

/** The collection, of one namespace or of all when `namespace` is empty. */
export function collectionPath(resource: Resource, namespace = ''): string {
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${groupPath(resource.apiVersion)}${scope}/${resource.plural}`
}

/** One object. A namespaced kind needs a namespace. */
export function objectPath(resource: Resource, ref: ObjectRef): string {
  requireNamespace(resource, ref.namespace)
  return `${collectionPath(resource, ref.namespace)}/${encodeURIComponent(ref.name)}`
}

/** Refuses a namespaced kind without a namespace, which would reach every namespace. */
export function requireNamespace(resource: Resource, namespace: string | undefined): void {
  if (resource.namespaced && !namespace)
    throw new ClusterError('invalid', `${resource.kind} lives in a namespace, and none was named`)
}

export type Resources = (ref: { apiVersion: string; kind: string }) => Promise<Resource>

/** Finds the resource of any kind; throws ClusterError `invalid` for one that the cluster does not have. */
export function discovery(wire: Pick<Wire, 'call'>): Resources {
  const found = new Map<string, Resource>()
  return async ref => {
    const resource = knownResource(ref) ?? found.get(keyOf(ref))
    if (resource) return resource
    for (const one of await resourcesOf(wire, ref.apiVersion)) found.set(keyOf(one), one)
    const discovered = found.get(keyOf(ref))
    if (!discovered)
      throw new ClusterError('invalid', `the cluster has no kind ${ref.kind} in ${ref.apiVersion}`)
    return discovered
  }
}

type ApiResourceList = { resources?: { name: string; kind: string; namespaced: boolean }[] }

async function resourcesOf(wire: Pick<Wire, 'call'>, apiVersion: string): Promise<Resource[]> {
  const path = groupPath(apiVersion)
  try {
    const answer = await wire.call({ method: 'GET', path, counter: 'get discovery', repeatable: true })
    const { resources = [] }: ApiResourceList = JSON.parse(answer.body)
    return resources
      .filter(resource => !resource.name.includes('/'))
      .map(resource => row(apiVersion, resource.kind, resource.name, resource.namespaced))
  } catch (error) {
    // An unknown group version is a 404: the caller names the kind that is missing.
    if (error instanceof ClusterError && error.kind === 'not_found') return []
    throw error
  }
}
