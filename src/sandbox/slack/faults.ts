// What tests make go wrong with calls of the Web API; each fault wears off after `times` calls. Served in web-api.ts.
import type { Fault } from './control.ts'

export type Faults = ReturnType<typeof faultBox>

export function faultBox() {
  let waiting: { readonly fault: Fault; left: number }[] = []
  const hits = (fault: Fault, method: string, args: Readonly<Record<string, unknown>>) =>
    (fault.method === undefined || fault.method === method) &&
    Object.entries(fault.where ?? {}).every(([name, value]) => args[name] === value)
  return {
    add: (fault: Fault) => void waiting.push({ fault, left: fault.times ?? 1 }),
    clear: () => {
      waiting = []
    },
    take(method: string, args: Readonly<Record<string, unknown>>): Fault | undefined {
      const found = waiting.find(one => hits(one.fault, method, args))
      if (!found) return undefined
      found.left -= 1
      if (found.left <= 0) waiting = waiting.filter(one => one !== found)
      return found.fault
    },
  }
}
