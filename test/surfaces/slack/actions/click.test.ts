// What a click is, when two of them are one, how an answer that is late is told, and which message is a lost copy.
import type { BlockAction, ButtonAction } from '@slack/bolt'
import { describe, expect, it } from 'vitest'
import type { Deploy } from '../../../../src/core/deploy.ts'
import { OutcomeUnknown } from '../../../../src/core/kv.ts'
import type { Messages, Post } from '../../../../src/core/messages.ts'
import { type Click, clickKey, clickOf, placeOf } from '../../../../src/surfaces/slack/actions/click.ts'
import { orphanAnswer } from '../../../../src/surfaces/slack/actions/orphan.ts'
import { settle } from '../../../../src/surfaces/slack/actions/settle.ts'
import { ana, deploy, now, textsOf } from '../messages/sample.ts'

const payload = (over: Record<string, unknown>): BlockAction =>
  ({
    type: 'block_actions',
    user: { id: 'U0ANA', username: 'ana' },
    trigger_id: 't.1',
    container: {},
    actions: [],
    ...over,
  }) as unknown as BlockAction
const button = { value: '01k', action_ts: '1764000000.123456' } as ButtonAction

describe('where it was clicked', () => {
  const message = { type: 'message', message_ts: '1.1', channel_id: 'C0STAGING' }
  const cases: [string, Record<string, unknown>, Click['message']][] = [
    [
      'a message',
      { container: message, channel: { id: 'C0STAGING' } },
      { channel: 'C0STAGING', ts: '1.1', thread: '1.1' },
    ],
    [
      'a reply in a thread',
      { container: { ...message, thread_ts: '0.9' }, channel: { id: 'C0STAGING' } },
      { channel: 'C0STAGING', ts: '1.1', thread: '0.9' },
    ],
    [
      'an answer that only they see',
      { container: { ...message, is_ephemeral: true }, channel: { id: 'C0STAGING' } },
      { channel: 'C0STAGING', ts: '1.1', thread: null },
    ],
    ['App Home', { container: { type: 'view', view_id: 'V1' }, view: { id: 'V1', type: 'home' } }, null],
  ]
  it.each(cases)('%s', (_, over, expected) => {
    const click = clickOf(payload(over), button)
    expect(click).toMatchObject({ value: '01k', user: 'U0ANA', trigger: 't.1', at: 1_764_000_000_123 })
    expect(click.message).toEqual(expected)
  })
})

describe('a place as a value', () => {
  const good: [string, object][] = [
    ['staging/web', { environment: 'staging', app: 'web' }],
    ['staging/', { environment: 'staging' }],
    ['/', {}],
    ['', {}],
  ]
  it.each(good)('%j', (value, expected) => expect(placeOf(value)).toEqual(expected))
  it.each(['a/b/c', '/web'])('%j is none', value => expect(() => placeOf(value)).toThrow(/another version/))
})

describe('two clicks are one request', () => {
  const shipped = deploy({ phase: 'succeeded', endedAt: now - 60_000 })
  const later = (id: string, endedAt: number | null): Deploy =>
    deploy({ id, phase: endedAt === null ? 'running' : 'succeeded', endedAt })
  const caller = { actor: ana, grants: [] }
  const key = (past: readonly Deploy[], at: number, over: { ts?: string; action?: string } = {}) =>
    clickKey({ history: async () => past }, caller, {
      action: over.action ?? 'restart',
      click: {
        value: shipped.id,
        user: 'U0ANA',
        trigger: 't',
        at,
        message: { channel: 'C1', ts: over.ts ?? '1.1', thread: '1.1' },
        view: null,
      },
      call: { id: 'envelope' },
      deploy: shipped,
    })
  it('a double click, also after the first one began to run, also when it failed at once', async () => {
    const first = await key([shipped], now)
    expect(await key([later('b', null), shipped], now + 300)).toBe(first)
    expect(await key([later('b', now + 200), shipped], now + 300)).toBe(first)
  })
  it('the same delivery much later', async () => {
    const first = await key([shipped], now)
    expect(await key([later('b', now + 60_000), shipped], now)).toBe(first)
  })
  it('not: after that one ended, on another message, another button', async () => {
    const first = await key([shipped], now)
    expect(await key([later('b', now + 60_000), shipped], now + 70_000)).not.toBe(first)
    expect(await key([shipped], now, { ts: '2.2' })).not.toBe(first)
    expect(await key([shipped], now, { action: 'rollback' })).not.toBe(first)
  })
  it('a click without a time is only itself', async () => {
    expect(await key([shipped], 0)).toBe('click:envelope')
  })
})

