// Validation of pod specs, alone or in a template: names, images, ports, mounts, resources, probes.
// The wording is the real server's; the other kinds' rules are in validation.ts, shared checks in field-report.ts.
import { checkLabelName, labelForm, type Report } from './field-report.ts'
import type { Json } from './object.ts'
import { parseQuantity } from './quantity.ts'

type Options = {
  readonly restart: readonly string[]
  readonly old?: Json
  readonly claims?: readonly string[]
}

export function validatePodSpec(spec: Json, at: string, report: Report, options: Options) {
  if (!spec?.containers?.length) return report.required(`${at}.containers`)
  if (spec.restartPolicy && !options.restart.includes(spec.restartPolicy)) {
    report.unsupported(`${at}.restartPolicy`, spec.restartPolicy, options.restart)
  }
  const volumes = new Set<string>()
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    checkLabelName(report, `${at}.volumes[${i}].name`, volume.name)
    if (volumes.has(volume.name)) report.duplicate(`${at}.volumes[${i}].name`, volume.name)
    volumes.add(volume.name)
    if (volume.persistentVolumeClaim && !volume.persistentVolumeClaim.claimName) {
      report.required(`${at}.volumes[${i}].persistentVolumeClaim.claimName`)
    }
  }
  // The claims of a StatefulSet are volumes of its pods.
  for (const claim of options.claims ?? []) volumes.add(claim)
  const names = new Set<string>()
  for (const list of ['initContainers', 'containers']) {
    for (const [i, one] of (spec[list] ?? []).entries()) {
      const field = `${at}.${list}[${i}]`
      if (names.has(one.name)) report.duplicate(`${field}.name`, one.name)
      names.add(one.name)
      container(one, field, report, volumes)
    }
  }
  if (spec.terminationGracePeriodSeconds < 0) {
    report.invalid(
      `${at}.terminationGracePeriodSeconds`,
      spec.terminationGracePeriodSeconds,
      'must be greater than or equal to 0',
    )
  }
}

function container(one: Json, at: string, report: Report, volumes: ReadonlySet<string>) {
  checkLabelName(report, `${at}.name`, one.name)
  if (!one.image) report.required(`${at}.image`)
  else if (one.image !== one.image.trim()) {
    report.invalid(`${at}.image`, one.image, 'must not have leading or trailing whitespace')
  }
  if (!['Always', 'IfNotPresent', 'Never'].includes(one.imagePullPolicy)) {
    report.unsupported(`${at}.imagePullPolicy`, one.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'])
  }
  ports(one.ports ?? [], at, report)
  environment(one.env ?? [], at, report)
  mounts(one.volumeMounts ?? [], at, { report, volumes })
  resources(one.resources ?? {}, at, report)
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'])
    probe(one[kind], `${at}.${kind}`, report, kind !== 'readinessProbe')
}

function environment(list: readonly Json[], at: string, report: Report) {
  for (const [i, { name, value, valueFrom }] of list.entries()) {
    const field = `${at}.env[${i}]`
    if (!name) report.required(`${field}.name`)
    else if (name.includes('=')) report.invalid(`${field}.name`, name, envWording)
    if (value && valueFrom) {
      report.invalid(`${field}.valueFrom`, '', 'may not be specified when `value` is not empty')
    }
  }
}

const envWording =
  "a valid environment variable name must consist only of printable ASCII characters other than '='"

function mounts(list: readonly Json[], at: string, of: { report: Report; volumes: ReadonlySet<string> }) {
  const mounted = new Set<string>()
  for (const [i, { name, mountPath }] of list.entries()) {
    const field = `${at}.volumeMounts[${i}]`
    if (!of.volumes.has(name)) of.report.notFound(`${field}.name`, name)
    if (!mountPath) of.report.required(`${field}.mountPath`)
    else if (mounted.has(mountPath)) of.report.invalid(`${field}.mountPath`, mountPath, 'must be unique')
    mounted.add(mountPath)
  }
}

function resources({ requests = {}, limits = {} }: Json, at: string, report: Report) {
  for (const [resource, asked] of Object.entries(requests)) {
    const limit = parseQuantity(limits[resource])
    if (limit === undefined || (parseQuantity(asked) ?? 0) <= limit) continue
    const why = `must be less than or equal to ${resource} limit of ${limits[resource]}`
    report.invalid(`${at}.resources.requests`, asked, why)
  }
}

function ports(list: readonly Json[], at: string, report: Report) {
  const names = new Set<string>()
  for (const [i, port] of list.entries()) {
    const field = `${at}.ports[${i}]`
    if (!Number.isInteger(port.containerPort)) report.required(`${field}.containerPort`)
    else if (port.containerPort < 1 || port.containerPort > 65535) {
      report.invalid(`${field}.containerPort`, port.containerPort, 'must be between 1 and 65535, inclusive')
    }
    if (!port.name) continue
    if (port.name.length > 15)
      report.invalid(`${field}.name`, port.name, 'must be no more than 15 characters')
    else if (!labelForm.test(port.name))
      report.invalid(
        `${field}.name`,
        port.name,
        'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      )
    if (names.has(port.name)) report.duplicate(`${field}.name`, port.name)
    names.add(port.name)
  }
}

function probe(value: Json, at: string, report: Report, successOnce: boolean) {
  if (!value) return
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter(handler => value[handler])
  if (handlers.length === 0) report.required(at, 'must specify a handler type')
  if (handlers.length > 1)
    report.forbidden(`${at}.${handlers[1]}`, 'may not specify more than 1 handler type')
  if (successOnce && value.successThreshold !== 1)
    report.invalid(`${at}.successThreshold`, value.successThreshold, 'must be 1')
}
