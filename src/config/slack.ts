// The Slack app's part of the configuration: its secrets, its mode, and the user groups that give rights. A token in
// the environment is enough to switch it on; config.ts calls this, adapters/slack and surfaces/slack are given it.
import type { SlackConfig } from '../config.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'
import { type Env, isLoopback, type secretsOf } from './secrets.ts'

type Context = {
  readonly env: Env
  readonly secrets: Pick<ReturnType<typeof secretsOf>, 'secret'>
  readonly report: Report
  /** Secrets are left unread: then nothing is missed. */
  readonly ignore: boolean
}

/** Null where nothing of Slack is configured. Each secret is `<key>File`, `<key>Env` or its own variable. */
export function slackOf(
  { slack, groups }: Pick<ParsedConfig, 'slack' | 'groups'>,
  { env, secrets, report, ignore }: Context,
): SlackConfig | null {
  const secret = (key: string, variable: string) =>
    env[variable] || (slack && secrets.secret(['slack'], key, slack)) || null
  const botToken = secret('botToken', 'GKUBE_SLACK_BOT_TOKEN')
  const signingSecret = secret('signingSecret', 'GKUBE_SLACK_SIGNING_SECRET')
  const appToken = secret('appToken', 'GKUBE_SLACK_APP_TOKEN')
  if (!slack && !botToken && !signingSecret && !appToken) return null
  if (ignore) return null
  checkToken('botToken', botToken, 'xoxb-', report)
  if (appToken !== null) checkToken('appToken', appToken, 'xapp-', report)
  if (signingSecret === null && appToken === null)
    report({
      path: ['slack', 'signingSecret'],
      expected:
        'slack.signingSecretFile or GKUBE_SLACK_SIGNING_SECRET (requests come in by HTTP), or an app token (Socket Mode)',
    })
  const api = slack?.api ?? 'https://slack.com/api/'
  const { protocol, host } = new URL(api)
  if (protocol !== 'https:' && !isLoopback(host))
    report({ path: ['slack', 'api'], seen: api, expected: 'https: the bot token would travel in the clear' })
  return {
    botToken: botToken ?? '',
    signingSecret,
    appToken,
    api: api.endsWith('/') ? api : `${api}/`,
    command: slack?.command ?? '/gkube',
    members: slack?.members ?? [],
    groups: Object.entries(groups).flatMap(([name, group]) =>
      group.slack === undefined ? [] : [{ name, id: group.slack, grants: group.grants }],
    ),
    compareLink: slack?.compareLink ?? null,
  }
}

/** Each kind of token begins with its name; a wrong one is the usual mistake. */
function checkToken(
  key: 'botToken' | 'appToken',
  token: string | null,
  prefix: string,
  report: Report,
): void {
  if (token?.startsWith(prefix)) return
  const variable = key === 'botToken' ? 'GKUBE_SLACK_BOT_TOKEN' : 'GKUBE_SLACK_APP_TOKEN'
  report({
    path: ['slack', key],
    expected: `a token that begins with ${prefix}, in slack.${key}File or ${variable}${token === null ? '' : '; this one does not'}`,
  })
}
