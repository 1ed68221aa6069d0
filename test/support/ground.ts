// A stack on the stand-in cluster as the stories of other managers need it (drift-stories.ts, adopt-stories.ts).
import { wireTo } from '../sandbox/cluster/wire.ts'
import type { Ground } from './drift-stories.ts'
import { startStack } from './stack.ts'

/** Environments staging and production, their namespaces made. */
export async function groundOf(environments?: Record<string, unknown>): Promise<Ground> {
  const stack = await startStack({ open: true, environments })
  const kubeconfig = JSON.stringify(stack.cluster.kubeconfig())
  const cluster = stack.server.clusters.get('default')
  if (!cluster) throw new Error('the stack has no cluster')
  const wire = wireTo(kubeconfig)
  for (const name of ['staging', 'production']) await wire.post('/api/v1/namespaces', { metadata: { name } })
  return { core: stack.core, cluster, wire, kubeconfig, namespace: name => name }
}
