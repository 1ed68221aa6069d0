// What an app may write to a cluster without asking: checked on the final objects, so it holds for patches, given
// manifests and service accounts alike. gkube's rights are not the team's. Operators widen it per environment
// (`allow` in gkube.yaml); allowlist/pod.ts has the fields of pods.
import { type Finding, podFindings } from './allowlist/pod.ts'
import type { AppSpec } from './app.ts'
import { type KubeObject, nameOf } from './cluster.ts'
import type { Environment } from './environment.ts'
import { clusterScoped, flatten } from './objects/manifests.ts'
import { fieldsOf, listOf, podsIn } from './objects/pod-templates.ts'

type Context = {
  readonly environment: Pick<Environment, 'name' | 'allow' | 'createNamespace'>
  readonly namespace: string
  readonly spec: Pick<AppSpec, 'kind' | 'security' | 'manifests'>
  /** PersistentVolumes that gkube itself binds claims to, by the claim. */
  readonly bound?: ReadonlyMap<string, string>
}

/** Kinds that every app may write, by API group. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  '': ['Service', 'ConfigMap', 'PersistentVolumeClaim'],
  apps: ['Deployment', 'StatefulSet'],
  batch: ['Job', 'CronJob'],
  autoscaling: ['HorizontalPodAutoscaler'],
  policy: ['PodDisruptionBudget'],
  'networking.k8s.io': ['Ingress'],
}

/** Groups that decide what others may do: never by gkube, whatever is configured. */
const never: Readonly<Record<string, string>> = {
  'rbac.authorization.k8s.io': 'gives rights',
  'admissionregistration.k8s.io': 'changes what the API server admits',
  'apiextensions.k8s.io': 'adds kinds to the whole cluster',
  'apiregistration.k8s.io': 'adds APIs to the whole cluster',
  'certificates.k8s.io': 'makes identities',
  'authentication.k8s.io': 'makes identities',
  'authorization.k8s.io': 'asks for rights',
}

const groupOf = ({ apiVersion }: KubeObject): string =>
  apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

/**
 * Everything that must not be written, one sentence each, with who may change that: an operator by the key of
 * gkube.yaml that is named, or the team itself. Empty means all is allowed.
 */
export function refusals(objects: readonly KubeObject[], context: Context): string[] {
  const all = objects.flatMap(object => {
    const kind = kindRefusal(object, context)
    if (kind) return [kind]
    return [...placeRefusals(object, context), ...fieldRefusals(object, context)]
  })
  return [...new Set(all)]
}

function kindRefusal(object: KubeObject, { environment, namespace, spec }: Context): string | null {
  const group = groupOf(object)
  const name = nameOf(object)
  // A group is what somebody wrote: `constructor` is one too.
  const forbidden = Object.hasOwn(never, group) ? never[group] : undefined
  if (forbidden)
    return `${name}: gkube never writes a ${object.kind} for an app, it ${forbidden}. Take it out of the manifests; an operator applies it with kubectl.`
  if (object.kind === 'Namespace' && group === '') {
    const given = flatten(spec.manifests).some(manifest => manifest.kind === 'Namespace')
    if (!given && environment.createNamespace && object.metadata.name === namespace) return null
  }
  if (Object.hasOwn(kinds, group) && kinds[group]?.includes(object.kind)) return null
  const written = [object.kind, `${object.kind}.${group}`, `${group}/${object.kind}`]
  if (environment.allow.kinds.some(kind => written.includes(kind))) return null
  const why =
    object.kind === 'Secret' && group === ''
      ? 'secrets are made outside of gkube and named here, so that their values never pass through it'
      : clusterScoped.has(object.kind)
        ? 'it belongs to the whole cluster'
        : 'this kind is not on the list of allowed kinds'
  return `${name}: not allowed in ${environment.name}, ${why}. An operator can allow it: add ${object.kind} to environments.${environment.name}.allow.kinds in gkube.yaml.`
}

function placeRefusals(object: KubeObject, { environment, namespace }: Context): string[] {
  const there = object.metadata.namespace
  if (clusterScoped.has(object.kind) || there === namespace) return []
  return [
    `${nameOf(object)}: metadata.namespace is ${there ?? 'missing'}, but in ${environment.name} this app lives in ${namespace}. Leave the namespace out; the operators set it by environments.${environment.name}.namespace in gkube.yaml.`,
  ]
}

