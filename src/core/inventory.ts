// Pure look-ups in what gkube wrote for an app.
import type { ObjectRef } from './cluster.ts'
import type { Workload } from './workload.ts'

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
