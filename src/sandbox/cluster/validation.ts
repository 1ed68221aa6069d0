// What the real API server refuses with 422 (or 400 for what it cannot even decode), as far as deploy tools
// meet it, in its wording. Not a schema check: unknown fields pass. Admission by policy is in admission.ts.
import {
  checkLabelName,
  checkLabels,
  checkPort,
  type Report,
  reporter,
  subdomainForm,
  subdomainWording,
  validateMeta,
} from './field-report.ts'
import { apiVersion, type Kind } from './kinds.ts'
import { isMap, type Json, type KubeObject, same } from './object.ts'
import { validatePodSpec } from './pod-validation.ts'
import { parseQuantity } from './quantity.ts'
import { selects } from './selectors.ts'
import { badRequest, type Cause, invalid } from './status-error.ts'

/** Throws 422 Invalid when the object, new or in place of `old`, is not acceptable. */
export function validate(kind: Kind, object: KubeObject, old?: KubeObject) {
  const causes: Cause[] = []
  const report = reporter(causes)
  validateMeta(kind, object, report)
  decodable(kind, object)
  rules[kind.kind]?.(object, report, old)
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes)
}

/** 400 for values that the real server cannot decode: they never reach validation there. */
function decodable(kind: Kind, object: KubeObject) {
  const problem = undecodable(kind, object)
  if (!problem) return
  throw badRequest(
    `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${problem}`,
  )
}

const unfit = (value: Json, field: string, type: string) =>
  `json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go struct field ${field} of type ${type}`

function undecodable(kind: Kind, object: KubeObject): string | undefined {
  const { labels, annotations } = object.metadata
  const data = ['ConfigMap', 'Secret'].includes(kind.kind) ? object.data : undefined
  for (const [field, map] of Object.entries({ labels, annotations, data })) {
    if (map === undefined) continue
    if (!isMap(map)) return unfit(map, `${kind.kind}.${field}`, 'map[string]string')
    const wrong = Object.values(map).find(value => typeof value !== 'string')
    if (wrong !== undefined) return unfit(wrong, `${kind.kind}.${field}`, 'string')
  }
  const replicas = object.spec?.replicas
  if (replicas !== undefined && !Number.isInteger(replicas))
    return unfit(replicas, `${kind.kind}Spec.spec.replicas`, 'int32')
  const spec = templateOf(object)
  const containers: Json[] = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]
  const at = kind.kind === 'Pod' ? 'spec' : 'spec.template.spec'
  return containers.map(one => undecodableContainer(one, at)).find(Boolean)
}

function undecodableContainer({ resources, env }: Json, at: string): string | undefined {
  const amounts = [...Object.values(resources?.requests ?? {}), ...Object.values(resources?.limits ?? {})]
  if (amounts.some(one => parseQuantity(one) === undefined)) return quantityWording
  const wrong = (env ?? []).find((one: Json) => one.value !== undefined && typeof one.value !== 'string')
  return wrong && unfit(wrong.value, `EnvVar.${at}.containers.env.value`, 'string')
}

const timeZoneWording = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'

const quantityWording =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

/** The pod spec inside of a pod or of a workload's template. */
export const templateOf = (object: Json): Json =>
  object.kind === 'Pod'
    ? object.spec
    : (object.spec?.template?.spec ?? object.spec?.jobTemplate?.spec?.template?.spec)

type Rule = (object: KubeObject, report: Report, old?: KubeObject) => void

function immutable(report: Report, field: string, value: Json, old: Json) {
  if (!same(value, old)) report.invalid(field, value, 'field is immutable')
}

const emptySelector = ({ matchLabels, matchExpressions }: Json) =>
  Object.keys(matchLabels ?? {}).length === 0 && !matchExpressions?.length

