// What one may and by which grant: it must never say more or less than policy.ts allows.
import { describe, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import { environmentSchema, type Grant, type Role, roles } from '../../../src/core/environment.ts'
import { type Action, actions, may, roleActions } from '../../../src/core/policy.ts'
import { whoami } from '../../../src/core/use-cases/whoami.ts'

const environments = new Map(
  [
    { ...environmentSchema.parse({}), name: 'staging' },
    { ...environmentSchema.parse({ protected: true, breakGlass: ['ana'] }), name: 'production' },
  ].map(environment => [environment.name, environment]),
)
const ask = whoami({ environments })
const grant = (role: Role, over: Partial<Grant> = {}): Grant => ({
  role,
  apps: ['*'],
  environments: ['*'],
  ...over,
})
const caller = (grants: Grant[], person?: string): Caller => ({
  actor: { id: 'slack:U1', name: 'ana', via: 'slack' },
  grants,
  ...(person ? { person } : {}),
})
const [deployer, approver] = [grant('deployer'), grant('approver', { environments: ['production'] })]
const onlyWeb = grant('operator', { apps: ['web'], environments: ['staging'] })

describe('whoami', () => {
  it('says what one may where, and by which grant', async () => {
    const { environments: seen } = await ask(caller([deployer, approver, onlyWeb], 'ana'))
    expect(seen).toEqual([
      {
        environment: 'staging',
        protected: false,
        breakGlass: false,
        may: [
          {
            app: '*',
            actions: actions.filter(action => roleActions.deployer.includes(action)),
            by: [deployer],
          },
          {
            app: 'web',
            actions: actions.filter(action => roleActions.operator.includes(action)),
            by: [deployer, onlyWeb],
          },
        ],
      },
      {
        environment: 'production',
        protected: true,
        breakGlass: true,
        // `*` does not cover what is protected, except to look.
        may: [{ app: '*', actions: ['view', 'answer_input', 'approve'], by: [deployer, approver] }],
      },
    ])
  })
  it('says nothing of who has no grant, and needs none', async () => {
    const { actor, environments: seen } = await ask(caller([]))
    expect(actor.name).toBe('ana')
    expect(seen.map(one => one.may)).toEqual([[], []])
  })
  it('says of tokens only what holds for all of them', async () => {
    const says = async (one: Grant) =>
      (await ask(caller([one]))).environments.flatMap(({ may }) => may.flatMap(({ actions }) => actions))
    expect(await says(grant('admin'))).toContain('tokens')
    expect(await says(grant('admin', { environments: ['staging'] }))).not.toContain('tokens')
    expect(await says(grant('admin', { apps: ['web'] }))).not.toContain('tokens')
  })
  it('agrees with policy for every role and action', async () => {
    for (const role of roles) {
      const who = caller([grant(role), grant(role, { apps: ['web'], environments: ['production'] })])
      const { environments: seen } = await ask(who)
      for (const { environment, may: says } of seen) {
        const place = environments.get(environment)
        for (const app of ['*', 'web'])
          for (const action of actions.filter(
            (one): one is Exclude<Action, 'tokens' | 'view'> => !['tokens', 'view'].includes(one),
          ))
            expect(
              says.some(one => (one.app === app || one.app === '*') && one.actions.includes(action)),
              `${role} ${action} ${app} ${environment}`,
            ).toBe(place !== undefined && may(who, action, { app, environment: place }))
      }
    }
  })
})
