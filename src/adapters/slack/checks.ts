// What `doctor` says of the Slack app: each thing that is set there or in gkube.yaml, tried now, and how to mend it.
// The scopes are app-manifest.yml's: a test compares.
import { setTimeout as wait } from 'node:timers/promises'
import type { Check } from '../../core/core.ts'
import type { Directory } from './directory.ts'
import type { Scheduler } from './scheduler.ts'
import type { Answer, SlackWeb } from './web.ts'

export const neededScopes = ['commands', 'chat:write', 'users:read'] as const

/** What is lost without each. */
export const optionalScopes: Readonly<Record<string, string>> = {
  'users:read.email':
    'people are known by their Slack id only, not by the e-mail in gkube.yaml, and whose commits failed is not mentioned',
  'usergroups:read': 'user groups cannot be read: what is granted to them holds for nobody',
  'channels:read': 'gkube cannot tell whether it is in a public channel before it posts there',
  'groups:read': 'gkube cannot tell whether it is in a private channel before it posts there',
  'im:write': 'direct messages to approvers that were interrupted may be sent twice',
  'files:write': 'logs and events in threads are cut short instead of attached',
  'channels:history': 'a message in a public channel whose posting was interrupted may be posted twice',
  'groups:history': 'a message in a private channel whose posting was interrupted may be posted twice',
}

export type ChecksOptions = {
  readonly signingSecret: string | null
  readonly appToken: string | null
  /** By environment. */
  readonly channels: readonly { readonly environment: string; readonly channel: string }[]
  readonly groups: readonly { readonly name: string; readonly id: string }[]
}

const install = 'Then reinstall the app to the workspace (Install App).'
/** Slack refuses signatures of five minutes; minutes already are a sign. */
const skewWarnMs = 30_000
const skewFailMs = 240_000
/** Groups wait for their turn, and doctor does not. */
const groupMs = 1_500

/** Never throws; each check tells of itself. */
export async function slackChecks(
  deps: {
    readonly web: SlackWeb
    readonly scheduler: Pick<Scheduler, 'run'>
    readonly directory: Pick<Directory, 'membership' | 'groupMembers'>
  },
  options: ChecksOptions,
): Promise<readonly Check[]> {
  const auth = await deps.scheduler.run({ method: 'auth.test', priority: 'interactive', within: 5_000 }, () =>
    deps.web.call('auth.test', {}, { timeoutMs: 5_000 }),
  )
  const first = tokenCheck(auth)
  const mode = modeCheck(deps.web, options)
  if (auth.kind !== 'ok') return [first, ...(await mode)]
  return [
    first,
    scopesCheck(auth.scopes),
    ...(await mode),
    clockCheck(deps.web.skewMs()),
    ...(await Promise.all(options.channels.map(one => channelCheck(deps.directory, one)))),
    ...(await Promise.all(options.groups.map(one => groupCheck(deps.directory, one)))),
  ]
}

function tokenCheck(answer: Answer | { readonly kind: 'dropped' }): Check {
  const name = 'slack token'
  if (answer.kind === 'ok') {
    const { team, user } = answer.data
    return ok(name, `${String(user)} in the workspace ${String(team)}`)
  }
  if (answer.kind === 'error')
    return failed(
      name,
      `Slack does not take the bot token (${answer.code})`,
      'Copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions of the app into slack.botTokenFile and restart gkube.',
    )
  const why = 'message' in answer ? answer.message : 'it limits how often it may be asked'
  return failed(
    name,
    `Slack does not answer: ${why}`,
    'Check the way out of this network to slack.com (DNS, proxy, firewall).',
  )
}

function scopesCheck(granted: readonly string[] | null): Check {
  const name = 'slack scopes'
  if (!granted)
    return warning(name, 'Slack does not say what the token may do', 'Nothing to do if messages arrive.')
  const lost = neededScopes.filter(scope => !granted.includes(scope))
  if (lost.length > 0)
    return failed(
      name,
      `missing: ${lost.join(', ')}`,
      `Add them under OAuth & Permissions, Bot Token Scopes. ${install}`,
    )
  const less = Object.entries(optionalScopes).filter(([scope]) => !granted.includes(scope))
  if (less.length === 0) return ok(name, 'all that gkube can use')
  const words = less.map(([scope, without]) => `without ${scope} ${without}`).join('; ')
  return warning(
    name,
    words,
    `If you want it, add ${less.map(([scope]) => scope).join(', ')} under OAuth & Permissions. ${install}`,
  )
}

