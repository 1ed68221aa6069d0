// What the pickers of the deploy dialog know is cut for each caller: nothing is handed from one to another.
import { describe, expect, it } from 'vitest'
import type { Build } from '../../../src/core/builds/build.ts'
import { blankBuild } from '../../../src/core/builds/records.ts'
import type { Caller, Core } from '../../../src/core/core.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { may } from '../../../src/core/policy.ts'
import { UserError } from '../../../src/errors.ts'
import { optionIds } from '../../../src/surfaces/slack/action-ids.ts'
import { choicesOf } from '../../../src/surfaces/slack/actions/revisions.ts'
import { deploy, now } from './messages/sample.ts'
import { surfaceWith } from './surface.ts'

const viewer = (environments: string[]): Caller => ({
  actor: { id: 'slack:U1', name: 'vic', via: 'slack' },
  grants: [{ role: 'viewer', apps: ['*'], environments }],
})
const environment = (name: string) => ({ ...environmentSchema.parse({}), name })
const staging = environment('staging')
const production = environment('production')

describe('revisions', () => {
  // As the core cuts it.
  const core = {
    listApps: async () => [],
    builds: async () => {
      throw new UserError('unavailable', 'No Jenkins is configured.')
    },
    history: async (caller: Caller) =>
      [deploy({ environment: 'production', revision: '9.9.9' }), deploy({ environment: 'staging' })].filter(
        one => may(caller, 'view', { environment: one.environment === 'staging' ? staging : production }),
      ),
  } as unknown as Core
  const seen = async (caller: Caller) =>
    (await choicesOf({ core, clock: { now: () => now } }, caller, 'web')).revisions.map(one => one.revision)

  it('of an environment that one may not look at are not told because somebody else looked before', async () => {
    expect(await seen(viewer(['*']))).toEqual(['9.9.9', '1.4.2'])
    expect(await seen(viewer(['staging']))).toEqual(['1.4.2'])
    expect(await seen(viewer(['*']))).toEqual(['9.9.9', '1.4.2'])
  })
})

describe('builds', () => {
  const build = (number: number, more: Partial<Build> = {}): Build => ({
    ...blankBuild({ id: `b${number}`, now, job: 'shop/web', apps: ['web'] }),
    number,
    phase: 'finished',
    result: 'SUCCESS',
    branch: 'main',
    commit: `3fa9c1${number}`,
    startedBy: { name: 'ana', slack: null },
    endedAt: now - 300_000,
    ...more,
  })
  const offer = { app: 'web', environment: 'production', revision: '1.5.0', loud: false }
  const found = async (builds: readonly Build[], app: object = {}) => {
    const core = {
      listApps: async () => [{ app: { app: 'web', environments: {}, ...app }, workloads: [] }],
      history: async () => [deploy({ revision: '1.4.2', phase: 'succeeded', endedAt: now - 60_000 })],
      builds: async () => builds,
    } as unknown as Core
    return (await choicesOf({ core, clock: { now: () => now } }, viewer(['*']), 'web')).revisions
  }
  it('that passed are offered by the revision that they are deployed as, before what was deployed earlier', async () => {
    expect(await found([build(215, { offers: [offer] }), build(214)])).toEqual([
      { revision: '1.5.0', runsIn: [], about: 'build 215, main, ana, 5 min ago' },
      { revision: '3fa9c1214', runsIn: [], about: 'build 214, main, ana, 5 min ago' },
      { revision: '1.4.2', runsIn: [], about: 'succeeded in production 1 min ago' },
    ])
    const numbers = await found([build(214)], { revisionFrom: 'BUILD_NUMBER' })
    expect(numbers.map(one => one.revision)).toEqual(['214', '1.4.2'])
  })
  it.each([
    ['failed', build(1, { result: 'FAILURE' })],
    ['runs', build(1, { phase: 'running', result: null })],
    ['has no commit', build(1, { commit: null })],
  ])('not one that %s', async (_, one) => {
    expect((await found([one])).map(choice => choice.revision)).toEqual(['1.4.2'])
  })
})

describe('environments', () => {
  const offered = async (grants: Caller['grants']) => {
    const surface = await surfaceWith({
      core: {},
      caller: { grants },
      over: {
        environments: new Map([
          ['staging', staging],
          ['production', { ...production, protected: true }],
        ]),
      },
    })
    const payload = {
      type: 'block_suggestion',
      user: { id: 'U1' },
      action_id: optionIds.environment,
      block_id: 'environment',
      value: '',
    }
    const { text } = await surface.send({ payload: JSON.stringify(payload) })
    return (JSON.parse(text) as { options: { value: string }[] }).options.map(one => one.value)
  }
  it('are those that one may look at', async () => {
    expect(await offered([])).toEqual([])
    expect(await offered(viewer(['staging']).grants)).toEqual(['staging'])
    expect(await offered(viewer(['*']).grants)).toEqual(['staging', 'production'])
  })
})