function fieldRefusals(object: KubeObject, context: Context): string[] {
  const { environment, spec } = context
  const { allow } = environment
  const profile = {
    restricted: spec.security.profile === 'restricted',
    complete: spec.kind !== 'manifests',
  }
  const found = [
    ...objectFindings(object, context),
    ...podsIn(object).flatMap(pod => [
      ...podFindings(pod.spec, pod.path, profile),
      ...annotationFindings(fieldsOf(pod.metadata.annotations), pod.path),
    ]),
  ]
  return found
    .filter(finding => !isAllowed(finding, allow))
    .map(finding => sentence(object, finding, environment))
}

function isAllowed(finding: Finding, allow: Environment['allow']): boolean {
  if (finding.by && finding.by !== 'team') return allow.serviceAccounts.includes(finding.by.serviceAccount)
  return allow.patches.some(path => finding.path === path || finding.path.startsWith(`${path}.`))
}

function sentence(object: KubeObject, finding: Finding, { name }: Context['environment']): string {
  const where = `${nameOf(object)}: ${finding.path}${finding.part ? ` (${finding.part})` : ''}`
  if (finding.by === 'team')
    return `${where} ${finding.why}. The team can set security.profile: baseline in app.yaml.`
  if (finding.by)
    return `${where} ${finding.why}, which is not allowed in ${name}. An operator can allow it: add ${finding.by.serviceAccount} to environments.${name}.allow.serviceAccounts in gkube.yaml.`
  return `${where} is not allowed in ${name}: it ${finding.why}. An operator can allow it: add ${finding.path} to environments.${name}.allow.patches in gkube.yaml.`
}

/** Old annotations that switch seccomp or AppArmor off. */
function annotationFindings(annotations: Readonly<Record<string, unknown>>, pod: string): Finding[] {
  const base = pod.replace(/\.?spec$/, '')
  return Object.entries(annotations)
    .filter(([key, value]) => /^(container\.)?(apparmor|seccomp)\./.test(key) && value === 'unconfined')
    .map(([key]) => ({
      path: `${base ? `${base}.` : ''}metadata.annotations.${key}`,
      why: 'switches a protection of the kernel off',
    }))
}

/** Fields outside of pods that reach beyond the app. */
function objectFindings(object: KubeObject, { bound }: Pick<Context, 'bound'>): Finding[] {
  const spec = fieldsOf(object.spec)
  const isBound = spec.volumeName !== undefined && spec.volumeName === bound?.get(object.metadata.name)
  const find = (condition: unknown, path: string, why: string): Finding[] =>
    condition ? [{ path, why }] : []
  return [
    ...find(object.metadata.finalizers, 'metadata.finalizers', 'can keep an object from being deleted'),
    ...find(object.metadata.ownerReferences, 'metadata.ownerReferences', 'ties its life to another object'),
    ...(object.kind === 'Service' ? serviceFindings(spec) : []),
    ...(object.kind === 'Ingress' ? ingressFindings(object) : []),
    ...(object.kind === 'PersistentVolumeClaim'
      ? find(spec.volumeName && !isBound, 'spec.volumeName', 'takes a volume of its choice')
      : []),
    ...listOf(spec.volumeClaimTemplates).flatMap(template =>
      find(
        fieldsOf(template.spec).volumeName,
        'spec.volumeClaimTemplates.spec.volumeName',
        'takes a volume of its choice',
      ),
    ),
  ]
}

function serviceFindings(spec: Readonly<Record<string, unknown>>): Finding[] {
  const outside = ['NodePort', 'LoadBalancer', 'ExternalName'].includes(String(spec.type))
  return [
    ...(outside ? [{ path: 'spec.type', why: `is ${spec.type}, which reaches outside of the cluster` }] : []),
    ...['externalIPs', 'loadBalancerIP', 'externalName']
      .filter(key => spec[key] !== undefined)
      .map(key => ({ path: `spec.${key}`, why: 'can take traffic that is meant for others' })),
  ]
}

/** Snippets are configuration of the shared proxy: whoever writes one reads every secret it has. */
const ingressFindings = (object: KubeObject): Finding[] =>
  Object.keys(object.metadata.annotations ?? {})
    .filter(key => /snippets?$/.test(key))
    .map(key => ({
      path: `metadata.annotations.${key}`,
      why: 'writes into the configuration of the shared proxy',
    }))
