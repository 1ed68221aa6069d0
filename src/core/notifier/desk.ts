// One term of the notifier: takes every deploy and build of outbox/ onto its desk (intake.ts), lets each part of its
// messages take its next step when something changes or is due (running.ts), and writes their records (recording.ts).
// A gap in the feed means reading it all again. Nothing is kept: a restart reads outbox/ and goes on from the records.
import { backoff } from '../clock.ts'
import type { Term } from '../leader.ts'
import type { NotifierDeps, Times } from '../notifier.ts'
import { followOutbox } from './intake.ts'
import type { Item } from './item.ts'
import { joining } from './joining.ts'
import type { Desk } from './posting.ts'
import { recorder } from './recording.ts'
import { laneRunner } from './running.ts'
import { watchedKeys } from './watched.ts'

/** Deploys and builds on the desk of this replica, while it is elected; what others may do with them. */
export type Open = {
  readonly items: ReadonlyMap<string, Item>
  kick(item: Item): void
}

type Deps = NotifierDeps & { readonly times: Times }
/** What outlives a term, and what of it others see. */
type Shared = Pick<Desk, 'rooms' | 'sent'> & { open: Open | null }

/** Works until the term ends; what has been begun is waited for. */
export async function serveTerm(deps: Deps, term: Term, shared: Shared): Promise<void> {
  const settles = deps.clock.now() + deps.times.unclear
  for (let failures = 0; !term.ended.aborted; ) {
    const round = new AbortController()
    const end = () => round.abort()
    term.ended.addEventListener('abort', end, { once: true })
    try {
      await serveRound(deps, { term, settles }, shared, round)
      failures = 0
    } catch (error) {
      deps.log('the messages to tell could not be read; trying again', error)
      const ms = backoff(failures++, { base: 200, most: 5_000, random: deps.random })
      await deps.clock.sleep(ms, term.ended)
    } finally {
      shared.open = null
      term.ended.removeEventListener('abort', end)
    }
  }
}

/** From reading everything to the end of the term, or to a gap in the feed. */
async function serveRound(
  deps: Deps,
  { term, settles }: Pick<Desk, 'term' | 'settles'>,
  shared: Shared,
  round: AbortController,
): Promise<void> {
  const items = new Map<string, Item>()
  const watched = watchedKeys()
  const { forget, ...joins } = joining({ deps, term, items, watched, kick: item => runner.kick(item) })
  const desk: Desk = {
    deps,
    ...joins,
    times: deps.times,
    term,
    settles,
    signal: round.signal,
    rooms: shared.rooms,
    sent: shared.sent,
    open: () => items.size,
    record: recorder({
      deps,
      term,
      wanted: joins.wanted,
      told(item) {
        // It may have been put back onto the desk since.
        if (items.get(item.id) !== item) return
        items.delete(item.id)
        watched.drop(item.id)
        forget(item.id)
      },
    }),
  }
  const runner = laneRunner(desk, items)
  shared.open = { items, kick: runner.kick }
  try {
    await followOutbox({ deps, term, items, watched, kick: runner.kick, round })
  } finally {
    round.abort()
    // What was sent is recorded before another one may be elected.
    await runner.ended()
  }
}
