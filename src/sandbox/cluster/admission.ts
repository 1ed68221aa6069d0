// What the API server decides with a look at other objects: namespace life cycle, service accounts, limit
// ranges, Pod Security, quotas; and what it allocates: cluster IPs, node ports, default class, job selectors.
// Runs inside of a write (registry.ts), after defaults and before validation.ts.
import { type Kind, kindNamed } from './kinds.ts'
import { isMap, type Json, type KubeObject } from './object.ts'
import { violations } from './pod-security.ts'
import { formatQuantity, podResource, qosClass, quantity } from './quantity.ts'
import { forbidden, notFound } from './status-error.ts'
import type { Store } from './store.ts'
import { templateOf } from './validation.ts'

export function admissionOver(store: Pick<Store, 'get' | 'list'>) {
  const namespaceKind = kindNamed('Namespace')
  const labelOf = (namespace: string | undefined, label: string) =>
    store.get(namespaceKind, undefined, namespace ?? '')?.metadata.labels?.[
      `pod-security.kubernetes.io/${label}`
    ]

  function checkNamespace(kind: Kind, object: KubeObject) {
    if (!kind.namespaced) return
    const { namespace = '', name } = object.metadata
    const found = store.get(namespaceKind, undefined, namespace)
    if (!found) throw notFound(namespaceKind, namespace)
    if (found.metadata.deletionTimestamp && kind.kind !== 'Event') {
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`
      const message = `namespace ${namespace} is being terminated`
      throw forbidden(kind, name, why, [
        { reason: 'NamespaceTerminating', message, field: 'metadata.namespace' },
      ])
    }
  }

  function admitPod(kind: Kind, pod: KubeObject) {
    const { namespace, name } = pod.metadata
    const account = pod.spec.serviceAccountName
    if (account !== 'default' && !store.get(kindNamed('ServiceAccount'), namespace, account)) {
      throw forbidden(
        kind,
        name,
        `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
      )
    }
    limitRanges(pod)
    tolerateLostNodes(pod)
    pod.status = { ...pod.status, qosClass: qosClass(pod.spec) }
    const profile = labelOf(namespace, 'enforce') ?? 'privileged'
    const found = violations(profile, pod.spec)
    if (found.length > 0)
      throw forbidden(
        kind,
        name,
        `violates PodSecurity "${profile}:${version(namespace, 'enforce')}": ${found.join(', ')}`,
      )
  }

  function tolerateLostNodes(pod: KubeObject) {
    const known: Json[] = pod.spec.tolerations ?? []
    const added = ['not-ready', 'unreachable']
      .map(name => `node.kubernetes.io/${name}`)
      .filter(key => !known.some(one => !one.key || one.key === key))
      .map(key => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))
    if (added.length > 0) pod.spec.tolerations = [...known, ...added]
  }

  const version = (namespace: string | undefined, mode: string) =>
    labelOf(namespace, `${mode}-version`) ?? 'latest'

  function limitRanges(pod: KubeObject) {
    const ranges = store.list(kindNamed('LimitRange'), pod.metadata.namespace)
    const limits: Json[] = ranges.flatMap(range => range.spec?.limits ?? [])
    const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    for (const limit of limits.filter(one => one.type === 'Container')) {
      for (const { resources } of containers) {
        if (limit.default) resources.limits = { ...limit.default, ...resources.limits }
        const requests = { ...limit.defaultRequest, ...resources.limits, ...resources.requests }
        if (Object.keys(requests).length > 0) resources.requests = requests
      }
    }
  }

  /** Refuses a new object that would not fit any more. */
  function checkQuotas(kind: Kind, object: KubeObject) {
    const { namespace, name } = object.metadata
    for (const quota of store.list(kindNamed('ResourceQuota'), namespace)) {
      const hard: Record<string, string> = quota.spec?.hard ?? {}
      const asked = usageOf(kind, object)
      const missing = kind.kind === 'Pod' ? unsaid(Object.keys(hard), object.spec) : []
      if (missing.length > 0)
        throw forbidden(
          kind,
          name,
          `failed quota: ${quota.metadata.name}: must specify ${missing.join('; ')}`,
        )
      const used = usage(namespace, Object.keys(hard))
      const over = Object.keys(hard).filter(
        of => asked[of] && (used[of] ?? 0) + (asked[of] ?? 0) > quantity(hard[of]),
      )
      if (over.length === 0) continue
      const list = (values: Record<string, number>) =>
        over.map(of => `${of}=${formatQuantity(values[of] ?? 0, of)}`).join(',')
      const limited = over.map(of => `${of}=${hard[of]}`).join(',')
      throw forbidden(
        kind,
        name,
        `exceeded quota: ${quota.metadata.name}, requested: ${list(asked)}, used: ${list(used)}, limited: ${limited}`,
      )
    }
  }

  /** What a namespace uses of some quota resources. */
  function usage(namespace: string | undefined, resources: readonly string[]): Record<string, number> {
    const total: Record<string, number> = Object.fromEntries(resources.map(of => [of, 0]))
    for (const kind of countedKinds) {
      for (const object of store.list(kind, namespace)) {
        if (kind.kind === 'Pod' && ['Succeeded', 'Failed'].includes(object.status?.phase)) continue
        for (const [of, amount] of Object.entries(usageOf(kind, object))) {
          if (of in total) total[of] = (total[of] ?? 0) + amount
        }
      }
    }
    return total
  }

  /** Fills in what the server allocates for a new object. */
  function allocate(kind: Kind, object: KubeObject) {
    const { metadata, spec } = object
    if (kind.kind === 'Namespace')
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
    if (kind.kind === 'Service') allocateService(object)
    if (kind.kind === 'PersistentVolumeClaim') {
      spec.storageClassName ??= defaultClass()
      finalizer(object, 'kubernetes.io/pvc-protection')
    }
    if (kind.kind === 'PersistentVolume') finalizer(object, 'kubernetes.io/pv-protection')
    if (kind.kind === 'Job' && !spec.manualSelector) jobSelector(object)
  }

  const defaultClass = () =>
    store
      .list(kindNamed('StorageClass'))
      .find(one => one.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true')
      ?.metadata.name

  function allocateService(object: KubeObject) {
    const { spec } = object
    const services = store.list(kindNamed('Service'))
    if (spec.type !== 'ExternalName') {
      const taken = new Set(services.map(one => one.spec.clusterIP))
      spec.clusterIP ||= free(() => `10.96.${random(255)}.${1 + random(253)}`, taken)
      spec.clusterIPs ??= [spec.clusterIP]
      spec.ipFamilies ??= ['IPv4']
      spec.ipFamilyPolicy ??= 'SingleStack'
    }
    if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return
    const taken = new Set(services.flatMap(one => (one.spec.ports ?? []).map((port: Json) => port.nodePort)))
    for (const port of spec.ports ?? []) port.nodePort ??= free(() => 30000 + random(2767), taken)
  }

  function updateClaim(kind: Kind, object: KubeObject, old: KubeObject) {
    object.spec.storageClassName ??= old.spec.storageClassName
    const size = (of: KubeObject) => quantity(of.spec.resources?.requests?.storage)
    const storage = store.get(kindNamed('StorageClass'), undefined, old.spec.storageClassName ?? '')
    if (old.status?.phase === 'Bound' && size(object) > size(old) && !storage?.allowVolumeExpansion) {
      throw forbidden(
        kind,
        object.metadata.name,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      )
    }
  }

  return {
    /** For a new object, in place. Throws what the server answers. */
    create(kind: Kind, object: KubeObject) {
      checkNamespace(kind, object)
      allocate(kind, object)
      if (kind.kind === 'Pod') admitPod(kind, object)
      if (kind.namespaced && kind.kind !== 'Event') checkQuotas(kind, object)
    },
    /** For a changed one: what was allocated stays unless it is said otherwise. */
    update(kind: Kind, object: KubeObject, old: KubeObject) {
      if (kind.kind === 'Service') {
        if (object.spec.type !== 'ExternalName') {
          for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'])
            object.spec[field] ??= old.spec[field]
        }
        allocateService(object)
      }
      if (kind.kind === 'PersistentVolumeClaim') updateClaim(kind, object, old)
      if (kind.kind === 'Job') {
        object.spec.selector ??= old.spec.selector
        const generated = old.spec.template.metadata.labels ?? {}
        object.spec.template.metadata.labels = {
          ...pick(generated, jobLabels),
          ...object.spec.template.metadata.labels,
        }
      }
    },
    /** What `kubectl` prints as `Warning:` for a workload whose pods would be refused or frowned upon. */
    warnings(object: KubeObject): string[] {
      const spec = templateOf(object)
      const profile = labelOf(object.metadata.namespace, 'warn')
      if (!spec || !profile) return []
      const found = violations(profile, spec)
      return found.length === 0
        ? []
        : [
            `would violate PodSecurity "${profile}:${version(object.metadata.namespace, 'warn')}": ${found.join(', ')}`,
          ]
    },
    usage,
  }
}

