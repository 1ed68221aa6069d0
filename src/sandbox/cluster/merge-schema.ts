// How the fields of each kind merge: which lists are maps with keys, which are sets, which maps are atomic.
// Only what differs from the default is written down: unlisted maps are granular, unlisted lists are atomic.
// From the x-kubernetes-list-type, -list-map-keys and -map-type markers of the API; used by apply and patches.
import type { Kind } from './kinds.ts'
import type { Json } from './object.ts'

export type Schema = {
  /** Replaced as one value. */
  readonly atomic?: true
  /** A list of maps, each known by these fields; with a default for a field that may be left out. */
  readonly keys?: readonly string[]
  readonly keyDefaults?: Readonly<Record<string, Json>>
  /** A list of unique values. */
  readonly set?: true
  /** Of each item of such a list, or of each value of a map. */
  readonly items?: Schema
  readonly fields?: Readonly<Record<string, Schema>>
}

export const atomic: Schema = { atomic: true }
const granular: Schema = {}
const byKey = (keys: string | string[], items: Schema = {}, keyDefaults?: Record<string, Json>): Schema => ({
  keys: [keys].flat(),
  items,
  keyDefaults,
})
const struct = (fields: Record<string, Schema>): Schema => ({ fields })

const conditions = byKey('type')
const status = struct({ conditions })
const meta = struct({
  ownerReferences: byKey('uid', atomic),
  finalizers: { set: true },
  managedFields: atomic,
})

const httpGet = struct({ httpGet: granular })
const container = struct({
  ports: byKey(['containerPort', 'protocol'], {}, { protocol: 'TCP' }),
  env: byKey(
    'name',
    struct({
      valueFrom: struct({
        configMapKeyRef: atomic,
        secretKeyRef: atomic,
        fieldRef: atomic,
        resourceFieldRef: atomic,
      }),
    }),
  ),
  volumeMounts: byKey('mountPath'),
  volumeDevices: byKey('devicePath'),
  resources: struct({ claims: byKey('name') }),
  livenessProbe: httpGet,
  readinessProbe: httpGet,
  startupProbe: httpGet,
})

const podSpec = struct({
  containers: byKey('name', container),
  initContainers: byKey('name', container),
  ephemeralContainers: byKey('name', container),
  volumes: byKey(
    'name',
    struct({ ephemeral: struct({ volumeClaimTemplate: struct({ spec: struct({ selector: atomic }) }) }) }),
  ),
  imagePullSecrets: byKey('name', atomic),
  hostAliases: byKey('ip'),
  topologySpreadConstraints: byKey(['topologyKey', 'whenUnsatisfiable'], struct({ labelSelector: atomic })),
  nodeSelector: atomic,
  schedulingGates: byKey('name'),
  resourceClaims: byKey('name'),
  affinity: struct({
    nodeAffinity: struct({ requiredDuringSchedulingIgnoredDuringExecution: atomic }),
  }),
})
const template = struct({ metadata: meta, spec: podSpec })
const jobSpec = struct({ selector: atomic, template })

const bySpec: Readonly<Record<string, Record<string, Schema>>> = {
  Pod: {
    spec: podSpec,
    status: struct({ conditions, podIPs: byKey('ip'), hostIPs: atomic }),
  },
  Deployment: { spec: struct({ selector: atomic, template }) },
  ReplicaSet: { spec: struct({ selector: atomic, template }) },
  StatefulSet: { spec: struct({ selector: atomic, template }) },
  DaemonSet: { spec: struct({ selector: atomic, template }) },
  ReplicationController: { spec: struct({ selector: atomic, template }) },
  Job: { spec: jobSpec, status: granular },
  CronJob: { spec: struct({ jobTemplate: struct({ metadata: meta, spec: jobSpec }) }), status: granular },
  Service: {
    spec: struct({ selector: atomic, ports: byKey(['port', 'protocol'], {}, { protocol: 'TCP' }) }),
  },
  ServiceAccount: { secrets: byKey('name') },
  Endpoints: { subsets: atomic },
  EndpointSlice: { addresses: { set: true } },
  PersistentVolumeClaim: { spec: struct({ selector: atomic, dataSource: atomic, dataSourceRef: granular }) },
  PersistentVolume: {
    spec: struct({ nodeAffinity: struct({ required: atomic }), claimRef: granular }),
  },
  Node: {
    spec: struct({ podCIDRs: { set: true } }),
    status: struct({ conditions, addresses: byKey('type') }),
  },
  ResourceQuota: { spec: struct({ scopeSelector: atomic }) },
  IngressClass: { spec: struct({ parameters: granular }) },
  NetworkPolicy: { spec: struct({ podSelector: atomic }) },
  PodDisruptionBudget: { spec: struct({ selector: atomic }) },
  RoleBinding: { roleRef: atomic },
  ClusterRoleBinding: { roleRef: atomic },
  ClusterRole: { aggregationRule: struct({ clusterRoleSelectors: atomic }) },
  Event: { involvedObject: atomic, related: atomic },
}

/** The merge rules of a kind, from its root. */
export const schemaOf = (kind: Kind): Schema =>
  struct({ metadata: meta, status, ...(bySpec[kind.kind] ?? {}) })

/** The rules of a field of a map (or of any of its values). */
export const fieldSchema = (schema: Schema, field: string): Schema =>
  schema.fields?.[field] ?? schema.items ?? granular

/** The key fields of one item of a keyed list, defaults filled in. */
export function itemKey(schema: Schema, item: Json): Record<string, Json> {
  const key: Record<string, Json> = {}
  for (const field of [...(schema.keys ?? [])].sort()) {
    const value = item?.[field] ?? schema.keyDefaults?.[field]
    if (value !== undefined) key[field] = value
  }
  return key
}
