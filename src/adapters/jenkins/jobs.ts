// Jobs: what they are and take, and asking for a build of one. What becomes of that in the queue is queue.ts's.
// `Location` gives the queue id and nothing else: its host is wrong behind proxies.
import { z } from 'zod'
import { type Jenkins, JenkinsError, type JobFacts } from '../../core/builds/jenkins.ts'
import { fault, isLogin, understood } from './answers.ts'
import type { Deps } from './jenkins.ts'
import { flag, many, text } from './lenient.ts'
import { definitionSchema, definitionTree, parameterOf } from './parameters.ts'
import { jobAt, jobOf } from './path.ts'
import type { Answer } from './transport.ts'

const child = z.object({
  name: z.string().min(1),
  _class: text,
  buildable: flag,
  jobs: z.unknown().optional(),
})
const jobSchema = z.object({
  _class: text,
  buildable: flag,
  jobs: z.unknown().optional(),
  property: many(z.object({ parameterDefinitions: many(definitionSchema) })),
})
/** Only what holds jobs has a list of them; the class tells it where the list is not shown. */
const kindOf = (facts: { readonly _class?: string | null; readonly jobs?: unknown }): JobFacts['kind'] =>
  Array.isArray(facts.jobs) || /Folder|MultiBranchProject/.test(facts._class ?? '') ? 'folder' : 'job'

/** Most jobs of a folder that are listed. */
const mostJobs = 1000

export function jenkinsJobs({ transport, server, timeouts }: Deps) {
  const { user } = server

  async function jobIn(job: string, ms: number): Promise<JobFacts> {
    const path = jobAt(job)
    const tree = `buildable,jobs[name]{0,1},property[parameterDefinitions[${definitionTree}]]`
    const answer = await transport.get({ path: `${path}api/json`, query: { tree }, ms })
    const facts = understood(jobSchema, answer, { to: 'read', thing: `the job ${job}`, user })
    const kind = kindOf(facts)
    return {
      job,
      url: new URL(path, server.url).href,
      kind,
      buildable: kind === 'job' && facts.buildable !== false,
      parameters: facts.property.flatMap(one => one.parameterDefinitions).map(parameterOf),
    }
  }

  async function jobs(folder: string): ReturnType<Jenkins['jobs']> {
    const tree = `jobs[name,buildable,jobs[name]{0,1}]{0,${mostJobs}}`
    const answer = await transport.get({
      path: `${jobAt(folder)}api/json`,
      query: { tree },
      ms: timeouts.person,
    })
    const thing = folder === '' ? 'the list of jobs' : `the folder ${folder}`
    const found = understood(z.object({ jobs: many(child) }), answer, { to: 'read', thing, user })
    return found.jobs.map(one => {
      const kind = kindOf(one)
      return {
        job: folder === '' ? one.name : `${folder}/${one.name}`,
        kind,
        buildable: kind === 'job' && one.buildable !== false,
      }
    })
  }

  /** One try: `build` where the job takes no parameters, else `buildWithParameters`. */
  const ask = (job: string, parameters: Readonly<Record<string, string>> | null): Promise<Answer> =>
    transport.post({
      path: `${jobAt(job)}${parameters ? 'buildWithParameters' : 'build'}`,
      // As the button in Jenkins: no quiet period.
      query: { delay: '0sec' },
      ms: timeouts.call,
      ...(parameters ? { form: parameters } : {}),
    })

  /** Definitions may have changed since they were read: 400 says that it is the other form. */
  async function asked(facts: JobFacts, parameters: Readonly<Record<string, string>>): Promise<Answer> {
    const takes = facts.parameters.length > 0
    const first = await ask(facts.job, takes ? parameters : null)
    // Without its parameters it would be another build than the one that was asked for.
    if (first.status !== 400 || (takes && Object.keys(parameters).length > 0)) return first
    const second = await ask(facts.job, takes ? null : parameters)
    return second.status === 400 ? first : second
  }

  async function start(
    job: string,
    parameters: Readonly<Record<string, string>>,
  ): ReturnType<Jenkins['start']> {
    const facts = await jobIn(job, timeouts.call)
    // Jenkins would scan its branches instead.
    if (facts.kind === 'folder')
      throw new JenkinsError('refused', `${job} is a folder. Name one of the jobs in it`)
    const answer = await asked(facts, parameters)
    const wish = { to: 'start', thing: `the job ${job}`, user, posted: true }
    if (answer.status >= 400) throw fault(answer, wish)
    const location = answer.headers.get('location') ?? ''
    const queueId = Number(/\/queue\/item\/(\d{1,15})(?:\/|$)/.exec(location)?.[1] ?? Number.NaN)
    if (Number.isSafeInteger(queueId)) return { queueId, coalesced: answer.status === 303 }
    if (answer.status < 300)
      throw new JenkinsError(
        'unavailable',
        `Jenkins took the request for ${job} without saying where it waits in its queue`,
        { unclear: true },
      )
    if (isLogin(location) || !staysAt(location, job, server.url)) throw fault(answer, wish)
    throw new JenkinsError(
      'refused',
      `Jenkins did not put ${job} into its queue: it is about to shut down, or a plugin held it back. Look at Jenkins and ask again`,
    )
  }

  return { job: (job: string) => jobIn(job, timeouts.person), jobs, start }
}

/** The job's own page, whatever host and prefix Jenkins believes to have: it refused to schedule. */
const staysAt = (location: string, job: string, base: string): boolean =>
  location === '' || location === '.' || jobOf(location, new URL(jobAt(job), base).href) === job
