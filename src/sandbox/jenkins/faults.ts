// What tests make go wrong with requests to the stand-in Jenkins; a fault wears off after `times` requests.
import type { Fault } from './control.ts'

export type Faults = ReturnType<typeof faultBox>

export function faultBox() {
  let waiting: { readonly fault: Fault; left: number }[] = []
  const waits = new Set<() => void>()
  const endWaits = () => {
    for (const end of waits) end()
  }
  return {
    add: (fault: Fault) => void waiting.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    clear() {
      waiting = []
      endWaits()
    },
    take(method: string, path: string): Fault | undefined {
      const found = waiting.find(
        ({ fault }) => (fault.method ?? method) === method && (fault.path?.test(path) ?? true),
      )
      if (!found) return undefined
      found.left -= 1
      if (found.left <= 0) waiting = waiting.filter(one => one !== found)
      return found.fault
    },
    /** Real milliseconds; ends when faults are cleared. */
    wait: (ms: number) =>
      new Promise<void>(resolve => {
        const end = () => {
          clearTimeout(timer)
          waits.delete(end)
          resolve()
        }
        const timer = setTimeout(end, ms)
        waits.add(end)
      }),
  }
}
