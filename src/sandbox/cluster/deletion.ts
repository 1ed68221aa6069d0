// What a DELETE makes of an object: gone at once, or marked and kept while finalizers or a pod's grace remain.
// Pure; registry.ts writes the outcome, the collector (controllers/garbage.ts) and the kubelet do the rest.
import type { Kind } from './kinds.ts'
import { clone, type KubeObject, timestamp } from './object.ts'
import { forbidden, preconditionFailed } from './status-error.ts'

export type DeleteOptions = {
  readonly dryRun?: boolean
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

export type Deletion = {
  readonly object: KubeObject
  readonly gone: boolean
  /** It is answered itself, and not by a Status. */
  readonly asObject: boolean
}

const permanent = ['default', 'kube-system', 'kube-public']
const answersObject = [
  'Pod',
  'Service',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ServiceAccount',
  'ResourceQuota',
  'Namespace',
]
const collector = ['orphan', 'foregroundDeletion']

/** True for an object that is being deleted and that nothing holds any more. */
export const isDue = (kind: Kind, { metadata }: KubeObject): boolean =>
  Boolean(metadata.deletionTimestamp) &&
  !metadata.finalizers?.length &&
  // A pod goes when its kubelet says so, a namespace when it is empty.
  !metadata.deletionGracePeriodSeconds &&
  kind.kind !== 'Namespace'

/** Refuses what may not be deleted, or is not what the client thinks it is. */
export function checkDeletion(kind: Kind, { metadata: live }: KubeObject, options: DeleteOptions) {
  if (kind.kind === 'Namespace' && permanent.includes(live.name)) {
    throw forbidden(kind, live.name, 'this namespace may not be deleted')
  }
  const { uid, resourceVersion } = options.preconditions ?? {}
  if (uid && uid !== live.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${live.uid}). The object might have been deleted and then recreated`
    throw preconditionFailed(kind, live.name, why)
  }
  if (resourceVersion && resourceVersion !== live.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${live.resourceVersion}). The object might have been modified`
    throw preconditionFailed(kind, live.name, why)
  }
}

/** The object as it is once deleted or marked. */
export function deletionOf(kind: Kind, live: KubeObject, options: DeleteOptions): Deletion {
  const object = clone(live)
  const meta = object.metadata
  const first = !meta.deletionTimestamp
  const policy = options.propagationPolicy ?? (kind.orphans && first ? 'Orphan' : undefined)
  if (policy) meta.finalizers = collected(meta.finalizers, policy)
  const grace = graceOf(kind, live, options)
  if (first || grace < (meta.deletionGracePeriodSeconds ?? 0)) {
    meta.deletionTimestamp = timestamp(Date.now() + grace * 1000)
    if (kind.kind !== 'Namespace') meta.deletionGracePeriodSeconds = grace
  }
  if (first && kind.generation) meta.generation = (meta.generation ?? 0) + 1
  if (kind.kind === 'Namespace') object.status = { ...object.status, phase: 'Terminating' }
  const gone = isDue(kind, object)
  return { object, gone, asObject: !gone || answersObject.includes(kind.kind) }
}

/** The finalizers, with the one that tells the collector what to do. */
function collected(finalizers: readonly string[] = [], policy: string): string[] | undefined {
  const others = finalizers.filter(one => !collector.includes(one))
  if (policy === 'Orphan') return [...others, 'orphan']
  if (policy === 'Foreground') return [...others, 'foregroundDeletion']
  return others.length > 0 ? others : undefined
}

/** Seconds a pod may take to end; other kinds take none, and so does a pod that never ran. */
function graceOf(kind: Kind, live: KubeObject, options: DeleteOptions): number {
  if (kind.kind !== 'Pod') return 0
  if (!live.spec.nodeName || ['Succeeded', 'Failed'].includes(live.status?.phase)) return 0
  return options.gracePeriodSeconds ?? live.spec.terminationGracePeriodSeconds ?? 30
}
