// Every way in which new pods fail, seen on a real control plane: the cause that gkube tells, whether it waits for
// the clock, and that the app goes back to what ran. The images play on kwok's nodes (stages.ts); the scheduler,
// the quota and Pod Security refuse for real.
import { beforeAll, describe, expect, it } from 'vitest'
import { admin, ship, webApp } from '../support/stack.ts'
import { played, type RealStack, startRealStack } from './real-stack.ts'

let stack: RealStack
const rollout = { stable: '0s', progress: '10s', limit: '10s' }

beforeAll(async () => {
  if (!played) return
  stack = await startRealStack({ staging: {} })
})

/** A running app of its own, so that cases can run beside each other. */
async function running(app: string, more: Record<string, unknown> = {}): Promise<void> {
  const spec = webApp({ app, jobs: [], rollout, replicas: 1, environments: { staging: {} }, ...more })
  await stack.core.applyApp(admin, spec, { dryRun: false })
  const deploy = await ship(stack.core, { app, revision: '1.0.0' })
  expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
}

const cases = [
  { revision: '1.1.0-crash', reason: 'crash_loop', words: /crash at start: exit code 1/ },
  { revision: '1.1.0-oom', reason: 'out_of_memory', words: /out of memory/ },
  { revision: '1.1.0-missing', reason: 'image_not_found', words: /does not exist in the registry/ },
  { revision: '1.1.0-badname', reason: 'invalid_image', words: /not a valid image name/ },
  // A missing Secret may still come: it is certain after twenty seconds.
  {
    revision: '1.1.0-config',
    reason: 'config_error',
    words: /secret "web-credentials" not found/,
    rollout: { stable: '0s', progress: '40s', limit: '40s' },
  },
  { revision: '1.1.0-huge', reason: 'deadline', words: /have no node: .*Insufficient cpu/ },
  { revision: '1.1.0-unready', reason: 'deadline', words: /not ready: their readiness probe/ },
  { revision: '1.1.0-evicted', reason: 'deadline', words: /ended by its node: Evicted/ },
]

describe.runIf(played).concurrent('a rollout that fails', () => {
  it.each(cases)(
    '$revision is told as $reason, and goes back',
    async ({ revision, reason, words, ...more }) => {
      const app = `d-${revision.replace(/.*-/, '')}`
      await running(app, more)
      const deploy = await ship(stack.core, { app, revision })
      expect(deploy, deploy.cause?.message).toMatchObject({
        phase: 'rolled_back',
        reason,
        rollback: { revision: '1.0.0' },
      })
      expect(deploy.cause?.message).toMatch(words)
      const [status] = await stack.core.status(admin, { app })
      expect(status).toMatchObject({ health: 'ready', workload: { revision: '1.0.0' } })
    },
  )

  it.each(['1.1.0-slow', '1.1.0-flaky'])('%s gets there in the end', async revision => {
    const app = `d-${revision.replace(/.*-/, '')}`
    await running(app, { rollout: { ...rollout, progress: '30s', limit: '30s' } })
    const deploy = await ship(stack.core, { app, revision })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
  })
})

describe.runIf(played)('a rollout whose pods are refused', () => {
  it('by a quota says so', async () => {
    const real = await startRealStack({ staging: {} })
    const namespace = real.namespace('staging')
    const spec = webApp({ app: 'quota', jobs: [], rollout, replicas: 1, environments: { staging: {} } })
    await real.core.applyApp(admin, spec, { dryRun: false })
    expect(await ship(real.core, { app: 'quota', revision: '1.0.0' })).toMatchObject({ phase: 'succeeded' })
    const quota = { metadata: { name: 'few' }, spec: { hard: { pods: '1' } } }
    expect((await real.wire.post(`/api/v1/namespaces/${namespace}/resourcequotas`, quota)).status).toBe(201)
    const counted = `/api/v1/namespaces/${namespace}/resourcequotas/few`
    await real.wire.until(async () => (await real.wire.get(counted)).body.status?.used?.pods === '1')
    const deploy = await ship(real.core, { app: 'quota', revision: '1.1.0' })
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'deadline' })
    expect(deploy.cause?.message).toMatch(/exceeded quota: few/)
  })
})
