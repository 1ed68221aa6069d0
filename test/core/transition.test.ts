// The state machine of a deploy: named cases for what each event does, and properties over any sequence of events.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Deploy, deploySchema, isTerminal, phases, reasons, stepNames } from '../../src/core/deploy.ts'
import { type DeployEvent, transition } from '../../src/core/transition.ts'
import { ana, ben, deployOf, prepared, runningOf } from './sample.ts'

const good = { spec: 'spec-1', revision: '1.4.1' }
const crash = { reason: 'crash_loop', message: 'It crashes.' } as const
const update = ['apply', 'rollout', 'record'] as const
const failure = (over: object = {}): DeployEvent => ({
  kind: 'step_failed',
  cause: crash,
  message: 'x',
  clean: false,
  good,
  ...over,
})
const settled = (over: object = {}): DeployEvent => ({
  kind: 'prepared',
  plan: 'update',
  revision: '1.4.2',
  prepared,
  steps: update,
  approval: null,
  ...over,
})
const approval = { required: 1, requesterCounts: false, expiresAt: 9_000, votes: [] }
const vote = (over: object = {}): DeployEvent => ({
  kind: 'vote',
  vote: { by: ben, decision: 'approve', reason: '', at: 3000, hash: 'hash-1', ...over },
})
const aye = { by: ben, decision: 'approve' as const, reason: '', at: 3000, hash: 'hash-1' }
const overridden = { by: ben, reason: 'fire', at: 3000, hash: 'hash-1' }
const waiting = deployOf({ phase: 'awaiting_approval', prepared, approval, dueAt: 9_000 })
const ready = deployOf({
  phase: 'ready',
  prepared,
  plan: 'update',
  steps: runningOf(update, 'apply').steps.map(s => ({ ...s, state: 'pending' as const })),
})

