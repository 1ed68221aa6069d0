// Pure: `code.activate: reload`. The container is kept: a link `current` on the volume is switched, then a command in each
// pod makes it take the new code. `rollout`, the default, needs none of this: there the pod template says which release.
import type { AppSpec } from '../app.ts'
import { releaseName } from '../release-name.ts'
import type { Frozen, Workload } from '../workload.ts'
import { codeStorage, releaseOf } from './releases.ts'

export const reloads = ({ code }: Pick<AppSpec, 'code'>): boolean => code?.activate === 'reload'

/** Pods of it run and read `current` of this volume: then it is switched only when they are told to take it. */
export const readsCurrent = (
  workload: Pick<Workload, 'state'> | null,
  { base, frozen }: { readonly base: Frozen | null; readonly frozen: Pick<Frozen, 'spec'> },
): boolean =>
  workload?.state === 'ready' &&
  base !== null &&
  reloads(base.spec) &&
  codeStorage(base) === codeStorage(frozen)

/** Where a pod finds what says which release `current` is; src/publish/marker.ts writes it. */
export const markerPath = (mount: string): string => `${mount.replace(/\/+$/, '')}/current/.gkube-release`

/** Whether what a pod read there is this release. */
export function isRelease(
  text: string,
  frozen: Pick<Frozen, 'revision' | 'artifact' | 'spec' | 'image'>,
): boolean {
  const wanted = releaseOf(frozen)
  if (wanted === null) return false
  try {
    // Of a pod: anything may stand there.
    const { revision, sha256, recipe = '' } = JSON.parse(text) as Readonly<Record<string, unknown>>
    return (
      typeof revision === 'string' &&
      typeof sha256 === 'string' &&
      typeof recipe === 'string' &&
      releaseName(revision, sha256, recipe) === wanted
    )
  } catch {
    // Half of it, or the words of a shell: not this release.
    return false
  }
}
