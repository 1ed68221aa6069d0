// What an 'Execute shell' step of Jenkins tells by its environment: job, build, commit, branch, who started it.
// BUILD_TAG alone is no proof and not unique (slashes become dashes), so the job's path and the build number count. Pure.
type Env = Readonly<Record<string, string | undefined>>

export type Build = {
  readonly job: string
  /** What an app is registered for that nobody knows yet: of a branch job the one above it, which has all branches. */
  readonly registers: string
  readonly number: number | null
  readonly url: string | null
  readonly commit: string | null
  readonly branch: string | null
  /** Who started it, as Jenkins names people; null where no person did. */
  readonly user: string | null
}

/** The build this command runs in; null outside Jenkins. */
export function buildOf(env: Env): Build | null {
  const { JOB_NAME: job, BUILD_URL: url, GIT_COMMIT: commit } = env
  if (!job || !(env.JENKINS_URL || env.BUILD_TAG)) return null
  const number = Number(env.BUILD_NUMBER)
  return {
    job,
    registers: isBranchJob(env) ? job.slice(0, job.lastIndexOf('/')) : job,
    number: Number.isSafeInteger(number) && number > 0 ? number : null,
    url: url && url.length <= 1000 && /^https?:\/\//.test(url) && URL.canParse(url) ? url : null,
    commit: commit && commit.length <= 64 ? commit : null,
    branch: branchOf(env)?.slice(0, 500) ?? null,
    user: userOf(env)?.slice(0, 200) ?? null,
  }
}

/** The last part of a multibranch job's path is its branch, percent-encoded. */
function isBranchJob({ JOB_NAME: job = '', BRANCH_NAME: branch }: Env): boolean {
  const [last, ...above] = job.split('/').reverse()
  return above.length > 0 && Boolean(branch) && (last === branch || last === encodeURIComponent(branch ?? ''))
}

/** `origin/main` is how the Git plugin names the branch `main` that it fetched; a multibranch job says it itself. */
function branchOf({ BRANCH_NAME, GIT_LOCAL_BRANCH, GIT_BRANCH }: Env): string | undefined {
  const name = BRANCH_NAME || GIT_LOCAL_BRANCH || GIT_BRANCH?.replace(/^(refs\/)?(remotes\/)?origin\//, '')
  const branch = name?.replace(/^refs\/heads\//, '')
  return branch && branch !== 'detached' ? branch : undefined
}

/** What the build-user-vars plugin writes where no person started a build. */
const automated = ['timer', 'scmChange', 'branchIndexing', 'remoteRequest']

function userOf({ BUILD_USER_ID: id, BUILD_USER: name, BUILD_USER_EMAIL: email }: Env): string | undefined {
  if (id && automated.includes(id)) return undefined
  return id || email || name || undefined
}
