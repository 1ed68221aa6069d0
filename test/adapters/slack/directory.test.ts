// Who is who, with Slack failing: what is remembered, what is asked once, and that nobody is taken for somebody.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { neededScopes, optionalScopes } from '../../../src/adapters/slack/checks.ts'
import { systemTimers } from '../../../src/adapters/slack/scheduler.ts'
import { slackAdapter } from '../../../src/adapters/slack/slack.ts'
import type { SandboxSlack } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'

let slack: SandboxSlack
let skipped = 0
let adapter: ReturnType<typeof slackAdapter>
beforeAll(async () => {
  slack = await startSlack({ rates: 'off' })
})
afterAll(() => slack.stop())

const make = (more: Partial<Parameters<typeof slackAdapter>[0]> = {}) =>
  slackAdapter({
    botToken: slack.botToken,
    appToken: null,
    signingSecret: 'secret',
    api: slack.api,
    channels: [
      { environment: 'staging', channel: 'C0STAGING' },
      { environment: 'general', channel: 'C0GENERAL' },
    ],
    groups: [
      { name: 'release', id: 'S0RELEASE' },
      { name: 'nobody', id: 'S0NOBODY' },
    ],
    log: () => undefined,
    timers: { ...systemTimers, now: () => performance.now() + skipped },
    ...more,
  })
beforeEach(() => {
  slack.control.clearFaults()
  slack.control.forgetCalls()
  skipped = 0
  adapter = make()
})
const asked = (method: string) => slack.control.calls(method).length

describe('a person', () => {
  test('is asked for once a minute, by however many at the same time', async () => {
    const { workspace } = adapter
    const all = await Promise.all(Array.from({ length: 20 }, () => workspace.person('U0ANA')))
    expect(new Set(all).size).toBe(1)
    expect(all[0]).toMatchObject({ name: 'ana', email: 'ana@example.com', guest: false })
    await workspace.person('U0ANA')
    expect(asked('users.info')).toBe(1)
    skipped = 61_000
    await workspace.person('U0ANA')
    expect(asked('users.info')).toBe(2)
  })

  test('who does not exist is remembered, too', async () => {
    expect(await adapter.workspace.person('U0NOBODY')).toBeNull()
    expect(await adapter.workspace.person('U0NOBODY')).toBeNull()
    expect(asked('users.info')).toBe(1)
  })

  test.each([
    ['U0EVE', { guest: true }],
    ['U0BEN', { guest: false, foreign: false, deleted: false }],
  ])('%s is told as what they are', async (id, facts) => {
    expect(await adapter.workspace.person(id)).toMatchObject(facts)
  })

  test('of another workspace, or who left, is told so', async () => {
    slack.control.setPerson('U0CHO', { foreign: true, deleted: true })
    expect(await adapter.workspace.person('U0CHO')).toMatchObject({ foreign: true, deleted: true })
    slack.control.setPerson('U0CHO', { foreign: false, deleted: false })
  })
})

describe('whose e-mail it is', () => {
  test('is asked once a minute, of nobody too; who left or is of elsewhere is not mentioned', async () => {
    for (let times = 0; times < 3; times++) {
      expect(await adapter.memberOf('ana@example.com')).toBe('U0ANA')
      expect(await adapter.memberOf('bot@example.com')).toBeNull()
    }
    expect(asked('users.lookupByEmail')).toBe(2)
    slack.control.setPerson('U0CHO', { foreign: true })
    expect(await adapter.memberOf('cho@example.com')).toBeNull()
    slack.control.setPerson('U0CHO', { foreign: false })
  })

  test.each([
    ['without the scope', { error: 'missing_scope' }],
    ['where Slack limits it', { status: 429, retryAfter: 60 }],
    ['where Slack is down', { connection: 'cut' }],
  ] as const)('is nobody’s %s, and is known soon after', async (_, fault) => {
    slack.control.fault({ method: 'users.lookupByEmail', ...fault })
    expect(await adapter.memberOf('ana@example.com')).toBeNull()
    skipped = 61_000
    expect(await adapter.memberOf('ana@example.com')).toBe('U0ANA')
  })
})

