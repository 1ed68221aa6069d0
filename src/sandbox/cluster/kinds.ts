// Every kind the stand-in cluster knows, one row each. Discovery, routing and storage read this table;
// how fields merge is in merge-schema.ts, defaults in defaults.ts, columns for kubectl in table.ts.

export type Kind = {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly short: readonly string[]
  /** `status` and `scale` are served for every kind that lists them; pods have more in http.ts. */
  readonly subresources: readonly string[]
  /** metadata.generation grows with its spec. */
  readonly generation: boolean
  /** Shown by `kubectl get all`. */
  readonly all: boolean
  /** Dependents stay behind when a DELETE does not say otherwise. */
  readonly orphans: boolean
}

type Flags = 'cluster' | 'generation' | 'all' | 'orphans'

function row(
  api: string,
  kind: string,
  plural: string,
  short = '',
  flags: Flags[] = [],
  subs: string[] = [],
): Kind {
  const [group, version] = api.includes('/') ? api.split('/') : ['', api]
  return {
    group: group ?? '',
    version: version ?? '',
    kind,
    plural,
    namespaced: !flags.includes('cluster'),
    short: short ? short.split(' ') : [],
    subresources: subs,
    generation: flags.includes('generation'),
    all: flags.includes('all'),
    orphans: flags.includes('orphans'),
  }
}

const podSubs = ['status', 'log', 'exec', 'eviction']

export const kinds: readonly Kind[] = [
  row('v1', 'Namespace', 'namespaces', 'ns', ['cluster'], ['status']),
  row('v1', 'Pod', 'pods', 'po', ['all', 'generation'], podSubs),
  row('v1', 'Service', 'services', 'svc', ['all'], ['status']),
  row('v1', 'Endpoints', 'endpoints', 'ep'),
  row('v1', 'ConfigMap', 'configmaps', 'cm'),
  row('v1', 'Secret', 'secrets'),
  row('v1', 'ServiceAccount', 'serviceaccounts', 'sa', [], ['token']),
  row('v1', 'PersistentVolume', 'persistentvolumes', 'pv', ['cluster'], ['status']),
  row('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', 'pvc', [], ['status']),
  row('v1', 'Node', 'nodes', 'no', ['cluster'], ['status']),
  row('v1', 'Event', 'events', 'ev'),
  row(
    'v1',
    'ReplicationController',
    'replicationcontrollers',
    'rc',
    ['all', 'generation', 'orphans'],
    ['status', 'scale'],
  ),
  row('v1', 'ResourceQuota', 'resourcequotas', 'quota', [], ['status']),
  row('v1', 'LimitRange', 'limitranges', 'limits'),
  row('apps/v1', 'Deployment', 'deployments', 'deploy', ['all', 'generation'], ['status', 'scale']),
  row('apps/v1', 'ReplicaSet', 'replicasets', 'rs', ['all', 'generation'], ['status', 'scale']),
  row('apps/v1', 'StatefulSet', 'statefulsets', 'sts', ['all', 'generation'], ['status', 'scale']),
  row('apps/v1', 'DaemonSet', 'daemonsets', 'ds', ['all', 'generation'], ['status']),
  row('apps/v1', 'ControllerRevision', 'controllerrevisions'),
  row('batch/v1', 'Job', 'jobs', '', ['all', 'generation', 'orphans'], ['status']),
  row('batch/v1', 'CronJob', 'cronjobs', 'cj', ['all', 'generation'], ['status']),
  row('networking.k8s.io/v1', 'Ingress', 'ingresses', 'ing', ['generation'], ['status']),
  row('networking.k8s.io/v1', 'IngressClass', 'ingressclasses', '', ['cluster', 'generation']),
  row('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', 'netpol', ['generation']),
  row('autoscaling/v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', 'hpa', ['all'], ['status']),
  row('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', 'pdb', ['generation'], ['status']),
  row('storage.k8s.io/v1', 'StorageClass', 'storageclasses', 'sc', ['cluster']),
  row('storage.k8s.io/v1', 'CSIDriver', 'csidrivers', '', ['cluster']),
  row('coordination.k8s.io/v1', 'Lease', 'leases'),
  row('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', '', ['generation']),
  row('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  row('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  row('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', '', ['cluster']),
  row('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', '', ['cluster']),
]

/** Kinds that are only answered, never kept. */
export const reviews: readonly Kind[] = [
  row('authorization.k8s.io/v1', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', '', ['cluster']),
  row('authorization.k8s.io/v1', 'SelfSubjectRulesReview', 'selfsubjectrulesreviews', '', ['cluster']),
]

export const apiVersion = (kind: Kind): string =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version

const byPlural = new Map([...kinds, ...reviews].map(kind => [`${kind.group}/${kind.plural}`, kind]))
const byKind = new Map(kinds.map(kind => [`${apiVersion(kind)}/${kind.kind}`, kind]))

export const findKind = (group: string, plural: string): Kind | undefined =>
  byPlural.get(`${group}/${plural}`)

/** The row of an object's apiVersion and kind. */
export const kindOf = (object: { apiVersion?: string; kind?: string }): Kind | undefined =>
  byKind.get(`${object.apiVersion}/${object.kind}`)

/** The row of a kind that this file surely lists, for controllers. */
export function kindNamed(name: string): Kind {
  const found = kinds.find(kind => kind.kind === name)
  if (!found) throw new Error(`the stand-in cluster has no kind ${name}`)
  return found
}
