// ControllerRevisions: the templates that StatefulSets and DaemonSets have had, by hash, so that a rollout
// can go on from an old one and `kubectl rollout undo` finds it. Shared by statefulset.ts and daemonset.ts.
import { kindNamed } from '../kinds.ts'
import { type Json, type KubeObject, ownedBy, shortHash } from '../object.ts'
import type { Context } from './engine.ts'
import { childrenOf } from './pods.ts'

const revisionKind = kindNamed('ControllerRevision')
const manager = 'kube-controller-manager'

export type Revision = { readonly name: string; readonly hash: string; readonly template: Json }

export const revisionOf = (object: KubeObject): Revision => ({
  name: object.metadata.name,
  hash: object.metadata.labels?.['controller.kubernetes.io/hash'] ?? '',
  template: withoutPatch(object.data.spec.template),
})

const withoutPatch = ({ $patch: _patch, ...template }: Json): Json => template

/** The revision of the owner's present template, made or raised to the newest; and all that are known. */
export async function currentRevision(
  context: Context,
  owner: KubeObject,
): Promise<{ update: Revision; all: KubeObject[] }> {
  const { registry } = context
  const all = (await childrenOf(context, owner, revisionKind)).sort((a, b) => a.revision - b.revision)
  const hash = shortHash(owner.spec.template)
  const name = `${owner.metadata.name}-${hash}`
  const newest = all.at(-1)
  const next = (newest?.revision ?? 0) + 1
  const found = all.find(one => one.metadata.name === name)
  const target = { kind: revisionKind, namespace: owner.metadata.namespace, name }
  if (found) {
    if (found !== newest) {
      await registry.mutate(
        target,
        draft => {
          draft.revision = next
        },
        { manager },
      )
    }
    return { update: revisionOf(found), all }
  }
  const labels = { ...owner.spec.template.metadata?.labels, 'controller.kubernetes.io/hash': hash }
  const made = await registry.create(
    revisionKind,
    {
      metadata: { name, labels, ownerReferences: [ownedBy(owner)] },
      data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } } },
      revision: next,
    },
    { manager, namespace: owner.metadata.namespace },
  )
  return { update: revisionOf(made), all: [...all, made] }
}

/** Removes the oldest revisions that nothing runs any more, beyond the history limit. */
export async function pruneRevisions(
  context: Context,
  owner: KubeObject,
  of: { all: readonly KubeObject[]; live: ReadonlySet<string> },
) {
  const idle = of.all.filter(one => !of.live.has(one.metadata.name))
  const extra = idle.length - (owner.spec.revisionHistoryLimit ?? 10)
  for (const { metadata } of idle.slice(0, Math.max(0, extra))) {
    await context.registry.remove({ kind: revisionKind, namespace: metadata.namespace, name: metadata.name })
  }
}