type Case = {
  name: string
  from: Deploy
  event: DeployEvent
  phase: string
  reason?: string
  effects?: string[]
}
const cases: Case[] = [
  { name: 'preparing begins', from: deployOf(), event: { kind: 'prepare' }, phase: 'preparing', effects: [] },
  {
    name: 'prepared without approval waits in the queue',
    from: deployOf({ phase: 'preparing' }),
    event: settled(),
    phase: 'ready',
    effects: ['disown', 'enqueue'],
  },
  {
    name: 'prepared with approval neither waits nor blocks',
    from: deployOf({ phase: 'preparing' }),
    event: settled({ approval }),
    phase: 'awaiting_approval',
    effects: ['disown'],
  },
  {
    name: 'a refusal ends it',
    from: deployOf({ phase: 'preparing' }),
    event: { kind: 'refuse', cause: { reason: 'plan_refused', message: 'no' } },
    phase: 'failed',
    reason: 'plan_refused',
    effects: ['disown', 'close'],
  },
  {
    name: 'the last vote makes it ready',
    from: waiting,
    event: vote(),
    phase: 'ready',
    effects: ['enqueue'],
  },
  {
    name: 'one of two votes does not',
    from: { ...waiting, approval: { ...approval, required: 2 } },
    event: vote(),
    phase: 'awaiting_approval',
    effects: [],
  },
  {
    name: 'a denial ends it',
    from: waiting,
    event: vote({ decision: 'deny', reason: 'not today' }),
    phase: 'denied',
    reason: 'denied',
    effects: ['close'],
  },
  {
    name: 'the requester may deny',
    from: waiting,
    event: vote({ by: ana, decision: 'deny' }),
    phase: 'denied',
  },
  {
    name: 'it expires when due',
    from: { ...waiting, dueAt: 500 },
    event: { kind: 'expire' },
    phase: 'expired',
    reason: 'expired',
  },
  {
    name: 'a change of its basis voids the votes',
    from: { ...waiting, approval: { ...approval, required: 2 } },
    event: { kind: 'replan' },
    phase: 'preparing',
    effects: ['dequeue'],
  },
  {
    name: 'a named person starts what waits for approval',
    from: waiting,
    event: { kind: 'override', by: ben, reason: 'fire' },
    phase: 'ready',
    effects: ['enqueue'],
  },
  {
    name: 'a named person lets through what a freeze holds',
    from: ready,
    event: { kind: 'override', by: ben, reason: 'fire' },
    phase: 'ready',
    effects: [],
  },
  {
    name: 'votes for the same hash hold when it is prepared again',
    from: { ...waiting, phase: 'preparing', approval: { ...approval, votes: [aye] } },
    event: settled({ approval }),
    phase: 'ready',
    effects: ['disown', 'enqueue'],
  },
  {
    name: 'votes for another hash do not',
    from: { ...waiting, phase: 'preparing', approval: { ...approval, votes: [{ ...aye, hash: 'hash-0' }] } },
    event: settled({ approval }),
    phase: 'awaiting_approval',
    effects: ['disown'],
  },
  {
    name: 'an override for the same hash holds when it is prepared again',
    from: { ...waiting, phase: 'preparing', overridden },
    event: settled({ approval }),
    phase: 'ready',
    effects: ['disown', 'enqueue'],
  },
  {
    name: 'an override for another hash does not',
    from: { ...waiting, phase: 'preparing', overridden: { ...overridden, hash: 'hash-0' } },
    event: settled({ approval }),
    phase: 'awaiting_approval',
    effects: ['disown'],
  },
  {
    name: 'a newer one takes its place',
    from: ready,
    event: { kind: 'supersede', by: '02k' },
    phase: 'superseded',
    effects: ['dequeue', 'close'],
  },
  {
    name: 'the claim starts the first step',
    from: ready,
    event: { kind: 'claim', epoch: 4, slot: 0 },
    phase: 'running',
    effects: ['dequeue', 'activate'],
  },
  {
    name: 'a step ends and the next begins',
    from: runningOf(update, 'apply'),
    event: { kind: 'step_done', message: 'ok' },
    phase: 'running',
    effects: [],
  },
  {
    name: 'the last step ends it',
    from: runningOf(update, 'record'),
    event: { kind: 'step_done', message: '' },
    phase: 'succeeded',
    reason: 'ok',
    effects: ['deactivate', 'disown', 'close'],
  },
  {
    name: 'a failure goes back to the good one',
    from: runningOf(update, 'rollout'),
    event: failure(),
    phase: 'rolling_back',
    effects: [],
  },
  {
    name: 'a failure before any write has nothing to go back from',
    from: runningOf(update, 'apply'),
    event: failure({ clean: true }),
    phase: 'failed',
    reason: 'crash_loop',
  },
  {
    name: 'a failed create has no known good',
    from: runningOf(update, 'rollout', { plan: 'create' }),
    event: failure({ good: null }),
    phase: 'failed',
    reason: 'no_known_good',
  },
  {
    name: 'hold leaves it as it is',
    from: runningOf(update, 'rollout', { prepared: { ...prepared, onFailure: 'hold' } }),
    event: failure(),
    phase: 'failed',
    reason: 'crash_loop',
  },
  {
    name: 'ask leaves it to a person',
    from: runningOf(update, 'rollout', { prepared: { ...prepared, onFailure: 'ask' } }),
    event: failure(),
    phase: 'failed',
    reason: 'crash_loop',
  },
  {
    name: 'a failed delete is not rolled back',
    from: runningOf(['remove', 'record'], 'remove', { kind: 'delete' }),
    event: failure(),
    phase: 'failed',
  },
  {
    name: 'a cancelled rollout goes back',
    from: runningOf(update, 'rollout'),
    event: { kind: 'cancel', by: ben, clean: false, good },
    phase: 'rolling_back',
  },
  {
    name: 'a cancelled rollout is left where policy holds',
    from: runningOf(update, 'rollout', { prepared: { ...prepared, onCancel: 'hold' } }),
    event: { kind: 'cancel', by: ben, clean: false, good },
    phase: 'cancelled',
    reason: 'cancelled',
  },
  {
    name: 'a cancelled rollout is left where the person asks for that',
    from: runningOf(update, 'rollout'),
    event: { kind: 'cancel', by: ben, onCancel: 'hold', clean: false, good },
    phase: 'cancelled',
    reason: 'cancelled',
  },
  {
    name: 'a cancelled rollout goes back where the person asks for that',
    from: runningOf(update, 'rollout', { prepared: { ...prepared, onCancel: 'hold' } }),
    event: { kind: 'cancel', by: ben, onCancel: 'rollback', clean: false, good },
    phase: 'rolling_back',
  },
  {
    name: 'nothing was written: there is nothing to put back, whatever was asked',
    from: runningOf(update, 'before'),
    event: { kind: 'cancel', by: ben, onCancel: 'rollback', clean: true, good },
    phase: 'cancelled',
  },
  {
    name: 'a cancelled delete is not put back, whatever was asked',
    from: runningOf(['remove', 'record'], 'remove', { kind: 'delete' }),
    event: { kind: 'cancel', by: ben, onCancel: 'rollback', clean: false, good },
    phase: 'cancelled',
  },
  {
    name: 'cancelled while it waits',
    from: ready,
    event: { kind: 'cancel', by: ben, clean: true, good: null },
    phase: 'cancelled',
    effects: ['dequeue', 'disown', 'close'],
  },
  {
    name: 'a take-over raises the epoch',
    from: runningOf(update, 'rollout'),
    event: { kind: 'take_over', epoch: 4 },
    phase: 'running',
    effects: ['activate'],
  },
  {
    name: 'an operator frees it',
    from: runningOf(update, 'rollout'),
    event: { kind: 'release', by: ben, message: 'stuck' },
    phase: 'failed',
    reason: 'released',
  },
]