async function modeCheck(web: SlackWeb, options: ChecksOptions): Promise<readonly Check[]> {
  if (!options.appToken) {
    const name = 'slack signing secret'
    return options.signingSecret
      ? [ok(name, 'set: requests come by HTTP')]
      : [
          failed(
            name,
            'not set, and there is no app token either: no request is accepted',
            'Copy the Signing Secret (Basic Information) into slack.signingSecretFile, or an app token for Socket Mode into slack.appTokenFile.',
          ),
        ]
  }
  const name = 'slack socket mode'
  const answer = await web.callAsApp('apps.connections.open', {})
  if (answer.kind === 'ok') return [ok(name, 'the app token opens connections')]
  const code = answer.kind === 'error' ? answer.code : answer.kind
  return [
    failed(
      name,
      `no connection (${code})`,
      'Make an app-level token with connections:write (Basic Information, App-Level Tokens), switch Socket Mode on, and set slack.appTokenFile.',
    ),
  ]
}

function clockCheck(skewMs: number | null): Check {
  const name = 'slack clock'
  if (skewMs === null) return warning(name, 'Slack did not tell the time', 'Nothing to do.')
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  const words = `this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} Slack`
  const mend =
    'Let this machine follow a time server (chrony, systemd-timesyncd): Slack’s requests are accepted within 5 minutes only.'
  if (Math.abs(skewMs) > skewFailMs) return failed(name, words, mend)
  if (Math.abs(skewMs) > skewWarnMs) return warning(name, words, mend)
  return ok(name, seconds < 2 ? 'as Slack’s' : words)
}

async function channelCheck(
  directory: Pick<Directory, 'membership'>,
  { environment, channel }: { readonly environment: string; readonly channel: string },
): Promise<Check> {
  const name = `slack channel of ${environment}`
  const invite = `In Slack, open the channel ${channel} and type /invite @gkube; or name another channel under environments.${environment}.channel.`
  const is = await directory.membership(channel).catch(error => String(error.message))
  if (is === 'member') return ok(name, `gkube is in ${channel}`)
  if (is === 'not_member')
    return failed(name, `gkube is not in ${channel}, or there is no such channel`, invite)
  if (is === 'unknown')
    return warning(
      name,
      `not known whether gkube is in ${channel} (scopes channels:read, groups:read)`,
      invite,
    )
  return failed(name, is, 'Try again in a minute.')
}

async function groupCheck(
  directory: Pick<Directory, 'groupMembers'>,
  { name: group, id }: { readonly name: string; readonly id: string },
): Promise<Check> {
  const name = `slack group ${group}`
  const stop = new AbortController()
  const limit = wait(groupMs, null, { signal: stop.signal }).catch(() => null)
  try {
    const members = await Promise.race([directory.groupMembers(id), limit])
    if (members === null)
      return warning(name, 'Slack has not told who is in it yet', 'Many groups take a minute: look again.')
    if (members.length > 0) return ok(name, `${members.length} members`)
    return warning(
      name,
      'has no members, so nobody has what is granted to it',
      'Add people to the user group in Slack.',
    )
  } catch (error) {
    return failed(
      name,
      error instanceof Error ? error.message : String(error),
      `Check the id ${id} under slack.groups (in Slack: People, User groups, Copy group ID) and the scope usergroups:read. Until then nobody is in it.`,
    )
  } finally {
    stop.abort()
  }
}

const ok = (name: string, message: string): Check => ({ name, state: 'ok', message, mend: '' })
const warning = (name: string, message: string, mend: string): Check => ({
  name,
  state: 'warning',
  message,
  mend,
})
const failed = (name: string, message: string, mend: string): Check => ({
  name,
  state: 'failed',
  message,
  mend,
})
