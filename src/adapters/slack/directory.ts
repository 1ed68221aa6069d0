// Who is who in the workspace, remembered for a minute: people, e-mails, user groups, channels. When Slack does not
// tell, it throws (UserError `unavailable`): nobody is taken for somebody. What follows from it is the surface's.
import { UserError } from '../../errors.ts'
import { remembered } from './remembered.ts'
import type { Scheduler } from './scheduler.ts'
import type { Answer, SlackWeb } from './web.ts'

export type SlackPerson = {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly guest: boolean
  readonly foreign: boolean
  readonly deleted: boolean
  readonly bot: boolean
}

export type Self = { readonly userId: string; readonly botId: string; readonly teamId: string }

export type Directory = {
  /** Ourselves, asked once. */
  self(): Promise<Self>
  person(userId: string): Promise<SlackPerson | null>
  personByEmail(email: string): Promise<SlackPerson | null>
  groupMembers(groupId: string): Promise<readonly string[]>
  /** `unknown`: the token may not look at channels. */
  membership(channel: string): Promise<'member' | 'not_member' | 'unknown'>
}

const keepMs = 60_000
const failedMs = 2_000
/** A person waits for these: their command is answered within 2.5 s. */
const withinMs = 1_500
/** Groups have few turns (tier 2): who asks first is told that it is not known yet, who asks again hears it. */
const groupWithinMs = 30_000

export function slackDirectory(deps: {
  readonly web: Pick<SlackWeb, 'call'>
  readonly scheduler: Pick<Scheduler, 'run'>
  /** Monotonic milliseconds. */
  readonly now: () => number
}): Directory {
  const { web, scheduler, now } = deps

  async function ask(method: string, args: Record<string, unknown>, within = withinMs) {
    const answer = await scheduler.run({ method, priority: 'interactive', within }, () =>
      web.call(method, args, { timeoutMs: withinMs }),
    )
    if (answer.kind === 'ok' || answer.kind === 'error') return answer
    throw unavailable(method, answer)
  }

  const keep = <T>(keepFor: number, one: (key: string) => Promise<T>) =>
    remembered({ keepMs: keepFor, failedMs, most: 5_000, now, ask: one })

  const self = keep(Number.POSITIVE_INFINITY, async () => {
    const answer = await ask('auth.test', {})
    if (answer.kind === 'error') throw unavailable('auth.test', answer)
    const { user_id: userId, bot_id: botId, team_id: teamId } = answer.data
    if (typeof userId !== 'string' || typeof teamId !== 'string') throw unavailable('auth.test', answer)
    return { userId, botId: typeof botId === 'string' ? botId : '', teamId }
  })

  const lookUp = async (method: string, args: Record<string, unknown>): Promise<SlackPerson | null> => {
    const { teamId } = await self('self')
    const answer = await ask(method, args)
    if (answer.kind === 'ok') return personOf(answer.data.user, teamId)
    if (['user_not_found', 'users_not_found', 'user_not_visible'].includes(answer.code)) return null
    throw unavailable(method, answer)
  }

  return {
    self: () => self('self'),
    person: keep(keepMs, user => lookUp('users.info', { user })),
    personByEmail: keep(keepMs, email => lookUp('users.lookupByEmail', { email })),
    groupMembers: keep(keepMs, async usergroup => {
      const answer = await ask('usergroups.users.list', { usergroup, include_disabled: false }, groupWithinMs)
      const users = answer.kind === 'ok' ? answer.data.users : null
      // Also a group that is not there: a name that is wrong in gkube.yaml must be heard of.
      if (!Array.isArray(users)) throw unavailable(`user group ${usergroup}`, answer)
      return users.filter(user => typeof user === 'string')
    }),
    membership: keep(keepMs, async channel => {
      const answer = await ask('conversations.info', { channel })
      if (answer.kind === 'error') {
        if (answer.code === 'missing_scope') return 'unknown'
        if (answer.code === 'channel_not_found') return 'not_member'
        throw unavailable('conversations.info', answer)
      }
      const found = answer.data.channel as Partial<Record<string, unknown>> | undefined
      // Direct messages have no members; the bot is in those it is shown.
      if (found?.is_archived === true) return 'not_member'
      return found?.is_member === true || found?.is_im === true ? 'member' : 'not_member'
    }),
  }
}

function personOf(user: unknown, teamId: string): SlackPerson | null {
  if (typeof user !== 'object' || user === null || !('id' in user) || typeof user.id !== 'string') return null
  // What Slack says of a user; each field is looked at before it is believed.
  const facts = user as Partial<Record<string, unknown>>
  const profile = (facts.profile ?? {}) as Partial<Record<string, unknown>>
  const grid = facts.enterprise_user as { teams?: unknown } | undefined
  const ours = facts.team_id === teamId || (Array.isArray(grid?.teams) && grid.teams.includes(teamId))
  return {
    id: user.id,
    name:
      text(profile.display_name) ??
      text(profile.real_name) ??
      text(facts.real_name) ??
      text(facts.name) ??
      user.id,
    email: text(profile.email),
    guest: facts.is_restricted === true || facts.is_ultra_restricted === true,
    foreign: facts.is_stranger === true || !ours,
    deleted: facts.deleted === true,
    bot: facts.is_bot === true,
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** Says it to people; the code is for whoever looks at the app's settings. */
export function unavailable(what: string, answer: Answer | { readonly kind: 'dropped' }): UserError {
  const why =
    answer.kind === 'error'
      ? answer.code
      : answer.kind === 'limited'
        ? 'it limits how often it may be asked'
        : 'message' in answer
          ? answer.message
          : answer.kind === 'dropped'
            ? 'too many questions wait already'
            : 'an answer without what was asked for'
  return new UserError(
    'unavailable',
    `Slack did not tell (${what}: ${why}). Try again in a moment; \`gkube doctor\` shows what is wrong if it stays.`,
  )
}
