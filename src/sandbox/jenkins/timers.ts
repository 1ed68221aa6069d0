// Time of the stand-in Jenkins: waits are divided by its speed, and all of them end with it.
export type Timers = ReturnType<typeof timersOf>

export function timersOf(speed: number) {
  const open = new Set<NodeJS.Timeout>()
  const after = (ms: number, act: () => void): (() => void) => {
    const timer = setTimeout(() => {
      open.delete(timer)
      act()
    }, ms / speed)
    open.add(timer)
    return () => {
      clearTimeout(timer)
      open.delete(timer)
    }
  }
  return {
    after,
    /** Rejects with the signal's reason when it aborts. */
    wait: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const stopped = () => {
          cancel()
          reject(signal.reason)
        }
        const cancel = after(ms, () => {
          signal.removeEventListener('abort', stopped)
          resolve()
        })
        signal.addEventListener('abort', stopped, { once: true })
      }),
    /** Real milliseconds for those at speed 1. */
    real: (ms: number) => ms / speed,
    stop() {
      for (const timer of open) clearTimeout(timer)
      open.clear()
    },
  }
}
