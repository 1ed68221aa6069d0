// What a channel hears of builds, by what it subscribed to: a function of the build alone.
import { describe, expect, it } from 'vitest'
import type { Build } from '../../../src/core/builds/build.ts'
import { isWorthTelling } from '../../../src/core/notifier/build-subject.ts'
import { buildOf, ending } from './build-world.ts'

const offer = (loud: boolean) => [{ app: 'web', environment: 'production', revision: '1.4.2', loud }]
const input = {
  id: 'i',
  message: '',
  proceed: '',
  parameters: [],
  submitters: [],
  askedAt: 1,
  answer: null,
  over: false,
}

const rows: readonly [string, Partial<Build>, { changes: boolean; failures: boolean }][] = [
  ['waits in the queue', { phase: 'queued' }, { changes: false, failures: false }],
  ['runs', { phase: 'running' }, { changes: false, failures: false }],
  ['waits for an answer', { phase: 'running', inputs: [input] }, { changes: true, failures: false }],
  [
    'had an answer',
    { phase: 'running', inputs: [{ ...input, over: true }] },
    { changes: false, failures: false },
  ],
  [
    'has failed, not confirmed yet',
    { phase: 'finishing', result: 'FAILURE' },
    { changes: false, failures: false },
  ],
  ['passed after a success', ending('SUCCESS'), { changes: false, failures: false }],
  [
    'is the first one known, and passed',
    ending('SUCCESS', { turn: 'first' }),
    { changes: false, failures: false },
  ],
  [
    'is the first one known, and failed',
    ending('FAILURE', { turn: 'first' }),
    { changes: true, failures: true },
  ],
  ['failed after a success', ending('FAILURE'), { changes: true, failures: true }],
  ['failed again', ending('UNSTABLE', { turn: 'still_failing' }), { changes: true, failures: true }],
  ['is back to normal', ending('SUCCESS', { turn: 'back_to_normal' }), { changes: true, failures: true }],
  [
    'may be deployed if a person says so',
    ending('SUCCESS', { offers: offer(true) }),
    { changes: true, failures: false },
  ],
  ['may be deployed', ending('SUCCESS', { offers: offer(false) }), { changes: false, failures: false }],
  ['was aborted', ending('ABORTED', { turn: 'aborted' }), { changes: false, failures: false }],
  ['was cancelled in the queue', { phase: 'cancelled' }, { changes: false, failures: false }],
  ['was lost', { phase: 'lost' }, { changes: false, failures: false }],
]

describe('a build that', () => {
  it.each(rows)('%s', (_, over, expected) => {
    const build = buildOf(over)
    const heard = (events: Parameters<typeof isWorthTelling>[1]) => isWorthTelling(build, events)
    expect({ changes: heard('changes'), failures: heard('failures') }).toEqual(expected)
    // Who asked for it, or wants everything, hears it from the beginning.
    expect([heard('asked'), heard('all')]).toEqual([true, true])
  })
})
