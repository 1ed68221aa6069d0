// The one queue of all calls of the Web API in this process: each method is called as often as limits.ts lets it, the
// most important first, and not at all while Slack told it to wait. A turn is given at the last moment, so whoever
// gets it can send what is true then. It never sends by itself: `work` does.
import { type Bucket, channelLimit, filled, full, type Limit, limitOf, spent, waitFor } from './limits.ts'

/** From the first to be served to the last. */
export const priorities = ['interactive', 'terminal', 'waiting', 'running'] as const
export type Priority = (typeof priorities)[number]

export type Turn = {
  readonly method: string
  /** chat.postMessage only: each channel has a limit of its own. */
  readonly channel?: string
  /** Asked when turns are given, so it may change while it waits. */
  readonly priority: Priority | (() => Priority)
  /** A later call with the same key takes the place of one that still waits: both get the later one's answer. */
  readonly key?: string
  /** Milliseconds: it is of no use later. */
  readonly within?: number
  readonly signal?: AbortSignal
}

/** It was not called: too late, given up by the caller or at the end, or too many wait already. */
export type Dropped = { readonly kind: 'dropped'; readonly why: 'late' | 'aborted' | 'full' }
/** Slack said: not before. */
type Limited = { readonly kind: 'limited'; readonly afterMs: number }

export type Scheduler = {
  /** Waits for a turn, then runs `work`; when that answers `limited`, waits as told and runs it again. */
  run<T extends { readonly kind: string }>(turn: Turn, work: () => Promise<T>): Promise<T | Dropped>
  /** By method, since the start. */
  counts(): Readonly<Record<string, Counts>>
  /** Drops what waits. */
  close(): void
}

type Counts = { calls: number; limited: number; dropped: number; waiting: number }

export type Timers = {
  /** Monotonic milliseconds. */
  now(): number
  /** Runs `work` after `ms`; returns what cancels it. */
  after(ms: number, work: () => void): () => void
}

type Entry = {
  readonly seq: number
  readonly turn: Turn
  readonly until: number
  attempts: number
  work: () => Promise<{ readonly kind: string }>
  readonly settle: ((result: unknown) => void)[]
  readonly fail: ((error: unknown) => void)[]
  leave: () => void
}

type Line = {
  readonly method: string
  readonly limit: Limit
  bucket: Bucket
  blockedUntil: number
  readonly channels: Map<string, Bucket>
  entries: Entry[]
  granted: number
  cancelTimer: (() => void) | null
  /** When the timer comes. */
  timerAt: number
  readonly counts: Counts
}

const longest = 5_000
/** Each n-th turn goes to who waits longest, so that nobody waits for ever. */
const oldestEach = 8
const mostAttempts = 10

export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

