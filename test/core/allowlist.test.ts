// The allowlist on final objects: everything dangerous that a patch or a manifest can say, and who may allow it.
import { describe, expect, it } from 'vitest'
import { refusals } from '../../src/core/allowlist.ts'
import type { KubeObject } from '../../src/core/cluster.ts'
import { render } from '../../src/core/objects.ts'
import { inputOf, specOf } from './specs.ts'

type Allow = { kinds: string[]; serviceAccounts: string[]; patches: string[] }
const none: Allow = { kinds: [], serviceAccounts: [], patches: [] }

function judge(keys: object, allow: Partial<Allow> = {}, createNamespace = false): string[] {
  const input = inputOf(keys)
  const place = { ...input.environment, createNamespace }
  const environment = { name: 'staging', createNamespace, allow: { ...none, ...allow } }
  return refusals(render({ ...input, environment: place }), {
    environment,
    namespace: 'shop',
    spec: specOf(keys),
  })
}
const withPod = (spec: object, more: object = {}) => ({
  ...more,
  patches: [{ target: 'Deployment', patch: { spec: { template: { spec } } } }],
})
const withContainer = (container: object, more: object = {}) =>
  withPod({ containers: [{ name: 'web', ...container }] }, more)
const manifest = (object: object) => ({ kind: 'manifests', image: undefined, manifests: [object] })
const meta = { name: 'a' }
const ports = [{ name: 'http', port: 80 }]

