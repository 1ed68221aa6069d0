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
  /** Never fails: that somebody was refused is told to them in any case. */
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
  readonly clock: Pick<Clock, 'now'>
  readonly log: (message: string, error: unknown) => void
}): Refusals {
  const { kv, keys, clock } = deps
  type Window = { readonly until: number; readonly one: Refused; more: number }
  const open = new Map<string, Window>()
  const kinds = new Map<string, { until: number; count: number }>()
  let total = 0

  async function write(one: Refused, detail: string): Promise<void> {
    const { app, environment, deploy, ...rest } = one
    const entry = auditPut(keys, clock.now(), {
      ...rest,
      ...(app === undefined ? {} : { app }),
      ...(environment === undefined ? {} : { environment }),
      ...(deploy === undefined ? {} : { deploy }),
      detail,
    })
    await kv
      .commit({ compares: [{ kind: 'absent', key: entry.key }], writes: [entry] })
      .catch(error => deps.log('a refusal could not be written to the audit', error))
  }

  /** Ends windows whose time is over; `all`: every one. */
  async function close(all: boolean): Promise<void> {
    const now = clock.now()
    const writes: Promise<void>[] = []
    for (const [key, { until, one, more }] of open) {
      if (!all && until > now) continue
      open.delete(key)
      if (more > 0) writes.push(write(one, `${more} more like it: ${one.detail}`))
    }
    for (const [actor, { until }] of kinds) if (until <= now) kinds.delete(actor)
    await Promise.all(writes)
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
        open.set(rest, { until: now + windowMs, one: others, more: 1 })
        return
      }
      open.set(key, { until: now + windowMs, one, more: 0 })
      await write(one, one.detail)
    },
  }
}
