// Registering an app claims its Jenkins jobs, and with them the right to their consoles, builds and inputs: nobody gets
// that of a job which feeds the app of somebody else.
import { describe, expect, it } from 'vitest'
import { environmentSchema } from '../../../src/core/environment.ts'
import { apps } from '../../../src/core/use-cases/apps.ts'
import { webApp } from '../../support/stack.ts'
import { buildsWorld, callerOf, grant, olga } from './builds-world.ts'

const cho = callerOf('cho', grant('deployer', ['other']))
const both = callerOf('dan', grant('deployer', ['other', 'web']))

describe('a job that feeds another app', () => {
  it.each([
    ['itself', cho, 'shop/web', false],
    ['a branch job, whose app is looked for before its parent’s', cho, 'shop/web/main', false],
    ['one that feeds none', cho, 'shop/other', true],
    ['for who may register that app, too', both, 'shop/web', true],
    ['for an operator', olga, 'shop/web', true],
  ] as const)('is not taken along: %s', async (_, caller, job, allowed) => {
    const { deps: few, core, keys, kv } = await buildsWorld()
    const environments = new Map([['staging', { ...environmentSchema.parse({}), name: 'staging' }]])
    const deps = { ...few, environments }
    const app = webApp({ app: 'other', jobs: ['old/other', job], environments: { staging: {} } })
    const apply = apps(deps).applyApp(caller, app, { dryRun: false })
    if (allowed) {
      await expect(apply).resolves.toMatchObject({ outcome: 'created' })
      // The same again asks for no right that it did not ask for before.
      await expect(apps(deps).applyApp(cho, app, { dryRun: false })).resolves.toMatchObject({
        outcome: 'unchanged',
      })
      return
    }
    await expect(apply).rejects.toMatchObject({
      kind: 'forbidden',
      message: expect.stringMatching(/feeds another app already.*Ask @ana, @ben/),
    })
    expect((await kv.list(keys.jobApps(job))).entries.map(one => one.key)).not.toContain(
      keys.job(job, 'other'),
    )
    await expect(core.build(cho, { job, parameters: {} })).rejects.toMatchObject({ kind: 'forbidden' })
  })
})
