// The record step: what is no longer rendered is deleted, then the workload record says what serves now. The
// deploy ends in the same transaction (runner.ts).
import { type KubeObject, refOf } from '../cluster.ts'
import { sameObject } from '../inventory.ts'
import { appLabel } from '../objects/labels.ts'
import type { InventoryItem, Workload } from '../workload.ts'
import { renderFor } from './apply.ts'
import { removeItem } from './remove.ts'
import { done, type StepBody, type StepContext } from './step.ts'

/** Never deleted because a spec no longer names them: they hold data, or others live in them. */
const kept = ['PersistentVolumeClaim', 'PersistentVolume', 'Namespace']

export const record: StepBody = async context => {
  const { deploy } = context
  if (deploy.kind === 'delete') return { kind: 'done', message: 'the workload is gone', removeWorkload: true }
  const { workload, pruned } = await prune(context)
  const spec = deploy.prepared?.spec ?? workload.spec
  const recorded: Workload = {
    ...workload,
    state: 'ready',
    good: { spec, revision: deploy.revision, deploy: deploy.id, at: context.now() },
  }
  return done(pruned > 0 ? `${pruned} objects no longer needed were deleted` : '', recorded)
}

/** Deletes what the inventory holds and nothing renders any more; a ConfigMap stays while a ReplicaSet mounts it. */
export async function prune(context: StepContext): Promise<{ workload: Workload; pruned: number }> {
  const { workload } = context
  const rendered = (await renderFor(context, workload.overrides)).map(refOf)
  const isOld = (item: InventoryItem) =>
    !kept.includes(item.kind) && !rendered.some(ref => sameObject(ref, item))
  const old = workload.inventory.filter(isOld)
  if (old.length === 0) return { workload, pruned: 0 }
  const inUse = old.some(item => item.kind === 'ConfigMap')
    ? await configMapsInUse(context)
    : new Set<string>()
  const goes = old.filter(item => item.kind !== 'ConfigMap' || !inUse.has(item.name))
  for (const item of goes) await removeItem(context, item)
  const inventory = workload.inventory.filter(item => !goes.includes(item))
  return { workload: { ...workload, inventory }, pruned: goes.length }
}

async function configMapsInUse(context: StepContext): Promise<Set<string>> {
  const { cluster, workload } = context
  const labels = { [appLabel]: workload.app }
  const kinds = ['ReplicaSet', 'ControllerRevision']
  const owners = await Promise.all(
    kinds.map(kind => cluster.list({ apiVersion: 'apps/v1', kind, namespace: workload.namespace, labels })),
  )
  return new Set(owners.flat().flatMap(configMapNames))
}

/** Every ConfigMap that a pod template names, wherever it does. */
export function configMapNames(object: KubeObject): string[] {
  const names: string[] = []
  const walk = (value: unknown, key: string): void => {
    if (Array.isArray(value)) for (const entry of value) walk(entry, key)
    else if (value && typeof value === 'object') {
      const named = value as Record<string, unknown>
      if (key.startsWith('configMap') && typeof named.name === 'string') names.push(named.name)
      for (const [inner, entry] of Object.entries(named)) walk(entry, inner)
    }
  }
  walk(object.spec ?? object.data, '')
  return names
}