describe('a deploy moves', () => {
  it.each(cases)('$name', ({ from, event, phase, reason, effects }) => {
    const result = transition(from, event, 5000)
    if (result.kind === 'refused') throw new Error(result.why)
    expect(result.deploy.phase).toBe(phase)
    if (reason) expect(result.deploy.reason).toBe(reason)
    if (effects) expect(result.effects).toEqual(effects)
  })
})

describe('what is not allowed is refused', () => {
  const refused: { name: string; from: Deploy; event: DeployEvent; why: RegExp }[] = [
    {
      name: 'the requester does not approve their own',
      from: waiting,
      event: vote({ by: ana }),
      why: /who asks/,
    },
    {
      name: 'the requester, who asked by a token and approves in Slack',
      from: { ...waiting, requestedBy: { id: 'token:t1', name: 'ci', via: 'cli', person: 'ana' } },
      event: vote({ by: { ...ben, person: 'ana' } }),
      why: /who asks/,
    },
    {
      name: 'a second vote of the same person by a token',
      from: {
        ...waiting,
        approval: {
          ...approval,
          required: 2,
          votes: [
            { by: { ...ben, person: 'ben' }, decision: 'approve', reason: '', at: 3000, hash: 'hash-1' },
          ],
        },
      },
      event: vote({ by: { id: 'token:t2', name: 'ben-laptop', via: 'cli', person: 'ben' } }),
      why: /already/,
    },
    { name: 'a vote on something else', from: waiting, event: vote({ hash: 'hash-0' }), why: /changed/ },
    {
      name: 'a second vote',
      from: {
        ...waiting,
        approval: {
          ...approval,
          required: 2,
          votes: [{ by: ben, decision: 'approve', reason: '', at: 3000, hash: 'hash-1' }],
        },
      },
      event: vote(),
      why: /already/,
    },
    {
      name: 'a late vote',
      from: { ...waiting, approval: { ...approval, expiresAt: 4000 } },
      event: vote(),
      why: /expired/,
    },
    {
      name: 'a second override',
      from: { ...ready, overridden },
      event: { kind: 'override', by: ana, reason: 'x' },
      why: /already overridden/,
    },
    {
      name: 'a late override',
      from: { ...waiting, approval: { ...approval, expiresAt: 4000 } },
      event: { kind: 'override', by: ana, reason: 'x' },
      why: /expired/,
    },
    {
      name: 'an override of what runs',
      from: runningOf(update, 'apply'),
      event: { kind: 'override', by: ana, reason: 'x' },
      why: /takes no override/,
    },
    { name: 'expiry before its time', from: waiting, event: { kind: 'expire' }, why: /not expired/ },
    {
      name: 'a rollback is superseded',
      from: { ...ready, kind: 'rollback' },
      event: { kind: 'supersede', by: 'x' },
      why: /never/,
    },
    {
      name: 'a claim with an old epoch',
      from: { ...ready, epoch: 4 },
      event: { kind: 'claim', epoch: 4, slot: 0 },
      why: /higher/,
    },
    {
      name: 'a take-over with an old epoch',
      from: runningOf(update, 'apply'),
      event: { kind: 'take_over', epoch: 3 },
      why: /higher/,
    },
    {
      name: 'cancelling a rollback',
      from: { ...runningOf(['restore', 'recover'], 'restore'), phase: 'rolling_back' },
      event: { kind: 'cancel', by: ben, clean: false, good },
      why: /takes no cancel/,
    },
    {
      name: 'a plan without steps',
      from: deployOf({ phase: 'preparing' }),
      event: settled({ steps: [] }),
      why: /at least one/,
    },
  ]
  it.each(refused)('$name', ({ from, event, why }) => {
    const result = transition(from, event, 5000)
    expect(result.kind === 'refused' ? result.why : result.deploy.phase).toMatch(why)
  })
})

