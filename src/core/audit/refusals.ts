// What people were refused, written to the audit without letting anybody fill etcd: the first refusal of a kind (actor,
// action, app, environment) is an entry at once, more of it within a minute are one entry with their number. Of one
// actor only some kinds a minute are told apart.
import { auditPut } from '../audit.ts'
import type { Clock } from '../clock.ts'
import type { Actor } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'

const windowMs = 60_000
/** Of one actor, a minute: what is beyond them counts as one kind. */
const mostKinds = 20
/** Of all, in memory. */
const mostOpen = 5_000
/** So long whoever was refused waits for their entry: an etcd that is down answers late. */
const patienceMs = 1_000

export type Refused = {
  readonly by: Actor
  readonly action: string
  /** Kind of the refusal: `forbidden`, `held`. */
  readonly outcome: string
  readonly app?: string | undefined
  readonly environment?: string | undefined
  readonly deploy?: string | undefined
  readonly detail: string
}

export type Refusals = {
  /**
   * Never fails, and never takes long: that somebody was refused is told to them in any case. What etcd does not take
   * is kept, and written when the minute is over.
   */
  refused(one: Refused): Promise<void>
  /** Writes the numbers of the minutes that are over; called every few seconds. */
  due(): Promise<void>
  /** Writes all numbers: this replica ends. */
  flush(): Promise<void>
  /** Since the start of this replica. */
  count(): number
}

export function createRefusals(deps: {
  readonly kv: Pick<Kv, 'commit'>
  readonly keys: Keys
  readonly clock: Clock
  readonly log: (message: string, error: unknown) => void
}): Refusals {
  const { kv, keys, clock } = deps
  /** `told`: its first entry stands; `more`: what was not written yet. */
  type Window = { until: number; readonly one: Refused; told: boolean; more: number }
  const open = new Map<string, Window>()
  const kinds = new Map<string, { until: number; count: number }>()
  let total = 0

  /** Whether it is written now. */
  async function write(one: Refused, detail: string): Promise<boolean> {
    const { app, environment, deploy, ...rest } = one
    const entry = auditPut(keys, clock.now(), {
      ...rest,
      ...(app === undefined ? {} : { app }),
      ...(environment === undefined ? {} : { environment }),
      ...(deploy === undefined ? {} : { deploy }),
      detail,
    })
    try {
      await kv.commit({ compares: [{ kind: 'absent', key: entry.key }], writes: [entry] })
      return true
    } catch (error) {
      deps.log('a refusal could not be written to the audit yet', error)
      return false
    }
  }

  async function writeNumber(window: Window): Promise<boolean> {
    const { one, told, more } = window
    const number = told ? `${more} more like it: ` : more > 1 ? `${more} like it: ` : ''
    return write(one, `${number}${one.detail}`)
  }

  /** Ends windows whose time is over; `all`: every one. */
  async function close(all: boolean): Promise<void> {
    const now = clock.now()
    const writes: Promise<unknown>[] = []
    for (const [key, window] of open) {
      if (!all && window.until > now) continue
      open.delete(key)
      if (window.more > 0) writes.push(writeNumber(window).then(done => done || putBack(key, window)))
    }
    for (const [actor, { until }] of kinds) if (until <= now) kinds.delete(actor)
    await Promise.all(writes)
  }

  /** The next minute tries again, with what came meanwhile. */
  function putBack(key: string, window: Window): undefined {
    const newer = open.get(key)
    if (newer) newer.more += window.more
    else if (open.size < 2 * mostOpen) open.set(key, { ...window, until: clock.now() + windowMs })
  }

  /** Whether this kind is told apart, or counted with whatever else this actor is refused. */
  function isOwnKind(actor: string, now: number): boolean {
    const known = kinds.get(actor)
    const mine = known && known.until > now ? known : { until: now + windowMs, count: 0 }
    kinds.set(actor, { ...mine, count: mine.count + 1 })
    return mine.count < mostKinds && open.size < mostOpen
  }

  return {
    count: () => total,
    due: () => close(false),
    flush: () => close(true),
    async refused(one) {
      total++
      await close(false)
      const now = clock.now()
      const key = JSON.stringify([one.by.id, one.action, one.app, one.environment])
      const known = open.get(key) ?? null
      if (known) return void known.more++
      if (!isOwnKind(one.by.id, now)) {
        const rest = JSON.stringify([one.by.id])
        const before = open.get(rest)
        if (before) return void before.more++
        if (open.size >= 2 * mostOpen) return
        const { by, outcome } = one
        const others = { by, outcome, action: 'refused', detail: 'many kinds in one minute' }
        open.set(rest, { until: now + windowMs, one: others, told: true, more: 1 })
        return
      }
      const window: Window = { until: now + windowMs, one, told: true, more: 0 }
      open.set(key, window)
      const writing = write(one, one.detail).then(done => {
        if (done) return
        window.told = false
        window.more++
      })
      const waited = new AbortController()
      await Promise.race([writing, clock.sleep(patienceMs, waited.signal)])
      waited.abort()
    },
  }
}
