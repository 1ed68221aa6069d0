// Whatever a build holds (longest names, 50 stages, 20 changes, hostile text): every message is within Slack's limits,
// pings nobody who was not meant, and has a plain text beside its blocks.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Build,
  buildPhases,
  buildSchema,
  type PendingInput,
  stageSchema,
} from '../../../../src/core/builds/build.ts'
import { results } from '../../../../src/core/builds/event.ts'
import { phases } from '../../../../src/core/deploy.ts'
import type { BuildMessageFacts } from '../../../../src/core/messages.ts'
import { build, buildFacts, input, renderer } from './build-sample.ts'
import { check, text } from './hostile.ts'
import { now } from './sample.ts'

const many = <T>(one: fc.Arbitrary<T>, maxLength: number) => fc.array(one, { maxLength, size: 'max' })
const ms = fc.constantFrom(0, 999, 61_000, 400_000_000)
const time = fc.constantFrom(null, 0, now - 60_000, now, now + 5_000)
const actor = fc.record({
  id: fc.constantFrom('slack:U0ANA', 'token:ci', 'slack:<!here>'),
  name: text(200),
  via: fc.constant('slack' as const),
})
const slack = fc.constantFrom(null, 'U0ANA', '<!here>', 'nobody')
const label = (most: number) => fc.constantFrom('web', 'a'.repeat(most))
const place = {
  app: label(40),
  environment: fc.constantFrom('staging', 'production', 'e'.repeat(30)),
  revision: fc.constantFrom('1.4.2', 'r'.repeat(128)),
}
const values = fc.dictionary(text(200), text(500), { maxKeys: 10 })
const answer = fc.record({
  decision: fc.constantFrom('proceed' as const, 'abort' as const),
  by: actor,
  at: fc.constant(now),
  state: fc.constantFrom('wanted' as const, 'sent' as const, 'refused' as const),
  parameters: values,
  note: text(500),
})
const inputs = many(
  fc
    .record({
      id: text(200),
      message: text(1000),
      proceed: text(100),
      submitters: many(text(200), 50),
      answer: fc.option(answer),
      over: fc.boolean(),
      parameters: fc.constantFrom<PendingInput['parameters']>(
        [],
        [{ name: 'A', type: 'string' as const, description: '', choices: [], default: null }],
      ),
    })
    .map(one => input(one)),
  10,
).map(all => all.map((one, n) => ({ ...one, askedAt: n })))
const stop = fc.record({
  by: actor,
  at: fc.constant(now),
  state: fc.constantFrom('wanted' as const, 'sent' as const, 'refused' as const),
})

const anyBuild: fc.Arbitrary<Build> = fc
  .record({
    job: fc.constantFrom('shop/web', `a/${'é'.repeat(498)}`, 'x/<!channel>'),
    number: fc.constantFrom(null, 1, 2_000_000_000),
    url: fc.oneof(
      fc.constant('https://ci.example.com/?a=<!here>|x&b'),
      fc.webUrl(),
      text(1000),
      fc.constant(null),
    ),
    phase: fc.constantFrom(...buildPhases),
    result: fc.constantFrom(null, ...results),
    verified: fc.boolean(),
    startedAt: time,
    durationMs: fc.option(ms),
    usualMs: fc.option(ms),
    branch: fc.option(text(500)),
    cause: text(500),
    askedBy: fc.option(actor),
    startedBy: fc.option(fc.record({ name: text(500), slack })),
    parameters: values,
    changes: many(
      fc.record({
        commit: fc.constant('a1'),
        author: text(200),
        email: fc.constant(null),
        slack,
        message: text(300),
      }),
      20,
    ),
    tests: fc.option(
      fc.record({
        total: fc.constantFrom(0, 1, 100_000),
        failed: fc.constantFrom(0, 1, 100_000),
        skipped: fc.constant(0),
        names: many(text(300), 20),
      }),
    ),
    stages: fc.option(
      many(
        fc.record({
          name: text(200),
          state: fc.constantFrom(...stageSchema.shape.state.options),
          ms,
        }),
        50,
      ),
    ),
    inputs,
    turn: fc.constantFrom(...buildSchema.shape.turn.unwrap().options, null),
    failingSince: fc.constantFrom(null, 1, 214),
    deploys: many(fc.record({ ...place, id: text(40), phase: fc.constantFrom(...phases) }), 20),
    offers: fc.uniqueArray(fc.record({ ...place, loud: fc.boolean() }), {
      maxLength: 20,
      selector: one => `${one.environment}/${one.app}`,
    }),
    stop: fc.option(stop),
    joined: fc.constantFrom(null, 'other'),
    note: text(1000),
    endedAt: time,
  })
  .map(one => build(one))

const anyFacts: fc.Arbitrary<BuildMessageFacts> = fc
  .record({
    one: anyBuild,
    lines: many(text(2000), 100),
    events: fc.constantFrom('asked' as const, 'all' as const, 'changes' as const, 'failures' as const),
    inThread: fc.boolean(),
  })
  .map(({ one, lines, ...more }) => buildFacts(one, { ...more, console: { schema: 1, lines, at: now } }))

it('every message of every build is one that Slack takes, and pings nobody else', () => {
  fc.assert(
    fc.property(anyFacts, one => {
      const main = renderer.main(one)
      check(main)
      const { phase, result, turn } = one.build
      const isNews = phase === 'finished' && (result === 'FAILURE' || result === 'UNSTABLE')
      if (!isNews || turn === 'still_failing') expect(JSON.stringify(main)).not.toContain('<@')
      const entries = renderer.thread(one)
      for (const entry of entries) {
        check(entry.message)
        expect(entry.key).toMatch(/^[\w-]{1,120}$/)
        for (const file of entry.files) expect(file.name).toMatch(/^[\w.-]{1,200}$/)
      }
      expect(new Set(entries.map(entry => entry.key)).size).toBe(entries.length)
    }),
    { numRuns: 80 },
  )
})

it('shows the passing of time only where it runs: edits are few', () => {
  fc.assert(
    fc.property(anyFacts, one => {
      const later = { ...one, now: one.now + 3_600_000 }
      if (one.build.phase !== 'running') expect(renderer.main(later)).toEqual(renderer.main(one))
    }),
    { numRuns: 20 },
  )
})
