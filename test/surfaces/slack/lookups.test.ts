// The small look-ups of the surface: who may approve, which replica has an envelope, which names there are.
import { describe, expect, it } from 'vitest'
import type { Person } from '../../../src/config.ts'
import type { Caller, Core } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema, type Grant } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { slackApprovers } from '../../../src/surfaces/slack/approvers.ts'
import { slackClaims } from '../../../src/surfaces/slack/claims.ts'
import { appNames } from '../../../src/surfaces/slack/names.ts'
import { testKv } from '../../support/etcd.ts'

describe('approvers', () => {
  const approver = (environments: string[]): Grant => ({ role: 'approver', apps: ['*'], environments })
  const person = (id: string, slack: string | null, email: string | null, grants: Grant[]): Person => ({
    id,
    name: id,
    slack,
    email,
    grants,
  })
  const people = [
    person('cho', 'U0CHO', null, [approver(['production'])]),
    person('dan', null, 'dan@example.com', [approver(['production'])]),
    person('eli', null, 'gone@example.com', [approver(['production'])]),
    person('far', null, 'far@example.com', [approver(['production'])]),
    person('fay', 'U0FAY', null, [approver(['staging'])]),
    person('gus', 'U0GUS', null, [{ role: 'deployer', apps: ['*'], environments: ['production'] }]),
  ]
  const approversWith = (
    requesterCounts: boolean,
    groupMembers = async () => ['U0BEN', 'U0CHO'],
    known = people,
  ) =>
    slackApprovers({
      log: { warn: () => undefined },
      workspace: {
        groupMembers,
        personByEmail: async email =>
          email === 'gone@example.com'
            ? null
            : {
                id: `U0${email.split('@')[0]?.toUpperCase()}`,
                name: 'dan',
                email,
                guest: false,
                foreign: email === 'far@example.com',
                deleted: false,
                bot: false,
              },
      },
      people: known,
      groups: [
        { name: 'release', id: 'S1', grants: [approver(['production'])] },
        { name: 'others', id: 'S2', grants: [approver(['staging'])] },
      ],
      environments: new Map([
        [
          'production',
          {
            ...environmentSchema.parse({ protected: true, approvals: { requesterCounts } }),
            name: 'production',
          },
        ],
      ]),
    })
  const deploy = (by: string, environment = 'production') =>
    ({ app: 'web', environment, requestedBy: { id: by } }) as Deploy

  it('by member id, by e-mail and by user group, each once', async () => {
    expect(await approversWith(false)(deploy('slack:U1'))).toEqual(['U0CHO', 'U0DAN', 'U0BEN'])
  })
  it('not who asked, unless they count', async () => {
    expect(await approversWith(false)(deploy('slack:U0BEN'))).not.toContain('U0BEN')
    expect(await approversWith(true)(deploy('slack:U0BEN'))).toContain('U0BEN')
    // By a token of theirs.
    const byToken = {
      ...deploy('token:1'),
      requestedBy: { id: 'token:1', name: 'dan', via: 'cli', person: 'dan' },
    }
    expect(await approversWith(false)(byToken as Deploy)).toEqual(['U0CHO', 'U0BEN'])
    expect(await approversWith(true)(byToken as Deploy)).toContain('U0DAN')
  })
  it('nobody where the environment is not configured any more', async () => {
    expect(await approversWith(false)(deploy('slack:U1', 'gone'))).toEqual([])
  })
  it('those it can know where Slack does not tell of a group; throws where it knows nobody then', async () => {
    const down = () => Promise.reject(new Error('down'))
    expect(await approversWith(false, down)(deploy('slack:U1'))).toEqual(['U0CHO', 'U0DAN'])
    await expect(approversWith(false, down, [])(deploy('slack:U1'))).rejects.toThrow('down')
  })
})

describe('claims', () => {
  it('one replica has an envelope, and keeps it', async () => {
    const kv = await testKv()
    const keys = keysBelow(kv.root)
    const [one, two] = ['one', 'two'].map(replica => slackClaims({ kv, keys, replica }))
    const claimed = await Promise.all([one?.('T.1'), two?.('T.1')])
    expect(claimed.filter(Boolean)).toHaveLength(1)
    const [winner, loser] = claimed[0] ? [one, two] : [two, one]
    expect([await winner?.('T.1'), await loser?.('T.1'), await loser?.('T.2')]).toEqual([true, false, true])
    const { entries } = await kv.list(`${kv.root}seen/slack/`)
    expect(entries).toHaveLength(2)
  })
})

describe('names', () => {
  const viewer = (apps: string[]): Caller => ({
    actor: { id: 'slack:U1', name: 'ana', via: 'slack' },
    grants: [{ role: 'viewer', apps, environments: ['*'] }],
  })
  function namesWith(list: () => Promise<readonly string[]>) {
    let now = 0
    let reads = 0
    const core = {
      listNames: async () => {
        reads++
        return list()
      },
    } satisfies Pick<Core, 'listNames'>
    return {
      names: appNames({ core, now: () => now }),
      reads: () => reads,
      pass: (ms: number) => {
        now += ms
      },
    }
  }

  it('only what the caller may see, read once in some seconds for all', async () => {
    const { names, reads, pass } = namesWith(async () => ['web', 'api'])
    expect(await names.seenBy(viewer(['*']))).toEqual(['web', 'api'])
    expect(await names.seenBy(viewer(['api']))).toEqual(['api'])
    expect(await names.seenBy({ ...viewer([]), grants: [] })).toEqual([])
    expect(reads()).toBe(1)
    pass(600)
    await names.seenBy(viewer(['*']), { fresh: true })
    expect(reads()).toBe(2)
  })
  it('the last known while the store does not answer, and nobody waits for it', async () => {
    let up = true
    const { names, pass } = namesWith(() => (up ? Promise.resolve(['web']) : new Promise(() => undefined)))
    await names.seenBy(viewer(['*']))
    up = false
    pass(60_000)
    const begun = performance.now()
    expect(await names.seenBy(viewer(['*']))).toEqual(['web'])
    expect(performance.now() - begun).toBeLessThan(200)
  })
  it('not known at all: null, not empty', async () => {
    expect(await namesWith(() => Promise.reject(new Error('down'))).names.seenBy(viewer(['*']))).toBeNull()
  })
})
