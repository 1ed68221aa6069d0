// The build queue: a quiet period, then blocked by a running build of the same job or waiting for an executor, then
// left; a left item is forgotten after 300 s. An identical item that still waits is joined instead of a second one.
import type { Cause, Job, QueueItem, State, Value } from './state.ts'
import type { Timers } from './timers.ts'

export type Queue = ReturnType<typeof queueOf>

type Deps = {
  readonly state: State
  readonly timers: Timers
  readonly executors: number
  readonly timing: { readonly quiet: number; readonly pending: number; readonly expiry: number }
  /** Builds that hold an executor. */
  readonly busy: () => number
  readonly start: (item: QueueItem, job: Job) => void
}

export function queueOf({ state, timers, executors, timing, busy, start }: Deps) {
  /** Left the queue, the build has not begun. */
  let pending = 0
  const pendingOf = new Set<string>()

  /** Moves on whatever can; called when anything changed. */
  function advance(): void {
    for (const item of state.queue.values()) {
      if (item.state === 'left' || item.state === 'waiting') continue
      const job = state.jobs.get(item.job)
      if (!job) {
        leave(item, true)
        continue
      }
      const several = job.seed.concurrent ?? job.seed.kind === 'pipeline'
      const isRunning = pendingOf.has(item.job) || job.builds.some(build => build.inProgress)
      if (!several && isRunning) item.state = 'blocked'
      else if (busy() + pending >= executors) item.state = 'buildable'
      else {
        leave(item, false)
        pending += 1
        pendingOf.add(item.job)
        timers.after(timing.pending, () => {
          pending -= 1
          pendingOf.delete(item.job)
          start(item, job)
        })
      }
    }
  }

  function leave(item: QueueItem, cancelled: boolean): void {
    item.state = 'left'
    item.leftAt = Date.now()
    item.cancelled = cancelled
  }

  function forget(): void {
    const oldest = Date.now() - timers.real(timing.expiry)
    for (const item of state.queue.values())
      if (item.state === 'left' && item.leftAt < oldest) state.queue.delete(item.id)
  }

  return {
    advance,
    /** Null: refused. `delay` in ms at speed 1. */
    schedule(
      path: string,
      asked: { parameters: readonly Value[]; cause: Cause; delay?: number },
    ): { item: QueueItem; created: boolean } | null {
      const job = state.jobs.get(path)
      if (!job || job.seed.disabled || job.seed.refuses) return null
      const same = JSON.stringify(asked.parameters)
      for (const item of state.queue.values())
        if (item.state !== 'left' && item.job === path && JSON.stringify(item.parameters) === same) {
          item.causes = [...item.causes, asked.cause]
          return { item, created: false }
        }
      const now = Date.now()
      const quiet = asked.delay ?? job.seed.quiet ?? timing.quiet
      const item: QueueItem = {
        id: state.nextQueueId++,
        job: path,
        parameters: asked.parameters,
        causes: [asked.cause],
        since: now,
        until: now + Math.round(timers.real(quiet)),
        state: 'waiting',
        leftAt: 0,
        cancelled: false,
        number: null,
      }
      state.queue.set(item.id, item)
      timers.after(quiet, () => {
        if (item.state === 'waiting') item.state = 'buildable'
        advance()
      })
      return { item, created: true }
    },
    /** Undefined: unknown, or left too long ago. */
    get(id: number): QueueItem | undefined {
      forget()
      return state.queue.get(id)
    },
    /** False: it is not in the queue. */
    cancel(id: number): boolean {
      const item = state.queue.get(id)
      if (!item || item.state === 'left') return false
      leave(item, true)
      advance()
      return true
    },
  }
}
