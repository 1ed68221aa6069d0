// The rights that `gkube rbac` prints: enough for all that is written and read, and nothing more.
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { knownResource } from '../../src/adapters/kubernetes/resources.ts'
import { watchedResources } from '../../src/adapters/kubernetes/watches.ts'
import { type Environment, environmentSchema } from '../../src/core/environment.ts'
import { type RbacOptions, rbacFor, rbacText } from '../../src/core/rbac.ts'

const serviceAccount = { namespace: 'gkube', name: 'gkube' }
const environment = (more: Record<string, unknown> = {}): Environment => ({
  ...environmentSchema.parse(more),
  name: 'staging',
})
const rbac = (more: Record<string, unknown> = {}, options: Partial<RbacOptions> = {}) =>
  rbacFor(environment(more), { serviceAccount, ...options })

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] }
type Rights = ReturnType<typeof rbac>
const rulesOf = (rights: Rights, kind: string): Rule[] =>
  rights.objects.filter(object => object.kind === kind).flatMap(object => object.rules as Rule[])
const may = (rules: Rule[], verb: string, group: string, resource: string): boolean =>
  rules.some(r => r.apiGroups.includes(group) && r.resources.includes(resource) && r.verbs.includes(verb))
const kinds = (rights: Rights) => rights.objects.map(object => object.kind)
const groupOf = (apiVersion: string) => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '')

it('gives Secrets for uploads to be made, and never to be read', () => {
  const rules = rulesOf(rbac({}, { uploads: true }), 'Role')
  expect(may(rules, 'create', '', 'secrets')).toBe(true)
  for (const verb of ['get', 'list', 'watch', 'patch', 'delete'])
    expect(may(rules, verb, '', 'secrets'), verb).toBe(false)
  expect(may(rulesOf(rbac(), 'Role'), 'create', '', 'secrets')).toBe(false)
})

describe('the Role of a namespace', () => {
  const rules = rulesOf(rbac(), 'Role')

  it.each([
    ['apps/v1', 'Deployment'],
    ['apps/v1', 'StatefulSet'],
    ['batch/v1', 'CronJob'],
    ['batch/v1', 'Job'],
    ['v1', 'Service'],
    ['v1', 'ConfigMap'],
    ['v1', 'PersistentVolumeClaim'],
    ['networking.k8s.io/v1', 'Ingress'],
    ['autoscaling/v2', 'HorizontalPodAutoscaler'],
    ['policy/v1', 'PodDisruptionBudget'],
  ])('covers what gkube writes: %s %s', (apiVersion, kind) => {
    const plural = knownResource({ apiVersion, kind })?.plural ?? ''
    for (const verb of ['get', 'list', 'watch', 'create', 'patch', 'delete'])
      expect(may(rules, verb, groupOf(apiVersion), plural), `${verb} ${plural}`).toBe(true)
  })

  it('covers what the shared watches of the adapter read', () => {
    // Watched only where an operator allowed them.
    const extra = ['DaemonSet', 'ReplicationController']
    const watched = watchedResources().filter(resource => !extra.includes(resource.kind))
    expect(watched.length).toBeGreaterThan(8)
    for (const { apiVersion, plural } of watched)
      for (const verb of ['list', 'watch'])
        expect(may(rules, verb, groupOf(apiVersion), plural), `${verb} ${plural}`).toBe(true)
  })

  it.each([
    ['get', '', 'pods/log'],
    ['delete', '', 'pods'],
    ['list', '', 'events'],
    ['get', '', 'namespaces'],
    ['list', 'apps', 'replicasets'],
    ['list', 'apps', 'controllerrevisions'],
  ])('covers what it looks at: %s %s %s', (verb, group, resource) => {
    expect(may(rules, verb, group, resource)).toBe(true)
  })

  it.each([
    ['create', '', 'pods'],
    ['get', '', 'secrets'],
    ['create', '', 'pods/exec'],
    ['get', '', 'pods/exec'],
    ['delete', '', 'namespaces'],
    ['update', 'apps', 'deployments'],
    ['deletecollection', 'apps', 'deployments'],
    ['create', 'rbac.authorization.k8s.io', 'roles'],
    ['create', 'apps', 'replicasets'],
    ['create', 'apps', 'daemonsets'],
  ])('gives no more: not %s %s %s', (verb, group, resource) => {
    expect(may(rules, verb, group, resource)).toBe(false)
  })

  it('has no wildcards', () => {
    const all = rules.flatMap(r => [...r.apiGroups, ...r.resources, ...r.verbs])
    expect(all).not.toContain('*')
  })

  it('is bound to the service account of gkube, in the namespace of the environment', () => {
    const [role, binding] = rbac({ namespace: 'shop-{environment}' }).objects
    expect(role?.metadata).toMatchObject({ name: 'gkube-staging', namespace: 'shop-staging' })
    expect(binding).toMatchObject({
      kind: 'RoleBinding',
      metadata: { namespace: 'shop-staging' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'gkube-staging' },
      subjects: [{ kind: 'ServiceAccount', name: 'gkube', namespace: 'gkube' }],
    })
  })
})

