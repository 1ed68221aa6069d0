// Whatever a deploy holds (longest names, 200 pods, 50 entries of thread, hostile text): every message is within Slack's
// limits, pings nobody who was not meant, and has a plain text beside its blocks.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Deploy,
  type Diagnosis,
  kinds,
  type Progress,
  phases,
  stepNames,
} from '../../../../src/core/deploy.ts'
import type { MessageFacts, Planned } from '../../../../src/core/messages.ts'
import { check, hostile, text } from './hostile.ts'
import { deploy, facts, hash, now, production, renderer, staging } from './sample.ts'

const name = (most: number) => fc.constantFrom('web', 'a'.repeat(most))
const revision = fc.constantFrom('1.4.2', 'r'.repeat(128), '<!here>')
const time = fc.constantFrom(null, now - 400_000_000, now - 60_000, now)
const actor = fc.record({
  id: fc.oneof(fc.constantFrom('slack:U0ANA', 'token:ci', 'slack:<!here>'), text(200)),
  name: text(200),
  via: fc.constant('slack' as const),
})
const step = fc.record({
  name: fc.constantFrom(...stepNames),
  state: fc.constantFrom('pending' as const, 'running' as const, 'done' as const, 'failed' as const),
  startedAt: time,
  endedAt: time,
  message: text(500),
})
const cause = fc.record({ reason: fc.constant('crash_loop' as const), message: text(1000) })
const vote = fc.record({
  by: actor,
  decision: fc.constantFrom('approve' as const, 'deny' as const),
  reason: text(500),
  at: fc.constant(now),
  hash: fc.constant(hash),
})
const prepared = fc.record({
  cluster: text(100),
  namespace: name(63),
  image: text(600),
  digest: fc.constantFrom(null, `sha256:${'a'.repeat(64)}`),
  base: revision,
})
const anyDeploy: fc.Arbitrary<Deploy> = fc
  .record({
    app: name(40),
    environment: name(30),
    kind: fc.constantFrom(...kinds),
    revision,
    phase: fc.constantFrom(...phases),
    cause: fc.option(cause),
    steps: fc.array(step, { maxLength: 20 }),
    readyAt: time,
    startedAt: time,
    endedAt: time,
    requestedBy: actor,
    source: fc.record({
      job: fc.option(text(500)),
      build: fc.constantFrom(null, 214),
      url: fc.oneof(fc.constant('https://ci.example.com/?a=<!here>|x&b'), fc.webUrl(), text(1000)),
      note: text(500),
    }),
    prepared: fc.option(prepared),
    approval: fc.option(
      fc.record({ required: fc.constantFrom(1, 10), votes: fc.array(vote, { maxLength: 20 }) }),
    ),
    overridden: fc.option(fc.record({ by: actor, reason: text(500), at: fc.constant(now) })),
    cancelledBy: fc.option(actor),
    rollback: fc.option(revision),
  })
  .map(one => {
    const base = deploy()
    return {
      ...base,
      ...one,
      approval: one.approval && { ...one.approval, requesterCounts: false, expiresAt: now + 1000 },
      rollback: one.rollback === null ? null : { attemptedAt: now, spec: 'spec', revision: one.rollback },
      prepared: one.prepared && {
        ...(base.prepared as NonNullable<Deploy['prepared']>),
        ...one.prepared,
        base: { revision: one.prepared.base, spec: 'spec', overrides: null },
      },
    }
  })
const lines = (most: number, length: number) => fc.array(text(length), { maxLength: most, size: 'max' })
const planned: fc.Arbitrary<Planned> = fc.record({
  schema: fc.constant(1 as const),
  changes: lines(100, 300),
  notes: lines(50, 300),
  diff: fc.oneof(text(30_000), hostile),
  since: lines(20, 300),
  voided: lines(20, 200),
  at: fc.constant(now),
})
const diagnosis: fc.Arbitrary<Diagnosis> = fc.record({
  cause,
  seen: lines(20, 500),
  tries: lines(10, 500),
  events: fc.array(
    fc.record({
      at: fc.constant(now),
      type: text(20),
      reason: text(50),
      object: text(200),
      message: text(1000),
      count: fc.constantFrom(1, 99),
    }),
    { maxLength: 30 },
  ),
  log: fc.option(
    fc.record({ pod: text(253), container: text(63), previous: fc.boolean(), lines: lines(100, 2000) }),
  ),
  at: fc.constant(now),
})
const progress: fc.Arbitrary<Progress> = fc.record({
  ready: fc.constantFrom(-1, 0, 3, 200, 10_000),
  wanted: fc.constantFrom(0, 1, 6, 200, 10_000),
  message: text(500),
  at: fc.constant(now),
})
const anyFacts: fc.Arbitrary<MessageFacts> = fc
  .record({
    deploy: anyDeploy,
    environment: fc.constantFrom(null, production, staging),
    progress: fc.option(progress),
    diagnosis: fc.option(diagnosis),
    planned: fc.option(planned),
    waiting: fc.option(
      fc.oneof(
        text(600),
        text(300).map(reason => `production is locked by ${reason}`),
        text(300).map(reason => `a is frozen until ${reason}`),
      ),
    ),
  })
  .map(one => facts({ ...one, inThread: one.planned !== null }))

it('every message of every deploy is one that Slack takes, and pings nobody else', () => {
  fc.assert(
    fc.property(anyFacts, one => {
      const main = renderer.main(one)
      check(main)
      expect(JSON.stringify(main)).not.toContain('<@')
      const entries = renderer.thread(one)
      for (const entry of entries) {
        check(entry.message)
        expect(entry.key).toMatch(/^[\w-]{1,120}$/)
        for (const file of entry.files) expect(file.content).not.toBe('')
      }
      expect(new Set(entries.map(entry => entry.key)).size).toBe(entries.length)
      for (const reminder of [false, true]) {
        const direct = renderer.direct(one, { reminder })
        if (direct) check(direct)
      }
    }),
    { numRuns: 250 },
  )
})

it('says the same for the same facts', () => {
  fc.assert(
    fc.property(anyFacts, one => {
      expect(renderer.main(one)).toEqual(renderer.main(structuredClone(one)))
    }),
    { numRuns: 50 },
  )
})
