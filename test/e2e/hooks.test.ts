// Hooks as people meet them: asked for in Slack, told in the message and its thread, run once whatever replica is there,
// and by the command line again. What each kind of end and crash comes to: test/core/runner/hooks.slow.test.ts.
import { beforeAll, expect, it } from 'vitest'
import { admin, type Stack, ship, startStack, webApp } from '../support/stack.ts'

let stack: Stack
const hook = (script: string, more: object = {}) => ({ command: ['sh', '-c', script], ...more })
/** All messages with their threads. */
const shown = () => {
  const { control } = stack.slack
  return JSON.stringify(control.messages('staging').map(({ ts }) => control.thread('staging', ts)))
}

beforeAll(async () => {
  stack = await startStack({ slack: 'http' })
})

it('a first deploy initialises, migrates and tests, and says so; a failed migration changes nothing', async () => {
  const { control } = stack.slack
  const hooks = {
    init: hook('echo tables made'),
    before: hook('echo applied 0007_cart; echo token=abcdef123456', { name: 'migrate' }),
    after: hook('echo 200 OK'),
  }
  await stack.core.applyApp(admin, webApp({ hooks }), { dryRun: false })
  await control.as('ana').command('staging', '/gkube deploy web 1.0.0 to staging')
  await control.until(() => /is live in/.test(shown()), { what: 'the deploy is live' })
  await control.until(() => /200 OK/.test(shown()), { what: 'what the last hook said' })
  expect(shown()).toMatch(/before \(migrate\) done in \d+ s/)
  expect(shown()).toMatch(/init done in \d+ s/)
  expect(shown()).toContain('applied 0007_cart')
  expect(shown()).not.toContain('abcdef123456')
  expect(await stack.kubectlGet('/apis/batch/v1/namespaces/staging/jobs')).toMatchObject({ items: [] })

  const broken = { ...hooks, before: hook('echo no such column; exit 3', { name: 'migrate' }) }
  await stack.core.applyApp(admin, webApp({ hooks: broken }), { dryRun: false })
  await control.as('ana').command('staging', '/gkube deploy web 1.1.0 to staging')
  await control.until(() => /before \(migrate\) failed: exit code 3/.test(shown()), { what: 'why it failed' })
  await control.until(() => /no such column/.test(shown()), { what: 'its last lines' })
  const [status] = await stack.core.status(admin, { app: 'web' })
  expect(status).toMatchObject({ health: 'ready', workload: { revision: '1.0.0' } })
  expect(status?.workload.initialisedAt).toBeGreaterThan(0)

  await stack.core.applyApp(admin, webApp({ hooks }), { dryRun: false })
  expect(await ship(stack.core, { revision: '1.1.0' })).toMatchObject({ phase: 'succeeded' })
})
