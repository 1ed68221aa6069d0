// The full path of a job from its address in Jenkins: `job/shop/job/web/` is shop/web. Each part is decoded once: the
// branch feature/login has the name `feature%2Flogin` and arrives as `feature%252Flogin`.
import { z } from 'zod'
import { jobPath } from '../../../core/units.ts'

/** Null where it is not the address of a job. Relative or whole; a view on the way and a build number at the end are left out. */
export function jobOfUrl(url: string): string | null {
  const path = (url.split(/[?#]/)[0] ?? '').replace(/^[a-z]+:\/\/[^/]*/i, '')
  const parts = path.split('/').filter(part => part !== '')
  const names: string[] = []
  let at = parts.findIndex(part => part === 'job' || part === 'view')
  if (at < 0) return null
  while (at + 1 < parts.length && (parts[at] === 'job' || parts[at] === 'view')) {
    if (parts[at] === 'job') names.push(parts[at + 1] ?? '')
    at += 2
  }
  const rest = parts.slice(at)
  // The configuration of a matrix job stands in its job without a `job/` before it: `label=linux`.
  if (rest[0]?.includes('=')) names.push(rest.shift() ?? '')
  if (rest.length > 1 || (rest[0] !== undefined && !/^\d+$/.test(rest[0]))) return null
  return jobOfNames(names)
}

/** Null where a name is none that Jenkins gives. */
function jobOfNames(encoded: readonly string[]): string | null {
  try {
    // No name holds a slash: one that was encoded once only must not become a folder.
    const job = encoded.map(name => decodeURIComponent(name).replaceAll('/', '%2F')).join('/')
    return jobName.safeParse(job).success ? job : null
  } catch {
    return null // not percent-encoded text
  }
}

/** A full path as it is written, such as JOB_NAME: no empty or climbing parts, nothing that cannot be shown or kept. */
export const jobName = jobPath.refine(
  job =>
    job.isWellFormed() &&
    !/\p{Cc}/u.test(job) &&
    job.split('/').every(name => name !== '' && name !== '.' && name !== '..'),
  'a full job path such as shop/web',
)

/** The address of a job as a hook has it; gives the full path. */
export const jobUrl = z
  .string()
  .max(4000)
  .transform((url, context) => {
    const job = jobOfUrl(url)
    if (job !== null) return job
    context.addIssue({ code: 'custom', message: 'the address of a job such as job/shop/job/web/' })
    return z.NEVER
  })
