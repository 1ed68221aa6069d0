// The Slack app's part of gkube.yaml: which mode it comes to, where its secrets come from, and what is refused.
import { describe, expect, it } from 'vitest'
import { loadConfig, maskedConfig } from '../../src/config.ts'
import { UserError } from '../../src/errors.ts'

const environments =
  'environments: { staging: { channel: C012AB3CD, breakGlass: [ben] } }\npeople: { ben: {} }\n'
type Env = Record<string, string>

function load(yaml: string, env: Env = {}) {
  const files: Record<string, string> = {
    'gkube.yaml': environments + yaml,
    '/s/bot': 'xoxb-file\n',
    '/s/signing': 'secret\n',
    '/s/app': 'xapp-file\n',
    '/s/user': 'xoxp-wrong\n',
  }
  return loadConfig({
    env,
    read: path => {
      const text = files[path]
      if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return text
    },
  })
}

function refusal(yaml: string, env: Env = {}): string {
  try {
    load(yaml, env)
  } catch (error) {
    if (error instanceof UserError) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}

describe('a Slack app', () => {
  it('is none when nothing is said', () => {
    expect(load('').slack).toBeNull()
  })

  it('takes its secrets from files', () => {
    const { slack } = load('slack: { botTokenFile: /s/bot, signingSecretFile: /s/signing }')
    expect(slack).toEqual({
      botToken: 'xoxb-file',
      signingSecret: 'secret',
      appToken: null,
      api: 'https://slack.com/api/',
      command: '/gkube',
      members: [],
      groups: [],
      compareLink: null,
    })
  })

  it('needs no section: variables switch it on, Socket Mode without a signing secret', () => {
    const env = { GKUBE_SLACK_BOT_TOKEN: 'xoxb-1', GKUBE_SLACK_APP_TOKEN: 'xapp-1' }
    expect(load('', env).slack).toMatchObject({ botToken: 'xoxb-1', appToken: 'xapp-1', signingSecret: null })
  })

  it('knows the groups whose members Slack has', () => {
    const groups = 'groups: { managers: { slack: S012AB3CD, grants: [{ role: approver }] } }\n'
    const { slack } = load(`${groups}slack: { botTokenFile: /s/bot, appTokenFile: /s/app }`)
    expect(slack?.groups).toEqual([
      { name: 'managers', id: 'S012AB3CD', grants: [{ role: 'approver', apps: ['*'], environments: ['*'] }] },
    ])
  })

  it('is shown without its secrets', () => {
    const config = load(
      'slack: { botTokenFile: /s/bot, signingSecretFile: /s/signing, appTokenFile: /s/app }',
    )
    const shown = JSON.stringify(maskedConfig(config))
    expect(shown).toContain('/gkube')
    expect(shown).not.toMatch(/xoxb-file|xapp-file|"secret"/)
  })
})

it.each<[string, string, Env, RegExp]>([
  ['no bot token', 'slack: { signingSecretFile: /s/signing }', {}, /slack\.botToken: .*begins with xoxb-/],
  [
    'a user token',
    'slack: { botTokenFile: /s/user, signingSecretFile: /s/signing }',
    {},
    /this one does not/,
  ],
  ['no way in', 'slack: { botTokenFile: /s/bot }', {}, /signingSecretFile or GKUBE_SLACK_SIGNING_SECRET/],
  [
    'a wrong app token',
    '',
    { GKUBE_SLACK_BOT_TOKEN: 'xoxb-1', GKUBE_SLACK_APP_TOKEN: 'x' },
    /begins with xapp-/,
  ],
  [
    'a token in the clear',
    'slack: { botTokenFile: /s/bot, appTokenFile: /s/app, api: "http://slack.example.com/api" }',
    {},
    /https: the bot token would travel in the clear/,
  ],
  ['a command without its slash', 'slack: { command: gkube }', {}, /a slash command such as \/gkube/],
  ['a group of nobody', 'groups: { g: { grants: [] } }', {}, /at least one member, or a Slack user group/],
  ['break-glass for a stranger', 'defaults: { breakGlass: [bem] }', {}, /did you mean ben/],
  [
    'members in an environment that is not there',
    'slack: { botTokenFile: /s/bot, appTokenFile: /s/app, members: [{ role: viewer, environments: [stagin] }] }',
    {},
    /did you mean staging/,
  ],
])('%s is refused', (_, yaml, env, words) => {
  const message = refusal(yaml, env)
  expect(message).toMatch(words)
  expect(message).not.toContain('xoxp-wrong')
})
