// Who goes next, who is replaced, what holds a deploy and which slot it gets.
import { describe, expect, it } from 'vitest'
import type { Lock } from '../../src/core/core.ts'
import type { Deploy } from '../../src/core/deploy.ts'
import { decide, freeSlot, frozenBy, heldBy, type Waiting } from '../../src/core/queue.ts'
import { ana, deployOf } from './sample.ts'

/** `a deploy`, `b redeploy preparing`: id, kind and phase (ready unless said), in the order of their requests. */
const queue = (...names: string[]): Waiting[] =>
  names.map((name, n) => {
    const [id = '', kind = 'deploy', phase = 'ready'] = name.split(' ')
    const over = { id, kind: kind as Deploy['kind'], phase: phase as Deploy['phase'] }
    return { deploy: deployOf(over), position: String(n + 9) }
  })

type Case = { name: string; waiting: Waiting[]; next: string | null; superseded?: string[]; keep?: string }
const cases: Case[] = [
  { name: 'nobody', waiting: [], next: null },
  { name: 'one', waiting: queue('a'), next: 'a' },
  {
    name: 'a newer deploy takes the place of those that wait',
    waiting: queue('a', 'b', 'c'),
    next: 'c',
    superseded: ['a by c', 'b by c'],
    keep: 'a',
  },
  {
    name: 'order is a number, not a text: 9 comes before 10',
    waiting: queue('a scale', 'b scale').toReversed(),
    next: 'a',
    keep: 'a',
  },
  {
    name: 'a deploy replaces a redeploy',
    waiting: queue('a redeploy', 'b deploy'),
    next: 'b',
    superseded: ['a by b'],
    keep: 'a',
  },
  {
    name: 'a redeploy replaces a redeploy',
    waiting: queue('a redeploy', 'b redeploy'),
    next: 'b',
    superseded: ['a by b'],
    keep: 'a',
  },
  {
    name: 'a redeploy replaces no deploy: that revision would be lost',
    waiting: queue('a deploy', 'b redeploy'),
    next: 'a',
  },
  {
    name: 'scale, restart and delete are neither replaced nor replace',
    waiting: queue('a scale', 'b restart', 'c delete', 'd deploy'),
    next: 'a',
  },
  {
    name: 'a deploy after a delete replaces the one before it',
    waiting: queue('a deploy', 'b delete', 'c deploy'),
    next: 'b',
    superseded: ['a by c'],
    keep: 'a',
  },
  {
    name: 'a rollback goes first and is not replaced',
    waiting: queue('a deploy', 'b rollback', 'c deploy'),
    next: 'b',
    superseded: ['a by c'],
    keep: 'b',
  },
  { name: 'the first of two rollbacks', waiting: queue('a rollback', 'b rollback'), next: 'a' },
  {
    name: 'an earlier one that is still prepared is waited for',
    waiting: queue('a deploy preparing', 'b deploy'),
    next: null,
  },
  {
    name: 'a later one that is still prepared replaces nobody yet',
    waiting: queue('a deploy', 'b deploy requested'),
    next: 'a',
  },
  {
    name: 'a rollback waits for nobody who is prepared',
    waiting: queue('a deploy preparing', 'b rollback'),
    next: 'b',
  },
]

describe('the next deploy of an app', () => {
  it.each(cases)('$name', ({ waiting, next, superseded = [], keep = next }) => {
    const seen = decide(waiting, 'supersede')
    expect(seen.next?.id ?? null).toBe(next)
    expect(seen.superseded.map(({ deploy, by }) => `${deploy.id} by ${by.id}`)).toEqual(superseded)
    const kept = decide(waiting, 'keep')
    expect(kept.superseded).toEqual([])
    expect(kept.next?.id ?? null).toBe(keep)
  })
})

