// Hooks on a real control plane with no more rights than `gkube rbac` prints: its Job controller decides how they end,
// its garbage collector takes their pods. The same stories, and many more, on the stand-in: test/core/runner/hooks.slow.test.ts.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Json } from '../sandbox/cluster/wire.ts'
import { admin, ship, webApp } from '../support/stack.ts'
import { played, type RealStack, startRealStack } from './real-stack.ts'

let stack: RealStack
const hook = (script: string, more: object = {}) => ({ command: ['sh', '-c', script], ...more })
const items = async (path: string): Promise<Json[]> => (await stack.wire.get(path)).body.items
const jobs = () => items(`/apis/batch/v1/namespaces/${stack.namespace('staging')}/jobs`)
const hookPods = async () =>
  (await items(`/api/v1/namespaces/${stack.namespace('staging')}/pods`)).filter(
    pod => pod.metadata.labels['app.kubernetes.io/component'],
  )
const register = (before: object) =>
  stack.core.applyApp(
    admin,
    webApp({ files: [{ path: '/etc/web/a.conf', content: 'a\n' }], hooks: { before } }),
    { dryRun: false },
  )

describe.runIf(played)('a hook before each release', () => {
  beforeAll(async () => {
    stack = await startRealStack()
  })

  it('runs to its end before anything else is written, and leaves nothing', async () => {
    await register(hook('echo migrated', { name: 'migrate' }))
    const deploy = await ship(stack.core, { revision: '1.0.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'create' })
    expect(deploy.steps[1]).toMatchObject({ name: 'before', title: 'migrate', state: 'done', message: '' })
    expect(await jobs()).toEqual([])
    await stack.wire.until(async () => (await hookPods()).length === 0)
  })

  it('fails the deploy with its exit code and last lines, and what serves goes on', async () => {
    await register(hook('echo no such column; exit 3', { name: 'migrate' }))
    const deploy = await ship(stack.core, { revision: '1.1.0' })
    expect(deploy).toMatchObject({ phase: 'failed', reason: 'job_failed', rollback: null })
    expect(deploy.cause?.message).toMatch(/^before \(migrate\) failed: exit code 3 after .* \(web-before-/)
    const { diagnosis } = await stack.core.showDeploy(admin, deploy.id)
    expect(diagnosis?.log?.lines).toEqual(['no such column'])
    expect(diagnosis?.events.map(event => event.reason)).toContain('BackoffLimitExceeded')
    expect(await jobs()).toEqual([])
    expect((await stack.core.status(admin, { app: 'web' }))[0]).toMatchObject({
      health: 'ready',
      workload: { revision: '1.0.0' },
    })
    expect(stack.log.filter(line => /forbidden/i.test(line))).toEqual([])
  })
})