describe('durable, then the answer', () => {
  const told: string[] = []
  const late = async () => void told.push('late')
  it('in time: nothing but the outcome', async () => {
    told.length = 0
    expect(await settle(async () => 'done', { late })).toBe('done')
    expect(told).toEqual([])
  })
  it('late: says so once, then the truth', async () => {
    told.length = 0
    const { promise, resolve } = Promise.withResolvers<string>()
    const waiting = settle(() => promise, { late, deadline: 5 })
    await expect.poll(() => told).toEqual(['late'])
    resolve('done')
    expect(await waiting).toBe('done')
    expect(told).toEqual(['late'])
  })
  it('unknown: says so at once and asks again until it is known', async () => {
    told.length = 0
    let tries = 0
    const outcome = await settle(
      async () => {
        tries++
        if (tries < 2) throw new OutcomeUnknown(['/k'], new Error('no answer'))
        return 'done'
      },
      { late },
    )
    expect(outcome).toBe('done')
    expect(told).toEqual(['late'])
  })
  it('late, and that cannot be told: the truth all the same', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const waiting = settle(() => promise, {
      late: () => Promise.reject(new Error('Slack is down')),
      deadline: 1,
    })
    setTimeout(resolve, 20, 'done')
    expect(await waiting).toBe('done')
  })
  it('a refusal is a refusal, late or not', async () => {
    told.length = 0
    const { promise, reject } = Promise.withResolvers<string>()
    const waiting = settle(() => promise, { late, deadline: 1 })
    await expect.poll(() => told).toEqual(['late'])
    reject(new Error('refused'))
    await expect(waiting).rejects.toThrow('refused')
  })
})

describe('a lost copy of a message', () => {
  const post = (ts: string, channel = 'C0STAGING'): Post => ({
    state: 'posted',
    at: now,
    channel,
    ts,
    shown: null,
    again: false,
  })
  const posted = (over: Partial<Messages> = {}): Messages => ({
    schema: 1,
    deploy: '01k',
    channels: ['C0STAGING'],
    main: post('1.1'),
    thread: {},
    direct: { U0BEN: post('3.3', 'D0BEN') },
    ...over,
  })
  const at = (ts: string, channel = 'C0STAGING', thread: string | null = ts) => ({
    message: { channel, ts, thread },
  })
  it('says where the real one is', () => {
    const answer = orphanAnswer(at('9.9'), posted())
    expect(textsOf(answer?.blocks).join()).toMatch(/copy .* The real one is in <#C0STAGING>/)
  })
  const fine: [string, Parameters<typeof orphanAnswer>][] = [
    ['the message itself', [at('1.1'), posted()]],
    ['a direct message', [at('3.3', 'D0BEN'), posted()]],
    ['an answer that only they see', [at('9.9', 'C0STAGING', null), posted()]],
    ['App Home', [{ message: null }, posted()]],
    ['nothing known', [at('9.9'), null]],
    ['not posted for sure', [at('9.9'), posted({ main: { ...post('1.1'), state: 'posting', ts: null } })]],
  ]
  it.each(fine)('not: %s', (_, given) => expect(orphanAnswer(...given)).toBeNull())
})
