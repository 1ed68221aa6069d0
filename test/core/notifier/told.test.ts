// When messages are taken off the desk for good: a function of the record, of what is told and of the time.
import { expect, it } from 'vitest'
import type { Messages } from '../../../src/core/messages.ts'
import { isTold, newItem } from '../../../src/core/notifier/item.ts'
import { drawnOf, type Standing, type Subject } from '../../../src/core/notifier/subject.ts'

const day = 24 * 3_600_000
const now = 100 * day
const drawn = drawnOf({ text: 'a', blocks: [] })
const post = { state: 'posted' as const, at: 1, channel: 'C1', ts: '1.1', shown: drawn.shown, again: false }
const ended: Partial<Standing> = { ended: true, over: true, endedAt: now - 1000 }

type Given = {
  readonly standing: Partial<Standing>
  readonly main: Messages['main']
  readonly tells?: boolean
  readonly wanted?: boolean
  readonly takenAt?: number
}
const rows: readonly [string, Given, boolean][] = [
  ['goes on', { standing: { ended: false, over: false, endedAt: null }, main: post }, false],
  ['ended, and is shown', { standing: ended, main: post }, true],
  ['ended, and shows something older', { standing: ended, main: { ...post, shown: 'old' } }, false],
  ['ended, and is not posted', { standing: ended, main: null }, false],
  ['ended, and was nothing to tell', { standing: ended, main: null, tells: false }, true],
  [
    'ended, was nothing to tell, but others want its thread',
    { standing: ended, main: null, tells: false, wanted: true },
    false,
  ],
  ['ended, but its deploys go on', { standing: { ...ended, over: false }, main: post }, false],
  [
    'ended days ago and is deployed now',
    { standing: { ...ended, over: false, endedAt: now - 9 * day }, main: post },
    false,
  ],
  [
    'has deploys that never end',
    { standing: { ...ended, over: false }, main: post, takenAt: now - 2 * day },
    true,
  ],
  [
    'ended two days ago, and no channel takes it',
    { standing: { ...ended, endedAt: now - 2 * day }, main: { ...post, state: 'refused' } },
    true,
  ],
  ['ended, and no channel takes it', { standing: ended, main: { ...post, state: 'refused' } }, false],
  ['was deleted twice', { standing: ended, main: { ...post, state: 'gone', again: true } }, true],
]

it.each(rows)('what %s', (_, { standing, main, tells = true, wanted = false, takenAt = now }, expected) => {
  const subject: Partial<Subject> = {
    standing: () => ({
      phase: 'x',
      urgency: 'running',
      ended: false,
      over: false,
      endedAt: null,
      hurry: false,
      waits: false,
      ...standing,
    }),
    tells: () => tells,
    channels: () => [],
    main: () => drawn,
    shown: () => drawn.shown,
    entries: () => [],
  }
  const value: Messages = { schema: 1, deploy: 'd', channels: ['C1'], main, thread: {}, direct: {} }
  const messages = { key: 'k', value, modRevision: '1', createRevision: '1' }
  // What else a subject has is not asked for here.
  const item = newItem('d', { subject: subject as Subject, messages, takenAt })
  expect(isTold(item, value, { now, wanted })).toBe(expected)
})
