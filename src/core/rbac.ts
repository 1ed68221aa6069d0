// The least rights that gkube needs in a cluster, as RBAC objects: `gkube rbac <environment>` prints them, an
// operator applies them. A Role and a RoleBinding per namespace; a ClusterRole only for what has no namespace or is
// not known yet. The table is the list of what core/ writes and adapters/kubernetes/ reads; test/core/rbac.test.ts
// holds it to both.
import { stringify } from 'yaml'
import { UserError } from '../errors.ts'
import type { KubeObject } from './cluster.ts'
import { type Environment, namespaceOf } from './environment.ts'

export type RbacOptions = {
  /** Who gkube is in that cluster. */
  readonly serviceAccount: { readonly namespace: string; readonly name: string }
  /** The apps of the environment: needed where its namespace has `{app}` in it. */
  readonly apps?: readonly string[]
  /** Kinds beyond the usual ones, `Kind.group`; default: the environment's `allow.kinds`. */
  readonly kinds?: readonly string[]
  /** The cluster's `watch: cluster-wide`. */
  readonly clusterWideWatch?: boolean
  /** Volumes that gkube makes itself (PersistentVolumes); always where the environment has a pool. */
  readonly staticVolumes?: boolean
  /** Uploaded artifacts are published: each Job gets its one-time token as a Secret. */
  readonly uploads?: boolean
}

export type Rbac = {
  readonly objects: readonly KubeObject[]
  /** What an operator should know, one sentence each; printed as comments. */
  readonly notes: readonly string[]
}

type Rule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

const read = ['get', 'list', 'watch'] as const
const write = ['create', 'patch', 'delete'] as const

const rule = (group: string, resources: readonly string[], verbs: readonly string[]): Rule => ({
  apiGroups: [group],
  resources,
  // Each its own list: YAML would show a shared one as an anchor.
  verbs: [...verbs],
})

/** What gkube writes for an app (the allowlist's kinds), and reads back. */
const written: readonly Rule[] = [
  rule('', ['configmaps', 'persistentvolumeclaims', 'services'], [...read, ...write]),
  rule('apps', ['deployments', 'statefulsets'], [...read, ...write]),
  rule('batch', ['cronjobs', 'jobs'], [...read, ...write]),
  rule('autoscaling', ['horizontalpodautoscalers'], [...read, ...write]),
  rule('networking.k8s.io', ['ingresses'], [...read, ...write]),
  rule('policy', ['poddisruptionbudgets'], [...read, ...write]),
]

/** What it only looks at to judge a rollout, to diagnose it, and to show it. */
const looked: readonly Rule[] = [
  rule('', ['pods'], [...read, 'delete']),
  rule('', ['pods/log'], ['get']),
  rule('', ['events'], ['get', 'list']),
  // In a Role this is about the Role's own namespace.
  rule('', ['namespaces'], ['get']),
  rule('apps', ['replicasets'], read),
  rule('apps', ['controllerrevisions'], ['get', 'list']),
  rule('discovery.k8s.io', ['endpointslices'], read),
]

/** Over a WebSocket, older servers ask for `get`, newer ones for `create`. */
const exec = rule('', ['pods/exec'], ['create', 'get'])

/** What the shared watches read, where one watch a kind serves all namespaces. */
const watchedEverywhere: readonly Rule[] = [
  rule(
    '',
    ['configmaps', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'services'],
    ['list', 'watch'],
  ),
  rule('apps', ['daemonsets', 'deployments', 'replicasets', 'statefulsets'], ['list', 'watch']),
  rule('autoscaling', ['horizontalpodautoscalers'], ['list', 'watch']),
  rule('batch', ['cronjobs', 'jobs'], ['list', 'watch']),
  rule('discovery.k8s.io', ['endpointslices'], ['list', 'watch']),
  rule('networking.k8s.io', ['ingresses'], ['list', 'watch']),
  rule('policy', ['poddisruptionbudgets'], ['list', 'watch']),
]

/** Made and grown; deleted only when a person typed the name of what they hold. Drivers are looked at first. */
const volumes: readonly Rule[] = [
  rule('', ['persistentvolumes'], ['get', 'list', 'create', 'patch', 'delete']),
  rule('storage.k8s.io', ['csidrivers'], ['list']),
]
/** Made and never read; each goes with the Job that owns it (docs/decisions/0016). */
const tokens = rule('', ['secrets'], ['create'])
const namespaces = rule('', ['namespaces'], ['get', 'create'])

/** Kinds of built-in groups that an operator may allow by their bare name. */
const builtIn: Readonly<Record<string, string>> = {
  DaemonSet: 'apps',
  Endpoints: '',
  LimitRange: '',
  NetworkPolicy: 'networking.k8s.io',
  PersistentVolume: '',
  PodTemplate: '',
  PriorityClass: 'scheduling.k8s.io',
  ReplicaSet: 'apps',
  ReplicationController: '',
  ResourceQuota: '',
  Secret: '',
  ServiceAccount: '',
  StorageClass: 'storage.k8s.io',
}
const withoutNamespace = ['PersistentVolume', 'PriorityClass', 'StorageClass']

