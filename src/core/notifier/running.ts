// Runs the lanes of all that is on the desk: a lane takes one step after the other until it waits for something or for
// a time; a change kicks it. One clock for all of them. What a step does is lanes.ts.
import { backoff } from '../clock.ts'
import { LostRace } from '../ledger.ts'
import { Fenced } from '../replica.ts'
import { type Item, isTold, type LaneName, laneNames, mainSlot, memoryOf, type Next } from './item.ts'
import { stepOf } from './lanes.ts'
import type { Desk } from './posting.ts'

/** What it waits for may change without a change of its records. */
const waitingMs = 5_000
const longMs = 60_000

export function laneRunner(
  desk: Desk,
  items: ReadonlyMap<string, Item>,
): { kick(item: Item): void; ended(): Promise<void> } {
  const { deps, signal } = desk
  const { clock } = deps
  const running = new Set<Promise<void>>()
  let earliest = Number.POSITIVE_INFINITY
  let alarm = new AbortController()
  const ticking = tick()

  function kick(item: Item): void {
    for (const name of laneNames) run(item, name)
  }

  function run(item: Item, name: LaneName): void {
    const lane = item.lanes[name]
    if (signal.aborted || item.gone) return
    if (lane.busy) {
      lane.again = true
      return
    }
    if (clock.now() < lane.notBefore) {
      arm(item, name, lane.notBefore)
      return
    }
    lane.busy = true
    const work = laneLoop(item, name).finally(() => {
      lane.busy = false
      running.delete(work)
      if (lane.again) run(item, name)
    })
    running.add(work)
  }

  async function laneLoop(item: Item, name: LaneName): Promise<void> {
    const lane = item.lanes[name]
    while (!signal.aborted && !item.gone) {
      lane.again = false
      lane.due = null
      const next = await stepOf(name)(desk, item).catch(error => failed(item, error))
      if (next === 'again') wakeOthers(item, name)
      else if (next && 'notBefore' in next) {
        lane.notBefore = next.notBefore
        await finish(item)
        arm(item, name, next.notBefore)
        return
      } else if (!lane.again) {
        await finish(item)
        rest(item, name, next?.at ?? Number.POSITIVE_INFINITY)
        return
      }
    }
  }

  /** Another part may have waited for this one. */
  function wakeOthers(item: Item, name: LaneName): void {
    for (const other of laneNames) if (other !== name) run(item, other)
  }

  function rest(item: Item, name: LaneName, at: number): void {
    const looksAgain = name !== 'direct' && item.subject.standing().waits
    const due = looksAgain ? Math.min(at, clock.now() + waitingMs) : at
    if (Number.isFinite(due)) arm(item, name, due)
  }

  /** All is told without a further message: only the outbox does not know yet. */
  async function finish(item: Item): Promise<void> {
    try {
      const told = isTold(item, item.messages.value, { now: clock.now(), wanted: desk.wanted(item.id) })
      if (told && !item.gone) await desk.record(item, messages => messages)
    } catch (error) {
      // Changed meanwhile: the change is looked at when the feed brings it.
      if (!(error instanceof LostRace)) failed(item, error)
    }
  }

  function failed(item: Item, error: unknown): Next {
    if (signal.aborted || error instanceof Fenced) return null
    const memory = memoryOf(item, mainSlot)
    if (!(error instanceof LostRace)) deps.log(`the messages of ${item.subject.what} are tried again`, error)
    memory.tries++
    const most = { base: desk.times.retry, most: 30_000, random: deps.random }
    return { notBefore: clock.now() + backoff(Math.min(memory.tries, 8), most) }
  }

  function arm(item: Item, name: LaneName, at: number): void {
    item.lanes[name].due = at
    if (at >= earliest) return
    earliest = at
    // A reason of our own: else an exception with its stack is made each time.
    alarm.abort('earlier')
  }

  async function tick(): Promise<void> {
    while (!signal.aborted) {
      const ms = Math.min(longMs, Math.max(0, earliest - clock.now()))
      await clock.sleep(ms, AbortSignal.any([signal, alarm.signal]))
      earliest = Number.POSITIVE_INFINITY
      for (const item of items.values()) for (const name of laneNames) look(item, name)
      // Only now: what is armed while looking at all of them is in `earliest` already.
      alarm = new AbortController()
    }
  }

  function look(item: Item, name: LaneName): void {
    const { due } = item.lanes[name]
    if (due === null) return
    if (due > clock.now()) {
      arm(item, name, due)
      return
    }
    item.lanes[name].due = null
    run(item, name)
  }

  return {
    kick,
    async ended() {
      while (running.size > 0) await Promise.allSettled([...running])
      await ticking
    },
  }
}
