// Processes against each other: one that slept through its lease wakes up and must write nothing; two that see the
// same deploy; a request that both answer.
import { beforeAll, describe, expect, it } from 'vitest'
import { isTerminal } from '../../src/core/deploy.ts'
import { startReplica, until } from '../support/child.ts'
import { admin, type Stack, startStack, webApp } from '../support/stack.ts'

type Deployment = {
  metadata: { annotations: Record<string, string>; generation: number; resourceVersion: string }
  spec: { template: { spec: { containers: { image: string }[] } } }
}
let stack: Stack
beforeAll(async () => {
  stack = await startStack({ speed: 20 })
  await stack.core.applyApp(admin, webApp({ replicas: 1, rollout: { stable: '0s' } }), { dryRun: false })
  // Only the children work from here on.
  await stack.server.close()
})

const place = '/apis/apps/v1/namespaces/staging'
const deployment = () => stack.kubectlGet<Deployment>(`${place}/deployments/web`)
const sets = async () =>
  (await stack.kubectlGet<{ items: Deployment[] }>(`${place}/replicasets`))?.items.map(
    set => set.spec.template.spec.containers[0]?.image.split(':').at(-1) ?? '',
  ) ?? []

describe('a replica that sleeps longer than its lease', () => {
  it('in the middle of a write: another finishes, and it writes nothing when it wakes up', async () => {
    const sleeper = await startReplica(stack.configFile)
    const create = await sleeper.request({ app: 'web', environment: 'staging', revision: '1.0.0' })
    await until(
      () => sleeper.show(create.id),
      deploy => isTerminal(deploy.phase),
    )
    // Its write is on its way for longer than its lease.
    stack.cluster.faults.resetCounts()
    stack.cluster.faults.add({ verb: 'patch', resource: 'deployments', latency: 4_000 })
    const asked = await sleeper.request({ app: 'web', environment: 'staging', revision: '1.1.0' })
    await until(
      async () => stack.cluster.faults.counts()['patch deployments'] ?? 0,
      count => count > 0,
    )
    sleeper.child.kill('SIGSTOP')
    const other = await startReplica(stack.configFile)
    const ended = await until(
      () => other.show(asked.id),
      deploy => isTerminal(deploy.phase),
    )
    expect(ended).toMatchObject({ phase: 'succeeded', revision: '1.1.0' })
    const next = await other.request({ app: 'web', environment: 'staging', revision: '1.2.0' })
    await until(
      () => other.show(next.id),
      deploy => isTerminal(deploy.phase),
    )
    const before = await deployment()
    expect(before?.metadata.annotations['gkube.dev/deploy']).toBe(next.id)
    stack.cluster.faults.resetCounts()
    sleeper.child.kill('SIGCONT')
    // Awake and at work again: it answers, with what is true now.
    expect(await sleeper.show(next.id)).toMatchObject({ phase: 'succeeded' })
    const last = await sleeper.request({ app: 'web', environment: 'staging', revision: '1.3.0' })
    await until(
      () => sleeper.show(last.id),
      deploy => isTerminal(deploy.phase),
    )
    expect(await sleeper.show(asked.id)).toEqual(ended)
    // One apply of the last deploy, and nothing of the one that slept.
    expect(stack.cluster.faults.counts()['patch deployments']).toBe(1)
    expect((await sets()).sort()).toEqual(['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
    await Promise.all([sleeper.end('SIGTERM'), other.end('SIGTERM')])
  }, 40_000)
})

describe('two replicas', () => {
  it('answer the same request with one deploy, and one of them runs it', async () => {
    const [first, second] = await Promise.all([
      startReplica(stack.configFile),
      startReplica(stack.configFile),
    ])
    const ids: string[] = []
    for (const n of [1, 2, 3, 4]) {
      const body = { app: 'web', environment: 'staging', revision: `2.${n}`, idempotencyKey: `two-${n}` }
      const answers = await Promise.all([first.request(body), second.request(body)])
      expect(answers[0].id).toBe(answers[1].id)
      ids.push(answers[0].id)
      await until(
        () => second.show(answers[0].id),
        deploy => isTerminal(deploy.phase),
      )
    }
    const ended = await Promise.all(ids.map(id => first.show(id)))
    expect(ended.map(deploy => deploy.phase)).toEqual(ids.map(() => 'succeeded'))
    // Claimed once each, never taken over.
    const epochs = ended.map(deploy => deploy.epoch)
    expect(epochs.map((epoch, n) => epoch - (epochs[0] ?? 0) - n)).toEqual([0, 0, 0, 0])
    expect((await sets()).filter(tag => tag.startsWith('2.'))).toHaveLength(4)
    await Promise.all([first.end('SIGTERM'), second.end('SIGTERM')])
  }, 40_000)
})
