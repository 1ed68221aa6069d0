// A Jenkins in memory behind the port that the follower uses: what it was asked to start, what it runs, and failures at
// an exact call. How the real one speaks is the adapter's business, tested there and in standin.test.ts.

import type { PendingInput, Stage } from '../../../src/core/builds/build.ts'
import type { Tests } from '../../../src/core/builds/event.ts'
import { type BuildFacts, type Jenkins, JenkinsError } from '../../../src/core/builds/jenkins.ts'

export const bot = 'gkube'

type Run = { -readonly [key in keyof BuildFacts]: BuildFacts[key] }
type Queued = {
  id: number
  job: string
  since: number
  number: number | null
  cancelled: boolean
  parameters: Record<string, string>
  user: string | null
}
type Listed = Pick<PendingInput, 'id' | 'message' | 'proceed' | 'parameters' | 'submitters'>

export type Scripted = Jenkins & {
  /** Builds that it was asked for: what really happened there. */
  readonly posts: { job: string; parameters: Readonly<Record<string, string>>; queueId: number }[]
  readonly calls: string[]
  readonly stopped: string[]
  readonly answered: { input: string; decision: string }[]
  /** What every call throws; null: it answers. */
  fault: JenkinsError | null
  /** Called before (and after) each call by its name; may throw or never return. */
  around: (name: string, moment: 'before' | 'after') => void | Promise<void>
  /** New wishes join this queue item. */
  coalesce: boolean
  /** Builds leave the queue only by `leave`. */
  hold: boolean
  leave(queueId: number): number
  run(job: string, number: number, over?: Partial<Run>): Run
  runs(job: string): Run[]
  end(job: string, number: number, result: BuildFacts['result'], over?: Partial<Run>): void
  forget(job: string, number: number): void
  readonly tests_: Map<string, Tests>
  readonly stages_: Map<string, Stage[]>
  readonly inputs_: Map<string, Listed[]>
  readonly logs: Map<string, string>
}

export function scriptedJenkins(): Scripted {
  const runs = new Map<string, Run[]>()
  const queue = new Map<number, Queued>()
  let lastQueue = 100
  const of = (job: string) => {
    const all = runs.get(job) ?? []
    runs.set(job, all)
    return all
  }
  const find = (job: string, number: number): Run => {
    const found = of(job).find(one => one.number === number)
    if (!found) throw new JenkinsError('not_found', `there is no ${job} #${number}`)
    return found
  }
  const call = async <T>(name: string, work: () => T): Promise<T> => {
    self.calls.push(name)
    await self.around(name, 'before')
    if (self.fault) throw self.fault
    const answer = work()
    await self.around(name, 'after')
    return answer
  }
  const self: Scripted = {
    posts: [],
    calls: [],
    stopped: [],
    answered: [],
    fault: null,
    around: () => undefined,
    coalesce: false,
    hold: false,
    tests_: new Map(),
    stages_: new Map(),
    inputs_: new Map(),
    logs: new Map(),
    leave(queueId) {
      const item = queue.get(queueId)
      if (!item) throw new Error(`no queue item ${queueId}`)
      const number = (of(item.job).at(-1)?.number ?? 0) + 1
      item.number = number
      self.run(item.job, number, { queueId, user: item.user, parameters: item.parameters })
      return number
    },
    run(job, number, over = {}) {
      const run: Run = {
        number,
        queueId: null,
        displayName: `#${number}`,
        url: `http://jenkins.test/job/${job}/${number}/`,
        building: true,
        result: null,
        startedAt: Date.now(),
        durationMs: 0,
        usualMs: 1000,
        commit: 'c0ffee1',
        branch: 'origin/main',
        cause: 'Started by an SCM change',
        user: null,
        parameters: {},
        changes: [],
        changesTotal: 0,
        ...over,
      }
      of(job).push(run)
      return run
    },
    runs: of,
    end(job, number, result, over = {}) {
      Object.assign(find(job, number), { building: false, result, durationMs: 1234, ...over })
    },
    forget(job, number) {
      runs.set(
        job,
        of(job).filter(one => one.number !== number),
      )
    },
    job: async job => ({ job, url: '', kind: 'job', buildable: true, parameters: [] }),
    jobs: async () => [],
    start: (job, parameters) =>
      call('start', () => {
        const waiting = [...queue.values()].find(
          one => one.job === job && one.number === null && !one.cancelled,
        )
        if (self.coalesce && waiting) {
          self.posts.push({ job, parameters, queueId: waiting.id })
          return { queueId: waiting.id, coalesced: true }
        }
        const id = ++lastQueue
        queue.set(id, {
          id,
          job,
          since: Date.now(),
          number: null,
          cancelled: false,
          parameters: { ...parameters },
          user: bot,
        })
        self.posts.push({ job, parameters, queueId: id })
        if (!self.hold) self.leave(id)
        return { queueId: id, coalesced: false }
      }),
    queueItem: id =>
      call('queueItem', () => {
        const item = queue.get(id)
        if (!item) return null
        if (item.number === null && !item.cancelled)
          return { state: 'waiting', why: 'Waiting for an executor' }
        return { state: 'left', number: item.number, cancelled: item.cancelled }
      }),
    cancelQueueItem: id =>
      call('cancelQueueItem', () => {
        const item = queue.get(id)
        if (item) item.cancelled = true
      }),
    queued: job =>
      call('queued', () =>
        [...queue.values()].filter(one => one.job === job && one.number === null && !one.cancelled),
      ),
    build: (job, number) => call('build', () => ({ ...find(job, number) })),
    recent: job => call('recent', () => of(job).toReversed().slice(0, 50)),
    tests: (job, number) => call('tests', () => self.tests_.get(`${job} ${number}`) ?? null),
    stages: (job, number) => call('stages', () => self.stages_.get(`${job} ${number}`) ?? null),
    inputs: (job, number) => call('inputs', () => self.inputs_.get(`${job} ${number}`) ?? []),
    answer: ({ job, number, input }, { decision }) =>
      call('answer', () => {
        const all = self.inputs_.get(`${job} ${number}`) ?? []
        if (!all.some(one => one.id === input)) return 'settled'
        self.inputs_.set(
          `${job} ${number}`,
          all.filter(one => one.id !== input),
        )
        self.answered.push({ input, decision })
        return 'done'
      }),
    log: async () => ({ text: '', next: 0, more: false }),
    tail: (job, number) => call('tail', () => self.logs.get(`${job} ${number}`) ?? ''),
    stop: (job, number) =>
      call('stop', () => {
        self.stopped.push(`${job} ${number}`)
        self.end(job, number, 'ABORTED')
      }),
    checks: async () => [],
  }
  return self
}
