// Runs builds: what a job's run may do (Steps), its log, its end, and how it is stopped or its input answered.
// Hooks are sent inside the build, as the plugin does. The queue (queue.ts) decides when one begins.

import { begun } from './begun.ts'
import { note } from './console.ts'
import type { InputSeed, Steps } from './control.ts'
import type { Hooks } from './hooks.ts'
import { valuesOf } from './parameters.ts'
import { environmentOf, runShell } from './shell.ts'
import {
  type BuildRecord,
  causeText,
  emailOf,
  type InputRecord,
  isOpen,
  type Job,
  jobUrl,
  nameOf,
  type QueueItem,
  type Result,
  remoteOf,
  type StageRecord,
  type State,
} from './state.ts'
import type { Timers } from './timers.ts'

export type Running = ReturnType<typeof runningOf>
type Stop = 'stop' | 'term' | 'kill'
const force: readonly Stop[] = ['stop', 'term', 'kill']

type Deps = {
  readonly state: State
  readonly timers: Timers
  readonly hooks: Hooks
  readonly root: () => string
  readonly environment: () => Readonly<Record<string, string>>
  readonly killAfter: number
  /** A number was given, or a build has ended. */
  readonly changed: () => void
}

/** How a build ends other than by returning. */
class Ended extends Error {
  readonly result: Result
  constructor(result: Result, message: string) {
    super(message)
    this.result = result
  }
}

type Live = {
  readonly abort: AbortController
  readonly answers: Map<string, (values: Readonly<Record<string, string>>) => void>
  readonly over: Promise<void>
}

