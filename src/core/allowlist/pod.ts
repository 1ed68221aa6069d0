// What a pod may say without asking an operator: every field of pod, container and volume that is not listed here
// is refused, so that a field of a newer Kubernetes is never allowed by accident. Follows the Pod Security
// Standards (baseline always, restricted by profile). allowlist.ts turns findings into sentences.
import { type Fields, fieldsOf, isFields, listOf } from '../objects/pod-templates.ts'

/** A field that is not allowed; `path` has no list positions, so that one line in gkube.yaml covers all. */
export type Finding = {
  readonly path: string
  /** Which container or volume. */
  readonly part?: string
  readonly why: string
  /** Who may allow it, if not by `allow.patches`. */
  readonly by?: { readonly serviceAccount: string } | 'team'
}

const podFields = new Set([
  'activeDeadlineSeconds',
  'affinity',
  'automountServiceAccountToken',
  'containers',
  'dnsConfig',
  'dnsPolicy',
  'enableServiceLinks',
  'hostUsers',
  'hostname',
  'imagePullSecrets',
  'initContainers',
  'nodeSelector',
  'os',
  'readinessGates',
  'resources',
  'restartPolicy',
  'securityContext',
  'serviceAccount',
  'serviceAccountName',
  'setHostnameAsFQDN',
  'shareProcessNamespace',
  'subdomain',
  'terminationGracePeriodSeconds',
  'tolerations',
  'topologySpreadConstraints',
  'volumes',
])

const containerFields = new Set([
  'args',
  'command',
  'env',
  'envFrom',
  'image',
  'imagePullPolicy',
  'lifecycle',
  'livenessProbe',
  'name',
  'ports',
  'readinessProbe',
  'resizePolicy',
  'resources',
  'restartPolicy',
  'securityContext',
  'startupProbe',
  'stdin',
  'stdinOnce',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'tty',
  'volumeMounts',
  'workingDir',
])

const userFields = ['runAsUser', 'runAsGroup', 'runAsNonRoot', 'seccompProfile', 'appArmorProfile']
const podSecurity = new Set([
  ...userFields,
  'fsGroup',
  'fsGroupChangePolicy',
  'supplementalGroups',
  'supplementalGroupsPolicy',
])
const containerSecurity = new Set([
  ...userFields,
  'allowPrivilegeEscalation',
  'capabilities',
  'readOnlyRootFilesystem',
])

const volumeSources = new Set([
  'name',
  'configMap',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
])
const projectedSources = new Set(['configMap', 'downwardAPI', 'secret'])

/** Reasons worth more than "not on the list". */
const reasons: Readonly<Record<string, string>> = {
  hostNetwork: "shares the node's network",
  hostPID: "sees the node's processes",
  hostIPC: "shares the node's memory segments",
  hostPath: "reads and writes the node's own files",
  hostPort: 'takes a port of the node',
  privileged: 'is root on the node',
  nodeName: 'goes around the scheduler',
  priorityClassName: 'can push other pods out',
  procMount: "unmasks the node's /proc",
  sysctls: 'change the kernel',
}
const because = (field: string): string =>
  (Object.hasOwn(reasons, field) && reasons[field]) || 'is not on the list of allowed fields'

/** Off is as good as absent. */
const isOff = (value: unknown): boolean => value === undefined || value === null || value === false

function unlisted(value: Fields, allowed: ReadonlySet<string>, path: string, part?: string): Finding[] {
  return Object.entries(value)
    .filter(([key, set]) => !allowed.has(key) && !isOff(set))
    .map(([key]) => ({ path: `${path}.${key}`, part, why: because(key) }))
}

/** Everything in a pod's spec that somebody else has to allow. */
export function podFindings(
  spec: Fields,
  path: string,
  options: { readonly restricted: boolean; readonly complete: boolean },
): Finding[] {
  const account = spec.serviceAccountName ?? spec.serviceAccount
  const security = fieldsOf(spec.securityContext)
  const containers = (['initContainers', 'containers'] as const).flatMap(list =>
    listOf(spec[list]).map(container => ({ container, path: `${path}.${list}` })),
  )
  return [
    ...unlisted(spec, podFields, path),
    ...(typeof account === 'string' && account !== 'default'
      ? [
          {
            path: `${path}.serviceAccountName`,
            why: `acts as ${account}`,
            by: { serviceAccount: account },
          },
        ]
      : []),
    ...unlisted(security, podSecurity, `${path}.securityContext`),
    ...profiles(security, `${path}.securityContext`, undefined),
    ...listOf(spec.volumes).flatMap(volume => volumeFindings(volume, `${path}.volumes`)),
    ...containers.flatMap(({ container, path: at }) => containerFindings(container, at)),
    ...(options.restricted
      ? containers.flatMap(({ container, path: at }) =>
          restrictedFindings(security, container, at, options.complete),
        )
      : []),
  ]
}

