// Pure: where a build that succeeded goes. `deployOn` of the app in an environment says what is deployed by itself or,
// where the environment is protected, what a person is asked to; anywhere else a click may.
import type { App } from '../app.ts'
import { specFor } from '../app-environment.ts'
import type { Environment } from '../environment.ts'
import { revision } from '../units.ts'
import type { Build } from './build.ts'

export type Destination = {
  readonly app: string
  readonly environment: string
  readonly revision: string
  /** deploy: by itself; ask: loudly for a click; offer: a button. */
  readonly kind: 'deploy' | 'ask' | 'offer'
}

type Built = Pick<Build, 'job' | 'number' | 'commit' | 'branch' | 'result'>

/** Every environment that the app lists and gkube knows, or why the app is not deployed, in words. */
export function destinations(
  app: App,
  build: Built,
  environments: ReadonlyMap<string, Environment>,
): { readonly destinations: readonly Destination[]; readonly problems: readonly string[] } {
  const found: Destination[] = []
  const problems = new Set<string>()
  if (build.result !== 'SUCCESS') return { destinations: [], problems: [] }
  for (const name of Object.keys(app.environments)) {
    const environment = environments.get(name)
    if (!environment) continue
    const kind = kindOf(app, build, environment)
    if (kind === null) continue
    const wanted = revisionOf(app, build)
    if (typeof wanted === 'string') found.push({ app: app.app, environment: name, revision: wanted, kind })
    // Only worth saying where something would have happened by itself.
    else if (kind !== 'offer') problems.add(wanted.problem)
  }
  return { destinations: found, problems: [...problems] }
}

function kindOf(app: App, build: Built, environment: Environment): Destination['kind'] | null {
  const deployOn = deployOnOf(app, environment.name)
  if (deployOn === undefined) return 'offer'
  const wants = deployOn === 'success' || matchesBranch(deployOn.branch, branchOf(build, app.jobs))
  if (!wants) return null
  return environment.protected ? 'ask' : 'deploy'
}

/** A spec that is not valid there is told of when somebody deploys it. */
function deployOnOf(app: App, environment: string): App['deployOn'] {
  try {
    return specFor(app, environment).deployOn
  } catch {
    return undefined
  }
}

function revisionOf(app: App, { job, number, commit }: Built): string | { readonly problem: string } {
  const found = app.revisionFrom === 'BUILD_NUMBER' ? number?.toString() : commit
  if (found && revision.safeParse(found).success) return found
  return {
    problem: `${app.app} takes its revision from ${app.revisionFrom}, and ${job} #${number ?? '?'} tells none: nothing was deployed.`,
  }
}

/** The branch without what Git puts before it; a branch job has it in its name. */
export function branchOf(
  { branch, job }: Pick<Build, 'branch' | 'job'>,
  jobs: readonly string[],
): string | null {
  if (branch)
    return branch
      .replace(/^(refs\/)?remotes\//, '')
      .replace(/^refs\/heads\//, '')
      .replace(/^origin\//, '')
  const parent = job.slice(0, Math.max(0, job.lastIndexOf('/')))
  if (jobs.includes(job) || !jobs.includes(parent)) return null
  try {
    return decodeURIComponent(job.slice(parent.length + 1))
  } catch {
    return null
  }
}

/** `main`, `release/*`: a star stands for anything. Takes time as long as both are, whatever the stars. */
export function matchesBranch(pattern: string, branch: string | null): boolean {
  if (branch === null) return false
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return branch === pattern
  const last = rest.pop() ?? ''
  if (!branch.startsWith(first) || branch.length < first.length + last.length || !branch.endsWith(last))
    return false
  let at = first.length
  for (const part of rest) {
    const next = branch.indexOf(part, at)
    if (next < 0) return false
    at = next + part.length
  }
  return at <= branch.length - last.length
}
