// Changes that the API server would refuse after half of a deploy is written: found before, by comparing what is
// there (live, or as last rendered) with what is wanted. Only fields that are rendered are compared.
import { type KubeObject, nameOf } from './cluster.ts'
import { fieldsOf, isFields, listOf } from './objects/pod-templates.ts'
import { amount } from './units.ts'

type Options = {
  /** `--replace`: a StatefulSet may be made again, with its pods and claims kept. */
  readonly replace?: boolean
}

/** Why the change from `live` to `wanted` cannot be written, one sentence each; empty if it can. */
export function immutableChanges(live: KubeObject, wanted: KubeObject, options: Options = {}): string[] {
  const name = nameOf(wanted)
  const from = fieldsOf(live.spec)
  const to = fieldsOf(wanted.spec)
  switch (wanted.kind) {
    case 'Deployment':
    case 'DaemonSet':
    case 'ReplicaSet':
      return changed(from, to, ['selector']).map(
        field => `${name}: ${field} cannot be changed; ${startOver(wanted)}`,
      )
    case 'StatefulSet':
      return options.replace
        ? []
        : changed(from, to, ['selector', 'serviceName', 'podManagementPolicy', 'volumeClaimTemplates']).map(
            field =>
              `${name}: ${field} cannot be changed on a StatefulSet. Deploy with --replace to make it again; its pods and claims are kept.`,
          )
    case 'Job':
      return changed(from, to, ['selector', 'template', 'completionMode', 'completions']).map(
        field =>
          `${name}: ${field} of a Job cannot be changed. Give the Job another name, or delete it first.`,
      )
    case 'Service':
      return serviceChanges(name, from, to)
    case 'PersistentVolumeClaim':
      return claimChanges(name, from, to)
    case 'ConfigMap':
    case 'Secret':
      return frozenData(name, live, wanted)
    default:
      return []
  }
}

const startOver = (wanted: KubeObject): string => {
  const app = wanted.metadata.labels?.['gkube.dev/app'] ?? wanted.metadata.name
  return `delete the app first (gkube delete ${app} keeps its data), or use another app name.`
}

const runners = ['Deployment', 'StatefulSet', 'CronJob', 'DaemonSet']

/** An app that changes from a Deployment to a StatefulSet would run twice, with one selector for both. */
export function kindChanges(before: readonly KubeObject[], after: readonly KubeObject[]): string[] {
  const kindsOf = (objects: readonly KubeObject[]) => objects.filter(object => runners.includes(object.kind))
  const old = kindsOf(before)
  return kindsOf(after).flatMap(wanted => {
    const same = old.filter(object => object.metadata.name === wanted.metadata.name)
    const [other] = same
    if (!other || same.some(object => object.kind === wanted.kind)) return []
    return [
      `${nameOf(wanted)}: the app runs as a ${other.kind} and cannot become a ${wanted.kind} in place; ${startOver(wanted)}`,
    ]
  })
}

/** Paths (`spec.selector`) of rendered fields whose live value is another. */
const changed = (
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): string[] =>
  fields
    .filter(field => (to[field] !== undefined || from[field] !== undefined) && !sameField(from, to, field))
    .map(field => `spec.${field}`)

function sameField(
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
  field: string,
): boolean {
  // Not rendered: the server's default or the controller's own value stays, except for lists of claims.
  if (to[field] === undefined) return field !== 'volumeClaimTemplates' || listOf(from[field]).length === 0
  // A selector that has more than is wanted is another selector; elsewhere the server fills in defaults.
  if (field === 'selector') return holds(from[field], to[field]) && holds(to[field], from[field])
  return holds(from[field], to[field])
}

/** Whether `live` has everything that `wanted` says; what the server added is not compared. */
function holds(live: unknown, wanted: unknown, key = ''): boolean {
  if (wanted === undefined || wanted === null) return true
  if (Array.isArray(wanted))
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, index) => holds(live[index], item))
    )
  if (isFields(wanted)) {
    const there = fieldsOf(live)
    return Object.entries(wanted).every(([name, value]) => holds(there[name], value, name))
  }
  if (live === wanted) return true
  return key === 'storage' && amount(String(live)) === amount(String(wanted))
}

function serviceChanges(
  name: string,
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
): string[] {
  const leaving = to.type === 'ExternalName' || from.type === 'ExternalName'
  const [old, wanted] = [from.clusterIP, to.clusterIP]
  if (leaving || old === undefined || old === '' || old === wanted) return []
  // Not rendered: the server keeps its own address, but cannot give one to a headless Service.
  if (wanted === undefined && old !== 'None') return []
  return [
    `${name}: spec.clusterIP cannot be changed from ${old} to ${wanted ?? 'an address'}. Delete the Service first (connections to it break until it is there again).`,
  ]
}

function claimChanges(
  name: string,
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
): string[] {
  const size = (spec: Readonly<Record<string, unknown>>) =>
    fieldsOf(fieldsOf(spec.resources).requests).storage as string | number | undefined
  const [old, wanted] = [size(from), size(to)]
  const shrinks = old !== undefined && wanted !== undefined && amount(wanted) < amount(old)
  return [
    ...(shrinks
      ? [
          `${name}: a volume cannot shrink from ${old} to ${wanted}. Keep the size, or add a new storage entry and move the data.`,
        ]
      : []),
    ...['accessModes', 'storageClassName', 'volumeMode', 'volumeName']
      .filter(field => to[field] !== undefined && from[field] !== undefined && !holds(from[field], to[field]))
      .map(
        field =>
          `${name}: spec.${field} of a claim cannot be changed (${text(from[field])} to ${text(to[field])}). Add a new storage entry and move the data.`,
      ),
  ]
}

const text = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : JSON.stringify(value))

function frozenData(name: string, live: KubeObject, wanted: KubeObject): string[] {
  if (live.immutable !== true) return []
  const same = (field: string) => {
    const [old, next] = [fieldsOf(live[field]), fieldsOf(wanted[field])]
    return holds(old, next) && holds(next, old)
  }
  const differs = ['data', 'binaryData', 'stringData'].filter(field => !same(field))
  const thawed = wanted.immutable !== true ? ['immutable'] : []
  return [...differs, ...thawed].map(
    field => `${name}: ${field} cannot be changed, the object is immutable. Give it another name.`,
  )
}
