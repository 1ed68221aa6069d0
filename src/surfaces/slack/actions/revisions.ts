// What of an app a person may want to deploy: revisions that run somewhere, then builds of Jenkins that passed, then what
// was deployed before, the newest first; and where it may run at all. Kept for some seconds: a select asks at each letter.
import type { App } from '../../../core/app.ts'
import type { Build } from '../../../core/builds/build.ts'
import { buildBy } from '../../../core/builds/words.ts'
import type { Caller, Core } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import { canonical } from '../../../core/hash.ts'
import { demand } from '../../../core/policy.ts'
import { ago, phaseText } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import type { SlackDeps } from '../deps.ts'

export type Found = {
  readonly revision: string
  /** What is known of it, in few words. */
  readonly about: string
  /** Environments that run it. */
  readonly runsIn: readonly string[]
}

export type Choices = {
  readonly revisions: readonly Found[]
  /** Environments that the app lists: it is deployed nowhere else. Null: there is no such app. */
  readonly environments: readonly string[] | null
}

const keepMs = 5_000
const mostKept = 50
const past = 60

type Kept = { readonly at: number; readonly found: Promise<Choices> }
/** By core: tests and replicas have their own. In it by app and by what the caller may see: not all see the same. */
const kept = new WeakMap<Core, Map<string, Kept>>()

/** Throws UserError as the core does. */
export function choicesOf(
  deps: Pick<SlackDeps, 'core' | 'clock'>,
  caller: Caller,
  app: string,
): Promise<Choices> {
  const { core, clock } = deps
  demand(caller, 'view', { app }, [])
  const known = kept.get(core) ?? new Map<string, Kept>()
  kept.set(core, known)
  const key = canonical([app, caller.grants])
  const now = clock.now()
  const last = known.get(key)
  if (last && now - last.at < keepMs) return last.found
  const found = read(core, caller, { app, now })
  known.delete(key)
  known.set(key, { at: now, found })
  const [oldest] = known.keys()
  if (known.size > mostKept && oldest !== undefined) known.delete(oldest)
  found.catch(() => known.delete(key))
  return found
}

async function read(
  core: Core,
  caller: Caller,
  { app, now }: { app: string; now: number },
): Promise<Choices> {
  const [apps, deploys, builds] = await Promise.all([
    core.listApps(caller),
    core.history(caller, { app, limit: past }),
    core.builds(caller, { app, limit: past }).catch(noneKnown),
  ])
  const registered = apps.find(one => one.app.app === app)
  const runs = new Map<string, string[]>()
  for (const { revision, environment } of registered?.workloads ?? [])
    runs.set(revision, [...(runs.get(revision) ?? []), environment])
  const found = new Map<string, Found>()
  for (const [revision, runsIn] of runs)
    found.set(revision, { revision, runsIn, about: `runs in ${runsIn.join(', ')}` })
  for (const build of builds) {
    const revision = revisionOf(build, app, registered?.app)
    if (revision && !found.has(revision))
      found.set(revision, { revision, runsIn: [], about: builtOf(build, now) })
  }
  for (const deploy of deploys)
    if (deploy.revision && !found.has(deploy.revision) && shipping.includes(deploy.kind))
      found.set(deploy.revision, { revision: deploy.revision, runsIn: [], about: aboutOf(deploy, now) })
  const environments = registered ? Object.keys(registered.app.environments) : null
  return { revisions: [...found.values()], environments }
}

/** Without a Jenkins there are none. */
function noneKnown(error: unknown): readonly Build[] {
  if (error instanceof UserError) return []
  throw error
}

const shipping: readonly Deploy['kind'][] = ['deploy', 'redeploy', 'rollback', 'adopt']

const aboutOf = ({ phase, environment, endedAt, requestedAt }: Deploy, now: number): string =>
  `${phaseText(phase)} in ${environment} ${ago(endedAt ?? requestedAt, now)}`

/** What a build that passed is deployed as, as its offers and deploys have it, else as the app takes it; null: not known. */
function revisionOf(build: Build, name: string, app: App | undefined): string | null {
  if (build.phase !== 'finished' || build.result !== 'SUCCESS') return null
  const known = [...build.offers, ...build.deploys].find(one => one.app === name)?.revision
  if (known !== undefined) return known
  return app?.revisionFrom === 'BUILD_NUMBER' ? (build.number?.toString() ?? null) : build.commit
}

/** `build 214, main, ana, 5 min ago`. */
const builtOf = (build: Build, now: number): string =>
  [
    `build ${build.number ?? '?'}`,
    build.branch,
    buildBy(build) || build.changes[0]?.author,
    ago(build.endedAt ?? build.seenAt, now),
  ]
    .filter(Boolean)
    .join(', ')
