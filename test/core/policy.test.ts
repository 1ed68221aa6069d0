// Who may do what, where; and what a refusal says.
import { describe, expect, it } from 'vitest'
import type { Caller } from '../../src/core/core.ts'
import type { Grant, Role } from '../../src/core/environment.ts'
import {
  type Action,
  actions,
  demand,
  everywhere,
  may,
  type Place,
  roleActions,
} from '../../src/core/policy.ts'

const staging = { name: 'staging', protected: false }
const production = { name: 'production', protected: true }
const caller = (...grants: Grant[]): Caller => ({
  actor: { id: 'token:1', name: 'ana', via: 'cli' },
  grants,
})
const grant = (role: Role, environments = ['*'], apps = ['*']): Grant => ({ role, apps, environments })
const web: Place = { app: 'web', environment: staging }
const webThere: Place = { app: 'web', environment: production }

describe('may', () => {
  const cases: [string, Caller, Action, Place, boolean][] = [
    ['nobody, without a grant', caller(), 'view', web, false],
    ['a viewer look', caller(grant('viewer')), 'view', web, true],
    ['a viewer deploy', caller(grant('viewer')), 'deploy', web, false],
    ['a deployer deploy', caller(grant('deployer')), 'deploy', web, true],
    ['a deployer approve', caller(grant('deployer')), 'approve', web, false],
    ['an approver approve', caller(grant('approver')), 'approve', web, true],
    ['an approver deploy', caller(grant('approver')), 'deploy', web, false],
    ['an operator delete', caller(grant('operator')), 'delete', web, true],
    ['an operator make tokens', caller(grant('operator')), 'tokens', everywhere, false],
    ['* cover a protected environment', caller(grant('deployer')), 'deploy', webThere, false],
    ['its name cover it', caller(grant('deployer', ['production'])), 'deploy', webThere, true],
    ['an admin’s * cover it', caller(grant('admin')), 'deploy', webThere, true],
    ['a grant for another environment', caller(grant('deployer', ['production'])), 'deploy', web, false],
    ['a grant for another app', caller(grant('deployer', ['*'], ['shop'])), 'deploy', web, false],
    ['a grant for the app', caller(grant('deployer', ['*'], ['web'])), 'deploy', web, true],
    [
      'two grants be put together: role of one, place of the other',
      caller(grant('deployer', ['production']), grant('viewer', ['staging'])),
      'deploy',
      web,
      false,
    ],
    ['any grant do where no place is asked', caller(grant('viewer', ['x'], ['y'])), 'view', {}, true],
    ['an admin of everything make tokens', caller(grant('admin')), 'tokens', everywhere, true],
    ['an admin of one app make tokens', caller(grant('admin', ['*'], ['web'])), 'tokens', everywhere, false],
    ['an admin of one environment', caller(grant('admin', ['staging'])), 'tokens', everywhere, false],
    ['all apps be one app', caller(grant('operator', ['*'], ['web'])), 'lock', { app: '*' }, false],
    ['an app that is called like a role', caller(grant('viewer', ['*'], ['admin'])), 'tokens', {}, false],
  ]
  it.each(cases)('%s', (_, who, action, place, expected) => {
    expect(may(who, action, place)).toBe(expected)
  })
  it('an admin do all that there is, and every other role less', () => {
    expect(roleActions.admin).toEqual(actions)
    for (const [role, list] of Object.entries(roleActions))
      if (role !== 'admin') expect(list.length).toBeLessThan(actions.length)
  })
})

describe('a refusal', () => {
  const people = [
    { name: 'ben', grants: [grant('deployer', ['production'])] },
    { name: 'cho', grants: [grant('viewer')] },
  ]
  const words: [string, Action, Place, string][] = [
    ['names who may', 'deploy', webThere, 'ana may not deploy web in production. Who may: @ben.'],
    [
      'names the role to ask for where nobody is known',
      'approve',
      webThere,
      'ana may not approve web in production. Ask an admin for the role approver in production.',
    ],
    [
      'says what is meant by all',
      'lock',
      { app: '*', environment: production },
      'ana may not lock all apps in production. Ask an admin for the role operator in production.',
    ],
    [
      'says what is meant by everywhere',
      'tokens',
      everywhere,
      'ana may not manage tokens for all apps in all environments. Ask an admin for the role admin in all environments.',
    ],
  ]
  it.each(words)('%s', (_, action, place, message) => {
    expect(() => demand(caller(grant('viewer')), action, place, people)).toThrow(message)
  })
  it('names ten of many and counts the rest', () => {
    const many = Array.from({ length: 13 }, (_, n) => ({ name: `p${n}`, grants: [grant('admin')] }))
    const all = () => demand(caller(), 'freeze', { app: '*', environment: staging }, many)
    expect(all).toThrow(
      'ana may not freeze all apps in staging. Who may: @p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9 and 3 more.',
    )
  })
  it('is silent where it is allowed', () => {
    expect(demand(caller(grant('deployer', ['production'])), 'deploy', webThere, people)).toBeUndefined()
  })
})
