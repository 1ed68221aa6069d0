// Every answer to a click that does not count, word by word: it says who was first, when, and what is so now.
import { describe, expect, it } from 'vitest'
import { type Deploy, phases } from '../../../src/core/deploy.ts'
import { cancelRefusal, nowWords, overrideRefusal, voteRefusal } from '../../../src/core/use-cases/why-not.ts'
import { ana, ben, deployOf, prepared } from '../sample.ts'

const minute = 60_000
const now = 1_000 * minute
const cho = { id: 'slack:U3', name: 'cho', via: 'slack' as const }
const aye = (by = ben, at = now - minute) => ({
  by,
  decision: 'approve' as const,
  reason: '',
  at,
  hash: 'hash-1',
})
const nay = { ...aye(), decision: 'deny' as const, reason: 'not on a Friday' }
const approval = { required: 1, requesterCounts: false, votes: [], expiresAt: now + minute }
const open = deployOf({ environment: 'production', phase: 'awaiting_approval', prepared, approval })
const decided = (phase: Deploy['phase'], over: Partial<Deploy> = {}): Deploy => ({
  ...open,
  phase,
  approval: { ...approval, votes: [aye()] },
  ...over,
})
const two = { ...approval, required: 2, votes: [aye()] }

type Case = {
  name: string
  deploy: Deploy
  by?: Deploy['requestedBy']
  decision?: 'approve' | 'deny'
  hash?: string
  says: string | null
}
const cases: Case[] = [
  { name: 'it counts', deploy: open, says: null },
  { name: 'it counts for what was shown', deploy: open, hash: 'hash-1', says: null },
  { name: 'a denial counts', deploy: open, decision: 'deny', says: null },
  { name: 'a denial by the requester counts', deploy: open, by: ana, decision: 'deny', says: null },
  {
    name: 'a change of mind counts, while it asks',
    deploy: { ...open, approval: two },
    decision: 'deny',
    says: null,
  },
  {
    name: 'the requester where that counts',
    deploy: { ...open, approval: { ...approval, requesterCounts: true } },
    by: ana,
    says: null,
  },
  {
    name: 'a second click of the same person while it asks',
    deploy: { ...open, approval: two },
    says: 'You approved it already, a minute ago; it waits for 1 more approval.',
  },
  {
    name: 'the same where two are missing',
    deploy: { ...open, approval: { ...two, required: 3 } },
    says: 'You approved it already, a minute ago; it waits for 2 more approvals.',
  },
  {
    name: 'a second click of the same person, decided by it',
    deploy: decided('running'),
    says: 'You approved it already, a minute ago; it is rolling out.',
  },
  {
    name: 'already approved by another',
    deploy: decided('running'),
    by: cho,
    says: 'Already approved by @ben a minute ago; it is rolling out.',
  },
  {
    name: 'already approved and in line',
    deploy: decided('ready'),
    by: cho,
    says: 'Already approved by @ben a minute ago; it waits for its turn.',
  },
  {
    name: 'a denial when it is live',
    deploy: decided('succeeded'),
    by: cho,
    decision: 'deny',
    says: 'Already approved by @ben a minute ago; it is live.',
  },
  {
    name: 'approved, and failed since',
    deploy: decided('failed', { cause: { reason: 'crash_loop', message: 'The new pods crash.' } }),
    by: cho,
    says: 'Already approved by @ben a minute ago; it failed: The new pods crash.',
  },
  {
    name: 'already denied by another',
    deploy: decided('denied', { approval: { ...approval, votes: [nay] } }),
    by: cho,
    says: 'Already denied by @ben a minute ago: not on a Friday. Ask again: deploy web 1.4.2 to production.',
  },
  {
    name: 'already denied by oneself',
    deploy: decided('denied', { approval: { ...approval, votes: [{ ...nay, reason: '' }] } }),
    says: 'You denied it already, a minute ago. Ask again: deploy web 1.4.2 to production.',
  },
  {
    name: 'expired, but not swept yet',
    deploy: { ...open, approval: { ...approval, expiresAt: now - 2 * minute } },
    says: 'The request expired 2 minutes ago. Ask again: deploy web 1.4.2 to production.',
  },
  {
    name: 'expired',
    deploy: decided('expired', { approval, endedAt: now - 5 * minute }),
    says: 'The request expired 5 minutes ago: nobody approved it in time. Ask again: deploy web 1.4.2 to production.',
  },
  {
    name: 'superseded',
    deploy: decided('superseded', { endedAt: now - 5 * minute, supersededBy: '02k' }),
    says: 'A newer deploy of web took its place 5 minutes ago.',
  },
  {
    name: 'cancelled',
    deploy: decided('cancelled', { approval, endedAt: now - minute, cancelledBy: ana }),
    says: 'Already cancelled by @ana a minute ago.',
  },
  {
    name: 'overridden',
    deploy: decided('running', { approval, overridden: { by: cho, reason: 'fire', at: now - 3 * minute } }),
    says: '@cho overrode the approval 3 minutes ago; it is rolling out.',
  },
  {
    name: 'nothing to approve',
    deploy: decided('running', { approval: null }),
    says: 'It asks for no approval; it is rolling out.',
  },
  {
    name: 'the requester',
    deploy: open,
    by: ana,
    says: 'You asked for it yourself: who asks may not approve it in production. Who may: @ben, @release-managers.',
  },
  {
    name: 'not what was shown',
    deploy: open,
    hash: 'hash-0',
    says: 'What would run has changed since it was shown to you, so nothing was decided. Look at web 1.4.2 for production again and decide anew.',
  },
  {
    name: 'a denial of what was not shown',
    deploy: open,
    decision: 'deny',
    hash: 'hash-0',
    says: 'What would run has changed since it was shown to you, so nothing was decided. Look at web 1.4.2 for production again and decide anew.',
  },
  {
    name: 'too early',
    deploy: deployOf({ phase: 'preparing' }),
    says: 'It is still being prepared. Try again in a moment.',
  },
  {
    name: 'prepared again',
    deploy: { ...open, phase: 'preparing' },
    says: 'What would run has just changed, so it is being prepared again. Look at it again in a moment.',
  },
]

