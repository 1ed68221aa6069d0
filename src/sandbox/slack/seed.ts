// Who and what is in a fresh workspace: a developer, a release manager, an operator and an outsider, three channels
// and two user groups. All of it can be given otherwise to startSlack().
import type { Channel, Person, SlashCommand, Timing, UserGroup } from './control.ts'

export const team = { id: 'T0SANDBOX', name: 'Sandbox', domain: 'sandbox' } as const
export const foreignTeam = 'T0ELSEWHERE'
export const app = { id: 'A0GKUBE', name: 'gkube', user: 'U0GKUBE', bot: 'B0GKUBE' } as const

const person = (
  id: string,
  name: string,
  real: string,
  title: string,
  more: Partial<Person> = {},
): Person => ({
  id,
  name,
  real_name: real,
  email: `${name}@example.com`,
  title,
  ...more,
})

export const people: readonly Person[] = [
  person('U0ANA', 'ana', 'Ana Costa', 'developer'),
  person('U0BEN', 'ben', 'Ben Okafor', 'release manager'),
  person('U0CHO', 'cho', 'Cho Min-ji', 'operator'),
  person('U0EVE', 'eve', 'Eve Laurent', 'guest', { guest: true }),
]

export const botPerson: Person = person(app.user, app.name, app.name, 'app', { bot: true })

const everybody = ['U0ANA', 'U0BEN', 'U0CHO']

export const channels: readonly Channel[] = [
  { id: 'C0STAGING', name: 'staging', members: [...everybody, app.user] },
  { id: 'C0PRODUCTION', name: 'production', members: [...everybody, 'U0EVE', app.user] },
  { id: 'C0GENERAL', name: 'general', members: everybody },
]

export const groups: readonly UserGroup[] = [
  { id: 'S0RELEASE', handle: 'release-managers', name: 'Release managers', users: ['U0BEN'] },
  { id: 'S0DEVELOPERS', handle: 'developers', name: 'Developers', users: ['U0ANA'] },
]

export const commands: readonly SlashCommand[] = [
  {
    command: '/gkube',
    description: 'Deploy, look, approve',
    usage_hint: 'deploy web 1.4.2 to production | help',
    should_escape: true,
  },
]

export const scopes: readonly string[] = [
  'channels:history',
  'channels:read',
  'chat:write',
  'commands',
  'files:read',
  'files:write',
  'groups:history',
  'groups:read',
  'im:history',
  'im:read',
  'im:write',
  'usergroups:read',
  'users:read',
  'users:read.email',
]

export const timing: Timing = {
  ack: 3000,
  trigger: 3000,
  respond: 30 * 60_000,
  retries: [0, 60_000, 300_000],
}