const fields: readonly (readonly [name: string, keys: object, path: string])[] = [
  ['the network of the node', withPod({ hostNetwork: true }), 'spec.template.spec.hostNetwork'],
  ['the processes of the node', withPod({ hostPID: true }), 'spec.template.spec.hostPID'],
  ['the memory of the node', withPod({ hostIPC: true }), 'spec.template.spec.hostIPC'],
  [
    'files of the node',
    withPod({ volumes: [{ name: 'x', hostPath: { path: '/' } }] }),
    'spec.template.spec.volumes.hostPath',
  ],
  [
    'a volume of the network',
    withPod({ volumes: [{ name: 'x', nfs: { server: 'a', path: '/' } }] }),
    'spec.template.spec.volumes.nfs',
  ],
  [
    'a volume of a driver',
    withPod({ volumes: [{ name: 'x', csi: { driver: 'd' } }] }),
    'spec.template.spec.volumes.csi',
  ],
  [
    'a projected token',
    withPod({ volumes: [{ name: 'x', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
    'spec.template.spec.volumes.projected.sources.serviceAccountToken',
  ],
  ['a node of its choice', withPod({ nodeName: 'master' }), 'spec.template.spec.nodeName'],
  [
    'a priority',
    withPod({ priorityClassName: 'system-node-critical' }),
    'spec.template.spec.priorityClassName',
  ],
  ['names of other hosts', withPod({ hostAliases: [{ ip: '127.0.0.1' }] }), 'spec.template.spec.hostAliases'],
  ['a field nobody knows yet', withPod({ superPowers: true }), 'spec.template.spec.superPowers'],
  [
    'kernel settings',
    withPod({ securityContext: { sysctls: [{ name: 'a' }] } }),
    'spec.template.spec.securityContext.sysctls',
  ],
  [
    'another SELinux label',
    withPod({ securityContext: { seLinuxOptions: { type: 'spc_t' } } }),
    'spec.template.spec.securityContext.seLinuxOptions',
  ],
  [
    'no seccomp',
    withPod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    'spec.template.spec.securityContext.seccompProfile',
  ],
  [
    'a privileged container',
    withContainer({ securityContext: { privileged: true } }),
    'spec.template.spec.containers.securityContext.privileged',
  ],
  [
    'a privileged init container',
    withPod({
      initContainers: [
        {
          name: 'x',
          image: 'a',
          securityContext: {
            privileged: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
        },
      ],
    }),
    'spec.template.spec.initContainers.securityContext.privileged',
  ],
  [
    'added capabilities',
    withContainer({ securityContext: { capabilities: { add: ['NET_ADMIN'] } } }),
    'spec.template.spec.containers.securityContext.capabilities.add',
  ],
  [
    'the real /proc',
    withContainer({ securityContext: { procMount: 'Unmasked' } }),
    'spec.template.spec.containers.securityContext.procMount',
  ],
  [
    'no AppArmor',
    withContainer({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }),
    'spec.template.spec.containers.securityContext.appArmorProfile',
  ],
  [
    'a port of the node',
    withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] }),
    'spec.template.spec.containers.ports.hostPort',
  ],
  [
    'mounts into the node',
    withContainer({ volumeMounts: [{ name: 'x', mountPath: '/x', mountPropagation: 'Bidirectional' }] }),
    'spec.template.spec.containers.volumeMounts.mountPropagation',
  ],
  [
    'a raw device',
    withContainer({ volumeDevices: [{ name: 'x', devicePath: '/dev/x' }] }),
    'spec.template.spec.containers.volumeDevices',
  ],
  [
    'a probe of another host',
    withContainer({ livenessProbe: { httpGet: { host: '169.254.169.254', port: 80 } } }),
    'spec.template.spec.containers.livenessProbe.httpGet.host',
  ],
  [
    'a hook that calls another host',
    withContainer({ lifecycle: { postStart: { tcpSocket: { host: 'x', port: 1 } } } }),
    'spec.template.spec.containers.lifecycle.postStart.tcpSocket.host',
  ],
  [
    'a Service to the outside',
    { ports, patches: [{ target: 'Service', patch: { spec: { type: 'LoadBalancer' } } }] },
    'spec.type',
  ],
  [
    'a Service that takes addresses',
    { ports, patches: [{ target: 'Service', patch: { spec: { externalIPs: ['10.0.0.1'] } } }] },
    'spec.externalIPs',
  ],
  [
    'a snippet for the proxy',
    {
      ports,
      ingress: [
        { host: 'a.example.com', annotations: { 'nginx.ingress.kubernetes.io/configuration-snippet': 'x' } },
      ],
    },
    'metadata.annotations.nginx.ingress.kubernetes.io/configuration-snippet',
  ],
  [
    'a volume of its choice',
    {
      storage: [{ name: 'd', size: 1, mount: '/d' }],
      patches: [{ target: 'PersistentVolumeClaim', patch: { spec: { volumeName: 'pv' } } }],
    },
    'spec.volumeName',
  ],
  [
    'a finalizer',
    { patches: [{ target: 'Deployment', patch: { metadata: { finalizers: ['x'] } } }] },
    'metadata.finalizers',
  ],
  [
    'seccomp off by annotation',
    { annotations: { 'container.apparmor.security.beta.kubernetes.io/web': 'unconfined' } },
    'spec.template.metadata.annotations.container.apparmor.security.beta.kubernetes.io/web',
  ],
]

describe('fields', () => {
  it.each(fields)('refuses %s; an operator may allow it by its path', (_, keys, path) => {
    const found = judge(keys)
    expect(found.join('\n')).toContain(`add ${path} to environments.staging.allow.patches in gkube.yaml`)
    expect(judge(keys, { patches: [path] })).toEqual([])
    const parent = path.slice(0, path.lastIndexOf('.'))
    if (!path.includes('annotations')) expect(judge(keys, { patches: [parent] })).toEqual([])
  })
  it('names object, container and field', () => {
    expect(judge(withContainer({ securityContext: { privileged: true } }))).toEqual([
      'Deployment shop/web: spec.template.spec.containers.securityContext.privileged (container web) is not allowed in staging: it is root on the node. An operator can allow it: add spec.template.spec.containers.securityContext.privileged to environments.staging.allow.patches in gkube.yaml.',
    ])
  })
  it('off is as good as absent', () => {
    expect(
      judge(
        withPod({
          hostNetwork: false,
          hostPID: false,
          containers: [{ name: 'web', securityContext: { privileged: false } }],
        }),
      ),
    ).toEqual([])
  })
  it('the deprecated name of a service account counts too', () => {
    expect(judge(withPod({ serviceAccount: 'admin' }))[0]).toContain(
      'add admin to environments.staging.allow.serviceAccounts',
    )
  })
})

describe('service accounts', () => {
  it('must be on the list', () => {
    const keys = { security: { serviceAccount: 'web' } }
    expect(judge(keys)).toEqual([
      'Deployment shop/web: spec.template.spec.serviceAccountName acts as web, which is not allowed in staging. An operator can allow it: add web to environments.staging.allow.serviceAccounts in gkube.yaml.',
    ])
    expect(judge(keys, { serviceAccounts: ['web'] })).toEqual([])
    expect(judge(keys, { patches: ['spec'] })).toHaveLength(1)
  })
})

describe('kinds', () => {
  const cases: readonly (readonly [name: string, object: object, says: string])[] = [
    [
      'a role',
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: meta },
      'gkube never writes a Role for an app, it gives rights',
    ],
    [
      'a binding',
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: meta },
      'gkube never writes a ClusterRoleBinding',
    ],
    [
      'a webhook',
      { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'MutatingWebhookConfiguration', metadata: meta },
      'changes what the API server admits',
    ],
    [
      'a new kind',
      { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: meta },
      'adds kinds to the whole cluster',
    ],
  ]
  it.each(cases)('never %s, whatever is allowed', (_, object, says) => {
    const { kind } = object as KubeObject
    expect(judge(manifest(object), { kinds: [kind] })[0]).toContain(says)
  })
  const byOperator: readonly (readonly [name: string, object: object, says: string])[] = [
    [
      'a DaemonSet',
      { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: meta },
      'not on the list of allowed kinds',
    ],
    ['a bare Pod', { apiVersion: 'v1', kind: 'Pod', metadata: meta }, 'not on the list'],
    [
      'a custom kind',
      { apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata: meta },
      'add Certificate to environments.staging.allow.kinds',
    ],
    [
      'a Secret',
      { apiVersion: 'v1', kind: 'Secret', metadata: meta, data: {} },
      'secrets are made outside of gkube',
    ],
    [
      'a PersistentVolume',
      { apiVersion: 'v1', kind: 'PersistentVolume', metadata: meta },
      'belongs to the whole cluster',
    ],
    [
      'a Namespace',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      'belongs to the whole cluster',
    ],
    [
      'a Deployment of another group',
      { apiVersion: 'evil.example.com/v1', kind: 'Deployment', metadata: meta },
      'not on the list',
    ],
  ]
  it.each(byOperator)('%s only if an operator allows it', (_, object, says) => {
    const { kind, apiVersion } = object as KubeObject
    expect(judge(manifest(object))[0]).toContain(says)
    expect(judge(manifest(object), { kinds: [kind] })).toEqual([])
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    if (group) expect(judge(manifest(object), { kinds: [`${kind}.${group}`] })).toEqual([])
  })
  it('a group or field called like something that every object has is just not allowed', () => {
    const odd = { apiVersion: 'constructor/v1', kind: 'Deployment', metadata: meta }
    expect(judge(manifest(odd))[0]).toContain('not on the list of allowed kinds')
    expect(judge(withPod({ constructor: 1 }))[0]).toContain('it is not on the list of allowed fields')
  })
  it('looks into pods of kinds that it does not know', () => {
    const rollout = {
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      metadata: meta,
      spec: {
        steps: [{ deep: { podTemplate: { spec: { hostNetwork: true, containers: [{ name: 'x' }] } } } }],
      },
    }
    expect(judge(manifest(rollout), { kinds: ['Rollout'] })[0]).toContain('hostNetwork')
  })
  it('the Namespace that gkube makes itself is fine, one in the manifests is not', () => {
    expect(judge({}, {}, true)).toEqual([])
    const own = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    }
    expect(judge(manifest(own), {}, true)).not.toEqual([])
  })
})

