// One gkube, two control planes: staging on the shared one, production on another that this file starts. What is
// deployed, broken and lost on one does not touch the other.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { admin, ask, ship, webApp } from '../support/stack.ts'
import { binaries } from './build.ts'
import { type ControlPlane, startControlPlane } from './harness.ts'
import { playedNodes } from './played-nodes.ts'
import { played, type RealStack, sharedCluster, startRealStack } from './real-stack.ts'

describe.runIf(played)('two clusters', () => {
  let second: ControlPlane
  let other: Wire
  let stack: RealStack

  beforeAll(async () => {
    const built = await binaries(() => undefined, process.env.GKUBE_TEST_KUBERNETES)
    second = await startControlPlane(built, playedNodes(3))
    other = wireTo(readFileSync(second.kubeconfig, 'utf8'))
    stack = await startRealStack(
      { staging: { cluster: 'first' }, production: { cluster: 'second' } },
      { first: sharedCluster(), second: second.kubeconfig },
    )
    await stack.core.applyApp(admin, webApp({ replicas: 1 }), { dryRun: false })
  }, 180_000)
  afterAll(() => second?.stop(), 30_000)

  const imageOn = async (wire: Wire, environment: string): Promise<string | undefined> => {
    const path = `/apis/apps/v1/namespaces/${stack.namespace(environment)}/deployments/web`
    const { status, body } = await wire.get(path)
    return status === 200 ? body.spec.template.spec.containers[0].image.replace(/.*:/, '') : undefined
  }

  it('each take what their environment is given', async () => {
    for (const [environment, revision] of [
      ['staging', '1.1.0'],
      ['production', '1.0.0'],
    ] as const) {
      const deploy = await ship(stack.core, { environment, revision })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'create' })
    }
    expect(await imageOn(stack.wire, 'staging')).toBe('1.1.0')
    expect(await imageOn(other, 'staging')).toBeUndefined()
    expect(await imageOn(other, 'production')).toBe('1.0.0')
    expect(await imageOn(stack.wire, 'production')).toBeUndefined()
  })

  it('fail apart: what one loses, the other does not notice', async () => {
    await second.stop()
    const asked = ask({ environment: 'production', revision: '1.2.0' })
    const { deploy: lost } = await stack.core.request(admin, asked)
    const deploy = await ship(stack.core, { environment: 'staging', revision: '1.2.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'update' })
    expect(await imageOn(stack.wire, 'staging')).toBe('1.2.0')
    const now = await stack.core.showDeploy(admin, lost.id)
    expect(now.deploy.phase).not.toBe('succeeded')
    expect(await stack.core.status(admin, { app: 'web', environment: 'production' })).toMatchObject([
      { workload: { revision: '1.0.0' } },
    ])
  })
})
