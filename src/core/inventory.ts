// Pure look-ups in what gkube wrote for an app.
import type { ObjectRef } from './cluster.ts'
import { pinned } from './objects/adopted.ts'
import type { Frozen, Workload } from './workload.ts'

/** The same object: its API version may differ, its group, kind and name may not. */
export const sameObject = (a: ObjectRef, b: ObjectRef): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  (a.namespace ?? '') === (b.namespace ?? '') &&
  group(a) === group(b)

const group = (ref: ObjectRef): string =>
  ref.apiVersion.includes('/') ? (ref.apiVersion.split('/')[0] ?? '') : ''

const runners = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job', 'ReplicationController']

/** The object whose pods are the app: the one named like it, else the first that runs pods; null if none does. */
export function mainOf(workload: Pick<Workload, 'app' | 'inventory'>): ObjectRef | null {
  const running = runners.flatMap(kind => workload.inventory.filter(item => item.kind === kind))
  const item = running.find(candidate => candidate.name === workload.app) ?? running[0]
  return item
    ? { apiVersion: item.apiVersion, kind: item.kind, namespace: item.namespace, name: item.name }
    : null
}

/** What to look at of an app: its main object, and how its pods are found where they have no labels of gkube. */
export function watchedOf(
  workload: Pick<Workload, 'app' | 'namespace' | 'inventory'>,
  frozen: Pick<Frozen, 'adopted'> | null,
): { namespace: string; app: string; workload: ObjectRef; podLabels?: Record<string, string> } | null {
  const { app, namespace } = workload
  const adopted = frozen?.adopted
  // A controller that is being replaced is in the inventory beside its Deployment.
  const own =
    adopted && workload.inventory.find(item => item.kind === adopted.kind && item.name === adopted.name)
  const main = own ?? mainOf(workload)
  if (!main) return null
  const ref = { apiVersion: main.apiVersion, kind: main.kind, namespace: main.namespace, name: main.name }
  const unlabelled = adopted?.kind === 'ReplicationController' && adopted.name === main.name
  const podLabels = unlabelled ? pinned(adopted.selector, adopted.labels) : undefined
  return { namespace, app, workload: ref, ...(podLabels ? { podLabels } : {}) }
}
