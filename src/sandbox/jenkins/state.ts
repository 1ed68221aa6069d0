// What the stand-in Jenkins knows: its jobs by full path, their builds, its queue and its people. Data and look-ups;
// queue.ts and running.ts change it, beans.ts shows it.
import { createHash } from 'node:crypto'
import type { JobSeed, ParameterSeed } from './control.ts'

export type Result = 'SUCCESS' | 'UNSTABLE' | 'FAILURE' | 'NOT_BUILT' | 'ABORTED'

export type Cause =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'timer' | 'scm' }
  | { readonly kind: 'upstream'; readonly job: string; readonly number: number }

export type Value = {
  readonly name: string
  readonly type: ParameterSeed['type']
  readonly value: string
}

export type Change = {
  readonly commit: string
  readonly author: string
  readonly message: string
  readonly paths: readonly string[]
  readonly at: number
}

export type StageRecord = {
  readonly name: string
  readonly startedAt: number
  durationMs: number
  status: 'IN_PROGRESS' | 'PAUSED_PENDING_INPUT' | 'SUCCESS' | 'UNSTABLE' | 'FAILED' | 'ABORTED'
}

export type InputRecord = {
  readonly id: string
  readonly message: string
  readonly ok: string
  readonly submitter: string | null
  readonly parameters: readonly ParameterSeed[]
  settled: boolean
}

export type TestRecord = {
  readonly passed: number
  readonly skipped: number
  readonly failed: readonly string[]
}

export type BuildRecord = {
  readonly job: string
  readonly number: number
  readonly queueId: number
  readonly startedAt: number
  durationMs: number
  estimatedMs: number
  /** Until the result is settled. */
  building: boolean
  /** Until the post-build steps and hooks are done. */
  inProgress: boolean
  result: Result | null
  readonly parameters: readonly Value[]
  readonly causes: readonly Cause[]
  readonly commit: string
  readonly branch: string
  readonly changes: readonly Change[]
  tests: TestRecord | null
  stages: StageRecord[]
  artifacts: string[]
  inputs: InputRecord[]
  /** The raw log, hidden notes and all; offsets count its bytes. */
  log: Buffer
}

export type QueueItem = {
  readonly id: number
  readonly job: string
  readonly parameters: readonly Value[]
  causes: readonly Cause[]
  readonly since: number
  /** End of the quiet period. */
  readonly until: number
  state: 'waiting' | 'blocked' | 'buildable' | 'left'
  leftAt: number
  cancelled: boolean
  /** The build, once it has begun. */
  number: number | null
}

export type Job = { seed: JobSeed; next: number; readonly builds: BuildRecord[] }

/** Users of this Jenkins, with the e-mails of the sandbox's people. */
export const people: Readonly<Record<string, string>> = {
  ana: 'Ana Costa',
  ben: 'Ben Okafor',
  cho: 'Cho Min-ji',
}
export const nameOf = (user: string): string => people[user] ?? user
export const emailOf = (user: string): string => `${user}@example.com`

export type State = ReturnType<typeof stateOf>

/** Builds of a job that are remembered. */
const most = 50

export function stateOf(seed: readonly JobSeed[]) {
  const jobs = new Map<string, Job>()
  const queue = new Map<number, QueueItem>()
  const addJob = (one: JobSeed) => {
    const there = jobs.get(one.path)
    if (there) there.seed = one
    else jobs.set(one.path, { seed: one, next: 1, builds: [] })
  }
  for (const one of seed) addJob(one)
  return {
    jobs,
    queue,
    nextQueueId: 1,
    addJob,
    /** Names directly below a folder; '' is the top. */
    below(folder: string): string[] {
      const start = folder === '' ? '' : `${folder}/`
      const names = [...jobs.values()]
        .filter(({ seed }) => seed.path.startsWith(start) && !seed.hidden)
        .map(({ seed }) => seed.path.slice(start.length).split('/')[0] ?? '')
      return [...new Set(names)].sort().map(name => start + name)
    },
    isFolder: (path: string) => [...jobs.keys()].some(one => one.startsWith(`${path}/`)),
    remember(job: Job, build: BuildRecord) {
      job.builds.unshift(build)
      while (job.builds.length > most && !job.builds.at(-1)?.inProgress) job.builds.pop()
    },
  }
}

/** A commit that is always the same for a build. */
export const commitOf = (job: string, number: number, index = 0): string =>
  createHash('sha1').update(`${job}#${number}.${index}`).digest('hex')

/** Below the root, with a slash at its end: `job/shop/job/worker/job/feature%252Flogin/`. */
export const jobUrl = (path: string): string =>
  path
    .split('/')
    .map(name => `job/${encodeURIComponent(name)}/`)
    .join('')

export const leafOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** A branch job is shown by its branch's name. */
export const displayOf = (path: string): string => leafOf(path).replaceAll(/%2F/gi, '/')

/** `shop » worker » feature/login`. */
export const fullDisplayOf = (path: string): string =>
  path
    .split('/')
    .map((_, i, all) => displayOf(all.slice(0, i + 1).join('/')))
    .join(' » ')

/** Where the sources of a job would be. */
export const remoteOf = (job: string): string =>
  `https://git.example.com/${job.split('/').slice(0, 2).join('/')}.git`

export function causeText(cause: Cause): string {
  if (cause.kind === 'user') return `Started by user ${nameOf(cause.user)}`
  if (cause.kind === 'upstream')
    return `Started by upstream project "${cause.job}" build number ${cause.number}`
  return cause.kind === 'timer' ? 'Started by timer' : 'Started by an SCM change'
}

/** Of a stage. */
export const isOpen = (status: string): boolean =>
  status === 'IN_PROGRESS' || status === 'PAUSED_PENDING_INPUT'