export function runningOf(deps: Deps) {
  const { state, timers, hooks } = deps
  const live = new Map<BuildRecord, Live>()
  const write = (build: BuildRecord, bytes: Buffer | string) => {
    build.log = Buffer.concat([build.log, Buffer.from(bytes as string)])
  }
  const say = (build: BuildRecord, line: string) => write(build, `${line}\n`)

  function start(item: QueueItem, job: Job): void {
    const build = begun(item, job)
    state.remember(job, build)
    item.number = build.number
    deps.changed()
    const abort = new AbortController()
    const answers: Live['answers'] = new Map()
    // Registered before its first step runs.
    const over = Promise.resolve().then(() => run(build, job, { abort, answers }))
    live.set(build, { abort, answers, over })
    void over.finally(() => {
      live.delete(build)
      deps.changed()
    })
  }

  async function run(build: BuildRecord, job: Job, at: Omit<Live, 'over'>): Promise<void> {
    const isPipeline = job.seed.kind === 'pipeline'
    for (const cause of build.causes) say(build, `${note}${causeText(cause)}`)
    say(build, isPipeline ? '[Pipeline] Start of Pipeline' : 'Running as SYSTEM')
    const line = (text: string) => say(build, text)
    await hooks.tell(build, 'QUEUED', line)
    await hooks.tell(build, 'STARTED', line)
    const result = await outcome(build, job, at)
    for (const input of build.inputs) input.settled = true
    endStage(build, result === 'FAILURE' ? 'FAILED' : result === 'NOT_BUILT' ? 'ABORTED' : result)
    if (isPipeline) say(build, '[Pipeline] End of Pipeline')
    build.durationMs = Date.now() - build.startedAt
    build.result = result
    build.building = false
    await hooks.tell(build, 'COMPLETED', line)
    say(build, `Finished: ${result}`)
    await hooks.tell(build, 'FINALIZED', () => {})
    build.inProgress = false
  }

  async function outcome(build: BuildRecord, job: Job, at: Omit<Live, 'over'>): Promise<Result> {
    try {
      at.abort.signal.throwIfAborted()
      await job.seed.run?.(stepsOf(build, at))
      return build.result ?? 'SUCCESS'
    } catch (error) {
      say(build, error instanceof Error ? error.message : String(error))
      return error instanceof Ended ? error.result : 'FAILURE'
    }
  }

  const stageNow = (build: BuildRecord) => build.stages.findLast(stage => isOpen(stage.status))
  function endStage(build: BuildRecord, status: StageRecord['status']): void {
    const stage = stageNow(build)
    if (!stage) return
    stage.status = status
    stage.durationMs = Date.now() - stage.startedAt
  }

  function stepsOf(build: BuildRecord, { abort, answers }: Omit<Live, 'over'>): Steps {
    const { signal } = abort
    return {
      number: build.number,
      parameter: name => build.parameters.find(one => one.name === name)?.value ?? '',
      print: (...lines) => lines.forEach(line => void say(build, line)),
      takes: ms => timers.wait(ms, signal),
      stage(name) {
        endStage(build, build.result === 'UNSTABLE' ? 'UNSTABLE' : 'SUCCESS')
        build.stages.push({ name, startedAt: Date.now(), durationMs: 0, status: 'IN_PROGRESS' })
        say(build, `[Pipeline] { (${name})`)
      },
      input: ask => paused(build, ask, { answers, signal }),
      async shell(script, options) {
        const environment = { ...environmentFor(build), ...deps.environment() }
        const code = await runShell({
          script,
          environment,
          signal,
          killAfter: deps.killAfter,
          write: bytes => write(build, bytes),
        })
        signal.throwIfAborted()
        if (code === 0) return
        if (code === options?.unstableReturn) build.result = 'UNSTABLE'
        else throw new Ended('FAILURE', `Build step 'Execute shell' marked build as failure (exit ${code})`)
      },
      tests({ passed, failed = [], skipped = 0 }) {
        build.tests = { passed, skipped, failed }
        say(build, 'Recording test results')
        if (failed.length > 0) build.result = 'UNSTABLE'
      },
      artifact: path => void build.artifacts.push(path),
      unstable() {
        build.result = 'UNSTABLE'
      },
      fail(message) {
        throw new Ended('FAILURE', message)
      },
    }
  }

  async function paused(
    build: BuildRecord,
    ask: InputSeed,
    { answers, signal }: { answers: Live['answers']; signal: AbortSignal },
  ) {
    const input: InputRecord = {
      id: ask.id,
      message: ask.message,
      ok: ask.ok ?? 'Proceed',
      submitter: ask.submitter ?? null,
      parameters: ask.parameters ?? [],
      settled: false,
    }
    build.inputs.push(input)
    const stage = stageNow(build)
    if (stage) stage.status = 'PAUSED_PENDING_INPUT'
    say(build, '[Pipeline] input')
    say(build, `${ask.message}\n${note}${input.ok} or ${note}Abort`)
    const values = await new Promise<Readonly<Record<string, string>>>((resolve, reject) => {
      answers.set(ask.id, resolve)
      if (signal.aborted) reject(signal.reason)
      else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    if (stage) stage.status = 'IN_PROGRESS'
    return values
  }

  function environmentFor(build: BuildRecord) {
    const started = build.causes.find(cause => cause.kind === 'user')
    const before = state.jobs.get(build.job)?.builds.find(one => one.result === 'SUCCESS')
    return environmentOf({
      ...build,
      previousCommit: before?.commit ?? null,
      remote: remoteOf(build.job),
      user: started ? { id: started.user, name: nameOf(started.user), email: emailOf(started.user) } : null,
      root: deps.root(),
      jobUrl: jobUrl(build.job),
    })
  }

  function stop(build: BuildRecord, how: Stop, by: string): void {
    const heeds = state.jobs.get(build.job)?.seed.heeds ?? 'stop'
    if (force.indexOf(how) < force.indexOf(heeds)) say(build, `Aborted by ${nameOf(by)}: not heeded`)
    else live.get(build)?.abort.abort(new Ended('ABORTED', `Aborted by ${nameOf(by)}`))
  }

  return {
    start,
    stop,
    /** How many hold an executor; one that waits for an answer holds none. */
    busy: () => [...live.keys()].filter(build => build.inputs.every(input => input.settled)).length,
    /** False: there is no such input; throws what Jenkins says where it is settled or not for that user. */
    settle(
      build: BuildRecord,
      answer: {
        id: string
        decision: 'proceed' | 'abort'
        by: string
        values?: (name: string) => readonly string[]
      },
    ): boolean {
      const input = build.inputs.find(one => one.id === answer.id)
      const at = live.get(build)
      if (!input || !at || !build.building) return false
      if (input.settled) throw new NotTaken('This input has been already given')
      if (input.submitter !== null && !input.submitter.split(',').includes(answer.by))
        throw new NotTaken(`You need to be ${input.submitter} to submit this.`)
      const values = valuesOf(input.parameters, answer.values ?? (() => []))
      input.settled = true
      if (answer.decision === 'abort')
        at.abort.abort(new Ended('ABORTED', `Rejected by ${nameOf(answer.by)}`))
      else {
        say(build, `Approved by ${note}${nameOf(answer.by)}`)
        at.answers.get(input.id)?.(Object.fromEntries(values.map(({ name, value }) => [name, value])))
      }
      return true
    },
    over: (build: BuildRecord) => live.get(build)?.over ?? Promise.resolve(),
    async stopAll(): Promise<void> {
      for (const one of live.values()) one.abort.abort(new Ended('ABORTED', 'Jenkins is going to shut down'))
      await Promise.all([...live.values()].map(one => one.over))
    },
  }
}

/** Jenkins' `Failure`: 400 with its words in X-Error. */
export class NotTaken extends Error {}
