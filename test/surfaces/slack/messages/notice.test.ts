// What a notice looks like, and what the message of a deploy says and offers where its rollback locked the app.
import { describe, expect, it } from 'vitest'
import { environmentSchema } from '../../../../src/core/environment.ts'
import { nagOf, nagTime } from '../../../../src/core/lock-nag.ts'
import type { Notice } from '../../../../src/core/notices.ts'
import { mainMessage } from '../../../../src/surfaces/slack/messages/main.ts'
import { slackMention } from '../../../../src/surfaces/slack/messages/names.ts'
import { noticeMessage } from '../../../../src/surfaces/slack/messages/notice.ts'
import { ana, type deployOf, prepared, runningOf } from '../../../core/sample.ts'

const options = { mention: slackMention, command: '/gkube', links: { compare: null } }
const hour = 3_600_000
const now = Date.UTC(2026, 10, 24, 7)

type Shown = {
  text?: { text: string }
  elements?: { text?: { text: string }; value?: string; action_id?: string }[]
}
const read = (message: { blocks: readonly object[] }) => {
  // As Slack takes them; what is not there is not read.
  const blocks = message.blocks as readonly Shown[]
  return {
    words: blocks.flatMap(block => block.text?.text ?? []).join('\n'),
    buttons: blocks.flatMap(block =>
      (block.elements ?? []).flatMap(one => (one.action_id ? [`${one.text?.text} ${one.value}`] : [])),
    ),
  }
}

describe('a notice', () => {
  const nag = nagOf(
    {
      schema: 1,
      scope: 'app',
      environment: 'production',
      app: 'web',
      by: { id: 'slack:U0ANA', name: 'ana' },
      reason: 'looking for a <leak>',
      at: now - 23 * hour,
      expiresAt: now + hour,
    },
    now,
  )
  it('that a lock ends says which, when, why and how to keep it, in words of Slack, with the button to end it', () => {
    if (!nag) throw new Error('a lock that ends is told')
    const { words, buttons } = read(noticeMessage({ ...nag, schema: 1 }, options))
    expect(words).toBe(
      ':hourglass_flowing_sand: <@U0ANA>: Your lock of web in production ends in 60 min (Tue 08:00 UTC): looking for a &lt;leak&gt;. What waits for it starts then. To keep it, lock it again: /gkube lock web in production',
    )
    expect(buttons).toEqual(['Unlock… production/web'])
  })

  it.each([
    [
      'somebody unknown to Slack is named',
      { to: { id: 'token:ci', name: 'ci' } },
      ':x: ci: Storage is full.',
    ],
    [
      'nobody is mentioned by what was typed',
      { to: null, text: '<!channel> is full' },
      ':x: &lt;!channel&gt; is full',
    ],
  ])('%s', (_, over, words) => {
    const notice: Notice = {
      schema: 1,
      kind: 'volume_full',
      environment: 'production',
      text: 'Storage is full.',
      at: now,
      ...over,
    }
    const shown = read(noticeMessage(notice, options))
    expect(shown.words).toBe(words)
    expect(shown.buttons).toEqual([])
  })
})

it.each([
  ['a day', 24 * hour, 23 * hour],
  ['two hours', 2 * hour, 1.5 * hour],
  ['ten minutes', hour / 6, hour / 8],
  ['a moment', hour / 7, null],
])('of a lock for %s', (_, lasts, after) => {
  expect(nagTime(now, now + lasts)).toBe(after === null ? null : now + after)
})

describe('a deploy that failed', () => {
  const environment = { ...environmentSchema.parse({}), name: 'staging' }
  const cause = { reason: 'crash_loop', message: 'The new pods crash at start.' } as const
  const facts = (over: Parameters<typeof deployOf>[0]) => ({
    deploy: {
      ...runningOf(['apply', 'rollout', 'record'], 'rollout', { prepared, requestedBy: ana }),
      startedAt: 2000,
      endedAt: 3000,
      cause,
      reason: cause.reason,
      ...over,
    },
    environment,
    progress: null,
    diagnosis: null,
    planned: null,
    waiting: null,
    now: 4000,
  })

  it('and locked the app says so, and has the button to unlock it', () => {
    const rollback = { attemptedAt: 2500, spec: 's', revision: '1.4.1' }
    const shown = read(mainMessage(facts({ phase: 'rolled_back', rollback, locked: true }), options))
    expect(shown.words).toContain('*web* in *staging* is locked until somebody unlocks it.')
    expect(shown.buttons).toContain('Unlock… staging/web')
    const free = read(mainMessage(facts({ phase: 'rolled_back', rollback }), options))
    expect(free.words).not.toContain('locked')
    expect(free.buttons.join()).not.toContain('Unlock')
  })

  it.each([
    ['hold', 'It is left as it is, to be looked at.'],
    ['ask', 'It is left as it is: roll it back, or mend it?'],
  ] as const)('and is left by policy (%s) says so, and offers the way back', (onFailure, words) => {
    const shown = read(mainMessage(facts({ phase: 'failed', prepared: { ...prepared, onFailure } }), options))
    expect(shown.words).toContain(words)
    expect(shown.buttons.join()).toContain('Roll back to 1.4.1…')
  })

  it.each([
    [
      '1.4.0',
      'Retry… 01k,Roll back to 1.4.0… 01k,Logs 01k',
      'It is left as it is: roll it back, or mend it?',
    ],
    [null, 'Retry… 01k,Logs 01k', ''],
  ])('and the one before failed, too: the way back is to what worked last (%s)', (good, buttons, words) => {
    const before = { ...prepared, onFailure: 'ask' as const, base: { ...prepared.base, good } }
    const shown = read(mainMessage(facts({ phase: 'failed', prepared: before }), options))
    expect(shown.buttons.join()).toBe(buttons)
    expect(shown.words).toContain(words)
    if (good === null) expect(shown.words).not.toContain('roll it back')
  })
})
