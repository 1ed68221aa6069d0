// Entries and their schemas: what parses, what is left alone, and the compares and writes that records make; and the
// size that a deploy's record is kept to.
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { deploySchema } from '../../src/core/deploy.ts'
import { mostDeployBytes, withinSize } from '../../src/core/deploy-size.ts'
import type { Entry } from '../../src/core/kv.ts'
import {
  decode,
  decodeAll,
  newId,
  put,
  read,
  remove,
  UnreadableRecord,
  unchanged,
} from '../../src/core/records.ts'
import { ben, deployOf, runningOf } from './sample.ts'

const schema = z.object({ schema: z.literal(1), name: z.string() })
const strict = z.strictObject({ schema: z.literal(1), name: z.string() })
const entry = (value: string, key = '/k/a'): Entry => ({ key, value, createRevision: '7', modRevision: '9' })

describe('an entry', () => {
  it('becomes a record with what a compare-and-swap needs', () => {
    expect(decode(schema, entry('{"schema":1,"name":"web"}'))).toEqual({
      key: '/k/a',
      value: { schema: 1, name: 'web' },
      createRevision: '7',
      modRevision: '9',
    })
  })
  it('carries a token of its write that is no part of the record', () => {
    const write = put('/k/a', { schema: 1, name: 'web' })
    if (write.kind !== 'put') throw new Error('a put')
    expect(decode(strict, entry(write.value)).value).toEqual({ schema: 1, name: 'web' })
    const again = put('/k/a', { schema: 1, name: 'web' })
    expect(again).not.toEqual(write)
  })
  it('is parsed once for all who read it, and again where anything of it is another', () => {
    const read = (changed: Partial<Entry> = {}, by: z.ZodType<{ name: string }> = schema) =>
      decode(by, { ...entry('{"schema":1,"name":"web"}', '/k/again'), ...changed })
    const first = read()
    expect(read()).toBe(first)
    expect(read({ modRevision: '10' })).toMatchObject({ modRevision: '10' })
    expect(read({ createRevision: '8' })).toMatchObject({ createRevision: '8', modRevision: '9' })
    // A restored etcd counts its revisions again.
    expect(read({ value: '{"schema":1,"name":"api"}' }).value.name).toBe('api')
    const named = z.object({ schema: z.literal(1), name: z.string().transform(name => `${name}!`) })
    expect(read({}, named).value.name).toBe('web!')
    expect(read().value.name).toBe('web')
  })
  const bad: [string, string, RegExp][] = [
    ['is not JSON', '{"schema":1', /\/k\/a cannot be read .*not JSON/],
    ['is empty', '', /not JSON/],
    ['is of a newer shape', '{"schema":2,"name":"web"}', /\(schema: /],
    ['lacks a field', '{"schema":1}', /\(name: /],
    ['is a list', '[]', /\(value: /],
    ['is null', 'null', /\(value: /],
  ]
  it.each(bad)('that %s is named by key, with the way out', (_, value, words) => {
    const attempt = () => decode(schema, entry(value))
    expect(attempt).toThrow(UnreadableRecord)
    expect(attempt).toThrow(words)
    expect(attempt).toThrow(/left as it is.*gkube release/)
  })
  it('that cannot be read does not take the others with it', () => {
    const unreadable: string[] = []
    const good = decodeAll(schema, [entry('x', '/k/bad'), entry('{"schema":1,"name":"web"}')], error =>
      unreadable.push(error.key),
    )
    expect(good.map(stored => stored.value.name)).toEqual(['web'])
    expect(unreadable).toEqual(['/k/bad'])
  })
  it('that is not there is null', async () => {
    expect(await read({ get: async () => null }, schema, '/k/a')).toBeNull()
  })
})

describe('writes and compares', () => {
  it.each([
    ['a put without a lease', () => put('/k', {}), { kind: 'put', key: '/k' }],
    ['a put with one', () => put('/k', {}, '12'), { kind: 'put', key: '/k', lease: '12' }],
    ['a removal', () => remove('/k'), { kind: 'delete', key: '/k' }],
    ['still absent', () => unchanged('/k', null), { kind: 'absent', key: '/k' }],
    [
      'still as it was',
      () => unchanged('/k', { modRevision: '5' }),
      { kind: 'unchanged', key: '/k', modRevision: '5' },
    ],
  ])('%s', (_, make, expected) => {
    expect(make()).toMatchObject(expected)
  })
  it('ids sort by time and fit object names', () => {
    const ids = [1, 1_700_000_000_000, 1_800_000_000_000].map(newId)
    expect(ids.toSorted()).toEqual(ids)
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{26}$/)
  })
})

describe('a deploy that says too much', () => {
  const names = ['environment', 'publish', 'init', 'before', 'apply', 'rollout', 'after', 'record'] as const
  const long = 'é'.repeat(500)
  const deploy = runningOf(names, 'record', {
    cause: { reason: 'internal', message: 'é'.repeat(1000) },
    source: { job: null, build: null, url: null, note: long },
    approval: {
      required: 10,
      requesterCounts: false,
      expiresAt: 1,
      votes: Array.from({ length: 10 }, () => ({
        by: ben,
        decision: 'approve' as const,
        reason: long,
        at: 1,
        hash: 'h'.repeat(64),
      })),
    },
  })
  const talkative = { ...deploy, steps: deploy.steps.map(step => ({ ...step, message: long })) }
  it('is cut until it fits, and stays a deploy', () => {
    const cut = withinSize(talkative)
    expect(Buffer.byteLength(JSON.stringify(talkative))).toBeGreaterThan(2 * mostDeployBytes)
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThanOrEqual(mostDeployBytes)
    expect(deploySchema.parse(cut)).toMatchObject(cut)
    expect(cut.approval?.votes).toHaveLength(10)
    expect(cut.steps.map(step => step.state)).toEqual(deploy.steps.map(step => step.state))
  })
  it('is cut with ten voters of long names, a long branch and address, too', () => {
    const name = 'x'.repeat(200)
    const by = { ...ben, name }
    const votes = deploy.approval?.votes.map(vote => ({ ...vote, by })) ?? []
    const source = { ...talkative.source, branch: long, user: name, url: `https://ci/${'x'.repeat(900)}` }
    const cut = withinSize({
      ...talkative,
      source,
      approval: talkative.approval && { ...talkative.approval, votes },
    })
    expect(Buffer.byteLength(JSON.stringify(cut))).toBeLessThanOrEqual(mostDeployBytes)
    expect(cut.source.url).toBeNull()
    expect(cut.approval?.votes.map(vote => vote.by.id)).toEqual(votes.map(vote => vote.by.id))
  })
  it('is left alone when it fits', () => {
    const short = deployOf()
    expect(withinSize(short)).toBe(short)
  })
})
