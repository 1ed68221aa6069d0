// The environment step of a create: the namespace must be there before anything is written into it. gkube makes
// it only where the operators allow that (`createNamespace`); it is never deleted.
import { ClusterError } from '../cluster.ts'
import { namespaceObject } from '../objects.ts'
import { done, failed, type StepBody } from './step.ts'

export const environment: StepBody = async ({ cluster, environment: env, workload }) => {
  const name = workload.namespace
  const ref = { apiVersion: 'v1', kind: 'Namespace', name }
  if (await cluster.get(ref)) return done(`namespace ${name} is there`)
  if (!env.createNamespace) {
    return failed(
      'namespace_missing',
      `Namespace ${name} does not exist in cluster ${workload.cluster}. Create it, or set environments.${env.name}.createNamespace in gkube.yaml.`,
    )
  }
  try {
    await cluster.create(namespaceObject(name))
  } catch (error) {
    if (error instanceof ClusterError && error.kind === 'already_exists')
      return done(`namespace ${name} is there`)
    if (error instanceof ClusterError && error.kind === 'forbidden') {
      return failed('forbidden', `gkube may not create namespace ${name}: ${error.message}`)
    }
    throw error
  }
  return done(`namespace ${name} created`)
}
