// What an approver is told by direct message: the request, its reminder, and what became of it.
import { describe, expect, it } from 'vitest'
import type { Deploy, Phase } from '../../../../src/core/deploy.ts'
import type { Planned } from '../../../../src/core/messages.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { approval, ben, cho, deploy, facts, labels, now, renderer, vote, wordsOf } from './sample.ts'

const planned: Planned = {
  schema: 1,
  changes: ['image 1.4.1 → 1.4.2'],
  notes: [],
  diff: '',
  since: [],
  voided: [],
  at: now,
}
const direct = (
  over: Partial<Deploy>,
  { reminder = false, ...more }: { reminder?: boolean; planned?: Planned } = {},
) => renderer.direct(facts({ planned, ...more, deploy: deploy(over) }), { reminder })

describe('a direct message to an approver', () => {
  it('asks, shows what is approved, and has the buttons', () => {
    const message = direct({ phase: 'awaiting_approval', approval: approval() })
    expect(message?.text).toBe(
      'ana asks for your approval: web 1.4.2 → production: waiting for 1 of 1 approval',
    )
    const words = wordsOf(message as NonNullable<typeof message>)
    expect(words.split('\n')[0]).toBe(
      ':hourglass_flowing_sand: @ana asks for your approval: *web* `1.4.1` → `1.4.2` · *production*',
    )
    expect(words).toContain('`sha256:3fa9c1e27b5d4f…` · cluster eu-1, namespace shop · expires 14:30 UTC')
    expect(words).toContain('*Changes*: image 1.4.1 → 1.4.2')
    expect(labels(message?.blocks)).toEqual(['Approve', 'Approve with comment…', 'Deny…'])
    expect(problemsOf('message', message)).toEqual([])
  })

  it('reminds with the time that is left said as a time', () => {
    const message = direct({ phase: 'awaiting_approval', approval: approval() }, { reminder: true })
    expect(message?.text).toMatch(/^Reminder: web 1\.4\.2 → production/)
    expect(wordsOf(message as NonNullable<typeof message>)).toContain(
      'still needs your approval, by 14:30 UTC',
    )
    expect(labels(message?.blocks)).toContain('Approve')
  })

  it.each<[Phase, Partial<Deploy>, string]>([
    ['running', { startedAt: now, approval: approval({ votes: [vote(ben)] }) }, 'approved by @ben'],
    ['denied', { endedAt: now, approval: approval({ votes: [vote(ben, 'deny')] }) }, 'denied'],
    ['expired', { endedAt: now, approval: approval() }, 'nobody approved it in time'],
    ['cancelled', { endedAt: now, approval: approval(), cancelledBy: cho }, 'cancelled by cho'],
    ['succeeded', { startedAt: now, endedAt: now, approval: approval({ votes: [vote(ben)] }) }, 'is live in'],
    [
      'ready',
      { approval: approval(), overridden: { by: cho, reason: 'outage', at: now } },
      '*OVERRIDDEN* by @cho',
    ],
  ])('says what became of it, without buttons: %s', (phase, over, said) => {
    const message = direct({ phase, ...over })
    expect(wordsOf(message as NonNullable<typeof message>)).toContain(said)
    expect(labels(message?.blocks)).toEqual([])
    expect(problemsOf('message', message)).toEqual([])
  })

  it('says that it is prepared again when votes became void', () => {
    const message = direct(
      { phase: 'preparing', prepared: null },
      { planned: { ...planned, voided: ['ben'] } },
    )
    expect(message?.text).toContain('what would run changed')
    expect(labels(message?.blocks)).toEqual([])
  })

  it.each<Phase>(['preparing', 'ready', 'running', 'succeeded'])('nothing where nobody is asked: %s', phase =>
    expect(direct({ phase })).toBeNull(),
  )
})