/** The objects for one environment. Throws UserError where its namespaces depend on apps that were not named. */
export function rbacFor(environment: Environment, options: RbacOptions): Rbac {
  const notes: string[] = []
  const extra = extraRules(options.kinds ?? environment.allow.kinds, notes)
  const inNamespace = [
    ...written,
    ...looked,
    ...(environment.exec || environment.reload ? [exec] : []),
    ...(options.uploads ? [tokens] : []),
    ...extra.namespaced,
  ]
  const inCluster = [
    ...(options.staticVolumes || environment.pool !== undefined ? volumes : []),
    ...(options.clusterWideWatch ? watchedEverywhere : []),
    ...extra.clusterWide,
  ]
  if (environment.createNamespace) {
    notes.push(
      'createNamespace is on: a namespace that does not exist yet can hold no Role, so all rights are in a ClusterRole and hold in every namespace. Turn it off and make the namespaces yourself to have less.',
    )
    return {
      objects: clusterObjects(environment, options, [...inNamespace, ...inCluster, namespaces]),
      notes,
    }
  }
  const objects = namespacesOf(environment, options.apps ?? []).flatMap(namespace =>
    namespaceObjects(environment, options, namespace, inNamespace),
  )
  if (inCluster.length > 0) objects.push(...clusterObjects(environment, options, inCluster))
  return { objects, notes }
}

/** As YAML for `kubectl apply -f -`: the notes as comments, then the objects. */
export const rbacText = ({ objects, notes }: Rbac): string =>
  [...notes.map(note => `# ${note}\n`), objects.map(object => stringify(object)).join('---\n')].join('')

function namespacesOf(environment: Environment, apps: readonly string[]): string[] {
  if (!environment.namespace.includes('{app}')) return [namespaceOf(environment, '')]
  if (apps.length > 0) return [...new Set(apps.map(app => namespaceOf(environment, app)))].sort()
  throw new UserError(
    'bad_input',
    `Each app has its own namespace in ${environment.name} (${environment.namespace}). Name the apps that shall run there, for example: gkube rbac ${environment.name} --app web --app api`,
  )
}

const labels = { 'app.kubernetes.io/part-of': 'gkube' }
const group = 'rbac.authorization.k8s.io'

function namespaceObjects(
  environment: Environment,
  options: RbacOptions,
  namespace: string,
  rules: readonly Rule[],
): KubeObject[] {
  const metadata = { name: `gkube-${environment.name}`, namespace, labels }
  return [
    { apiVersion: `${group}/v1`, kind: 'Role', metadata, rules },
    { apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata, ...binding('Role', metadata.name, options) },
  ]
}

function clusterObjects(
  environment: Environment,
  options: RbacOptions,
  rules: readonly Rule[],
): KubeObject[] {
  const metadata = { name: `gkube-${environment.name}`, labels }
  return [
    { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata, rules: [...rules] },
    {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      ...binding('ClusterRole', metadata.name, options),
    },
  ]
}

const binding = (kind: string, name: string, { serviceAccount }: RbacOptions) => ({
  roleRef: { apiGroup: group, kind, name },
  subjects: [{ kind: 'ServiceAccount', name: serviceAccount.name, namespace: serviceAccount.namespace }],
})

/** Rules for the kinds an operator allowed, written `Kind`, `Kind.group` or `group/Kind`. */
function extraRules(kinds: readonly string[], notes: string[]): { namespaced: Rule[]; clusterWide: Rule[] } {
  const found: { namespaced: Rule[]; clusterWide: Rule[] } = { namespaced: [], clusterWide: [] }
  for (const text of kinds) {
    const { kind, named } = kindOf(text)
    const apiGroup = named ?? builtIn[kind]
    if (apiGroup === undefined) {
      notes.push(
        `${kind} has no rule here, because its API group is not known: write it as ${kind}.<group> in environments.<name>.allow.kinds.`,
      )
      continue
    }
    if (kind === 'Secret')
      notes.push('Secret is allowed: gkube may then read and write every Secret of these namespaces.')
    if (!(kind in builtIn))
      notes.push(`${kind}: the resource name ${pluralOf(kind)} is a guess; see kubectl api-resources.`)
    const place = withoutNamespace.includes(kind) ? found.clusterWide : found.namespaced
    place.push(rule(apiGroup, [pluralOf(kind)], [...read, ...write]))
  }
  return found
}

function kindOf(text: string): { kind: string; named: string | undefined } {
  if (text.includes('/')) {
    const [named = '', kind = ''] = text.split('/', 2)
    return { kind, named }
  }
  const dot = text.indexOf('.')
  return dot < 0 ? { kind: text, named: undefined } : { kind: text.slice(0, dot), named: text.slice(dot + 1) }
}

/** The plural as Kubernetes names resources: lower case, English rules. */
function pluralOf(kind: string): string {
  const word = kind.toLowerCase()
  if (word === 'endpoints') return word
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`
  return /(s|x|z|ch|sh)$/.test(word) ? `${word}es` : `${word}s`
}
