// What taking an object over would change, asked of the server by dry runs. A dry run cannot move the fields first, so
// it is made of three: by force (what is written), without force (who stands in the way), and, where the app leaves
// out what kubectl wrote, the object without that, which the server fills in and checks.
import { unifiedDiff } from '../changes/diff.ts'
import { type Cluster, ClusterError, type JsonOperation, type KubeObject, nameOf, refOf } from '../cluster.ts'
import {
  isOwn,
  type ManagedEntry,
  managedEntries,
  ownedBy,
  ownersOf,
  subtract,
  withoutTree,
} from '../managed-fields.ts'
import { ownersText } from '../steps/conflict.ts'

export type Preview = {
  readonly diff: string
  readonly warnings: readonly string[]
  /** Why it could not be written. */
  readonly refusals: readonly string[]
}

export async function previewOf(
  cluster: Cluster,
  pair: { readonly wanted: KubeObject; readonly live: KubeObject },
  moves: (entry: ManagedEntry) => boolean,
): Promise<Preview> {
  const { wanted, live } = pair
  try {
    const forced = await cluster.apply(wanted, { dryRun: true, force: true })
    const refusals = await conflictsOf(cluster, wanted, live, moves)
    const result = await withoutLeftOver(cluster, { live, result: forced.object }, moves)
    return { diff: unifiedDiff(live, result), warnings: forced.warnings, refusals }
  } catch (error) {
    if (!(error instanceof ClusterError) || error.kind === 'unavailable') throw error
    const refusal = `${nameOf(live)}: the server refuses it: ${error.message}`
    return { diff: unifiedDiff(live, wanted), warnings: [], refusals: [refusal] }
  }
}

/** Fields of managers that nobody named: they stay theirs, so the app must not have another value for them. */
async function conflictsOf(
  cluster: Cluster,
  wanted: KubeObject,
  live: KubeObject,
  moves: (entry: ManagedEntry) => boolean,
): Promise<string[]> {
  try {
    await cluster.apply(wanted, { dryRun: true, force: false })
    return []
  } catch (error) {
    if (!(error instanceof ClusterError) || error.kind !== 'field_conflict') throw error
    const others = managedEntries(live).filter(entry => !isOwn(entry) && !moves(entry))
    const fields = error.fields.filter(path => ownersOf(others, path).length > 0)
    const managers = [...new Set(fields.flatMap(path => ownersOf(others, path).map(entry => entry.manager)))]
    if (fields.length === 0) return []
    const how = managers.map(manager => `--take-from ${manager}`).join(' ')
    const words = ownersText(wanted, { fields, managers }, live)
    return [`${words} Take it out of the app, or name who it is taken from: ${how}`]
  }
}

/** The result of a dry run without what only the moved managers own: gkube would drop it. */
async function withoutLeftOver(
  cluster: Cluster,
  { live, result }: { live: KubeObject; result: KubeObject },
  moves: (entry: ManagedEntry) => boolean,
): Promise<KubeObject> {
  const entries = managedEntries(result).filter(entry => entry.subresource !== 'status')
  const kept = ownedBy(entries.filter(entry => isOwn(entry) || !moves(entry)))
  const gone = subtract(ownedBy(entries.filter(entry => !isOwn(entry) && moves(entry))), kept)
  if (!gone) return result
  // A tree of fields taken out of an object leaves an object.
  const rest = withoutTree(result, gone, kept) as KubeObject
  return (await cluster.patch(refOf(live), differing(live, rest), { dryRun: true })).object
}

/** Replaces everything that a person sees; the server fills in its defaults and judges it. */
function differing(live: KubeObject, wanted: KubeObject): JsonOperation[] {
  const server = ['apiVersion', 'kind', 'metadata', 'status']
  const keys = [...new Set([...Object.keys(live), ...Object.keys(wanted)])].filter(
    key => !server.includes(key),
  )
  const operation = (path: string, value: unknown, old: unknown): JsonOperation[] => {
    if (value !== undefined) return [{ op: 'add', path, value }]
    return old === undefined ? [] : [{ op: 'remove', path }]
  }
  return [
    ...keys.flatMap(key => operation(`/${key}`, wanted[key], live[key])),
    ...(['labels', 'annotations'] as const).flatMap(key =>
      operation(`/metadata/${key}`, wanted.metadata[key], live.metadata[key]),
    ),
  ]
}
