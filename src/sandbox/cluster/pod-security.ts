// Pod Security Standards, profiles baseline and restricted, for the checks that deploy tools meet most.
// Pure: says what a pod spec violates; admission.ts refuses pods (enforce) or warns (warn) by namespace labels.
import type { Json } from './object.ts'

type Profile = 'privileged' | 'baseline' | 'restricted'

const allowedCapabilities =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  )
const allowedVolumes =
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' ')

/** Each violation as the real admission words it, such as `runAsNonRoot != true (pod or container "web" must set …)`. */
export function violations(profile: Profile | string, spec: Json): string[] {
  if (profile !== 'baseline' && profile !== 'restricted') return []
  const containers: Json[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const found = baseline(spec, containers)
  return profile === 'restricted' ? [...found, ...restricted(spec, containers)] : found
}

function named(containers: Json[], bad: (security: Json, container: Json) => boolean): string | undefined {
  const names = containers.filter(one => bad(one.securityContext ?? {}, one)).map(one => `"${one.name}"`)
  return names.length === 0 ? undefined : `container${names.length > 1 ? 's' : ''} ${names.join(', ')}`
}

function baseline(spec: Json, containers: Json[]): string[] {
  const found: string[] = []
  const host = ['hostNetwork', 'hostPID', 'hostIPC']
    .filter(field => spec[field])
    .map(field => `${field}=true`)
  if (host.length > 0) found.push(`host namespaces (${host.join(', ')})`)
  const privileged = named(containers, security => security.privileged === true)
  if (privileged) found.push(`privileged (${privileged} must not set securityContext.privileged=true)`)
  const adds = (security: Json): string[] => security.capabilities?.add ?? []
  const extra = named(containers, security => adds(security).some(one => !allowedCapabilities.includes(one)))
  if (extra) {
    const which = [...new Set(containers.flatMap(one => adds(one.securityContext ?? {})))].filter(
      one => !allowedCapabilities.includes(one),
    )
    found.push(
      `non-default capabilities (${extra} must not include ${which.map(one => `"${one}"`).join(', ')} in securityContext.capabilities.add)`,
    )
  }
  const paths = (spec.volumes ?? []).filter((one: Json) => one.hostPath).map((one: Json) => `"${one.name}"`)
  if (paths.length > 0)
    found.push(`hostPath volumes (volume${paths.length > 1 ? 's' : ''} ${paths.join(', ')})`)
  const ports = named(containers, (_security, one) => (one.ports ?? []).some((port: Json) => port.hostPort))
  if (ports) found.push(`hostPort (${ports} uses hostPort)`)
  return found
}

function restricted(spec: Json, containers: Json[]): string[] {
  const found: string[] = []
  const pod = spec.securityContext ?? {}
  const escalation = named(containers, security => security.allowPrivilegeEscalation !== false)
  if (escalation) {
    found.push(
      `allowPrivilegeEscalation != false (${escalation} must set securityContext.allowPrivilegeEscalation=false)`,
    )
  }
  const drop = named(containers, security => !security.capabilities?.drop?.includes('ALL'))
  if (drop)
    found.push(`unrestricted capabilities (${drop} must set securityContext.capabilities.drop=["ALL"])`)
  const volumes = (spec.volumes ?? []).filter((one: Json) =>
    Object.keys(one).some(key => key !== 'name' && key !== 'hostPath' && !allowedVolumes.includes(key)),
  )
  for (const one of volumes) {
    const type = Object.keys(one).find(key => key !== 'name')
    found.push(`restricted volume types (volume "${one.name}" uses restricted volume type "${type}")`)
  }
  const root = named(containers, security => (security.runAsNonRoot ?? pod.runAsNonRoot) !== true)
  if (root) found.push(`runAsNonRoot != true (pod or ${root} must set securityContext.runAsNonRoot=true)`)
  const zero = named(containers, security => security.runAsUser === 0)
  if (pod.runAsUser === 0 || zero) {
    found.push(
      `runAsUser=0 (${[pod.runAsUser === 0 ? 'pod' : '', zero ?? ''].filter(Boolean).join(' and ')} must not set runAsUser=0)`,
    )
  }
  const allowed = ['RuntimeDefault', 'Localhost']
  const seccomp = named(
    containers,
    security => !allowed.includes(security.seccompProfile?.type ?? pod.seccompProfile?.type),
  )
  if (seccomp) {
    found.push(
      `seccompProfile (pod or ${seccomp} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
    )
  }
  return found
}