describe('in a freeze', () => {
  const cases: [string, string[], string[], string | null][] = [
    ['nobody goes', ['a scale', 'b scale'], ['a', 'b'], null],
    ['what was overridden goes past the others', ['a scale', 'b scale'], ['a'], 'b'],
    ['a rollback goes', ['a scale', 'b rollback'], ['a'], 'b'],
    ['an earlier one that is still prepared is waited for', ['a scale preparing', 'b scale'], [], null],
  ]
  it.each(cases)('%s', (_, names, frozen, next) => {
    const seen = decide(queue(...names), 'keep', deploy => frozen.includes(deploy.id))
    expect(seen.next?.id ?? null).toBe(next)
  })
  const replaced: [string, string[], string[], string[], string | null][] = [
    ['what was overridden is not replaced by one that is held', ['a', 'b'], ['b'], [], 'a'],
    ['what was overridden replaces one that is held', ['a', 'b'], ['a'], ['a by b'], 'b'],
    ['what is held replaces what is held', ['a', 'b', 'c'], ['b', 'c'], ['b by c'], 'a'],
  ]
  it.each(replaced)('%s', (_, names, frozen, superseded, next) => {
    const seen = decide(queue(...names), 'supersede', deploy => frozen.includes(deploy.id))
    expect(seen.superseded.map(({ deploy, by }) => `${deploy.id} by ${by.id}`)).toEqual(superseded)
    expect(seen.next?.id ?? null).toBe(next)
  })
  const kinds: [string, Parameters<typeof frozenBy>[0], boolean][] = [
    ['a deploy is held', { kind: 'deploy', overridden: null }, true],
    ['a delete is held', { kind: 'delete', overridden: null }, true],
    ['a rollback is not', { kind: 'rollback', overridden: null }, false],
    ['what was overridden is not', { kind: 'deploy', overridden: { by: ana, reason: 'fire', at: 1 } }, false],
  ]
  it.each(kinds)('%s', (_, deploy, held) => {
    expect(frozenBy(deploy)).toBe(held)
  })
})

const lockOf = (environment: string | null, app: string | null, expiresAt = 100): Lock => ({
  schema: 1,
  scope: app ? 'app' : environment ? 'env' : 'all',
  environment,
  app,
  by: { id: 'token:1', name: 'cho' },
  reason: 'debugging',
  at: 0,
  expiresAt,
})

describe('a lock', () => {
  const held: [string, Lock, boolean][] = [
    ['of everything holds', lockOf(null, null), true],
    ['of the environment holds', lockOf('staging', null), true],
    ['of the app there holds', lockOf('staging', 'web'), true],
    ['of another environment does not', lockOf('production', null), false],
    ['of another app does not', lockOf('staging', 'shop'), false],
    ['of the app elsewhere does not', lockOf('production', 'web'), false],
    ['whose time is over does not', lockOf(null, null, 50), false],
  ]
  it.each(held)('%s', (_, lock, holds) => {
    expect(heldBy([lock], { app: 'web', environment: 'staging' }, 50)).toEqual(holds ? lock : null)
  })
})

it('a lock that a rollback left behind holds what is shipped, and lets a person go back', () => {
  const left: Lock = { ...lockOf('staging', 'web'), expiresAt: null, deploy: '01k' }
  const at = { app: 'web', environment: 'staging' }
  expect(heldBy([left], { ...at, kind: 'deploy' }, Number.MAX_SAFE_INTEGER)).toBe(left)
  expect(heldBy([left], { ...at, kind: 'rollback' }, 50)).toBeNull()
  expect(heldBy([lockOf('staging', 'web')], { ...at, kind: 'rollback' }, 50)).not.toBeNull()
})

describe('a slot', () => {
  const slots: [string, number[], number, number, number | null][] = [
    ['the first', [], 3, 0, 0],
    ['the next free one', [0, 1], 3, 0, 2],
    ['none', [0, 1, 2], 3, 0, null],
    ['from where it begins to look', [], 3, 2, 2],
    ['round the corner', [2], 3, 2, 0],
    ['with any number to begin at', [], 3, 1_679_615, 1_679_615 % 3],
    ['only below the limit of now: it was lowered', [0, 7], 1, 0, null],
    ['none while more run than the limit of now', [4, 5, 6], 2, 0, null],
  ]
  it.each(slots)('%s', (_, taken, parallel, from, slot) => {
    expect(freeSlot(new Set(taken), parallel, from)).toBe(slot)
  })
})
