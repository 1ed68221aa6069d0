// Follows builds of Jenkins: one elected replica takes hooks in, fulfils what people want of builds, looks at those that
// run, and deploys what `deployOn` says. All it knows is in etcd: another one goes on where it stopped. What a build is,
// is in build.ts; one step of one build in step.ts.
import { backoff } from '../clock.ts'
import { leaderSchema } from '../coordination.ts'
import type { Check } from '../core.ts'
import { createLeader, type Term } from '../leader.ts'
import { read } from '../records.ts'
import { type Desk, type FollowerDeps, lineTo, usual } from './desk.ts'
import { followBuilds } from './intake.ts'
import { pruneByAge } from './pruning.ts'
import { stepRunner } from './running.ts'
import { buildWriter } from './writer.ts'

const role = 'builds'

export type Follower = {
  /** Stands for election, and works while it is elected. */
  start(): void
  /** Ends what it does and hands over. Before the replica's own stop. */
  stop(): Promise<void>
  /** For metrics: what this replica has in hand; zeros while another one is elected. */
  state(): {
    readonly elected: boolean
    readonly open: number
    readonly inbox: number
    /** When Jenkins last did not answer, since it last did; null: it answers. */
    readonly failedAt: number | null
  }
  /** For doctor, on every replica. */
  checks(): Promise<readonly Check[]>
}

/** One for each replica. */
export function createFollower(given: FollowerDeps): Follower {
  const deps: FollowerDeps = { ...given, mention: remembered(given) }
  const times = { ...usual, ...deps.times }
  const line = lineTo(deps, times.retry)
  const counts = { inbox: 0 }
  let open: Desk | null = null
  const leader = createLeader({
    role,
    kv: deps.kv,
    keys: deps.keys,
    clock: deps.clock,
    random: deps.random,
    replica: deps.replica,
    lead: async term => {
      const pruned = pruneByAge({
        deps,
        term,
        items: new Map(),
        writer: buildWriter({ deps, term, items: new Map() }),
      })
      await serveTerm(term)
      await pruned
    },
    log: deps.log,
  })

  /** Works until the term ends; what has been begun is waited for. */
  async function serveTerm(term: Term): Promise<void> {
    for (let failures = 0; !term.ended.aborted; ) {
      const round = new AbortController()
      const end = () => round.abort()
      term.ended.addEventListener('abort', end, { once: true })
      if (term.ended.aborted) end()
      try {
        await serveRound(term, round)
        failures = 0
      } catch (error) {
        deps.log('the builds could not be read; trying again', error)
      } finally {
        open = null
        counts.inbox = 0
        term.ended.removeEventListener('abort', end)
      }
      // Also after a round that ended by itself: whatever ended it may do so again.
      if (!term.ended.aborted)
        await deps.clock.sleep(
          backoff(failures++, { base: 100, most: 5_000, random: deps.random }),
          term.ended,
        )
    }
  }

  /** From reading everything to the end of the term, or to a gap in the feed. */
  async function serveRound(term: Term, round: AbortController): Promise<void> {
    const items: Desk['items'] = new Map()
    const runner = stepRunner(() => desk)
    const desk: Desk = {
      deps,
      times,
      term,
      round,
      signal: round.signal,
      items,
      writer: buildWriter({ deps, term, items }),
      line,
      kick: runner.kick,
      settle: runner.settle,
    }
    open = desk
    const ticking = runner.tick()
    try {
      await followBuilds(desk, counts)
    } finally {
      round.abort()
      await runner.ended()
      await ticking
    }
  }

  return {
    start: leader.start,
    stop: leader.stop,
    state: () => ({
      elected: leader.elected(),
      open: open?.items.size ?? 0,
      inbox: counts.inbox,
      failedAt: line.failure()?.at ?? null,
    }),
    checks: () => checks(deps, line.failure()),
  }
}

async function checks(
  { kv, keys }: FollowerDeps,
  failure: { readonly message: string } | null,
): Promise<readonly Check[]> {
  const [leading, waiting] = await Promise.all([
    read(kv, leaderSchema, keys.leader(role)),
    kv.list(keys.inbox, { keysOnly: true, limit: 200 }),
  ])
  const name = 'builds'
  if (!leading)
    return [
      {
        name,
        state: 'warning',
        message: 'No replica follows builds right now, so hooks have no effect yet.',
        mend: 'Wait some seconds; if it stays so, look into the log of the replicas for `builds`.',
      },
    ]
  if (failure)
    return [
      {
        name,
        state: 'warning',
        message: `Jenkins did not answer: ${failure.message}`,
        mend: 'Is Jenkins up, and reachable from here?',
      },
    ]
  const count = waiting.entries.length
  return [
    count >= 200
      ? {
          name,
          state: 'warning',
          message: '200 hooks or more wait to be taken in.',
          mend: 'Look into the log of the replica that follows builds.',
        }
      : { name, state: 'ok', message: `Builds are followed; ${count} hooks wait to be taken in.`, mend: '' },
  ]
}

const rememberMs = 600_000
const mostRemembered = 2_000

/** Who somebody is, is asked for once in a while: a build tells the same names at each look. */
function remembered({ mention, clock, log }: FollowerDeps): FollowerDeps['mention'] {
  const known = new Map<string, { readonly at: number; readonly member: Promise<string | null> }>()
  return email => {
    const before = known.get(email)
    if (before && clock.now() - before.at < rememberMs) return before.member
    if (known.size >= mostRemembered) known.clear()
    const member = mention(email).catch(error => {
      log('the Slack member of an e-mail address is not known', error)
      return null
    })
    known.set(email, { at: clock.now(), member })
    return member
  }
}
