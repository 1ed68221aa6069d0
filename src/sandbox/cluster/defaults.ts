// The defaults that the API server writes into objects, those that clients see and compare against.
// Each function fills in a draft in place; allocation (cluster IPs, storage class) is in admission.ts.
import type { Kind } from './kinds.ts'
import type { Json } from './object.ts'
import { canonicalQuantity } from './quantity.ts'

function fill(target: Json, defaults: Record<string, Json>) {
  for (const [field, value] of Object.entries(defaults)) {
    if (target[field] === undefined || target[field] === null) target[field] = value
  }
}

function probe(value: Json) {
  if (!value) return
  fill(value, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 })
  if (value.httpGet) fill(value.httpGet, { path: '/', scheme: 'HTTP' })
  if (value.grpc) fill(value.grpc, { service: '' })
}

/** Quantities as the server writes them: `0.1` is `100m`, `1024Mi` is `1Gi`. */
function canonical(amounts: Json) {
  for (const [resource, amount] of Object.entries(amounts ?? {}))
    amounts[resource] = canonicalQuantity(amount)
}

function reference(from: Json) {
  if (from?.fieldRef) fill(from.fieldRef, { apiVersion: 'v1' })
  if (from?.resourceFieldRef) fill(from.resourceFieldRef, { divisor: '0' })
}

function container(value: Json) {
  const latest = !/[:@][^/]+$/.test(value.image ?? '') || /:latest$/.test(value.image ?? '')
  fill(value, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: latest ? 'Always' : 'IfNotPresent',
    resources: {},
  })
  for (const port of value.ports ?? []) fill(port, { protocol: 'TCP' })
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe']) probe(value[kind])
  for (const env of value.env ?? []) {
    reference(env.valueFrom)
  }
  for (const list of ['requests', 'limits']) canonical(value.resources[list])
  for (const hook of [value.lifecycle?.preStop, value.lifecycle?.postStart]) {
    if (hook?.httpGet) fill(hook.httpGet, { path: '/', scheme: 'HTTP' })
  }
}

function volume(value: Json) {
  const { name: _, ...sources } = value
  if (Object.keys(sources).length === 0) value.emptyDir = {}
  for (const source of ['configMap', 'secret', 'downwardAPI', 'projected']) {
    if (value[source]) fill(value[source], { defaultMode: 420 })
  }
  if (value.hostPath) fill(value.hostPath, { type: '' })
  const claim = value.ephemeral?.volumeClaimTemplate
  if (claim) {
    fill(claim, { metadata: {} })
    fill(claim.spec, { volumeMode: 'Filesystem' })
  }
  for (const item of value.downwardAPI?.items ?? []) reference(item)
  for (const source of value.projected?.sources ?? []) {
    if (source.serviceAccountToken) fill(source.serviceAccountToken, { expirationSeconds: 3600 })
    for (const item of source.downwardAPI?.items ?? []) reference(item)
  }
}

export function podSpec(spec: Json, restartPolicy: string | undefined = 'Always') {
  if (!spec) return
  fill(spec, {
    ...(restartPolicy ? { restartPolicy } : {}),
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
  })
  // Both names are served; the old one is written too.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount
  for (const list of ['containers', 'initContainers']) (spec[list] ?? []).forEach(container)
  ;(spec.volumes ?? []).forEach(volume)
}

function template(spec: Json, restartPolicy?: string) {
  spec.template ??= {}
  spec.template.metadata ??= {}
  podSpec(spec.template.spec, restartPolicy)
}

const job = (spec: Json) => {
  // No default for restartPolicy in a Job: it must be said.
  template(spec, '')
  if (spec.completions === undefined && spec.parallelism === undefined)
    fill(spec, { completions: 1, parallelism: 1 })
  fill(spec, {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: 'TerminatingOrFailed',
  })
}

