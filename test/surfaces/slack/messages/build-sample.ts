// Builds for tests of the renderers: shop/web #214, in any state.
import type { Build, PendingInput } from '../../../../src/core/builds/build.ts'
import { blankBuild } from '../../../../src/core/builds/records.ts'
import type { BuildMessageFacts } from '../../../../src/core/messages.ts'
import { slackMention } from '../../../../src/surfaces/slack/messages/names.ts'
import { slackRenderer } from '../../../../src/surfaces/slack/messages/renderer.ts'
import { now, production, staging } from './sample.ts'

/** Two minutes into a build that takes three, by Jenkins' own doing. */
export const build = (over: Partial<Build> = {}): Build => ({
  ...blankBuild({ id: '01kbuild', now: now - 130_000, job: 'shop/web', apps: ['web'] }),
  number: 214,
  url: 'https://ci.example.com/job/shop/job/web/214/',
  startedAt: now - 120_000,
  usualMs: 180_000,
  branch: 'main',
  commit: 'a1b2c3d4e5f6a7b8',
  cause: 'Started by an SCM change',
  changes: [
    { commit: 'a1', author: 'Ana', email: null, slack: 'U0ANA', message: 'Pay' },
    { commit: 'b2', author: 'Ana', email: null, slack: 'U0ANA', message: 'Pay more' },
    { commit: 'c3', author: 'Zoe <z@x>', email: null, slack: null, message: 'Fix' },
  ],
  changesTotal: 3,
  told: [{ channel: 'C0SHOP', events: 'asked' }],
  ...over,
})

/** As it ended a moment ago. */
export const over = (result: Build['result'], more: Partial<Build> = {}): Build =>
  build({
    phase: 'finished',
    result,
    verified: true,
    durationMs: 190_000,
    endedAt: now,
    turn: result === 'SUCCESS' ? 'passed' : 'first_failure',
    tests: { total: 412, failed: 0, skipped: 0, names: [] },
    ...more,
  })

export const input = (more: Partial<PendingInput> = {}): PendingInput => ({
  id: 'Publish',
  message: 'Publish this build?',
  proceed: 'Publish',
  parameters: [],
  submitters: [],
  askedAt: now - 1000,
  answer: null,
  over: false,
  ...more,
})

export const buildFacts = (one: Build, more: Partial<BuildMessageFacts> = {}): BuildMessageFacts => ({
  build: one,
  console: null,
  events: 'asked',
  now,
  ...more,
})

export const renderer = slackRenderer({
  links: { compare: null },
  mention: slackMention,
  command: '/gkube',
  environments: name => ({ production, staging })[name],
}).build