describe('what an operator asks for', () => {
  it('exec: the verbs of older and newer servers', () => {
    const rules = rulesOf(rbac({ exec: true }), 'Role')
    expect(may(rules, 'create', '', 'pods/exec') && may(rules, 'get', '', 'pods/exec')).toBe(true)
  })

  it('nothing for the whole cluster, unless asked', () => {
    expect(kinds(rbac())).toEqual(['Role', 'RoleBinding'])
  })

  it('watching everywhere: list and watch only, and the Role stays', () => {
    const rights = rbac({}, { clusterWideWatch: true })
    expect(kinds(rights)).toEqual(['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'])
    const rules = rulesOf(rights, 'ClusterRole')
    expect([...new Set(rules.flatMap(r => r.verbs))].sort()).toEqual(['list', 'watch'])
    for (const { apiVersion, plural } of watchedResources())
      expect(may(rules, 'watch', groupOf(apiVersion), plural), plural).toBe(true)
    expect(may(rules, 'list', '', 'secrets')).toBe(false)
  })

  it('storage on a pool: PersistentVolumes, and a look at the drivers', () => {
    const rules = rulesOf(rbac({}, { staticVolumes: true }), 'ClusterRole')
    expect(rulesOf(rbac({ pool: 'shared' }), 'ClusterRole')).toEqual(rules)
    expect(rules).toEqual([
      {
        apiGroups: [''],
        resources: ['persistentvolumes'],
        verbs: ['get', 'list', 'create', 'patch', 'delete'],
      },
      { apiGroups: ['storage.k8s.io'], resources: ['csidrivers'], verbs: ['list'] },
    ])
  })

  it('making namespaces: all of it in a ClusterRole, and it says so', () => {
    const rights = rbac({ createNamespace: true })
    expect(kinds(rights)).toEqual(['ClusterRole', 'ClusterRoleBinding'])
    const rules = rulesOf(rights, 'ClusterRole')
    expect(may(rules, 'create', '', 'namespaces') && may(rules, 'patch', 'apps', 'deployments')).toBe(true)
    expect(may(rules, 'delete', '', 'namespaces')).toBe(false)
    expect(rights.notes.join()).toMatch(/createNamespace is on.*all rights are in a ClusterRole/)
  })

  it('a namespace for each app: a Role each, or a question', () => {
    const rights = rbac({ namespace: '{app}-{environment}' }, { apps: ['web', 'api', 'web'] })
    expect(rights.objects.map(o => `${o.kind} ${o.metadata.namespace}`)).toEqual([
      'Role api-staging',
      'RoleBinding api-staging',
      'Role web-staging',
      'RoleBinding web-staging',
    ])
    expect(() => rbac({ namespace: '{app}' })).toThrow(/Name the apps.*gkube rbac staging --app web/)
  })

  it.each<[kind: string, group: string, plural: string]>([
    ['DaemonSet', 'apps', 'daemonsets'],
    ['NetworkPolicy', 'networking.k8s.io', 'networkpolicies'],
    ['ServiceMonitor.monitoring.coreos.com', 'monitoring.coreos.com', 'servicemonitors'],
    ['cert-manager.io/Certificate', 'cert-manager.io', 'certificates'],
    ['Secret', '', 'secrets'],
  ])('an allowed kind: %s', (kind, group, plural) => {
    const rules = rulesOf(rbac({ allow: { kinds: [kind] } }), 'Role')
    for (const verb of ['get', 'list', 'watch', 'create', 'patch', 'delete'])
      expect(may(rules, verb, group, plural), verb).toBe(true)
  })

  it('an allowed kind without a group that anyone could know is named, not guessed', () => {
    const rights = rbac({ allow: { kinds: ['ServiceMonitor'] } })
    expect(rights.notes).toEqual([
      expect.stringMatching(/ServiceMonitor has no rule here.*ServiceMonitor\.<group>/),
    ])
  })

  it('an allowed kind of the whole cluster goes into a ClusterRole', () => {
    const rules = rulesOf(rbac({ allow: { kinds: ['StorageClass'] } }), 'ClusterRole')
    expect(may(rules, 'create', 'storage.k8s.io', 'storageclasses')).toBe(true)
  })
})

it('as YAML: notes are comments, and every object is its own document', () => {
  const text = rbacText(rbac({ createNamespace: true }))
  expect(text).toMatch(/^# createNamespace is on: /)
  const documents = parseAllDocuments(text)
  expect(documents.map(document => document.toJS().kind)).toEqual(['ClusterRole', 'ClusterRoleBinding'])
  expect(text).not.toMatch(/[&*]a\d/)
})
