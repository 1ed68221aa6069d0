// Pure: which releases of code stay on an app's volume, and which are surely there. A mount of a release that is not
// there would be an empty folder, so what is not surely there is published again before it is mounted.

import type { KubeObject } from '../cluster.ts'
import { fieldsOf, listOf, podsIn } from '../objects/pod-templates.ts'
import { releasePath } from '../objects/volumes.ts'
import { releaseName } from '../release-name.ts'
import { type Frozen, mostReleases, type Workload } from '../workload.ts'
import { recipeOf } from './recipe.ts'

/** The folder that a spec mounts; null: it has no code. */
export const releaseOf = (frozen: Pick<Frozen, 'revision' | 'artifact' | 'spec' | 'image'>): string | null =>
  frozen.artifact ? releaseName(frozen.revision, frozen.artifact.sha256, recipeOf(frozen)) : null

/** The storage whose volume holds the releases of a spec. */
export const codeStorage = ({ spec }: Pick<Frozen, 'spec'>): string | undefined => spec.storage[0]?.name

/** What is known to be on the volume of this spec: on another one nothing is. */
export function releasesFor(
  frozen: Pick<Frozen, 'spec'>,
  workload: Pick<Workload, 'releases' | 'releasesOn'> | null,
): readonly string[] {
  const on = codeStorage(frozen)
  return (workload?.releasesOn ?? on) === on ? (workload?.releases ?? []) : []
}

export function isPublished(
  frozen: Pick<Frozen, 'revision' | 'artifact' | 'spec' | 'image'>,
  workload: Pick<Workload, 'releases' | 'releasesOn'> | null,
): boolean {
  const name = releaseOf(frozen)
  return name !== null && releasesFor(frozen, workload).includes(name)
}

/**
 * The record after a publish: the newest and what is needed. What it leaves out is removed by the next publish, which keeps
 * all that the record names: so nothing that the record calls there can be gone, wherever a publish ended.
 */
export function remembered(
  known: readonly string[],
  published: string,
  { needed, keep }: { readonly needed: readonly string[]; readonly keep: number },
): string[] {
  const all = [...known.filter(name => name !== published), published]
  const newest = all.slice(-keep)
  return all.filter(name => newest.includes(name) || needed.includes(name)).slice(-mostReleases)
}

/** Releases that pods and what pods are made from mount: of pods that end too, and of kept ReplicaSets. */
export function mounted(objects: readonly KubeObject[]): string[] {
  const prefix = releasePath('')
  return objects
    .flatMap(podsIn)
    .flatMap(({ spec }) => [...listOf(spec.containers), ...listOf(spec.initContainers)])
    .flatMap(container => listOf(fieldsOf(container).volumeMounts))
    .flatMap(mount => {
      const path = String(mount.subPath ?? '')
      return path.startsWith(prefix) ? [path.slice(prefix.length).split('/', 1)[0] ?? ''] : []
    })
}
