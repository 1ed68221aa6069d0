// What an 'Execute shell' step of Jenkins tells by its environment: job, build, commit. BUILD_TAG alone is no proof
// and not unique (slashes become dashes), so the job's path and the build number count. Pure.
type Env = Readonly<Record<string, string | undefined>>

export type Build = {
  readonly job: string
  readonly number: number | null
  readonly url: string | null
  readonly commit: string | null
}

/** The build this command runs in; null outside Jenkins. */
export function buildOf(env: Env): Build | null {
  if (!env.JOB_NAME || !(env.JENKINS_URL || env.BUILD_TAG)) return null
  const number = Number(env.BUILD_NUMBER)
  return {
    job: env.JOB_NAME,
    number: Number.isSafeInteger(number) && number > 0 ? number : null,
    url: env.BUILD_URL && /^https?:\/\//.test(env.BUILD_URL) ? env.BUILD_URL : null,
    commit: env.GIT_COMMIT || null,
  }
}

/** The jobs whose app a build may mean: its own, then its parents (a branch job belongs to the job above it). */
export function jobsOf(job: string): string[] {
  const parts = job.split('/')
  return parts.map((_, i) => parts.slice(0, parts.length - i).join('/'))
}