const nameOf = (part: Fields, kind: string): string =>
  `${kind} ${typeof part.name === 'string' ? part.name : '?'}`

function volumeFindings(volume: Fields, path: string): Finding[] {
  const part = nameOf(volume, 'volume')
  return [
    ...unlisted(volume, volumeSources, path, part),
    ...listOf(fieldsOf(volume.projected).sources).flatMap(source =>
      unlisted(source, projectedSources, `${path}.projected.sources`, part),
    ),
  ]
}

function containerFindings(container: Fields, path: string): Finding[] {
  const part = nameOf(container, 'container')
  const security = fieldsOf(container.securityContext)
  const added = fieldsOf(security.capabilities).add
  const find = (condition: boolean, field: string, why: string): Finding[] =>
    condition ? [{ path: `${path}.${field}`, part, why }] : []
  const { procMount, ...rest } = security
  return [
    ...unlisted(container, containerFields, path, part),
    ...unlisted(rest, containerSecurity, `${path}.securityContext`, part),
    ...find(
      procMount !== undefined && procMount !== 'Default',
      'securityContext.procMount',
      because('procMount'),
    ),
    ...find(
      Array.isArray(added) && added.length > 0,
      'securityContext.capabilities.add',
      `adds ${String(added)}`,
    ),
    ...profiles(security, `${path}.securityContext`, part),
    ...find(
      listOf(container.ports).some(port => !isOff(port.hostPort) && port.hostPort !== 0),
      'ports.hostPort',
      because('hostPort'),
    ),
    ...find(
      listOf(container.volumeMounts).some(mount => mount.mountPropagation === 'Bidirectional'),
      'volumeMounts.mountPropagation',
      'mounts into the node',
    ),
    ...hostsAsked(container).map(field => ({
      path: `${path}.${field}.host`,
      part,
      why: 'lets the node call another host',
    })),
  ]
}

/** Probes and hooks that name a host: the kubelet would call it from the node's network. */
function hostsAsked(container: Fields): string[] {
  const lifecycle = fieldsOf(container.lifecycle)
  const asked = [
    ...['livenessProbe', 'readinessProbe', 'startupProbe'].map(key => [key, container[key]] as const),
    ...['postStart', 'preStop'].map(key => [`lifecycle.${key}`, lifecycle[key]] as const),
  ]
  return asked.flatMap(([key, handler]) =>
    ['httpGet', 'tcpSocket']
      .filter(action => Boolean(fieldsOf(fieldsOf(handler)[action]).host))
      .map(action => `${key}.${action}`),
  )
}

/** seccomp and AppArmor switched off. */
const profiles = (security: Fields, path: string, part: string | undefined): Finding[] =>
  ['seccompProfile', 'appArmorProfile']
    .filter(key => fieldsOf(security[key]).type === 'Unconfined')
    .map(key => ({ path: `${path}.${key}`, part, why: 'switches a protection of the kernel off' }))

/**
 * The restricted profile. `complete` also wants what has to be there (gkube renders it, so only a patch can have
 * taken it away); given manifests are only held to what they say.
 */
function restrictedFindings(pod: Fields, container: Fields, path: string, complete: boolean): Finding[] {
  const own = fieldsOf(container.securityContext)
  const part = nameOf(container, 'container')
  const effective = (key: string) => own[key] ?? pod[key]
  const wrong = (key: string, value: unknown, wanted: unknown): Finding[] =>
    value === wanted || (!complete && value === undefined)
      ? []
      : [
          {
            path: `${path}.securityContext.${key}`,
            part,
            why: `must be ${String(wanted)} under profile restricted`,
            by: 'team',
          },
        ]
  const dropped = fieldsOf(own.capabilities).drop
  const dropsAll = Array.isArray(dropped) ? dropped.includes('ALL') : undefined
  const seccomp = effective('seccompProfile')
  return [
    ...(effective('runAsUser') === 0
      ? [
          {
            path: `${path}.securityContext.runAsUser`,
            part,
            why: 'is root, which profile restricted does not allow',
            by: 'team' as const,
          },
        ]
      : []),
    ...wrong('runAsNonRoot', effective('runAsNonRoot'), true),
    ...wrong('allowPrivilegeEscalation', own.allowPrivilegeEscalation, false),
    ...(complete ? wrong('capabilities.drop', dropsAll === true ? 'ALL' : undefined, 'ALL') : []),
    ...(complete && !isFields(seccomp) ? wrong('seccompProfile', undefined, 'RuntimeDefault') : []),
  ]
}