describe('a user group', () => {
  test('of many is known by the time they ask again: groups have few turns, and the last is not forgotten', async () => {
    // As fast as ten times Slack's budget.
    const timers = {
      now: () => performance.now() * 10,
      after: (ms: number, work: () => void) => systemTimers.after(ms / 10, work),
    }
    const { workspace } = make({ timers })
    // Eight turns are there at once; this is one too many.
    const ids = Array.from({ length: 9 }, (_, n) => `S0NOBODY${n}`)
    await Promise.allSettled(ids.map(id => workspace.groupMembers(id)))
    expect(asked('usergroups.users.list')).toBe(9)
  })

  test('of many does not keep doctor from telling the rest', async () => {
    const groups = Array.from({ length: 9 }, (_, n) => ({ name: `g${n}`, id: `S0NOBODY${n}` }))
    const begun = performance.now()
    const checks = await make({ groups }).checks()
    expect(performance.now() - begun).toBeLessThan(3_500)
    expect(checks.filter(({ message }) => /has not told who is in it yet/.test(message))).toHaveLength(1)
    expect(checks.find(({ name }) => name === 'slack token')?.state).toBe('ok')
  })

  test('has its members', async () => {
    expect(await adapter.workspace.groupMembers('S0RELEASE')).toEqual(['U0BEN'])
  })

  test.each([
    ['an error', { error: 'plan_upgrade_required' }, /plan_upgrade_required/],
    ['a limit', { status: 429, retryAfter: 60 }, /limits how often/],
    ['no connection', { connection: 'cut' }, /no answer from Slack/],
    ['a broken server', { status: 500 }, /500/],
  ] as const)('is not known with %s: it throws, and is asked again soon', async (_, fault, message) => {
    slack.control.fault({ method: 'usergroups.users.list', ...fault })
    const failed = adapter.workspace.groupMembers('S0RELEASE')
    await expect(failed).rejects.toThrow(message)
    await expect(failed).rejects.toMatchObject({ kind: 'unavailable' })
    // For a moment everybody hears the same; then it is tried again.
    await expect(adapter.workspace.groupMembers('S0RELEASE')).rejects.toThrow(message)
    expect(asked('usergroups.users.list')).toBe(1)
    skipped = 61_000
    expect(await adapter.workspace.groupMembers('S0RELEASE')).toEqual(['U0BEN'])
  })
})

describe('doctor', () => {
  const states = async (it = adapter) =>
    Object.fromEntries((await it.checks()).map(check => [check.name, check]))

  test('says what is wrong and how to mend it', async () => {
    const checks = await states()
    expect(checks['slack token']).toMatchObject({ state: 'ok' })
    expect(checks['slack scopes']).toMatchObject({ state: 'ok' })
    expect(checks['slack clock']).toMatchObject({ state: 'ok' })
    expect(checks['slack channel of staging']).toMatchObject({ state: 'ok' })
    expect(checks['slack channel of general']).toMatchObject({
      state: 'failed',
      mend: expect.stringContaining('/invite'),
    })
    expect(checks['slack group release']).toMatchObject({ state: 'ok' })
    expect(checks['slack group nobody']).toMatchObject({ state: 'failed' })
  })

  test('knows the scopes of the manifest, and no others', () => {
    const manifest = parse(readFileSync('app-manifest.yml', 'utf8'))
    const known = [...neededScopes, ...Object.keys(optionalScopes)]
    expect(known.toSorted()).toEqual(manifest.oauth_config.scopes.bot.toSorted())
  })

  test('names what is lost without a scope', async () => {
    slack.control.scopes(['commands', 'chat:write', 'users:read', 'channels:read', 'usergroups:read'])
    const { 'slack scopes': scopes } = await states()
    expect(scopes).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/without channels:history .*posted twice/),
    })
    slack.control.scopes(['commands', 'users:read'])
    expect((await states(make()))['slack scopes']).toMatchObject({
      state: 'failed',
      message: 'missing: chat:write',
    })
    slack.control.scopes(['commands', 'chat:write', 'users:read', 'channels:read', 'usergroups:read'])
  })

  test('tells a wrong token, a wrong clock, missing secrets, and a Slack that is down', async () => {
    expect((await states(make({ botToken: 'xoxb-wrong' })))['slack token']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('invalid_auth'),
    })
    expect((await states(make({ signingSecret: null })))['slack signing secret']).toMatchObject({
      state: 'failed',
    })
    expect((await states(make({ appToken: 'xapp-wrong' })))['slack socket mode']).toMatchObject({
      state: 'failed',
    })
    expect((await states(make({ appToken: slack.appToken })))['slack socket mode']).toMatchObject({
      state: 'ok',
    })
    const late: typeof fetch = async (...args) => {
      const response = await fetch(...args)
      const headers = new Headers(response.headers)
      headers.set('date', new Date(Date.now() - 600_000).toUTCString())
      return new Response(await response.text(), { status: response.status, headers })
    }
    expect((await states(make({ fetch: late })))['slack clock']).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/60\d s ahead/),
    })
    slack.control.offline()
    const down = await states()
    slack.control.online()
    expect(down['slack token']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('does not answer'),
    })
  })
})
