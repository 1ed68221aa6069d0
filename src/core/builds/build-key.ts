// One deploy a build: the keys by which a build of a Jenkins job is deployed once to a place, whoever asks for it, and
// never over a newer one. Written in the transaction of the request (use-cases/build-claim.ts), pruned with the deploy.
import type { Deploy } from '../deploy.ts'
import type { Keys } from '../keys.ts'

/** A build of a job, as a request names it. */
export type BuildName = { readonly job: string; readonly number: number }

/** The build that a deploy is of; null: of none, or its job's name cannot be part of a key. */
export function buildOf({ kind, source }: Pick<Deploy, 'kind' | 'source'>): BuildName | null {
  const { job, build } = source
  if (kind !== 'deploy' || !job || build === null || !job.isWellFormed()) return null
  return { job, number: build }
}

/** Jenkins' clock may be set back by less. */
const stepMs = 60_000

/** A job that was deleted and made anew counts from 1 again: whether a build began after one of no lower number did. */
export const isAnew = (
  { startedAt }: { readonly startedAt: number | null },
  before: { readonly startedAt: number | null },
): boolean => startedAt !== null && before.startedAt !== null && startedAt - before.startedAt > stepMs

/** `builds/…` of a deploy, null where it has none. */
export function buildKeyOf(keys: Keys, deploy: Deploy): string | null {
  const build = buildOf(deploy)
  return build && keys.buildDeploy(deploy.environment, deploy.app, build.job, build.number)
}