/** One for each workspace and process. */
export function createScheduler(timers: Timers = systemTimers): Scheduler {
  const lines = new Map<string, Line>()
  let seq = 0
  let closed = false

  function lineOf(method: string): Line {
    const known = lines.get(method)
    if (known) return known
    const limit = limitOf(method)
    const line: Line = {
      method,
      limit,
      bucket: full(limit, timers.now()),
      blockedUntil: 0,
      channels: new Map(),
      entries: [],
      granted: 0,
      cancelTimer: null,
      timerAt: 0,
      counts: { calls: 0, limited: 0, dropped: 0, waiting: 0 },
    }
    lines.set(method, line)
    return line
  }

  function drop(line: Line, entry: Entry, why: Dropped['why']): void {
    line.entries = line.entries.filter(one => one !== entry)
    line.counts.dropped++
    entry.leave()
    for (const settle of entry.settle) settle({ kind: 'dropped', why } satisfies Dropped)
  }

  /** Gives all turns that can be given now, and comes back when the next one can. */
  function serve(line: Line): void {
    line.cancelTimer?.()
    line.cancelTimer = null
    for (;;) {
      const now = timers.now()
      for (const entry of line.entries) if (entry.until <= now) drop(line, entry, 'late')
      if (line.entries.length === 0) return
      line.bucket = filled(line.bucket, line.limit, now)
      const pause = pauseOf(line, now)
      const { entry, wait } = pause > 0 ? { entry: null, wait: pause } : choose(line, now)
      if (!entry) {
        const latest = line.entries.reduce(
          (least, one) => Math.min(least, one.until),
          Number.POSITIVE_INFINITY,
        )
        const ms = Math.max(1, Math.min(wait, latest - now))
        line.timerAt = now + ms
        line.cancelTimer = timers.after(ms, () => serve(line))
        return
      }
      grant(line, entry, now)
    }
  }

  /** The best of those whose channel is free; else how long until the next one is. */
  function choose(line: Line, now: number): { entry: Entry | null; wait: number } {
    let best: Entry | null = null
    let wait = Number.POSITIVE_INFINITY
    const byAge = line.granted % oldestEach === oldestEach - 1
    for (const entry of line.entries) {
      const channelWait = waitOfChannel(line, entry.turn.channel, now)
      if (channelWait > 0) wait = Math.min(wait, channelWait)
      else if (!best || (byAge ? entry.seq < best.seq : before(entry, best))) best = entry
    }
    return { entry: best, wait }
  }

  function waitOfChannel(line: Line, channel: string | undefined, now: number): number {
    const bucket = channel === undefined ? undefined : line.channels.get(channel)
    return bucket ? waitFor(filled(bucket, channelLimit, now), channelLimit) : 0
  }

  function grant(line: Line, entry: Entry, now: number): void {
    line.entries = line.entries.filter(one => one !== entry)
    line.granted++
    line.bucket = spent(line.bucket)
    if (entry.turn.channel !== undefined) spendChannel(line, entry.turn.channel, now)
    line.counts.calls++
    void perform(line, entry)
  }

  function spendChannel(line: Line, channel: string, now: number): void {
    // Full again is as if it had never been used.
    for (const [other, bucket] of line.channels)
      if (waitFor(filled(bucket, channelLimit, now), channelLimit) === 0) line.channels.delete(other)
    line.channels.set(channel, spent(full(channelLimit, now)))
  }

  async function perform(line: Line, entry: Entry): Promise<void> {
    try {
      const result = await entry.work()
      if (result.kind === 'limited' && again(line, entry, result as Limited)) return
      entry.leave()
      for (const settle of entry.settle) settle(result)
    } catch (error) {
      entry.leave()
      for (const fail of entry.fail) fail(error)
    }
  }

  /** The whole method waits; the call keeps its place where it is of use then. */
  function again(line: Line, entry: Entry, { afterMs }: Limited): boolean {
    const now = timers.now()
    line.counts.limited++
    line.blockedUntil = Math.max(line.blockedUntil, now + afterMs)
    line.bucket = { tokens: Math.min(1, line.bucket.tokens), at: now }
    entry.attempts++
    const useless = closed || entry.turn.signal?.aborted || entry.until <= now + afterMs
    if (useless || entry.attempts >= mostAttempts) return false
    line.entries.push(entry)
    serve(line)
    return true
  }

  function enqueue(line: Line, entry: Entry): void {
    const same = entry.turn.key === undefined ? undefined : find(line, entry.turn.key)
    if (same) {
      // The newest says what is sent; whoever waited longer keeps the place in line.
      line.entries = line.entries.filter(one => one !== same)
      same.leave()
      entry.settle.push(...same.settle)
      entry.fail.push(...same.fail)
      line.entries.push({ ...entry, seq: same.seq })
    } else line.entries.push(entry)
    if (line.entries.length > longest) {
      const least = line.entries.reduce((worst, one) => (before(worst, one) ? one : worst))
      drop(line, least, 'full')
    }
    // Nobody gets a turn before the timer comes, so there is nothing to look at.
    const now = timers.now()
    line.bucket = filled(line.bucket, line.limit, now)
    const comes = line.cancelTimer !== null && line.timerAt <= Math.min(entry.until, now + pauseOf(line, now))
    if (!comes) serve(line)
  }

  return {
    run<T extends { readonly kind: string }>(turn: Turn, work: () => Promise<T>): Promise<T | Dropped> {
      const aborted: Dropped = { kind: 'dropped', why: 'aborted' }
      if (closed || turn.signal?.aborted) return Promise.resolve(aborted)
      const line = lineOf(turn.method)
      return new Promise<T | Dropped>((resolve, reject) => {
        // The type of what `work` answers is lost in the queue: it comes back to who gave it.
        const settle = resolve as (result: unknown) => void
        const entry: Entry = {
          seq: ++seq,
          turn,
          until: turn.within === undefined ? Number.POSITIVE_INFINITY : timers.now() + turn.within,
          attempts: 0,
          work,
          settle: [settle],
          fail: [reject],
          leave: () => turn.signal?.removeEventListener('abort', onAbort),
        }
        const onAbort = () => {
          const waiting = line.entries.find(one => one.settle.includes(settle))
          if (waiting) drop(line, waiting, 'aborted')
        }
        turn.signal?.addEventListener('abort', onAbort, { once: true })
        enqueue(line, entry)
      })
    },
    counts: () =>
      Object.fromEntries(
        [...lines].map(([method, line]) => [method, { ...line.counts, waiting: line.entries.length }]),
      ),
    close() {
      closed = true
      for (const line of lines.values()) {
        line.cancelTimer?.()
        for (const entry of [...line.entries]) drop(line, entry, 'aborted')
      }
    },
  }
}

const pauseOf = (line: Line, now: number): number =>
  Math.max(line.blockedUntil - now, waitFor(line.bucket, line.limit))

const find = (line: Line, key: string) => line.entries.find(entry => entry.turn.key === key)

const rank = ({ turn }: Entry): number =>
  priorities.indexOf(typeof turn.priority === 'function' ? turn.priority() : turn.priority)

/** Whether `a` is served before `b`. */
function before(a: Entry, b: Entry): boolean {
  const difference = rank(a) - rank(b)
  return difference === 0 ? a.seq < b.seq : difference < 0
}