const workload: Rule = (object, report, old) => {
  const { spec } = object
  const labels = spec.template?.metadata?.labels
  if (!spec.selector) report.required('spec.selector')
  else if (emptySelector(spec.selector)) {
    report.invalid(
      'spec.selector',
      spec.selector,
      `empty selector is invalid for ${object.kind.toLowerCase()}`,
    )
  }
  if (!(spec.selector && emptySelector(spec.selector)) && !selects(spec.selector, labels)) {
    report.invalid(
      'spec.template.metadata.labels',
      labels ?? {},
      '`selector` does not match template `labels`',
    )
  }
  if (spec.replicas < 0) report.invalid('spec.replicas', spec.replicas, 'must be greater than or equal to 0')
  checkLabels(report, 'spec.template.labels', labels)
  validatePodSpec(spec.template?.spec, 'spec.template.spec', report, {
    restart: ['Always'],
    old: templateOf(old ?? {}),
    claims: (spec.volumeClaimTemplates ?? []).map((claim: Json) => claim.metadata?.name),
  })
  if (old && object.kind !== 'StatefulSet')
    immutable(report, 'spec.selector', spec.selector, old.spec.selector)
}

const rules: Readonly<Record<string, Rule>> = {
  Pod: (object, report, old) => {
    validatePodSpec(object.spec, 'spec', report, {
      restart: ['Always', 'OnFailure', 'Never'],
      old: old?.spec,
    })
    if (old) podUpdate(object, report, old)
  },
  Deployment: (object, report, old) => {
    workload(object, report, old)
    const { strategy } = object.spec
    if (!['RollingUpdate', 'Recreate'].includes(strategy.type)) {
      report.unsupported('spec.strategy.type', strategy.type, ['Recreate', 'RollingUpdate'])
    }
    if (strategy.type === 'Recreate' && strategy.rollingUpdate) {
      report.forbidden(
        'spec.strategy.rollingUpdate',
        "may not be specified when strategy `type` is 'Recreate'",
      )
    }
    const { maxSurge, maxUnavailable } = strategy.rollingUpdate ?? { maxSurge: 1 }
    if (/^0%?$/.test(String(maxUnavailable)) && /^0%?$/.test(String(maxSurge))) {
      report.invalid(
        'spec.strategy.rollingUpdate.maxUnavailable',
        maxUnavailable,
        'may not be 0 when `maxSurge` is 0',
      )
    }
    const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = object.spec
    if (deadline !== undefined && deadline <= minReadySeconds) {
      report.invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')
    }
  },
  ReplicaSet: workload,
  DaemonSet: workload,
  StatefulSet: (object, report, old) => {
    workload(object, report, old)
    if (!old) return
    const rest = (spec: Json) => {
      const {
        replicas: _r,
        ordinals: _o,
        template: _t,
        updateStrategy: _u,
        revisionHistoryLimit: _h,
        persistentVolumeClaimRetentionPolicy: _p,
        minReadySeconds: _m,
        ...others
      } = spec
      return others
    }
    if (!same(rest(object.spec), rest(old.spec))) {
      report.forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      )
    }
  },
  Job: (object, report, old) => {
    const { spec } = object
    const policies = { restart: ['OnFailure', 'Never'], old: templateOf(old ?? {}) }
    if (!spec.template?.spec?.restartPolicy) {
      report.required('spec.template.spec.restartPolicy', 'valid values: "OnFailure", "Never"')
    }
    validatePodSpec(spec.template?.spec, 'spec.template.spec', report, policies)
    if (!old) return
    for (const field of [
      'completions',
      'selector',
      'completionMode',
      'podFailurePolicy',
      'backoffLimitPerIndex',
    ]) {
      immutable(report, `spec.${field}`, spec[field], old.spec[field])
    }
    if (!(old.spec.suspend && !old.status?.startTime))
      immutable(report, 'spec.template', spec.template, old.spec.template)
  },
  CronJob: (object, report) => {
    const { schedule, jobTemplate, concurrencyPolicy } = object.spec
    if (!schedule) report.required('spec.schedule')
    else if (/^(CRON_)?TZ=/.test(schedule)) report.invalid('spec.schedule', schedule, timeZoneWording)
    else if (!/^(@\w+( \S+)?|\S+(\s+\S+){4})$/.test(schedule)) {
      report.invalid(
        'spec.schedule',
        schedule,
        `expected exactly 5 fields, found ${schedule.split(/\s+/).length}: [${schedule}]`,
      )
    }
    if (!['Allow', 'Forbid', 'Replace'].includes(concurrencyPolicy)) {
      report.unsupported('spec.concurrencyPolicy', concurrencyPolicy, ['Allow', 'Forbid', 'Replace'])
    }
    if (object.metadata.name.length > 52)
      report.invalid('metadata.name', object.metadata.name, 'must be no more than 52 characters')
    const at = 'spec.jobTemplate.spec.template.spec'
    if (!jobTemplate?.spec?.template?.spec?.restartPolicy)
      report.required(`${at}.restartPolicy`, 'valid values: "OnFailure", "Never"')
    validatePodSpec(jobTemplate?.spec?.template?.spec, at, report, { restart: ['OnFailure', 'Never'] })
  },
  Service: service,
  ConfigMap: frozen,
  Secret: (object, report, old) => {
    for (const value of Object.values<Json>(object.data ?? {})) {
      if (!/^[A-Za-z0-9+/=\s]*$/.test(value))
        throw badRequest(
          `Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0`,
        )
    }
    frozen(object, report, old)
    if (old) immutable(report, 'type', object.type, old.type)
  },
  PersistentVolumeClaim: (object, report, old) => {
    const { spec } = object
    if (!spec.accessModes?.length) report.required('spec.accessModes', 'at least 1 access mode is required')
    if (!spec.resources?.requests?.storage) report.required('spec.resources[storage]')
    if (!old) return
    const bound = old.status?.phase === 'Bound'
    const rest = ({ resources, volumeAttributesClassName: _v, ...others }: Json) =>
      bound ? others : { ...others, resources }
    const before = rest(old.spec)
    // The binder may fill these in once.
    if (!before.volumeName) before.volumeName = spec.volumeName
    if (!same(rest(spec), before)) {
      report.forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      )
    }
    const size = (of: KubeObject) => parseQuantity(of.spec.resources?.requests?.storage) ?? 0
    if (bound && size(object) < size(old))
      report.forbidden('spec.resources.requests.storage', 'field can not be less than previous value')
  },
  PersistentVolume: (object, report) => {
    if (!object.spec.accessModes?.length) report.required('spec.accessModes')
    if (!object.spec.capacity) report.required('spec.capacity')
  },
  HorizontalPodAutoscaler: (object, report) => {
    const { minReplicas = 1, maxReplicas, scaleTargetRef } = object.spec
    if (!scaleTargetRef?.kind) report.required('spec.scaleTargetRef.kind')
    if (!scaleTargetRef?.name) report.required('spec.scaleTargetRef.name')
    if (!(maxReplicas > 0)) report.invalid('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0')
    else if (maxReplicas < minReplicas)
      report.invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')
  },
  PodDisruptionBudget: (object, report) => {
    const { minAvailable, maxUnavailable } = object.spec
    if (minAvailable !== undefined && maxUnavailable !== undefined) {
      report.invalid('spec', object.spec, 'minAvailable and maxUnavailable cannot be both set')
    }
  },
  Ingress: (object, report) => {
    const { rules: hosts, defaultBackend } = object.spec
    if (!hosts?.length && !defaultBackend)
      report.invalid('spec', object.spec, 'either `defaultBackend` or `rules` must be specified')
    for (const [i, { host, http }] of (hosts ?? []).entries()) {
      if (host && !subdomainForm.test(host.replace(/^\*\./, '')))
        report.invalid(`spec.rules[${i}].host`, host, subdomainWording)
      for (const [j, { path, pathType }] of (http?.paths ?? []).entries()) {
        if (pathType !== 'ImplementationSpecific' && !path?.startsWith('/')) {
          report.invalid(`spec.rules[${i}].http.paths[${j}].path`, path, 'must be an absolute path')
        }
      }
    }
  },
  RoleBinding: (object, report, old) => old && roleRef(object, report, old),
  ClusterRoleBinding: (object, report, old) => old && roleRef(object, report, old),
}

