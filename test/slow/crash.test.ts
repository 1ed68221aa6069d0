// kill -9 in the middle of a deploy, at many points: another process finishes it, exactly once. SIGTERM hands over
// without waiting for the lease.
import { beforeAll, describe, expect, it } from 'vitest'
import { isTerminal } from '../../src/core/deploy.ts'
import { startReplica, until } from '../support/child.ts'
import { admin, type Stack, startStack, webApp } from '../support/stack.ts'

type ReplicaSets = { items: { spec: { template: { spec: { containers: { image: string }[] } } } }[] }
let stack: Stack
let revision = 0

beforeAll(async () => {
  stack = await startStack({ speed: 4 })
  await stack.core.applyApp(admin, webApp({ replicas: 1, rollout: { stable: '0s' } }), { dryRun: false })
  // Only the children work from here on.
  await stack.server.close()
})

const imagesRolledOut = async () => {
  const sets = await stack.kubectlGet<ReplicaSets>('/apis/apps/v1/namespaces/staging/replicasets')
  return (sets?.items ?? []).map(set => set.spec.template.spec.containers[0]?.image ?? '')
}

describe('a replica is killed', () => {
  it('at any time after the request: the next one finishes it, once', async () => {
    let replica = await startReplica(stack.configFile)
    for (const delay of [0, 20, 60, 200]) {
      const tag = `1.0.${++revision}`
      const body = { app: 'web', environment: 'staging', revision: tag, idempotencyKey: tag }
      const asked = await replica.request(body)
      await new Promise(resolve => setTimeout(resolve, delay))
      const gone = replica.end('SIGKILL')
      replica = await startReplica(stack.configFile)
      await gone
      expect((await replica.request(body)).id).toBe(asked.id)
      const ended = await until(
        () => replica.show(asked.id),
        deploy => isTerminal(deploy.phase),
      )
      expect(ended, `killed after ${delay} ms`).toMatchObject({ phase: 'succeeded', revision: tag })
      expect((await imagesRolledOut()).filter(image => image.endsWith(`:${tag}`))).toHaveLength(1)
    }
    await replica.end('SIGTERM')
  }, 60_000)

  it('during a rollback: it is finished, and not done twice', async () => {
    const first = await startReplica(stack.configFile)
    const asked = await first.request({ app: 'web', environment: 'staging', revision: 'crash' })
    await until(
      () => first.show(asked.id),
      deploy => deploy.phase === 'rolling_back',
    )
    await first.end('SIGKILL')
    const second = await startReplica(stack.configFile)
    const ended = await until(
      () => second.show(asked.id),
      deploy => isTerminal(deploy.phase),
    )
    expect(ended).toMatchObject({ phase: 'rolled_back', reason: 'crash_loop' })
    expect(ended.steps.filter(step => step.name === 'restore')).toHaveLength(1)
    await second.end('SIGTERM')
  }, 40_000)
})

describe('SIGTERM', () => {
  it('hands a running deploy over at once and exits 0', async () => {
    const [first, second] = await Promise.all([
      startReplica(stack.configFile),
      startReplica(stack.configFile),
    ])
    const asked = await first.request({ app: 'web', environment: 'staging', revision: 'slow' })
    await until(
      () => first.show(asked.id),
      deploy => deploy.steps.some(s => s.name === 'rollout' && s.state === 'running'),
    )
    const before = Date.now()
    const codes = Promise.all([first.end('SIGTERM')])
    const ended = await until(
      () => second.show(asked.id),
      deploy => isTerminal(deploy.phase),
    )
    expect(await codes).toEqual([0])
    expect(ended.phase).toBe('succeeded')
    expect(ended.endedAt).toBeGreaterThan(before)
    await second.end('SIGTERM')
  }, 40_000)
})
