// Who somebody is and what follows from it; what Slack does not tell gives no rights.
import { describe, expect, it } from 'vitest'
import type { Person, SlackConfig } from '../../../src/config.ts'
import type { Grant } from '../../../src/core/environment.ts'
import { createLog } from '../../../src/log.ts'
import { slackCallers } from '../../../src/surfaces/slack/callers.ts'
import type { SlackPerson } from '../../../src/surfaces/slack/workspace.ts'

const grant = (role: Grant['role']): Grant => ({ role, apps: ['*'], environments: ['*'] })
const person = (id: string, slack: string | null, email: string | null): Person => ({
  id,
  name: id,
  slack,
  email,
  grants: [grant('operator')],
})
const people = [person('cho', 'U0CHO', 'cho@example.com'), person('dan', null, 'Dan@Example.com')]
const config: Pick<SlackConfig, 'members' | 'groups'> = {
  members: [grant('viewer')],
  groups: [{ name: 'release-managers', id: 'S1', grants: [grant('approver')] }],
}
const profile = (over: Partial<SlackPerson> = {}): SlackPerson => ({
  id: 'U1',
  name: 'somebody',
  email: null,
  guest: false,
  foreign: false,
  deleted: false,
  bot: false,
  ...over,
})
const silent = createLog({ level: 'silent', format: 'json' })
const callersWith = (answers: {
  person?: () => Promise<SlackPerson | null>
  members?: () => Promise<readonly string[]>
}) =>
  slackCallers({
    workspace: {
      person: answers.person ?? (async () => profile()),
      groupMembers: answers.members ?? (async () => []),
    },
    people,
    config,
    log: silent,
    withinMs: 50,
  })
const down = () => Promise.reject(new Error('down'))
const never = () => new Promise<never>(() => undefined)

describe('roles', () => {
  const cases: readonly (readonly [
    string,
    string,
    Parameters<typeof callersWith>[0],
    Grant['role'][],
    string | undefined,
  ])[] = [
    ['a member', 'U1', {}, ['viewer'], undefined],
    ['named by member id', 'U0CHO', {}, ['operator', 'viewer'], 'cho'],
    [
      'named by e-mail, whatever its case',
      'U1',
      { person: async () => profile({ email: 'dan@example.com' }) },
      ['operator', 'viewer'],
      'dan',
    ],
    [
      'the e-mail of somebody with another member id',
      'U1',
      { person: async () => profile({ email: 'cho@example.com' }) },
      ['viewer'],
      undefined,
    ],
    [
      'an e-mail that another workspace vouches for',
      'U1',
      { person: async () => profile({ email: 'dan@example.com', foreign: true }) },
      [],
      undefined,
    ],
    ['in the user group', 'U1', { members: async () => ['U1'] }, ['viewer', 'approver'], undefined],
    [
      'a guest in the user group',
      'U1',
      { person: async () => profile({ guest: true }), members: async () => ['U1'] },
      ['approver'],
      undefined,
    ],
    [
      'of another workspace, in the user group',
      'U1',
      { person: async () => profile({ foreign: true }), members: async () => ['U1'] },
      [],
      undefined,
    ],
    ['a guest', 'U1', { person: async () => profile({ guest: true }) }, [], undefined],
    ['a bot', 'U1', { person: async () => profile({ bot: true, email: 'dan@example.com' }) }, [], undefined],
    [
      'left the workspace, still in gkube.yaml',
      'U0CHO',
      { person: async () => profile({ deleted: true }), members: async () => ['U0CHO'] },
      [],
      undefined,
    ],
    ['nobody of the workspace', 'U0CHO', { person: async () => null }, [], undefined],
  ]
  it.each(cases)('%s', async (_name, user, answers, roles, key) => {
    const caller = await callersWith(answers).of(user)
    expect(caller.grants.map(({ role }) => role)).toEqual(roles)
    expect(caller.person).toBe(key)
    expect(caller.unsure).toBeNull()
    expect(caller.actor).toMatchObject({ id: `slack:${user}`, via: 'slack' })
  })
})

describe('Slack does not tell', () => {
  it.each([
    ['an error', down],
    ['no answer', never],
  ])('who is in the group: nobody is (%s)', async (_name, members) => {
    const caller = await callersWith({ members }).of('U1')
    expect(caller.grants.map(({ role }) => role)).toEqual(['viewer'])
    expect(caller.unsure).toMatch(/who is in @release-managers just now/)
  })
  it.each([
    ['an error', down],
    ['no answer', never],
  ])('who they are: only the rights by name hold (%s)', async (_name, ask) => {
    const cho = await callersWith({ person: ask }).of('U0CHO')
    expect(cho.grants.map(({ role }) => role)).toEqual(['operator'])
    expect(cho.unsure).toMatch(/who you are/)
    expect((await callersWith({ person: ask }).of('U1')).grants).toEqual([])
    // They may be of another workspace.
    expect((await callersWith({ person: ask, members: async () => ['U1'] }).of('U1')).grants).toEqual([])
  })
})