describe('an automatic rollback', () => {
  const rolling = () => {
    const result = transition(runningOf(update, 'rollout'), failure(), 5000)
    if (result.kind === 'refused') throw new Error(result.why)
    return result.deploy
  }
  it('is written down before its first effect, with the cause kept', () => {
    const deploy = rolling()
    expect(deploy.rollback).toEqual({ attemptedAt: 5000, ...good })
    expect(deploy.cause).toEqual(crash)
    expect(deploy.steps.map(step => `${step.name}:${step.state}`)).toEqual([
      'apply:done',
      'rollout:failed',
      'restore:running',
      'recover:pending',
    ])
  })
  it('ends rolled back with the reason it failed for', () => {
    const deploy = [1, 2].reduce((now, at) => {
      const result = transition(now, { kind: 'step_done', message: '' }, 5000 + at)
      return result.kind === 'moved' ? result.deploy : now
    }, rolling())
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'crash_loop', endedAt: 5002 })
  })
  it.each([
    ['rolled_back', { kind: 'step_done', message: '' }],
    ['rollback_failed', failure()],
  ] as const)('locks the app once it is %s, where policy says so', (phase, event) => {
    const back = transition(
      runningOf(update, 'rollout', { prepared: { ...prepared, afterRollback: 'lock' } }),
      failure(),
      5000,
    )
    if (back.kind === 'refused') throw new Error(back.why)
    expect(back.effects).not.toContain('lock')
    const restored = transition(back.deploy, { kind: 'step_done', message: '' }, 5001)
    if (restored.kind === 'refused') throw new Error(restored.why)
    const end = transition(restored.deploy, event, 5002)
    if (end.kind === 'refused') throw new Error(end.why)
    expect(end.deploy).toMatchObject({ phase, locked: true })
    expect(end.effects).toContain('lock')
  })
  it('locks nothing where a person cancelled it', () => {
    const back = transition(
      runningOf(update, 'rollout', { prepared: { ...prepared, afterRollback: 'lock' } }),
      { kind: 'cancel', by: ben, clean: false, good },
      5000,
    )
    if (back.kind === 'refused') throw new Error(back.why)
    const end = [1, 2].reduce((now, at) => {
      const result = transition(now, { kind: 'step_done', message: '' }, 5000 + at)
      return result.kind === 'moved' ? result.deploy : now
    }, back.deploy)
    expect(end).toMatchObject({ phase: 'cancelled', rollback: { revision: good.revision } })
    expect(end.locked).toBeUndefined()
  })
  it('never starts another when it fails', () => {
    const result = transition(rolling(), failure({ cause: { reason: 'deadline', message: '' } }), 6000)
    expect(result).toMatchObject({ kind: 'moved', deploy: { phase: 'rollback_failed', reason: 'deadline' } })
  })
})

