// The adopt step: what was shown is taken over as it was shown. Fields of kubectl (and of managers that were named)
// become gkube's own, so that what the app leaves out is removed by the next apply; nothing else changes here.

import { movesWith } from '../adoption/foreign.ts'
import { contentOf } from '../adoption/survey.ts'
import { ClusterError, type JsonOperation, type KubeObject, nameOf } from '../cluster.ts'
import type { AdoptParams, Taken } from '../deploy.ts'
import { sameObject } from '../inventory.ts'
import { type FieldTree, type ManagedEntry, managedEntries, movedToGkube } from '../managed-fields.ts'
import { Fenced } from '../replica.ts'
import type { InventoryItem } from '../workload.ts'
import {
  done,
  epochOf,
  failed,
  mostStale,
  type StepBody,
  type StepContext,
  type StepOutcome,
} from './step.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
/** Of a ReplicationController gkube only ever writes this. */
const replicasOnly: FieldTree = { 'f:spec': { 'f:replicas': {} } }

export const adopt: StepBody = async context => {
  const { deploy, workload } = context
  const { adopt: asked } = deploy.params
  const taken = deploy.prepared?.adoption?.taken ?? []
  if (!asked) return failed('internal', 'Nothing says what is to be adopted.')
  for (const item of taken) {
    const refused = await take(context, item, asked)
    if (refused) return refused
  }
  // A controller that is replaced was never written by gkube: until it is gone, nothing but its handover touches it.
  const replaced = (item: Taken) => item.kind === 'ReplicationController' && asked.replaceByDeployment
  const kept = taken.filter(item => !replaced(item))
  const known = workload.inventory.filter(old => !kept.some(item => sameObject(item, old)))
  // Without a hash: the apply step writes each of them.
  const inventory: InventoryItem[] = [
    ...known,
    ...kept.map(({ content: _, ...ref }) => ({ ...ref, hash: '', seen: '' })),
  ]
  const now = context.now()
  const initialisedAt = workload.initialisedAt ?? now
  const names = taken.map(item => nameOf(item)).join(', ')
  return done(`taken over: ${names}`, { ...workload, inventory, initialisedAt, updatedAt: now })
}

/** Moves the fields of one object; a failure where it is not what was shown any more, else null. */
async function take(context: StepContext, item: Taken, asked: AdoptParams): Promise<StepOutcome | null> {
  const { cluster, deploy, frozen } = context
  for (let attempt = 0; ; attempt++) {
    const live = await cluster.get(item)
    if (!live || live.metadata.uid !== item.uid) return changed(item, 'it is not there any more')
    if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(item)} was written by a newer epoch`)
    if (contentOf(live, frozen) !== item.content) return changed(item, 'it was changed since')
    const operations = operationsFor(live, asked)
    if (operations.length === 0) return null
    try {
      await cluster.patch(item, operations)
      return null
    } catch (error) {
      const raced = error instanceof ClusterError && (error.kind === 'stale' || error.kind === 'not_found')
      if (!raced || attempt >= mostStale) throw error
    }
  }
}

/** What was confirmed is what happens, or nothing does. */
const changed = (item: Taken, how: string): StepOutcome => ({
  ...failed(
    'stale_object',
    `${nameOf(item)} is not what was shown: ${how}. Look at it again and confirm it: gkube adopt.`,
  ),
  harmless: true,
})

function operationsFor(live: KubeObject, asked: AdoptParams): JsonOperation[] {
  const controller = live.kind === 'ReplicationController'
  const entries = managedEntries(live)
  const moves = movesWith(asked)
  const moved =
    entries.length === 0 ? null : movedToGkube(entries, moves, controller ? replicasOnly : undefined)
  const annotated = !controller && live.metadata.annotations?.[lastApplied] !== undefined
  if (!moved && !annotated) return []
  return [
    { op: 'replace', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
    ...(annotated
      ? [{ op: 'remove' as const, path: `/metadata/annotations/${lastApplied.replaceAll('/', '~1')}` }]
      : []),
    ...(moved
      ? [{ op: 'replace' as const, path: '/metadata/managedFields', value: withoutAnnotation(moved) }]
      : []),
  ]
}

/** Nobody owns the annotation that goes. */
function withoutAnnotation(entries: readonly ManagedEntry[]): ManagedEntry[] {
  const field = `f:${lastApplied}`
  return entries.map(entry => {
    const metadata = entry.fieldsV1['f:metadata']
    const annotations = metadata?.['f:annotations']
    if (!metadata || !annotations || !(field in annotations)) return entry
    const { [field]: _, ...others } = annotations
    return {
      ...entry,
      fieldsV1: { ...entry.fieldsV1, 'f:metadata': { ...metadata, 'f:annotations': others } },
    }
  })
}
