// Locks as people meet them in Slack, on a whole gkube: who loses one hears it by direct message and sees who took it; a
// failed deploy that locked its app says so in its message, and whoever may unlock does it there.
import { beforeAll, expect, it } from 'vitest'
import { actionIds } from '../../src/surfaces/slack/action-ids.ts'
import { admin, ask, type Stack, ship, startStack, webApp } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({
    slack: 'http',
    speed: 40,
    environments: {
      staging: { createNamespace: true, channel: 'C0STAGING', afterRollback: 'lock' },
      production: { createNamespace: true, channel: 'C0PRODUCTION', protected: true },
    },
  })
  await stack.core.applyApp(admin, webApp(), { dryRun: false })
  expect(await ship(stack.core, { revision: '1.4.1' })).toMatchObject({ phase: 'succeeded' })
})

const control = () => stack.slack.control
const slow = { timeout: 10_000, interval: 30 }
const shown = (message: object): string => JSON.stringify(message)

it('a lock that somebody takes over: refused at first, then taken in the dialog, and told to who had it', async () => {
  const lock = { environment: 'production', app: 'web', reason: 'database moves', expiresIn: '4h' }
  await stack.core.lock({ ...admin, person: 'cho' }, { ...lock, steal: false })
  // The same person in Slack: theirs already.
  const own = await control()
    .as('cho')
    .command('production', '/gkube lock web in production for 2h still at it')
  expect(shown(own.body ?? {})).toMatch(/web in production is locked by cho: still at it/)
  expect(control().messages('@cho')).toEqual([])
  // Somebody else, who is nobody in Slack, and then by force.
  await expect(stack.core.lock(admin, { ...lock, steal: false })).rejects.toThrow(
    /locked by cho: still at it/,
  )
  await stack.core.lock(admin, { ...lock, reason: 'the shop is down', steal: true })
  await expect
    .poll(() => control().messages('@cho').map(shown).join(), slow)
    .toMatch(
      /@ana took over your lock of web in production: the shop is down\. You had locked it: still at it, until /,
    )
  // And back, in the dialog.
  await control().as('cho').command('production', '/gkube lock web in production')
  const refused = await control().as('cho').submit({ reason: 'mine again', until: '1h' })
  expect(refused.errors).toMatchObject({ steal: expect.stringContaining('locked by ana: the shop is down') })
  await control()
    .as('cho')
    .submit({ reason: 'mine again', until: '1h', steal: ['true'] })
  expect(await stack.core.locks(admin)).toMatchObject([{ by: { name: 'cho' }, reason: 'mine again' }])
  // ana's token is nobody whom Slack knows: the channel hears of it.
  await expect
    .poll(() => control().messages('production').map(shown).join(), slow)
    .toMatch(/@cho took over your lock of web in production: mine again/)
  await stack.core.unlock(admin, { environment: 'production', app: 'web', reason: '' })
})

it('a failed deploy that locked its app says so, and is unlocked by its button', async () => {
  const failed = await ship(stack.core, { revision: '1.4.2-crash' })
  expect(failed).toMatchObject({ phase: 'rolled_back', locked: true })
  const found = () =>
    control()
      .messages('staging')
      .find(one => one.text.includes('1.4.2-crash') && shown(one).includes('is locked until somebody'))
  await expect.poll(() => Boolean(found()), slow).toBe(true)
  const message = found()
  if (!message) throw new Error('no message')
  const at = { channel: message.channel, ts: message.ts }
  const { deploy } = await stack.core.request(admin, ask({ revision: '1.4.3' }))
  await expect
    .poll(async () => (await stack.core.showDeploy(admin, deploy.id)).waiting, slow)
    .toMatch(/web in staging is locked by gkube: 1\.4\.2-crash failed and was rolled back/)
  const no = await control().as('ana').click(at, actionIds.unlock)
  expect(no.outcome).toBe('ok')
  expect((await stack.core.locks(admin)).map(one => one.by.name)).toEqual(['gkube'])
  await control().as('cho').click(at, actionIds.unlock)
  await expect
    .poll(async () => (await stack.core.showDeploy(admin, deploy.id)).deploy.phase, slow)
    .toBe('succeeded')
  expect(await stack.core.locks(admin)).toEqual([])
})
