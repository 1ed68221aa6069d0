// How tests speak to the stand-in Jenkins: with its API token, and without following redirects.
import { afterAll, vi } from 'vitest'
import type { JenkinsOptions, JobSeed, SandboxJenkins } from '../../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../../src/sandbox/jenkins/jenkins.ts'

const running: SandboxJenkins[] = []
afterAll(() => Promise.all(running.map(one => one.stop())))

/** Builds wait for nothing but what the test holds. */
export async function open(options: JenkinsOptions = {}) {
  const jenkins = await startJenkins({ timing: { quiet: 0, pending: 0 }, ...options })
  running.push(jenkins)
  const basic = (secret: string) => ({
    authorization: `Basic ${Buffer.from(`${jenkins.user}:${secret}`).toString('base64')}`,
  })
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(jenkins.url + path, {
      redirect: 'manual',
      ...init,
      headers: { ...basic(jenkins.token), ...init.headers },
    })
  return {
    jenkins,
    basic,
    ask,
    post: (path: string, init: RequestInit = {}) => ask(path, { method: 'POST', ...init }),
    // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was answered
    async json(path: string): Promise<any> {
      const response = await ask(path)
      if (!response.ok) throw new Error(`${path}: ${response.status}`)
      return response.json()
    },
    /** Starts a build and waits until it runs; its number. */
    async begun(job: string, parameters: Record<string, string> = {}, by = 'ana') {
      const queued = jenkins.control.start(job, parameters, by)
      if (!queued) throw new Error(`${job} was refused`)
      return vi.waitFor(() => {
        const build = jenkins.control.builds(job).find(one => one.queueId === queued.queueId)
        if (!build) throw new Error('it has not begun')
        return build.number
      })
    },
  }
}
export type Opened = Awaited<ReturnType<typeof open>>

/** A job that runs until `finish` is called. */
export function held(seed: Partial<JobSeed> & { path: string }) {
  let finish = () => {}
  const job: JobSeed = {
    kind: 'pipeline',
    run: steps =>
      Promise.race([
        new Promise<void>(resolve => {
          finish = resolve
        }),
        steps.takes(60_000),
      ]),
    ...seed,
  }
  return { job, finish: () => finish() }
}