describe('place', () => {
  it('no other namespace', () => {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'kube-system' } }
    expect(judge(manifest(object))[0]).toContain(
      'metadata.namespace is kube-system, but in staging this app lives in shop',
    )
  })
})

describe('profile', () => {
  const pod = (spec: object) =>
    manifest({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: meta, spec: { template: { spec } } })
  const cases: readonly (readonly [name: string, keys: object, says: string])[] = [
    [
      'root in a container',
      withContainer({ securityContext: { runAsUser: 0 } }),
      'runAsUser (container web) is root',
    ],
    ['root in the pod', withPod({ securityContext: { runAsUser: 0 } }), 'runAsUser (container web) is root'],
    [
      'root allowed',
      withPod({ securityContext: { runAsNonRoot: false } }),
      'runAsNonRoot (container web) must be true',
    ],
    [
      'root no longer refused',
      withPod({ securityContext: { runAsNonRoot: null } }),
      'runAsNonRoot (container web) must be true',
    ],
    [
      'rights that grow',
      withContainer({ securityContext: { allowPrivilegeEscalation: true } }),
      'allowPrivilegeEscalation (container web) must be false',
    ],
    [
      'capabilities kept',
      withContainer({ securityContext: { capabilities: null } }),
      'capabilities.drop (container web) must be ALL',
    ],
    [
      'seccomp taken away',
      withPod({ securityContext: { seccompProfile: null } }),
      'seccompProfile (container web) must be RuntimeDefault',
    ],
    [
      'a manifest that is root',
      pod({ containers: [{ name: 'x', securityContext: { runAsUser: 0 } }] }),
      'runAsUser (container x) is root',
    ],
    [
      'a manifest that grows',
      pod({ containers: [{ name: 'x', securityContext: { allowPrivilegeEscalation: true } }] }),
      'must be false',
    ],
  ]
  it.each(cases)('restricted refuses %s, and says that the team can choose baseline', (_, keys, says) => {
    const found = judge(keys).join('\n')
    expect(found).toContain(says)
    expect(found).toContain('security.profile: baseline')
  })
  it('a manifest that says nothing is left to the admission of the cluster', () => {
    expect(judge(pod({ containers: [{ name: 'x', image: 'a' }] }))).toEqual([])
  })
  it('baseline allows root, and nothing of the node', () => {
    const security = { profile: 'baseline', runAsUser: 0 }
    expect(judge({ security })).toEqual([])
    expect(judge(withPod({ hostNetwork: true }, { security }))).toHaveLength(1)
  })
})

describe('what gkube renders itself', () => {
  const full = {
    ports,
    autoscale: { min: 1, max: 3 },
    files: [
      { path: '/a', content: 'x' },
      { path: '/b', secret: 's' },
    ],
    storage: [{ name: 'd', size: 1, mount: '/d' }],
    sidecars: [{ name: 's', image: 'a' }],
    ingress: [{ host: 'a.example.com', annotations: { a: 'b' } }],
    disruption: { maxUnavailable: 1 },
    security: { readOnlyRoot: true, runAsUser: 1, runAsGroup: 1 },
  }
  it.each([
    ['service', full],
    [
      'stateful',
      { ...full, kind: 'stateful', storage: [{ name: 'd', size: 1, mount: '/d', access: 'RWO' }] },
    ],
    ['cron', { kind: 'cron', schedule: { cron: '@daily' } }],
  ])('%s passes', (_, keys) => {
    expect(judge(keys)).toEqual([])
  })
})
