// auth.test, users.*, usergroups.* and apps.connections.open: who is who, and whom the token belongs to.
import { type Args, flagOf, needed, page } from '../arguments.ts'
import type { Person, UserGroup } from '../control.ts'
import { foreignTeam } from '../seed.ts'
import { SlackError } from '../slack-error.ts'
import type { Context, Method } from './method.ts'

/** The e-mail is shown only with its own scope. */
function described({ state, has }: Context, person: Person) {
  const team = person.foreign ? foreignTeam : state.team.id
  return {
    id: person.id,
    team_id: team,
    name: person.name,
    real_name: person.real_name,
    deleted: person.deleted ?? false,
    is_bot: person.bot ?? false,
    is_stranger: person.foreign ?? false,
    is_restricted: person.guest ?? false,
    is_ultra_restricted: person.guest ?? false,
    is_admin: false,
    is_owner: false,
    tz: 'Etc/UTC',
    profile: {
      team,
      real_name: person.real_name,
      display_name: person.name,
      title: person.title,
      ...(has('users:read.email') && !person.bot && !person.foreign ? { email: person.email } : {}),
    },
  }
}

function user(args: Args, context: Context) {
  const person = context.state.people.get(needed(args, 'user'))
  if (!person) throw new SlackError('user_not_found')
  return { user: described(context, person) }
}

/** Deactivated people are not found, nor are bots. */
function byEmail(args: Args, context: Context) {
  const email = needed(args, 'email').toLowerCase()
  const found = [...context.state.people.values()].find(
    one => one.email.toLowerCase() === email && !one.deleted && !one.bot && !one.foreign,
  )
  if (!found) throw new SlackError('users_not_found')
  return { user: described(context, found) }
}

function list(args: Args, context: Context) {
  const { items, response_metadata } = page(args, [...context.state.people.values()], 100)
  return { members: items.map(one => described(context, one)), response_metadata }
}

const group = (one: UserGroup, team: string, withUsers: boolean) => ({
  id: one.id,
  team_id: team,
  is_usergroup: true,
  name: one.name,
  handle: one.handle,
  user_count: one.users.length,
  date_delete: one.disabled ? 1 : 0,
  ...(withUsers ? { users: one.users } : {}),
})

function groups(args: Args, { state }: Context) {
  const shown = [...state.groups.values()].filter(one => !one.disabled || flagOf(args, 'include_disabled'))
  return { usergroups: shown.map(one => group(one, state.team.id, flagOf(args, 'include_users'))) }
}

function groupMembers(args: Args, { state }: Context) {
  const found = state.groups.get(needed(args, 'usergroup'))
  if (!found || (found.disabled && !flagOf(args, 'include_disabled'))) throw new SlackError('no_such_subteam')
  return { users: found.users }
}

const test = (_args: Args, { state, base }: Context) => ({
  url: `${base}/`,
  team: state.team.name,
  team_id: state.team.id,
  user: state.app.name,
  user_id: state.app.user,
  bot_id: state.app.bot,
  is_enterprise_install: false,
})

export const people: Readonly<Record<string, Method>> = {
  'auth.test': { tier: 'none', call: test },
  'users.info': { scopes: ['users:read'], tier: 4, call: user },
  'users.list': { scopes: ['users:read'], tier: 2, call: list },
  'users.lookupByEmail': { scopes: ['users:read.email'], tier: 3, call: byEmail },
  'usergroups.list': { scopes: ['usergroups:read'], tier: 2, call: groups },
  'usergroups.users.list': { scopes: ['usergroups:read'], tier: 2, call: groupMembers },
  // Tier 1 to Slack, which forgives bursts of reconnects; a window of one a minute would not.
  'apps.connections.open': {
    tier: 2,
    appToken: true,
    call: (_args, { socketUrl }) => ({ url: socketUrl() }),
  },
}