const byKind: Readonly<Record<string, (object: Json) => void>> = {
  Pod: object => {
    podSpec(object.spec)
    // Only of a pod itself, not of a template: what is limited is asked for.
    for (const { resources } of [...(object.spec.containers ?? []), ...(object.spec.initContainers ?? [])]) {
      if (resources.limits) resources.requests = { ...resources.limits, ...resources.requests }
    }
    fill(object.spec, {
      serviceAccountName: 'default',
      serviceAccount: 'default',
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
    })
    fill(object, { status: { phase: 'Pending' } })
  },
  Deployment: ({ spec }) => {
    template(spec)
    fill(spec, { replicas: 1, strategy: {}, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 })
    fill(spec.strategy, { type: 'RollingUpdate' })
    if (spec.strategy.type !== 'RollingUpdate') return
    fill(spec.strategy, { rollingUpdate: {} })
    fill(spec.strategy.rollingUpdate, { maxUnavailable: '25%', maxSurge: '25%' })
  },
  ReplicaSet: ({ spec }) => {
    template(spec)
    fill(spec, { replicas: 1 })
  },
  ReplicationController: object => {
    template(object.spec)
    fill(object.spec, { replicas: 1, selector: object.spec.template?.metadata?.labels })
  },
  StatefulSet: ({ spec }) => {
    template(spec)
    fill(spec, {
      replicas: 1,
      podManagementPolicy: 'OrderedReady',
      revisionHistoryLimit: 10,
      updateStrategy: {},
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
    })
    fill(spec.updateStrategy, { type: 'RollingUpdate' })
    if (spec.updateStrategy.type === 'RollingUpdate') {
      fill(spec.updateStrategy, { rollingUpdate: {} })
      fill(spec.updateStrategy.rollingUpdate, { partition: 0 })
    }
    for (const claim of spec.volumeClaimTemplates ?? []) {
      fill(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } })
      fill(claim.spec, { volumeMode: 'Filesystem' })
    }
  },
  DaemonSet: ({ spec }) => {
    template(spec)
    fill(spec, { updateStrategy: {}, revisionHistoryLimit: 10 })
    fill(spec.updateStrategy, { type: 'RollingUpdate' })
    if (spec.updateStrategy.type === 'RollingUpdate') {
      fill(spec.updateStrategy, { rollingUpdate: {} })
      fill(spec.updateStrategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 0 })
    }
  },
  Job: ({ spec }) => job(spec),
  CronJob: ({ spec }) => {
    fill(spec, {
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    })
    fill(spec, { jobTemplate: {} })
    fill(spec.jobTemplate, { metadata: {} })
    // Defaults of the Job itself come when it is made.
    if (spec.jobTemplate?.spec?.template) podSpec(spec.jobTemplate.spec.template.spec, '')
  },
  Service: ({ spec }) => {
    fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' })
    if (spec.type !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster' })
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer')
      fill(spec, { externalTrafficPolicy: 'Cluster' })
    if (spec.type === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true })
    if (spec.sessionAffinity === 'ClientIP')
      fill(spec, { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } })
    for (const port of spec.ports ?? []) {
      fill(port, { protocol: 'TCP' })
      fill(port, { targetPort: port.port })
    }
  },
  PersistentVolumeClaim: object => {
    fill(object.spec, { volumeMode: 'Filesystem' })
    canonical(object.spec.resources?.requests)
    fill(object, { status: { phase: 'Pending' } })
  },
  PersistentVolume: object => {
    canonical(object.spec.capacity)
    if (object.spec.hostPath) fill(object.spec.hostPath, { type: '' })
    fill(object.spec, { volumeMode: 'Filesystem', persistentVolumeReclaimPolicy: 'Retain' })
    fill(object, { status: { phase: 'Pending' } })
  },
  ResourceQuota: ({ spec }) => canonical(spec.hard),
  Secret: object => {
    fill(object, { type: 'Opaque' })
    for (const [key, value] of Object.entries<string>(object.stringData ?? {})) {
      object.data = { ...object.data, [key]: Buffer.from(value).toString('base64') }
    }
    delete object.stringData
  },
  Namespace: object => {
    fill(object, { spec: {}, status: { phase: 'Active' } })
    fill(object.spec, { finalizers: ['kubernetes'] })
  },
  HorizontalPodAutoscaler: ({ spec }) => {
    fill(spec, { minReplicas: 1 })
    fill(spec, {
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ],
    })
  },
  Ingress: ({ spec }) => {
    for (const rule of spec?.rules ?? []) {
      for (const path of rule.http?.paths ?? []) fill(path, { pathType: 'ImplementationSpecific' })
    }
  },
  NetworkPolicy: ({ spec }) => {
    fill(spec, { podSelector: {}, policyTypes: spec.egress ? ['Ingress', 'Egress'] : ['Ingress'] })
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) fill(port, { protocol: 'TCP' })
    }
  },
  StorageClass: object => fill(object, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  RoleBinding: object => roleRefs(object),
  ClusterRoleBinding: object => roleRefs(object),
}

function roleRefs(object: Json) {
  if (object.roleRef) fill(object.roleRef, { apiGroup: 'rbac.authorization.k8s.io' })
  for (const subject of object.subjects ?? []) {
    if (subject.kind !== 'ServiceAccount') fill(subject, { apiGroup: 'rbac.authorization.k8s.io' })
  }
}

const withoutSpec = ['Secret', 'StorageClass', 'RoleBinding', 'ClusterRoleBinding']

/** Fills the defaults of its kind into an object, in place. */
export function setDefaults(kind: Kind, object: Json) {
  const fillIn = byKind[kind.kind]
  if (fillIn && !withoutSpec.includes(kind.kind)) object.spec ??= {}
  fillIn?.(object)
}

const none = { replicas: 0 }
const firstStatus: Readonly<Record<string, Json>> = {
  Deployment: {},
  ReplicaSet: none,
  ReplicationController: none,
  StatefulSet: { replicas: 0, availableReplicas: 0 },
  DaemonSet: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
  Job: {},
  CronJob: {},
  Service: { loadBalancer: {} },
  Ingress: { loadBalancer: {} },
  HorizontalPodAutoscaler: { currentMetrics: null, desiredReplicas: 0 },
  PodDisruptionBudget: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
  ResourceQuota: {},
}

/** The status that a new object shows before any controller has seen it. */
export function setFirstStatus(kind: Kind, object: Json) {
  if (firstStatus[kind.kind]) fill(object, { status: firstStatus[kind.kind] })
}
