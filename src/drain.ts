// Shutting down without losing work: new work is refused, running work is waited for, up to a limit. Whoever starts
// something that must end well runs it through `track`; loops end on the `closing` signal. main.ts calls `close`.
import { UserError } from './errors.ts'

export function createDrain() {
  const controller = new AbortController()
  const running = new Map<symbol, string>()
  let idle: (() => void) | undefined
  let closed: Promise<{ readonly left: readonly string[] }> | undefined

  /** Runs `work` and counts it until it settles. Throws UserError `unavailable` when closing: it was not begun. */
  async function track<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (controller.signal.aborted)
      throw new UserError(
        'unavailable',
        'This replica of gkube is shutting down, so nothing was started. Try again in a moment.',
      )
    const id = Symbol(name)
    running.set(id, name)
    try {
      return await work()
    } finally {
      running.delete(id)
      if (running.size === 0) idle?.()
    }
  }

  async function wait(limitMs: number) {
    let timer: NodeJS.Timeout | undefined
    if (running.size > 0)
      await new Promise<void>(resolve => {
        idle = resolve
        timer = setTimeout(resolve, limitMs)
      })
    clearTimeout(timer)
    return { left: [...running.values()] }
  }

  return {
    track,
    /** Aborts when closing begins: loops and streams end on it. */
    closing: controller.signal as AbortSignal,
    /** The names of what runs now. */
    running: (): readonly string[] => [...running.values()],
    /** Refuses new work and waits `limitMs` at most for what runs; `left` names what did not end. Repeats share one wait. */
    close(limitMs: number): Promise<{ readonly left: readonly string[] }> {
      closed ??= wait(limitMs)
      if (!controller.signal.aborted) controller.abort(new Error('gkube is shutting down'))
      return closed
    },
  }
}