function roleRef(object: KubeObject, report: Report, old: KubeObject) {
  if (!same(object.roleRef, old.roleRef)) report.invalid('roleRef', object.roleRef, 'cannot change roleRef')
}

function frozen(object: KubeObject, report: Report, old?: KubeObject) {
  if (!old?.immutable) return
  const why = 'field is immutable when `immutable` is set'
  if (!object.immutable) report.forbidden('immutable', why)
  if (!same(object.data, old.data)) report.forbidden('data', why)
  if (!same(object.binaryData, old.binaryData)) report.forbidden('binaryData', why)
}

function service(object: KubeObject, report: Report, old?: KubeObject) {
  const { spec } = object
  if (!['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'].includes(spec.type)) {
    report.unsupported('spec.type', spec.type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'])
  }
  const ports: Json[] = spec.ports ?? []
  if (ports.length === 0 && spec.type !== 'ExternalName' && spec.clusterIP !== 'None')
    report.required('spec.ports')
  const seen = new Set<string>()
  const names = new Set<string>()
  for (const [i, port] of ports.entries()) {
    const at = `spec.ports[${i}]`
    if (ports.length > 1 && !port.name) report.required(`${at}.name`)
    if (port.name) {
      checkLabelName(report, `${at}.name`, port.name)
      if (names.has(port.name)) report.duplicate(`${at}.name`, port.name)
      names.add(port.name)
    }
    checkPort(report, `${at}.port`, port.port)
    const key = `${port.protocol}:${port.port}`
    if (seen.has(key)) report.duplicate(at, { port: port.port, protocol: port.protocol })
    seen.add(key)
  }
  const before = old?.spec.clusterIP
  if (
    before &&
    spec.type !== 'ExternalName' &&
    old?.spec.type !== 'ExternalName' &&
    spec.clusterIP !== before
  ) {
    report.invalid('spec.clusterIPs[0]', [spec.clusterIP], 'may not change once set')
  }
}

function podUpdate(object: KubeObject, report: Report, old: KubeObject) {
  const rest = (spec: Json) => ({
    ...spec,
    containers: spec.containers.map((c: Json) => ({ ...c, image: '' })),
    initContainers: spec.initContainers?.map((c: Json) => ({ ...c, image: '' })),
    activeDeadlineSeconds: 0,
    tolerations: 0,
    terminationGracePeriodSeconds: 0,
    schedulingGates: 0,
    nodeName: old.spec.nodeName ? spec.nodeName : '',
  })
  if (!same(rest(object.spec), rest(old.spec))) {
    report.forbidden(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    )
  }
}

/** 400 when the body is of another kind than its path says. */
export function checkKind(kind: Kind, body: Json) {
  if (!isMap(body)) throw badRequest('the request body is not an object')
  const { apiVersion: api = apiVersion(kind), kind: name = kind.kind } = body
  if (api === apiVersion(kind) && name === kind.kind) return
  const version = String(api).split('/').at(-1)
  const internal = `${kind.group.split('.')[0] || 'core'}.${kind.kind}`
  const why =
    api === apiVersion(kind)
      ? `converting (${version}.${name}) to (${internal}): unknown conversion`
      : `no kind "${name}" is registered for version "${api}" in scheme "pkg/runtime/scheme.go:110"`
  throw badRequest(`${name} in version "${version}" cannot be handled as a ${kind.kind}: ${why}`)
}
