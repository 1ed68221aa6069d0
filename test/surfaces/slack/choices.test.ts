// What the pickers of the deploy dialog know is cut for each caller: nothing is handed from one to another.
import { describe, expect, it } from 'vitest'
import type { Caller, Core } from '../../../src/core/core.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { may } from '../../../src/core/policy.ts'
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