const jobLabels = [
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'controller-uid',
  'job-name',
]

function jobSelector(object: KubeObject) {
  const { uid, name } = object.metadata
  object.spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }
  object.spec.manualSelector ??= false
  const meta = object.spec.template.metadata
  meta.labels = {
    ...meta.labels,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  }
  object.metadata.labels ??= meta.labels
}

const pick = (from: Record<string, string>, keys: readonly string[]) =>
  Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)))

function finalizer(object: KubeObject, name: string) {
  object.metadata.finalizers = [...new Set([...(object.metadata.finalizers ?? []), name])]
}

const random = (below: number) => Math.floor(Math.random() * below)

function free<T>(pick: () => T, taken: Set<T>): T {
  for (;;) {
    const one = pick()
    if (taken.has(one)) continue
    taken.add(one)
    return one
  }
}

const countedKinds = [
  'Pod',
  'Service',
  'ConfigMap',
  'Secret',
  'PersistentVolumeClaim',
  'Deployment',
  'StatefulSet',
  'Job',
].map(kindNamed)

/** What one object counts for in a quota. */
function usageOf(kind: Kind, object: KubeObject): Record<string, number> {
  const counts = {
    [kind.plural]: 1,
    [`count/${kind.group ? `${kind.plural}.${kind.group}` : kind.plural}`]: 1,
  }
  if (kind.kind === 'PersistentVolumeClaim')
    return { ...counts, 'requests.storage': quantity(object.spec.resources?.requests?.storage) }
  if (kind.kind !== 'Pod' || !isMap(object.spec)) return counts
  const sums: Record<string, number> = { ...counts }
  for (const resource of ['cpu', 'memory']) {
    const requested = podResource(object.spec, resource, 'requests')
    sums[resource] = requested
    sums[`requests.${resource}`] = requested
    sums[`limits.${resource}`] = podResource(object.spec, resource, 'limits')
  }
  return sums
}

/** A pod must state what a quota limits: `limits.cpu for: web`. */
function unsaid(hard: readonly string[], spec: Json): string[] {
  return hard.flatMap(of => {
    const match = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(of)
    if (!match) return []
    const [, list = 'requests', resource = ''] = match
    const without = spec.containers
      .filter((one: Json) => !one.resources?.[list]?.[resource])
      .map((one: Json) => one.name)
    return without.length > 0 ? [`${of} for: ${without.join(',')}`] : []
  })
}