const actor = fc.constantFrom(ana, ben)
const cause = fc.record({ reason: fc.constantFrom(...reasons), message: fc.string({ maxLength: 20 }) })
const maybeGood = fc.constantFrom(good, null)
const moves = {
  prepare: fc.constant({ kind: 'prepare' } as const),
  prepared: fc.record({
    kind: fc.constant('prepared' as const),
    plan: fc.constantFrom('create' as const, 'update' as const, 'delete' as const),
    revision: fc.constant('1.4.2'),
    prepared: fc.constantFrom(
      prepared,
      { ...prepared, hash: 'x' },
      { ...prepared, onFailure: 'hold' as const, onCancel: 'hold' as const },
    ),
    steps: fc.subarray(stepNames.slice(0, 10), { minLength: 0, maxLength: 4 }),
    approval: fc.constantFrom(
      null,
      { required: 1, requesterCounts: true, expiresAt: 60 },
      { required: 2, requesterCounts: false, expiresAt: 60 },
    ),
  }),
  refuse: fc.record({ kind: fc.constant('refuse' as const), cause }),
  replan: fc.constant({ kind: 'replan' } as const),
  vote: fc
    .record({
      by: actor,
      decision: fc.constantFrom('approve' as const, 'deny' as const),
      hash: fc.constantFrom('hash-1', 'x'),
    })
    .map(vote => ({ kind: 'vote' as const, vote: { ...vote, reason: '', at: 1 } })),
  override: fc.record({ kind: fc.constant('override' as const), by: actor, reason: fc.constant('r') }),
  expire: fc.constant({ kind: 'expire' } as const),
  supersede: fc.constant({ kind: 'supersede', by: '02k' } as const),
  claim: fc.record({ kind: fc.constant('claim' as const), epoch: fc.nat(9), slot: fc.nat(3) }),
  take_over: fc.record({ kind: fc.constant('take_over' as const), epoch: fc.nat(9) }),
  step_done: fc.constant({ kind: 'step_done', message: '' } as const),
  step_failed: fc.record({
    kind: fc.constant('step_failed' as const),
    cause,
    message: fc.constant('m'),
    clean: fc.boolean(),
    good: maybeGood,
  }),
  cancel: fc.record({
    kind: fc.constant('cancel' as const),
    by: actor,
    onCancel: fc.constantFrom('rollback' as const, 'hold' as const, undefined),
    clean: fc.boolean(),
    good: maybeGood,
  }),
  release: fc.record({ kind: fc.constant('release' as const), by: actor, message: fc.constant('') }),
}
/** What happens often in life happens often here, so that long lives are reached. */
const often: Readonly<Record<string, number>> = {
  prepare: 8,
  prepared: 12,
  vote: 10,
  claim: 12,
  step_done: 30,
  step_failed: 4,
}
const anyEvent: fc.Arbitrary<DeployEvent> = fc.oneof(
  ...Object.entries(moves).map(([kind, arbitrary]) => ({
    weight: often[kind] ?? 1,
    arbitrary: arbitrary as fc.Arbitrary<DeployEvent>,
  })),
)

