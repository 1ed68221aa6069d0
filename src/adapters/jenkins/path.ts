// Addresses of jobs and builds below Jenkins' base: one `/job/` a segment, encoded once more than the path has it, so
// that a branch job `shop/web/feature%2Flogin` arrives as the job named `feature%2Flogin`. And back.
import { JenkinsError } from '../../core/builds/jenkins.ts'

/** `job/shop/job/web/`; `''` for the top. Throws `not_found` for what cannot be a job. */
export function jobAt(job: string): string {
  if (job === '') return ''
  const segments = job.split('/')
  // A URL would take these for the folder itself or the one above it.
  if (segments.some(segment => segment === '' || segment === '.' || segment === '..'))
    throw new JenkinsError('not_found', `${job} is no path of a Jenkins job, such as shop/web`)
  return segments.map(segment => `job/${encodeURIComponent(segment)}/`).join('')
}

export const buildAt = (job: string, number: number): string => `${jobAt(job)}${number}/`

/** The job of an address as Jenkins gives it, whatever host and prefix it believes to have; null for another page. */
export function jobOf(address: string, base?: string): string | null {
  const path = URL.parse(address, base)?.pathname ?? ''
  const segments = /\/((?:job\/[^/]+\/)+)$/.exec(path.endsWith('/') ? path : `${path}/`)?.[1]
  if (!segments) return null
  const names = segments.split('/').filter((_, at) => at % 2 === 1)
  return names.map(decoded).join('/')
}

/** The branch that a branch job is named for: `feature/login` of `shop/web/feature%2Flogin`. */
export const leafOf = (job: string): string => decoded(job.slice(job.lastIndexOf('/') + 1))

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // A name with a bare % is encoded by nobody.
    return segment
  }
}
