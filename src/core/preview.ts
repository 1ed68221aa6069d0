// What a deploy would do to a cluster, asked of the server by dry runs, nothing written: for `plan`, and for those who
// approve. What it is made from is worked out in prepare.ts; here it is shown.
import { unifiedDiff } from './changes/diff.ts'
import { changes as describeChanges } from './changes.ts'
import { type Cluster, ClusterError, type KubeObject, nameOf, refOf } from './cluster.ts'
import type { PlannedObject } from './core.ts'
import { hookSteps } from './deploy.ts'
import { driftWords } from './drift.ts'
import { sameObject } from './inventory.ts'
import type { Prepared } from './prepare.ts'
import { redactText } from './redact.ts'
import { scaledAt, wordsFor } from './steps/conflict.ts'
import { type DriftDeps, driftIfKnown, drifts } from './use-cases/drift.ts'
import { hookTitle } from './words.ts'

export type Preview = {
  readonly objects: readonly PlannedObject[]
  /** Short lines: `image 1.4.1 → 1.4.2`. */
  readonly changes: readonly string[]
  /** Things to know: admission not checked, downtime, drift, unpinned tag. */
  readonly notes: readonly string[]
  /** What the server said no to. */
  readonly refused: readonly Refused[]
}
export type Refused = { readonly object: string; readonly error: ClusterError; readonly words: string }

/** Kept because they hold data, or others live in them. */
const kept = ['PersistentVolumeClaim', 'PersistentVolume', 'Namespace']

/** Throws ClusterError where the cluster does not answer. */
export async function preview(deps: DriftDeps, worked: Prepared): Promise<Preview> {
  const { environment, frozen, workload, base, cluster, namespace, pinning, adoption } = worked
  const goes = worked.plan === 'delete'
  const notes: string[] = []
  if (pinning) notes.push(`image ${pinning}`)
  const there = await cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace }).catch(error => {
    // No right to read namespaces is no reason not to plan.
    if (error instanceof ClusterError && error.kind === 'forbidden') return true
    throw error
  })
  if (!there)
    notes.push(
      `namespace ${namespace} does not exist yet, so admission was not checked${environment.createNamespace ? '' : ', and gkube may not create it here'}`,
    )
  if (workload) notes.push(...(await driftIfKnown(drifts(deps), cluster, workload.value)).map(driftWords))
  if (adoption) notes.push(...adoption.notes)
  notes.push(...worked.storageNotes)
  const objects: PlannedObject[] = []
  const refused: Refused[] = []
  // A namespace that is there stays as it is: the environment step only creates.
  const written = worked.objects.filter(object => object.kind !== 'Namespace' || !there)
  for (const object of written) {
    const one = await previewObject(cluster, object, Boolean(there))
    objects.push(one.planned)
    if (one.refused) refused.push(one.refused)
  }
  objects.push(...deleted(worked))
  if (!goes && frozen.spec.rollout.strategy === 'recreate')
    notes.push('all pods stop before the new ones start: expect downtime')
  notes.push(...codeNotes(worked), ...hookNotes(worked))
  const from = base && workload ? worked.draw(base, workload.value.overrides) : null
  return { objects, changes: describeChanges(from, worked.objects), notes, refused }
}

/** What is published, and by what: as the digest of an image says it. */
function codeNotes({ frozen, steps }: Prepared): string[] {
  const { artifact, spec } = frozen
  if (!artifact || !spec.code || !steps.includes('publish')) return []
  // A query may be a signature.
  const url = artifact.url === null ? null : URL.parse(artifact.url)
  // What it is stands beside the image; of an upload there is nothing more to say.
  const what = url
    ? [`code is the artifact ${artifact.sha256.slice(0, 12)}…, from ${url.origin}${url.pathname}`]
    : []
  const { update } = spec.code
  return update ? [...what, `publish runs ${shownCommand(update)}`] : what
}

const shownCommand = (command: readonly string[]): string =>
  `\`${redactText(command.join(' ')).replace(/\s+/g, ' ').slice(0, 200)}\``

/** Their Jobs are gone when it ends, and yet they do more than any object: what they run. */
function hookNotes({ frozen, steps }: Prepared): string[] {
  return hookSteps.flatMap(step => {
    const hook = steps.includes(step) ? frozen.spec.hooks[step] : undefined
    if (!hook) return []
    const image = hook.image ? ` in ${hook.image}` : ''
    return [`${hookTitle(step, hook.name)} runs ${shownCommand(hook.command)}${image}`]
  })
}

/** What is in the inventory and would not be rendered any more. */
function deleted({ workload, objects }: Prepared): PlannedObject[] {
  const old = (workload?.value.inventory ?? []).filter(
    item => !kept.includes(item.kind) && !objects.some(object => sameObject(refOf(object), item)),
  )
  return old.map(item => ({
    object: `${item.kind} ${item.namespace}/${item.name}`,
    action: 'delete',
    diff: '',
    warnings: [],
  }))
}

async function previewObject(
  cluster: Cluster,
  object: KubeObject,
  admission: boolean,
): Promise<{ planned: PlannedObject; refused: Refused | null }> {
  const name = nameOf(object)
  const live = await cluster.get(refOf(object))
  const unchecked: PlannedObject = {
    object: name,
    action: live ? 'change' : 'create',
    diff: unifiedDiff(live, object),
    warnings: [],
  }
  if (!admission) return { planned: unchecked, refused: null }
  try {
    const { object: result, warnings } = live
      ? await cluster.apply(object, { dryRun: true })
      : await cluster.create(object, { dryRun: true })
    const diff = unifiedDiff(live, result)
    const action = live ? (diff ? 'change' : 'none') : 'create'
    return { planned: { object: name, action, diff, warnings }, refused: null }
  } catch (error) {
    if (!(error instanceof ClusterError) || error.kind === 'unavailable') throw error
    const words =
      error.kind === 'field_conflict'
        ? wordsFor(object, error, live, live && (await scaledAt(cluster, live)))
        : `the server refuses it: ${error.message}`
    return {
      planned: { ...unchecked, warnings: [words] },
      refused: { object: name, error, words },
    }
  }
}
