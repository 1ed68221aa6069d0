// The fake nodes of the control plane: the Stage that makes them ready, and what the harness writes at the start.
// What their pods do is in stages.ts.
import { tagPattern } from './pod-status.ts'

export const stage = (name: string, kind: 'Pod' | 'Node', spec: object) => ({
  apiVersion: 'kwok.x-k8s.io/v1alpha1',
  kind: 'Stage',
  metadata: { name },
  spec: { resourceRef: { apiGroup: 'v1', kind }, ...spec },
})
export const must = (jq: string) => ({ key: jq, operator: 'In', values: ['true'] })

/** A node becomes ready with 8 CPUs, and names the port where its pods' logs are asked for. */
export const nodeStages = (logPort: number) => [
  stage('ready', 'Node', {
    selector: {
      matchExpressions: [must('any(.status.conditions[]?; .type == "Ready" and .status == "True") | not')],
    },
    steps: [
      {
        patch: {
          subresource: 'status',
          root: 'status',
          type: 'strategic',
          template: `
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
addresses: [{type: InternalIP, address: 127.0.0.1}]
daemonEndpoints: {kubeletEndpoint: {Port: ${logPort}}}
allocatable: {cpu: "8", memory: 32Gi, pods: "500"}
capacity: {cpu: "8", memory: 32Gi, pods: "500"}`,
        },
      },
    ],
  }),
]

const mutation = `Object{spec: Object.spec{containers: [Object.spec.containers{name: object.spec.containers[0].name, resources: Object.spec.containers.resources{requests: {"cpu": "1k"}}}]}}`

/**
 * Objects that the harness writes at the start: the nodes, and a policy that lets pods of `:huge` images ask for
 * more CPU than any node has. So the real scheduler is what refuses them.
 */
export function seedObjects(nodes: number, policyVersion: string): { path: string; object: object }[] {
  const policies = `/apis/admissionregistration.k8s.io/${policyVersion}`
  const apiVersion = `admissionregistration.k8s.io/${policyVersion}`
  const metadata = { name: 'huge-images' }
  const hasTag = `object.spec.containers.exists(c, has(c.image) && c.image.matches("${tagPattern('huge')}"))`
  const pods = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }
  const node = (name: string) => ({
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
  })
  return [
    ...Array.from({ length: nodes }, (_, i) => ({ path: '/api/v1/nodes', object: node(`node-${i + 1}`) })),
    {
      path: `${policies}/mutatingadmissionpolicies`,
      object: {
        apiVersion,
        kind: 'MutatingAdmissionPolicy',
        metadata,
        spec: {
          matchConstraints: { resourceRules: [pods] },
          matchConditions: [{ name: 'huge', expression: hasTag }],
          failurePolicy: 'Fail',
          reinvocationPolicy: 'Never',
          mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: mutation } }],
        },
      },
    },
    {
      path: `${policies}/mutatingadmissionpolicybindings`,
      object: {
        apiVersion,
        kind: 'MutatingAdmissionPolicyBinding',
        metadata,
        spec: { policyName: metadata.name },
      },
    },
  ]
}
