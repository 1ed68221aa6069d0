// What those who approve are shown: whole, within 32 KiB, without secrets; and what changed since it was shown.
import { describe, expect, it } from 'vitest'
import { plannedSchema } from '../../src/core/messages.ts'
import { mostPlannedBytes, nothingEarlier, plannedOf, sinceWords, voidedBy } from '../../src/core/planned.ts'
import type { Preview } from '../../src/core/preview.ts'
import { noOverrides } from '../../src/core/workload.ts'
import { ana, ben, deployOf, prepared } from './sample.ts'
import { renderOf } from './specs.ts'

const preview = (over: Partial<Preview> = {}): Preview => ({
  objects: [],
  changes: [],
  notes: [],
  refused: [],
  ...over,
})
const object = (diff: string, warnings: string[] = []) => ({
  object: 'Deployment shop/web',
  action: 'change' as const,
  diff,
  warnings,
})
const deploy = deployOf()
const planned = (over: Partial<Preview>, earlier = nothingEarlier) =>
  plannedOf(preview(over), { deploy, earlier, now: 7 })

describe('what is shown', () => {
  it('is all of it where it fits', () => {
    const one = planned({
      objects: [object('-a\n+b', ['runs as root'])],
      changes: ['image 1.4.1 → 1.4.2'],
      notes: ['image not pinned to a digest: no registry'],
    })
    expect(plannedSchema.parse(one)).toEqual({
      schema: 1,
      changes: ['image 1.4.1 → 1.4.2'],
      notes: ['image not pinned to a digest: no registry', 'Deployment shop/web: runs as root'],
      diff: '-a\n+b',
      since: [],
      voided: [],
      at: 7,
    })
  })
  it('says what a delete does to data', () => {
    const params = { ...deploy.params, claims: ['data'] }
    const gone = plannedOf(preview(), { deploy: { kind: 'delete', params }, earlier: nothingEarlier, now: 7 })
    expect(gone.notes).toEqual(['data is deleted: volume claims data'])
  })
  it('holds no secret', () => {
    const secret = `Bearer ${'x'.repeat(30)}`
    const one = planned({
      objects: [object(`+ value: ${secret}`, [`token=${secret}`])],
      changes: [`args ${secret}`],
      notes: ['password=hunter2hunter2'],
    })
    expect(JSON.stringify(one)).not.toMatch(/xxxx|hunter2/)
  })
  const large: [string, Partial<Preview>][] = [
    ['a long diff', { objects: [object('+ line of a diff\n'.repeat(10_000))] }],
    ['a diff of escapes', { objects: [object('+ "\\\u0001"\n'.repeat(10_000))] }],
    ['wide characters', { objects: [object('+ 🚀\n'.repeat(20_000))] }],
    ['one line', { objects: [object('x'.repeat(200_000))] }],
    [
      'many long changes and notes',
      {
        objects: [object('+ a\n'.repeat(9_000))],
        changes: Array.from({ length: 300 }, (_, n) => `${n} ${'é'.repeat(900)}`),
        notes: Array.from({ length: 300 }, (_, n) => `${n} ${'🚀'.repeat(900)}`),
      },
    ],
  ]
  it.each(large)('fits where it is too long: %s', (_, over) => {
    const one = planned(over, {
      since: Array.from({ length: 40 }, (_, n) => `${n} ${'ü'.repeat(600)}`),
      voided: Array.from({ length: 40 }, (_, n) => `name-${n}`),
    })
    expect(plannedSchema.parse(one)).toEqual(one)
    expect(Buffer.byteLength(JSON.stringify(one))).toBeLessThanOrEqual(mostPlannedBytes)
    expect(one.diff).toMatch(/cut: the whole diff does not fit here/)
    expect(Buffer.byteLength(JSON.stringify(one))).toBeGreaterThan(mostPlannedBytes * 0.8)
  })
})

describe('what changed since it was shown', () => {
  const place = { app: 'web', environment: 'production', revision: '1.4.2' }
  const objects = renderOf()
  const before = { settled: prepared, objects }
  const cases: [string, Partial<typeof prepared>, object, string[]][] = [
    [
      'another one was deployed meanwhile',
      { base: { revision: '1.5.0', spec: 'spec-3', overrides: noOverrides } },
      {},
      ['web in production runs 1.5.0 now, not 1.4.1 any more'],
    ],
    [
      'it was deleted meanwhile',
      { base: { revision: '', spec: null, overrides: null } },
      {},
      ['web in production runs nothing now, not 1.4.1 any more'],
    ],
    ['the app was changed', { spec: 'spec-4' }, { env: { LOG_LEVEL: 'debug' } }, ['+ env LOG_LEVEL debug']],
    [
      'the tag was moved',
      { digest: `sha256:${'b'.repeat(64)}` },
      {},
      ['image 1.4.2 is another one now: not pinned → sha256:bbbbbbbbbbbb'],
    ],
    [
      'it would run elsewhere',
      { namespace: 'other' },
      {},
      ['it would run in default/other, not in default/staging'],
    ],
    ['nothing that has words', {}, {}, ['what gkube would write to the cluster is not the same any more']],
  ]
  it.each(cases)('%s', (_, settled, keys, words) => {
    const after = { settled: { ...prepared, ...settled }, objects: renderOf(keys) }
    expect(sinceWords(place, before, after)).toEqual(words)
  })
  it('names the code where that is another one', () => {
    const of = (char: string) => ({
      settled: { ...prepared, artifact: { sha256: char.repeat(64), url: null } },
      objects,
    })
    expect(sinceWords(place, of('a'), of('b'))).toContain(
      `the code of ${place.revision} is another one now: aaaaaaaaaaaa → bbbbbbbbbbbb`,
    )
  })
  it('names the spec where the earlier one is not kept any more', () => {
    const after = { settled: { ...prepared, spec: 'spec-9' }, objects }
    expect(sinceWords(place, { settled: prepared, objects: null }, after)).toEqual([
      'the spec of web was changed',
    ])
  })
  it('names those whose decision was for something else', () => {
    const vote = { by: ben, decision: 'approve' as const, reason: '', at: 1, hash: 'hash-1' }
    const approval = { required: 2, requesterCounts: false, expiresAt: 9, votes: [vote] }
    const overridden = { by: ana, reason: 'fire', at: 1, hash: 'hash-1' }
    expect(voidedBy({ approval, overridden }, 'hash-2')).toEqual(['ben', 'ana'])
    expect(voidedBy({ approval, overridden }, 'hash-1')).toEqual([])
    expect(voidedBy({ approval: null, overridden: null }, 'hash-2')).toEqual([])
  })
})
