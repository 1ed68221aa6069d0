// People go first: work that nobody waits for in front of the screen (preparing, tidying the queue, telling) asks for a
// turn before it begins. While people ask and the event loop is behind, turns are held back; they are never refused,
// and nobody waits for ever. Who asks: core/runner.ts, the notifier's reading (server/slack.ts). Never around a claim.

type Pace = {
  /** Resolves when the work may begin: at once while nothing is behind, else in order. Also when `signal` aborts. */
  turn(signal?: AbortSignal): Promise<void>
  /** Somebody asks and waits for the answer. */
  came(): void
  /** How many wait for a turn. */
  waiting(): number
}

/** One turn each of these milliseconds: each is some milliseconds of work in pieces, and requests come in between. */
const tickMs = 2
/** While people ask: three such turns are as much work, for the loop and for etcd, as what a request waits for. */
const askedMs = 6
/** The loop is behind when a timer comes this late; one that is not comes within one. */
const lateMs = 3
/** While nobody asks so many begin together: what goes the same way at the same time shares its wake-ups. */
const atOnce = 8
/** When nobody came for this long, a loop that is behind is so by this very work, or by others on the machine. */
const quietMs = 250
/** Whoever waited this long begins however busy it is: a third of what preparing may take in all. */
const heldMs = 10_000

type Waiting = { readonly since: number; readonly begin: () => void }

type PaceTimers = { readonly now: () => number; readonly after: (ms: number, work: () => void) => void }

const systemTimers: PaceTimers = {
  now: () => performance.now(),
  // It keeps no process alive: whoever waits is given up with it.
  after: (ms, work) => void setTimeout(work, ms).unref(),
}

/** One for each process. */
export function createPace({ now, after }: PaceTimers = systemTimers): Pace {
  const line = new Set<Waiting>()
  let ticking = false
  let last = Number.NEGATIVE_INFINITY
  let cameAt = Number.NEGATIVE_INFINITY

  function begin(one: Waiting): void {
    line.delete(one)
    last = now()
    one.begin()
  }

  const isAsked = (): boolean => now() - cameAt < quietMs

  const between = (): number => (isAsked() ? askedMs : tickMs)

  function tick(): void {
    const ms = between()
    const due = now() + ms
    after(ms, () => {
      const at = now()
      const behind = at - due >= lateMs && isAsked()
      let left = behind ? 0 : isAsked() ? 1 : atOnce
      for (const one of line) {
        if (left-- <= 0 && at - one.since <= heldMs) break
        begin(one)
      }
      if (line.size > 0) tick()
      else ticking = false
    })
  }

  return {
    came: () => {
      cameAt = now()
    },
    waiting: () => line.size,
    turn(signal) {
      if (line.size === 0 && now() - last >= between()) {
        last = now()
        return Promise.resolve()
      }
      return new Promise(resolve => {
        const leave = () => {
          line.delete(one)
          resolve()
        }
        const one: Waiting = {
          since: now(),
          begin: () => {
            signal?.removeEventListener('abort', leave)
            resolve()
          },
        }
        if (signal?.aborted) return resolve()
        signal?.addEventListener('abort', leave, { once: true })
        line.add(one)
        if (ticking) return undefined
        ticking = true
        tick()
        return undefined
      })
    },
  }
}
