// Runs the steps of all builds on the desk: one at a time for each build, at once when something happened, else when it
// is due. One clock for all of them.
import type { Desk, Item } from './desk.ts'
import { step } from './step.ts'

const longMs = 60_000

export function stepRunner(desk: () => Desk): {
  readonly kick: (item: Item) => void
  readonly settle: (item: Item) => Promise<void>
  /** Waits for what has been begun, after the signal. */
  readonly ended: () => Promise<void>
  /** Runs until the signal aborts. */
  readonly tick: () => Promise<void>
} {
  const busy = new Map<string, Promise<void>>()
  const again = new Set<string>()
  let alarm = new AbortController()

  function kick(item: Item): void {
    void run(item)
  }

  /** The end of the step that has been begun by this, or of the next one where one runs. */
  function run(item: Item): Promise<void> {
    const running = busy.get(item.id)
    if (running !== undefined) {
      again.add(item.id)
      return running
    }
    const { signal, deps, round } = desk()
    if (signal.aborted || item.gone) return Promise.resolve()
    const work = steps(item)
      .catch(error => {
        if (!signal.aborted) deps.log('the follower of builds begins anew', error)
        round.abort()
      })
      .finally(() => {
        busy.delete(item.id)
        alarm.abort()
      })
    busy.set(item.id, work)
    return work
  }

  async function steps(item: Item): Promise<void> {
    const { signal } = desk()
    do {
      again.delete(item.id)
      await step(desk(), item)
    } while (again.has(item.id) && !signal.aborted && !item.gone)
    again.delete(item.id)
  }

  async function tick(): Promise<void> {
    const { signal, deps, items } = desk()
    while (!signal.aborted) {
      const now = deps.clock.now()
      let earliest = now + longMs
      for (const item of items.values()) {
        if (item.due === null || busy.has(item.id)) continue
        if (item.due <= now) void run(item)
        else earliest = Math.min(earliest, item.due)
      }
      await deps.clock.sleep(Math.max(0, earliest - now), AbortSignal.any([signal, alarm.signal]))
      alarm = new AbortController()
    }
  }

  return {
    kick,
    settle: run,
    tick,
    async ended() {
      while (busy.size > 0) await Promise.allSettled([...busy.values()])
    },
  }
}
