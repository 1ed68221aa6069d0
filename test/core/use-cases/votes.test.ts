// Several people decide about one request at the same moment, through two replicas, on real etcd: each counts once,
// and it ends in one state. Also who overrides, and that nobody decides twice.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Caller, Core } from '../../../src/core/core.ts'
import { type Deploy, deploySchema, isTerminal } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import { createLedger } from '../../../src/core/ledger.ts'
import { decode, put } from '../../../src/core/records.ts'
import { decisions } from '../../../src/core/use-cases/decide.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { override } from '../../../src/core/use-cases/override.ts'
import { UserError } from '../../../src/errors.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'
import { deployOf, prepared } from '../sample.ts'

const production = {
  ...environmentSchema.parse({ protected: true, breakGlass: ['cho'], approvals: { required: 1 } }),
  name: 'production',
}
const clock = { now: () => 1_000, sleep: async () => undefined }

let kv: TestKv
let keys: Keys
let replicas: Pick<Core, 'vote' | 'cancel' | 'override'>[]
beforeAll(async () => {
  kv = await testKv()
  keys = keysBelow(kv.root)
  replicas = [1, 2].map(() => {
    const deps = {
      kv,
      keys,
      clock,
      ledger: createLedger({ kv, keys, clock }),
      view: { learn: () => undefined, live: { freezes: new Map() } },
      environments: new Map([['production', production]]),
      people: [],
    }
    // The other things that use cases are given are not read here.
    return { ...decisions(deps as unknown as Deps), override: override(deps as unknown as Deps) }
  })
})

const names = ['ana', 'ben', 'cho', 'dan', 'eve'] as const
const callerOf = (name: string): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack' },
  grants: [{ role: 'approver', apps: ['*'], environments: ['production'] }],
  person: name,
})

let ids = 0
/** A request by ana that waits for approval, written as the runner writes it. */
async function waiting(required: number): Promise<string> {
  const id = `votes${++ids}`
  const deploy = deployOf({
    id,
    environment: 'production',
    phase: 'awaiting_approval',
    prepared,
    approval: { required, requesterCounts: false, votes: [], expiresAt: 9_000 },
    dueAt: 9_000,
    requestedBy: callerOf('ana').actor,
  })
  await kv.commit({
    compares: [{ kind: 'absent', key: keys.deploy(id) }],
    writes: [put(keys.deploy(id), deploy), put(keys.openEntry(id), { schema: 1 })],
  })
  return id
}

async function now(id: string): Promise<Deploy> {
  const entry = await kv.get(keys.deploy(id))
  if (!entry) throw new Error('it is gone')
  return decode(deploySchema, entry).value
}

type Click = { readonly who: (typeof names)[number]; readonly does: 'approve' | 'deny' | 'override' }

/** One click on the replica of that number; what came of it. */
async function click(id: string, { who, does }: Click, on: number): Promise<'counted' | UserError> {
  const core = replicas[on % replicas.length]
  if (!core) throw new Error('no replica')
  try {
    if (does === 'override') await core.override(callerOf(who), id, { reason: 'fire' })
    else await core.vote(callerOf(who), id, { decision: does, reason: '', hash: prepared.hash })
    return 'counted'
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
}

/** What must be true whatever happened in whatever order. */
async function check(id: string, outcomes: readonly ('counted' | UserError)[]): Promise<Deploy['phase']> {
  const deploy = await now(id)
  const { approval, overridden, phase } = deploy
  const votes = approval?.votes ?? []
  const ayes = votes.filter(vote => vote.decision === 'approve')
  const nays = votes.filter(vote => vote.decision === 'deny')
  const counted = outcomes.filter(outcome => outcome === 'counted').length
  expect(counted).toBe(votes.length + (overridden ? 1 : 0))
  expect(new Set(ayes.map(vote => vote.by.id)).size).toBe(ayes.length)
  expect(ayes.map(vote => vote.by.name)).not.toContain('ana')
  expect(nays.length).toBe(phase === 'denied' ? 1 : 0)
  expect(ayes.length).toBeLessThanOrEqual(approval?.required ?? 0)
  if (phase === 'ready') expect(overridden !== null || ayes.length === approval?.required).toBe(true)
  if (phase === 'awaiting_approval') expect(ayes.length).toBeLessThan(approval?.required ?? 0)
  for (const outcome of outcomes)
    if (outcome !== 'counted') expect(['conflict', 'forbidden']).toContain(outcome.kind)
  const queued = await kv.get(keys.queueEntry('production', 'web', id))
  expect(queued !== null).toBe(phase === 'ready')
  expect((await kv.get(keys.openEntry(id))) === null).toBe(isTerminal(phase))
  return phase
}

describe('votes at the same moment', () => {
  const clicks = fc.array(
    fc.record({
      who: fc.constantFrom(...names),
      does: fc.constantFrom<Click['does'][]>('approve', 'approve', 'approve', 'deny', 'override'),
    }),
    { minLength: 2, maxLength: 12 },
  )
  it('count once each and end in one state', async () => {
    const reached = new Set<string>()
    await fc.assert(
      fc.asyncProperty(clicks, fc.integer({ min: 1, max: 4 }), async (all, required) => {
        const id = await waiting(required)
        // Each click twice: Slack repeats itself, and so do people.
        const twice = [...all, ...all]
        const outcomes = await Promise.all(twice.map((one, at) => click(id, one, at)))
        reached.add(await check(id, outcomes))
      }),
      { numRuns: 30, seed: 4 },
    )
    expect([...reached].sort()).toEqual(['awaiting_approval', 'denied', 'ready'])
  })

  const both: [string, Click['does'], Click['does'], string[]][] = [
    ['two approvals where one is asked', 'approve', 'approve', ['ready']],
    ['two denials', 'deny', 'deny', ['denied']],
    ['a denial against an approval', 'approve', 'deny', ['denied', 'ready']],
    ['an override against a denial', 'override', 'deny', ['denied', 'ready']],
  ]
  it.each(both)('%s: one counts, the other is told what is so', async (_, first, second, ends) => {
    const id = await waiting(1)
    const outcomes = await Promise.all([
      click(id, { who: 'cho', does: first }, 0),
      click(id, { who: 'ben', does: second }, 1),
    ])
    expect(ends).toContain(await check(id, outcomes))
    const told = outcomes.flatMap(outcome => (outcome === 'counted' ? [] : [outcome.message]))
    expect(told).toHaveLength(1)
    expect(told[0]).toMatch(/Already (approved|denied) by @(ben|cho) a moment ago|@cho overrode|It is over/)
  })
})

describe('a cancel against an approval', () => {
  it('ends in one of both, and says so to the other', async () => {
    const id = await waiting(1)
    const [voted, cancelled] = await Promise.allSettled([
      replicas[0]?.vote(callerOf('ben'), id, { decision: 'approve', reason: '' }),
      replicas[1]?.cancel(callerOf('ana'), id, { reason: 'not now' }),
    ])
    // What waits can be cancelled before and after the vote; the vote counts only before.
    expect(cancelled?.status).toBe('fulfilled')
    expect((await now(id)).phase).toBe('cancelled')
    if (voted?.status === 'rejected')
      expect(voted.reason.message).toBe('Already cancelled by @ana a moment ago.')
  })
})
