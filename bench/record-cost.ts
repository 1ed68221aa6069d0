// Preloaded into a process whose cost is measured: what it took of the CPU, how late its event loop was and what
// collecting garbage took, since the last time it was asked. It tells by the channel to its parent; processes.ts asks.
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { monotonic } from './monotonic.ts'

export type Cost = {
  /** Milliseconds of all threads. */
  readonly cpu: number
  /** Milliseconds that a callback would have waited for its turn, as seen from any moment: one each `everyMs`. */
  readonly late: readonly number[]
  readonly scavenges: number
  readonly otherCollections: number
  readonly collecting: number
  /** Milliseconds of the longest collection: it stops everything. */
  readonly longest: number
}

const everyMs = 2
let late: number[] = []
let due = monotonic() + everyMs
function look(): void {
  // Whoever came at any time of a long turn waited for the rest of it.
  for (let behind = monotonic() - due; behind > 0; behind -= everyMs) late.push(behind)
  due = monotonic() + everyMs
  setTimeout(look, everyMs).unref()
}

/** Node's type does not say what the entries of this kind hold. */
type Collection = PerformanceEntry & { readonly detail: { readonly kind: number } }
const none = { scavenges: 0, otherCollections: 0, collecting: 0, longest: 0 }
let collections = { ...none }
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const { detail, duration } = entry as Collection
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections.scavenges++
    else collections.otherCollections++
    collections.collecting += duration
    collections.longest = Math.max(collections.longest, duration)
  }
}).observe({ entryTypes: ['gc'] })

let before = process.cpuUsage()
process.on('message', message => {
  if (message !== 'cost') return
  const { user, system } = process.cpuUsage(before)
  process.send?.({ cpu: (user + system) / 1000, late, ...collections } satisfies Cost)
  before = process.cpuUsage()
  late = []
  collections = { ...none }
})
// It may end while nobody has asked.
process.channel?.unref()
look()
