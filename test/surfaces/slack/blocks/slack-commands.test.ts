// The core names commands of the command line; in Slack they are typed otherwise.
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../../../src/core/command.ts'
import { slackCommands } from '../../../../src/surfaces/slack/blocks/slack-commands.ts'

describe('commands in words', () => {
  it.each([
    [
      'Say which: gkube deploy web 1.4.2 --environment staging',
      'Say which: /gkube deploy web 1.4.2 to staging',
    ],
    ['gkube deploy web 1.4.2 -E staging.', '/gkube deploy web 1.4.2 to staging.'],
    ['See: gkube history <app>', 'See: /gkube history <app>'],
    ['`gkube history web` shows what ran before', '`/gkube history web` shows what ran before'],
    ['gkube scale web 3 --environment staging', '/gkube scale web 3 in staging'],
    ['(gkube delete web -E staging), then again', '(/gkube delete web in staging), then again'],
    ['`gkube logs web --previous` shows all', '`/gkube logs web --previous` shows all'],
    ['All apps: gkube app list', 'All apps: /gkube list'],
    ['There is no such lock. See: gkube locks', 'There is no such lock. See: /gkube locks'],
    ['Try gkube status, then try again.', 'Try /gkube status, then try again.'],
    [
      'An approval in production needs a reason: --reason "…"',
      'An approval in production needs a reason, as a comment',
    ],
    [
      'It is locked. To take it over: --steal.',
      'It is locked. To take it over: the dialog of lock without a reason offers it.',
    ],
  ])('%s', (text, shown) => expect(slackCommands(text, '/gkube')).toBe(shown))

  it.each([
    'Register it: gkube app apply -f app.yaml, or gkube deploy -f app.yaml.',
    'gkube rbac production',
    'gkube may not list nodes here',
    'gkube token list',
    'what gkube locked stays',
    'see /usr/bin/gkube status',
  ])('leaves alone: %s', text => expect(slackCommands(text, '/gkube')).toBe(text))

  it('names the place where the text speaks about one', () => {
    const said = slackCommands('`gkube logs web --previous` and `gkube history web`', '/gkube', 'production')
    expect(said).toBe('`/gkube logs web in production --previous` and `/gkube history web in production`')
  })

  it('is called as the workspace calls it', () =>
    expect(slackCommands('gkube whoami', '/deploys')).toBe('/deploys whoami'))

  it('says what the parser takes', () => {
    const known = { apps: ['web'], environments: ['staging', 'production'] }
    for (const text of [
      'gkube deploy web 1.4.2 --environment staging',
      'gkube scale web 3 --environment staging',
      'gkube logs web --previous',
      'gkube history web',
      'gkube delete web -E staging',
    ]) {
      const typed = slackCommands(text, '', 'production').trim()
      expect(parseCommand(typed, known), typed).toMatchObject({ kind: 'command' })
    }
  })
})
