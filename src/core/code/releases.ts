// Pure: which releases of code stay on an app's volume, and which are surely there. A mount of a release that is not
// there would be an empty folder, so what is not surely there is published again before it is mounted.

import type { KubeObject } from '../cluster.ts'
import { fieldsOf, listOf, podsIn } from '../objects/pod-templates.ts'
import { releasePath } from '../objects/volumes.ts'
import { releaseName } from '../release-name.ts'
import { type Frozen, mostReleases, type Workload } from '../workload.ts'

/** The folder that a spec mounts; null: it has no code. */
export const releaseOf = ({ revision, artifact }: Pick<Frozen, 'revision' | 'artifact'>): string | null =>
  artifact ? releaseName(revision, artifact.sha256) : null

export function isPublished(
  frozen: Pick<Frozen, 'revision' | 'artifact'>,
  workload: Pick<Workload, 'releases'> | null,
): boolean {
  const name = releaseOf(frozen)
  return name !== null && (workload?.releases ?? []).includes(name)
}

export type Keeping = {
  /** Of the record: the newest last. */
  readonly known: readonly string[]
  /** What runs, what was good, what this deploy came from. */
  readonly snapshots: readonly Frozen[]
  /** `code.keep`. */
  readonly keep: number
}

/** What this publish certainly leaves on the volume, of what was there: the same for whoever takes it over. */
export function surviving({ known, snapshots, keep }: Keeping): string[] {
  const needed = new Set(snapshots.flatMap(one => releaseOf(one) ?? []))
  // The new one is one of those that are kept.
  const newest = new Set(known.slice(-(keep - 1)))
  return known.filter(name => newest.has(name) || needed.has(name))
}

/** The record after a publish: what survived and, once it is whole, the new one. */
export const withRelease = (survived: readonly string[], name: string): string[] =>
  [...survived.filter(one => one !== name), name].slice(-mostReleases)

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
