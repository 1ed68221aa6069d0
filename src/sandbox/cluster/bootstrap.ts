// What a fresh cluster has: namespaces, nodes with room, a default storage class, the service `kubernetes`.
// Only what is missing is made, so a restart changes nothing.
import { kindNamed } from './kinds.ts'
import { type Draft, timestamp } from './object.ts'
import type { Registry } from './registry.ts'
import type { Store } from './store.ts'

export type NodeSpec = {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly cpu?: string
  readonly memory?: string
  readonly pods?: string
}

export const defaultNodes: readonly NodeSpec[] = [1, 2, 3].map(n => ({ name: `node-${n}` }))

export async function bootstrap(
  store: Store,
  registry: Registry,
  nodes: readonly NodeSpec[],
  kubeletVersion: string,
) {
  const ensure = async (
    kindName: string,
    draft: Draft & { metadata: { name: string; namespace?: string } },
  ) => {
    const kind = kindNamed(kindName)
    const { name, namespace } = draft.metadata
    if (store.get(kind, namespace, name)) return
    await registry.create(kind, draft, { manager: 'kube-apiserver', namespace, trusted: true })
  }
  await Promise.all(
    ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map(name =>
      ensure('Namespace', { metadata: { name } }),
    ),
  )
  await ensure('StorageClass', {
    metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'sandbox.gkube.dev/hostpath',
    allowVolumeExpansion: true,
  })
  await ensure('Service', {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      clusterIP: '10.96.0.1',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
    },
  })
  for (const [i, node] of nodes.entries()) await ensure('Node', nodeDraft(node, i, kubeletVersion))
}

function nodeDraft(node: NodeSpec, index: number, kubeletVersion: string) {
  const room = {
    cpu: node.cpu ?? '8',
    memory: node.memory ?? '32Gi',
    pods: node.pods ?? '250',
    'ephemeral-storage': '100Gi',
  }
  const now = timestamp()
  const fact = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  })
  return {
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        ...node.labels,
      },
    },
    spec: { podCIDR: `10.244.${index + 1}.0/24` },
    status: {
      capacity: room,
      allocatable: room,
      addresses: [
        { type: 'InternalIP', address: `192.168.49.${index + 2}` },
        { type: 'Hostname', address: node.name },
      ],
      conditions: [
        fact(
          'MemoryPressure',
          'False',
          'KubeletHasSufficientMemory',
          'kubelet has sufficient memory available',
        ),
        fact('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        fact('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        fact('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      nodeInfo: {
        kubeletVersion,
        kubeProxyVersion: '',
        osImage: 'gkube sandbox',
        operatingSystem: 'linux',
        architecture: 'amd64',
        containerRuntimeVersion: 'sandbox://1',
        kernelVersion: '',
        machineID: '',
        systemUUID: '',
        bootID: '',
      },
    },
  }
}
