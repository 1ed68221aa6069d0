// A request names the build of a Jenkins job that it deploys: one deploy a build and place, an older build never over
// a newer one, and its message in the thread of the build's. All of it is read with the request's own records, and
// holds by compares in its transaction.
import { UserError } from '../../errors.ts'
import {
  type Build,
  buildDeploySchema,
  buildRefSchema,
  buildSchema,
  newestBuildSchema,
} from '../builds/build.ts'
import { type BuildName, isAnew } from '../builds/build-key.ts'
import { type Deploy, deploySchema, isTerminal } from '../deploy.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import { decode, put, read, type Stored, unchanged } from '../records.ts'
import { ago } from '../times.ts'
import { phaseText } from '../words.ts'
import type { Deps } from './deps.ts'

type At = { readonly app: string; readonly environment: string; readonly build: BuildName }
type Wanted = { readonly again: boolean; readonly olderBuild: boolean }

/** What to read in the first place. */
export const claimKeys = (
  { keys }: Pick<Deps, 'keys'>,
  { app, environment, build }: At,
): readonly string[] => [
  keys.buildDeploy(environment, app, build.job, build.number),
  keys.newestBuild(environment, app, build.job),
  keys.jenkinsNumber(build.job, build.number),
]

export type Claim =
  /** It was deployed there before. */
  | { readonly kind: 'repeated'; readonly deploy: Deploy }
  | {
      readonly kind: 'new'
      /** What gkube knows of the build, where it does. */
      readonly known: Build | null
      readonly compares: readonly Compare[]
      readonly writes: (deploy: Pick<Deploy, 'id' | 'revision'>) => readonly Write[]
    }

/**
 * What the keys say of it. `again` goes past a deploy of the build that has ended; one that has not is answered all
 * the same. UserError `conflict` where a newer build was asked for and `olderBuild` does not say so.
 */
export async function claimBuild(
  deps: Pick<Deps, 'kv' | 'keys' | 'clock'>,
  at: At,
  { again, olderBuild }: Wanted,
  found: ReadonlyMap<string, Entry>,
): Promise<Claim> {
  const { kv, keys } = deps
  const { app, environment, build } = at
  const [ownKey = '', newestKey = '', refKey = ''] = claimKeys(deps, at)
  const entryOf = (key: string) => found.get(key) ?? null
  const own = entryOf(ownKey)
  const ref = entryOf(refKey)
  const id = ref && decode(buildRefSchema, ref).value.id
  const known: Stored<Build> | null = id ? await read(kv, buildSchema, keys.jenkinsBuild(id)) : null
  // By Jenkins itself: a hook may say anything.
  const startedAt = known?.value.displayName ? known.value.startedAt : null
  const deployed = own && decode(buildDeploySchema, own).value
  const before =
    deployed &&
    !isAnew({ startedAt }, deployed) &&
    (await read(kv, deploySchema, keys.deploy(deployed.deploy)))
  if (before && !(again && isTerminal(before.value.phase))) return { kind: 'repeated', deploy: before.value }
  const newest = entryOf(newestKey)
  const last = newest && decode(newestBuildSchema, newest).value
  const anew = last !== null && isAnew({ startedAt }, last)
  const number = last?.number ?? 0
  if (number > build.number && !olderBuild && !anew) throw await olderThan(deps, at, number)
  return {
    kind: 'new',
    known: known?.value ?? null,
    // With the build's own record: whichever is written first, the other one sees it.
    compares: [unchanged(ownKey, own), unchanged(newestKey, newest), unchanged(refKey, ref)],
    writes: ({ id: deploy, revision }) => [
      put(keys.buildDeploy(environment, app, build.job, build.number), {
        schema: 1,
        deploy,
        revision,
        startedAt,
      }),
      ...(build.number > number || anew
        ? [put(newestKey, { schema: 1, number: build.number, startedAt })]
        : []),
      // It is followed (again) until this deploy has ended, too.
      ...(known ? [put(keys.jenkinsOpenEntry(known.value.id), { schema: 1 })] : []),
    ],
  }
}

async function olderThan(
  { kv, keys, clock }: Pick<Deps, 'kv' | 'keys' | 'clock'>,
  { app, environment, build }: At,
  newer: number,
): Promise<UserError> {
  const { job, number } = build
  const own = await read(kv, buildDeploySchema, keys.buildDeploy(environment, app, job, newer))
  const stored = own && (await read(kv, deploySchema, keys.deploy(own.value.deploy)))
  const deploy = stored?.value
  const by = deploy
    ? ` ${ago(deploy.requestedAt, clock.now())} by @${deploy.requestedBy.name} (${deploy.revision}, ${phaseText(deploy.phase)})`
    : ' before'
  return new UserError(
    'conflict',
    `${job} #${number} is older than #${newer}, which was asked for in ${environment}${by}. Nothing was started. A person may deploy the older one all the same: by its revision (gkube deploy ${app} <revision> --environment ${environment}), or in Slack.`,
    { details: { job, number, newer, deploy: deploy?.id ?? null, reason: 'older_build' } },
  )
}

/** UserError `conflict`: that build was deployed there as something else. */
export const otherRevision = (deploy: Deploy, build: BuildName, revision: string): UserError =>
  new UserError(
    'conflict',
    `${build.job} #${build.number} was deployed to ${deploy.environment} before, as ${deploy.revision} (${phaseText(deploy.phase)}), so ${revision} was not started: one build is deployed once. Once that has ended, --again deploys this build again, also as another revision.`,
    { details: { deploy: deploy.id, revision: deploy.revision, reason: 'build_deployed' } },
  )