/** What must be true of every deploy, whatever happened to it. */
function invariants(deploy: Deploy): void {
  deploySchema.parse(deploy)
  const running = deploy.steps.filter(step => step.state === 'running')
  const active = deploy.phase === 'running' || deploy.phase === 'rolling_back'
  if (active) expect(running).toHaveLength(1)
  if (isTerminal(deploy.phase)) {
    expect(deploy.endedAt).not.toBeNull()
    expect(deploy.reason).not.toBeNull()
    expect(deploy.dueAt).toBeNull()
  } else {
    expect(deploy.endedAt).toBeNull()
    expect(deploy.reason).toBeNull()
  }
  if (deploy.phase === 'succeeded') expect(deploy.steps.every(step => step.state === 'done')).toBe(true)
  if (deploy.phase === 'rolled_back' || deploy.phase === 'rollback_failed')
    expect(deploy.rollback).not.toBeNull()
  if (deploy.phase === 'awaiting_approval') expect(deploy.dueAt).not.toBeNull()
  const { approval, prepared } = deploy
  const counts = (approval?.votes ?? []).filter(v => v.decision === 'approve' && v.hash === prepared?.hash)
  // Nothing goes on without its votes or a named person, and no vote counts twice.
  if (approval && (deploy.phase === 'ready' || active))
    expect(deploy.overridden !== null || counts.length >= approval.required).toBe(true)
  expect(new Set(counts.map(v => v.by.id)).size).toBe(counts.length)
  if (deploy.overridden && deploy.phase !== 'preparing') expect(deploy.overridden.hash).toBe(prepared?.hash)
  const states = deploy.steps.map(step => step.state)
  expect(states.lastIndexOf('done')).toBeLessThan(
    states.indexOf('pending') === -1 ? states.length : states.indexOf('pending'),
  )
}

describe('any sequence of events', () => {
  const lives = fc.array(fc.tuple(anyEvent, fc.nat(100)), { maxLength: 60, size: 'max' })

  /** Lives one life and checks it at every step; the phases it came through. */
  function live(events: readonly (readonly [DeployEvent, number])[]): Set<string> {
    let deploy = deployOf()
    let rollbacks = 0
    let epoch = 0
    const reached = new Set<string>()
    for (const [event, now] of events) {
      const result = transition(deploy, event, now)
      if (result.kind === 'refused') continue
      expect(isTerminal(deploy.phase)).toBe(false)
      if (result.deploy.phase === 'rolling_back' && deploy.phase !== 'rolling_back') rollbacks++
      expect(result.effects.includes('close')).toBe(isTerminal(result.deploy.phase))
      expect(result.deploy.epoch).toBeGreaterThanOrEqual(epoch)
      epoch = result.deploy.epoch
      deploy = result.deploy
      reached.add(deploy.phase)
      invariants(deploy)
    }
    expect(rollbacks).toBeLessThanOrEqual(1)
    return reached
  }

  it('reaches no illegal state, leaves no terminal one, and starts at most one rollback', () => {
    fc.assert(
      fc.property(lives, events => void live(events)),
      { numRuns: 2000 },
    )
  })

  it('is generated so that every phase is reached', () => {
    // Always the same lives: chance must not decide whether this holds.
    const reached = fc.sample(lives, { seed: 7, numRuns: 3000 }).flatMap(events => [...live(events)])
    expect([...new Set(reached)].sort()).toEqual(phases.filter(phase => phase !== 'requested').toSorted())
  })

  it('is a pure function: the same input gives the same output and is not changed', () => {
    fc.assert(
      fc.property(anyEvent, fc.nat(100), (event, now) => {
        const deploy = runningOf(update, 'rollout')
        const before = structuredClone(deploy)
        expect(transition(deploy, event, now)).toEqual(transition(deploy, event, now))
        expect(deploy).toEqual(before)
      }),
    )
  })
})