describe('a vote', () => {
  it.each(cases)('$name', ({ deploy, by = ben, decision = 'approve', hash, says }) => {
    const others = ['@ben', '@release-managers']
    expect(voteRefusal({ deploy, by, decision, hash, now, others })?.message ?? null).toBe(says)
  })
  it('is refused in words in every phase that does not ask', () => {
    for (const phase of phases.filter(one => one !== 'awaiting_approval')) {
      const refusal = voteRefusal({ deploy: decided(phase), by: cho, decision: 'approve', now, others: [] })
      expect(refusal, phase).toMatchObject({ kind: 'conflict' })
      expect(refusal?.message, phase).not.toMatch(/undefined|null|_/)
      expect(nowWords(decided(phase)), phase).not.toMatch(/undefined|_/)
    }
  })
})

describe('a cancel', () => {
  const late: [string, Deploy, string | null][] = [
    ['counts while it waits', open, null],
    ['counts while it runs', decided('running'), null],
    [
      'a second one',
      decided('cancelled', { cancelledBy: ben, endedAt: now - minute }),
      'You cancelled it already, a minute ago.',
    ],
    [
      'by another before',
      decided('cancelled', { cancelledBy: ana, endedAt: now - minute }),
      'Already cancelled by @ana a minute ago.',
    ],
    [
      'too late',
      decided('succeeded', { endedAt: now - 90 * minute }),
      'It ended already, 2 hours ago: it is live.',
    ],
    [
      'while it goes back',
      decided('rolling_back'),
      'It is being rolled back already; a rollback is not cancelled.',
    ],
  ]
  it.each(late)('%s', (_, deploy, says) => {
    expect(cancelRefusal(deploy, { by: ben, ifWaiting: false, now })?.message ?? null).toBe(says)
  })
  it('only while it waits, where that was asked', () => {
    expect(cancelRefusal(decided('running'), { by: ben, ifWaiting: true, now })?.message).toBe(
      'It runs already.',
    )
  })
})

describe('an override', () => {
  const overridden = { by: cho, reason: 'fire', at: now - 2 * minute }
  const clicks: [string, Deploy, boolean, string | null][] = [
    ['counts while it waits for approval', open, false, null],
    ['counts where a freeze holds it', decided('ready'), true, null],
    [
      'a second one',
      decided('running', { overridden: { ...overridden, by: ben } }),
      false,
      'You overrode it already, 2 minutes ago; it is rolling out.',
    ],
    [
      'after another',
      decided('ready', { overridden }),
      true,
      '@cho overrode it, 2 minutes ago; it waits for its turn.',
    ],
    [
      'with nothing in its way',
      decided('ready'),
      false,
      'Neither an approval nor a freeze is in its way: it waits for its turn.',
    ],
    [
      'when it runs',
      decided('running'),
      true,
      'Neither an approval nor a freeze is in its way: it is rolling out.',
    ],
    ['too late', decided('denied'), false, 'It is over: it was denied.'],
    ['too early', decided('preparing'), false, 'It is still being prepared. Try again in a moment.'],
    [
      'when the request has expired',
      { ...open, approval: { ...approval, expiresAt: now - minute } },
      false,
      'The request expired a minute ago. Ask again: deploy web 1.4.2 to production.',
    ],
  ]
  it.each(clicks)('%s', (_, deploy, frozen, says) => {
    expect(overrideRefusal(deploy, { by: ben, frozen, now })?.message ?? null).toBe(says)
  })
})
