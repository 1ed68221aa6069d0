// App Home: what waits for me first; within Slack's limits with 200 apps; words for somebody new.
import { describe, expect, it } from 'vitest'
import type { ApprovalRequest, Lock } from '../../../../src/core/core.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { type HomeFacts, homeView } from '../../../../src/surfaces/slack/messages/home.ts'
import { at, status } from '../answers/sample.ts'
import {
  ana,
  approval,
  ben,
  buttonsIn,
  cho,
  deploy,
  labels,
  now,
  production,
  staging,
  textsOf,
} from './sample.ts'

const none: HomeFacts = {
  actor: ben,
  approvals: [],
  asked: [],
  open: [],
  status: [],
  locks: [],
  freezes: [],
  environments: new Map([
    ['staging', staging],
    ['production', production],
  ]),
}
const request: ApprovalRequest = {
  deploy: deploy({ phase: 'awaiting_approval', approval: approval() }),
  planned: null,
  refusal: null,
}
const lock: Lock = {
  schema: 1,
  scope: 'app',
  environment: 'production',
  app: 'web',
  by: cho,
  reason: 'a leak',
  at: now,
  expiresAt: now + 3_600_000,
}
const freeze = {
  schema: 1 as const,
  environment: 'production',
  by: cho,
  reason: 'end of year',
  at: now,
  endsAt: now + 1000,
}

const home = (over: Partial<HomeFacts> = {}) => {
  const view = homeView({ ...none, ...over }, at)
  expect(problemsOf('home', view)).toEqual([])
  expect(JSON.stringify(view)).not.toContain('<!')
  return { view, words: textsOf(view.blocks).join('\n') }
}

describe('App Home', () => {
  it('tells somebody new what to type', () => {
    const { view, words } = home()
    expect(words).toContain('`/gkube deploy web 1.4.2 to staging`')
    expect(words).toContain('`/gkube whoami`')
    expect(labels(view.blocks)).toEqual(['Deploy…', 'Refresh'])
  })

  it('has what waits for me first, then what runs, environments, holds, my last ones', () => {
    const { words, view } = home({
      approvals: [request],
      open: [deploy({ id: 'mine', phase: 'running', requestedBy: ben, startedAt: now }), request.deploy],
      status: [status()],
      locks: [lock],
      freezes: [freeze],
      asked: [deploy({ phase: 'succeeded', endedAt: now, requestedBy: ben })],
    })
    const order = ['Waiting for you', 'Under way', 'Environments', 'Locks and freezes', 'My last deploys']
    expect(order.map(title => words.indexOf(title))).toEqual(
      order.map(title => words.indexOf(title)).toSorted((a, b) => a - b),
    )
    for (const title of order) expect(words).toContain(title)
    expect(words).toContain('*staging* · 1 app, all ready')
    expect(words).toContain('web  1.4.2  3/3 ready  2 h ago')
    expect(words).toContain('web 1.4.2 → production (ana, waiting for approval)')
    expect(words).toContain('web 1.4.2  production  succeeded  just now')
    expect(buttonsIn(view.blocks).map(one => [one.text, one.value])).toEqual([
      ['Deploy…', undefined],
      ['Refresh', undefined],
      ['Approve', request.deploy.id],
      ['Approve with comment…', request.deploy.id],
      ['Deny…', request.deploy.id],
      ['Cancel…', 'mine'],
      ['Unfreeze…', 'production'],
      ['Unlock…', 'production/web'],
    ])
  })

  it('leaves out what somebody else must decide', () => {
    const { words } = home({
      approvals: [{ ...request, refusal: 'You may not approve.' }],
      status: [status()],
    })
    expect(words).not.toContain('Waiting for you')
  })

  it('puts what is not well on top, with its lock', () => {
    const { words } = home({
      status: [
        status({ app: 'api' }),
        status({ app: 'web' }, { health: 'failed', ready: 0, lock }),
        status({ app: 'a', environment: 'production' }),
      ],
    })
    expect(words.indexOf('web  1.4.2  0/3 ready  2 h ago  locked: a leak')).toBeGreaterThan(-1)
    expect(words.indexOf('web  1.4.2')).toBeLessThan(words.indexOf('api  1.4.2'))
    expect(words.indexOf('*staging* · 2 apps, 1 ready')).toBeLessThan(words.indexOf('*production* · 1 app'))
  })

  it('says what could not be read', () => {
    const { words } = home({ unread: ['the clusters do not answer <!here>'] })
    expect(words).toContain(':warning: the clusters do not answer')
    expect(words).not.toContain('Nothing here yet')
  })

  it('fits with 200 apps in 12 environments, 200 requests, deploys and locks', () => {
    const many = <T>(of: (i: number) => T): T[] => Array.from({ length: 200 }, (_, i) => of(i))
    const long = { revision: 'r'.repeat(128), app: 'a'.repeat(40) }
    const { view, words } = home({
      approvals: many(i => ({ ...request, deploy: { ...request.deploy, ...long, id: `r${i}` } })),
      open: [
        ...many(i => deploy({ ...long, id: `d${i}`, phase: 'running', requestedBy: ben })),
        ...many(() => deploy({ ...long, requestedBy: ana })),
      ],
      status: Array.from({ length: 12 }, (_, e) =>
        many(i => status({ app: `app-${i}`, environment: `e${e}`, revision: long.revision })),
      ).flat(),
      locks: many(() => ({ ...lock, reason: 'x&'.repeat(250) })),
      freezes: many(() => freeze),
      asked: many(() => deploy({ ...long, phase: 'failed', endedAt: now, requestedBy: ben })),
    })
    expect(view.blocks.length).toBeLessThanOrEqual(100)
    expect(words).toContain('My last deploys')
    expect(words).toContain('/gkube status in e0')
    expect(words).toContain('and 194 more: `/gkube approvals`')
  })
})
