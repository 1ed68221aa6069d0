// What the tests of the verbs about builds stand on: real etcd, a Jenkins that says what the test scripts, three people.
import type { Build, Parameter } from '../../../src/core/builds/build.ts'
import { type Jenkins, JenkinsError, type JobFacts } from '../../../src/core/builds/jenkins.ts'
import { buildCommit } from '../../../src/core/builds/records.ts'
import type { Caller } from '../../../src/core/core.ts'
import type { Grant, Role } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { put } from '../../../src/core/records.ts'
import { builds } from '../../../src/core/use-cases/builds.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { subscriptions } from '../../../src/core/use-cases/subscriptions.ts'
import { testKv } from '../../support/etcd.ts'

export const grant = (role: Role, apps: string[] = ['*'], environments: string[] = ['*']): Grant => ({
  role,
  apps,
  environments,
})
export const callerOf = (name: string, ...grants: Grant[]): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack', person: name },
  grants,
  person: name,
})
export const ana = callerOf('ana', grant('deployer', ['web']))
export const ben = callerOf('ben', grant('deployer', ['web']))
export const vic = callerOf('vic', grant('viewer'))
export const olga = callerOf('olga', grant('operator'))
export const eve = callerOf('eve')

export const parameter = (
  name: string,
  type: Parameter['type'] = 'string',
  more: Partial<Parameter> = {},
): Parameter => ({ name, type, description: '', choices: [], default: null, ...more })

export const jobFacts = (job: string, more: Partial<JobFacts> = {}): JobFacts => ({
  job,
  url: `http://jenkins.example.com/job/${job.replaceAll('/', '/job/')}/`,
  kind: 'job',
  buildable: true,
  parameters: [],
  ...more,
})

export const down = () => new JenkinsError('unavailable', 'connect ECONNREFUSED')

/** Each call that the test did not script fails it. */
export function scripted(script: Partial<Jenkins>): Jenkins {
  return new Proxy(script as Jenkins, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      (() => Promise.reject(new Error(`the test did not expect Jenkins to be asked ${String(name)}`))),
  })
}

/** `jobs`: what Jenkins has; `fed`: app by job. */
export async function buildsWorld(
  options: {
    readonly jobs?: readonly JobFacts[]
    readonly fed?: Readonly<Record<string, string>>
    readonly jenkins?: Partial<Jenkins> | null
    readonly channel?: string | null
    /** When it is at first; the Slack surface compares it with the signatures. */
    readonly begin?: number
  } = {},
) {
  const { jobs = [jobFacts('shop/web')], fed = { 'shop/web': 'web' }, channel = null } = options
  const kv = await testKv()
  const keys = keysBelow(kv.root)
  let now = options.begin ?? Date.UTC(2026, 10, 23, 12)
  let asked = 0
  const jenkins = scripted({
    job: async job => {
      asked++
      const found = jobs.find(one => one.job === job)
      if (!found) throw new JenkinsError('not_found', 'No such job')
      return found
    },
    jobs: async folder =>
      jobs.filter(
        one => (folder ? one.job.startsWith(`${folder}/`) : true) && depth(one.job) === depth(folder) + 1,
      ),
    ...options.jenkins,
  })
  const people = [ana, ben, vic, olga].map(({ person = '', grants }) => ({
    id: person,
    name: person,
    grants,
    ...(person === 'ben' ? { jenkins: 'benjamin' } : {}),
  }))
  // The rest is not for these verbs.
  const deps = {
    kv,
    keys,
    clock: { now: () => now, sleep: (ms: number) => new Promise(resolve => setTimeout(resolve, ms / 100)) },
    people,
    environments: new Map(),
    jenkins: { ask: options.jenkins === null ? null : jenkins, channel, events: 'changes' },
    log: () => undefined,
  } as unknown as Deps
  for (const [job, app] of Object.entries(fed))
    await kv.commit({
      compares: [{ kind: 'absent', key: keys.job(job, app) }],
      writes: [
        put(keys.job(job, app), { schema: 1 }),
        put(keys.app(app), { schema: 1, app, image: 'x:{revision}', jobs: [job] }),
      ],
    })
  return {
    kv,
    keys,
    deps,
    core: { ...builds(deps), ...subscriptions(deps) },
    later: (ms: number) => {
      now += ms
    },
    now: () => now,
    /** How often a job was read from Jenkins. */
    asked: () => asked,
    /** A build as the follower would have written it. */
    put: async (build: Build) => {
      const { compares, writes } = buildCommit(keys, build)
      await kv.commit({ compares, writes })
      return build
    },
    /** Actions and outcomes of the audit, oldest first. */
    audit: async () => {
      const { entries } = await kv.list(keys.auditIn('-'))
      return entries
        .toSorted((a, b) => Number(a.createRevision) - Number(b.createRevision))
        .map(
          entry =>
            JSON.parse(entry.value) as { action: string; outcome: string; detail: string; app: string },
        )
    },
  }
}

const depth = (path: string): number => (path === '' ? 0 : path.split('/').length)
