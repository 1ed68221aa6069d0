// What people meet when something is down: etcd at the start, in the middle, at the end; the cluster; a record that
// cannot be read. Nothing is lost, nothing happens twice, and everybody is told what to do.
import { describe, expect, it } from 'vitest'
import { startTestEtcd, testEtcd } from '../support/etcd.ts'
import { admin, ask, outcome, type Stack, ship, startStack, webApp } from '../support/stack.ts'

const running = async (stack: Stack, id: string, step: string) => {
  for await (const event of stack.core.watchDeploy(admin, id, { signal: AbortSignal.timeout(10_000) })) {
    if (event.kind !== 'deploy') continue
    if (event.deploy.steps.some(s => s.name === step && s.state === 'running')) return
    if (event.deploy.endedAt !== null) throw new Error(`it ended: ${event.deploy.phase}`)
  }
}

describe('etcd is away', () => {
  it('a request is refused in words and in time, and a running deploy goes on when it is back', async () => {
    const etcd = await startTestEtcd()
    // Real clusters have an etcd of their own, which stays up.
    const stack = await startStack({ etcd, clusterEtcd: await testEtcd(), speed: 4 })
    await stack.core.applyApp(admin, webApp({ replicas: 1 }), { dryRun: false })
    await ship(stack.core, { revision: '1.0.0' })
    const { deploy } = await stack.core.request(admin, ask({ revision: 'slow' }))
    await running(stack, deploy.id, 'rollout')
    await etcd.stop()
    const before = performance.now()
    await expect(stack.core.request(admin, ask({ revision: '1.2.0' }))).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/etcd/),
    })
    // 2 s is the deadline of a call of etcd; a busy machine adds to it.
    expect(performance.now() - before).toBeLessThan(8_000)
    await etcd.start()
    const ended = await outcome(stack.core, deploy.id)
    expect(ended.deploy, JSON.stringify(ended.deploy.cause)).toMatchObject({
      phase: 'succeeded',
      revision: 'slow',
    })
    expect(await stack.core.history(admin, { app: 'web', limit: 10 })).toHaveLength(2)
  }, 60_000)
})

describe('the cluster is away', () => {
  it('a deploy waits, says so, and goes on when it is back', async () => {
    const stack = await startStack()
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
    await ship(stack.core, { revision: '1.0.0' })
    for (let n = 0; n < 3; n++)
      stack.cluster.faults.add({
        verb: 'patch',
        resource: 'deployments',
        times: 1,
        answer: { status: 500 },
      } as never)
    expect(await ship(stack.core, { revision: '1.1.0' })).toMatchObject({ phase: 'succeeded' })
  })
})

describe('a record that does not parse', () => {
  it('is named by key, never overwritten, and freed by an operator', async () => {
    const stack = await startStack()
    const { kv } = stack.server
    const key = `${stack.root}workloads/staging/web`
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
    await ship(stack.core, { revision: '1.0.0' })
    const before = await kv.get(key)
    await kv.commit({
      compares: [{ kind: 'unchanged', key, modRevision: before?.modRevision ?? '' }],
      writes: [{ kind: 'put', key, value: '{"schema":99,"future":true}' }],
    })
    await expect(stack.core.request(admin, ask({ revision: '1.1.0' }))).rejects.toThrow(
      new RegExp(`${key}.*release`),
    )
    expect((await kv.get(key))?.value).toBe('{"schema":99,"future":true}')
    await expect(
      stack.core.release(admin, { app: 'web', environment: 'staging', reason: '' }),
    ).rejects.toThrow(/why/)
    const { released } = await stack.core.release(admin, {
      app: 'web',
      environment: 'staging',
      reason: 'a newer gkube wrote it',
    })
    expect(released).toEqual([key])
    expect(await kv.get(key)).toBeNull()
    const { entries } = await kv.list(`${stack.root}quarantine/`)
    expect(entries[0]?.value).toContain('future')
    expect(await ship(stack.core, { revision: '1.1.0' })).toMatchObject({ phase: 'succeeded' })
  })
})
