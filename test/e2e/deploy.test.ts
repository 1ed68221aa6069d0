// The main job on a real etcd and the wire-level cluster: a job that etcd does not know is created, one that it
// knows is updated, a broken one goes back, and people do the rest of an app's life.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Deploy } from '../../src/core/deploy.ts'
import { admin, ask, callerWith, outcome, type Stack, ship, startStack, webApp } from '../support/stack.ts'

type Deployment = {
  metadata: { generation: number; annotations: Record<string, string> }
  spec: {
    replicas: number
    template: {
      metadata: { labels: Record<string, string>; annotations?: Record<string, string> }
      spec: { containers: { image: string }[] }
    }
  }
  status: { readyReplicas: number }
}
const steps = (deploy: Deploy) => deploy.steps.map(step => step.name)
const live = (stack: Stack, env = 'staging', app = 'web') =>
  stack.kubectlGet<Deployment>(`/apis/apps/v1/namespaces/${env}/deployments/${app}`)

describe('the life of an app', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack()
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
  })

  it('creates what etcd does not know', async () => {
    const deploy = await ship(stack.core, { revision: '1.0.0' })
    expect(deploy).toMatchObject({ phase: 'succeeded', reason: 'ok', plan: 'create', revision: '1.0.0' })
    expect(steps(deploy)).toEqual(['environment', 'apply', 'rollout', 'record'])
    expect(
      deploy.steps.every(step => step.state === 'done' && step.startedAt !== null && step.endedAt !== null),
    ).toBe(true)
    const deployment = await live(stack)
    expect(deployment?.spec.template.spec.containers[0]?.image).toBe('registry.example.com/shop/web:1.0.0')
    expect(deployment?.metadata.annotations['gkube.dev/deploy']).toBe(deploy.id)
    expect(JSON.stringify(deployment?.spec.template)).not.toContain(deploy.id)
  })

  it('updates what it knows, found by its Jenkins job or by a branch of it', async () => {
    const { deploy: asked } = await stack.core.request(
      admin,
      ask({ app: undefined, job: 'shop/web/feature%2Flogin', revision: '1.1.0' }),
    )
    const { deploy } = await outcome(stack.core, asked.id)
    expect(deploy).toMatchObject({ phase: 'succeeded', plan: 'update', app: 'web' })
    expect(steps(deploy)).toEqual(['apply', 'rollout', 'record'])
    expect((await live(stack))?.spec.template.spec.containers[0]?.image).toContain(':1.1.0')
  })

  it('goes back when the new pods crash, and says why with their last lines', async () => {
    const deploy = await ship(stack.core, { revision: 'crash' })
    expect(deploy).toMatchObject({
      phase: 'rolled_back',
      reason: 'crash_loop',
      rollback: { revision: '1.1.0' },
    })
    expect(deploy.cause?.message).toMatch(/crash at start: exit code 1/)
    const { diagnosis } = await stack.core.showDeploy(admin, deploy.id)
    expect(diagnosis?.log?.lines.join('\n')).toContain('ECONNREFUSED')
    expect(diagnosis?.events.length).toBeGreaterThan(0)
    expect((await live(stack))?.spec.template.spec.containers[0]?.image).toContain(':1.1.0')
    const [status] = await stack.core.status(admin, { app: 'web' })
    expect(status).toMatchObject({ health: 'ready', workload: { revision: '1.1.0', state: 'ready' } })
  })

  it.each([
    ['missing', 'image_not_found', /does not exist|not found|manifest unknown/],
    ['badname', 'invalid_image', /name/i],
  ])('fails fast on an image that is %s', async (revision, reason, words) => {
    const deploy = await ship(stack.core, { revision })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'rolled_back', reason })
    expect(deploy.cause?.message).toMatch(words)
  })

  it('counts how they ended, each once', async () => {
    const read = async () => (await fetch(`${stack.server.url}/metrics`)).text()
    await expect.poll(read).toMatch(/^gkube_deploys_open 0$/m)
    const text = await read()
    const counted = [...text.matchAll(/^gkube_deploys_ended_total\{(.*)\} (\d+)$/gm)].map(([, labels, n]) => [
      labels,
      n,
    ])
    expect(counted).toEqual([
      ['environment="staging",kind="deploy",phase="succeeded"', '2'],
      ['environment="staging",kind="deploy",phase="rolled_back"', '3'],
    ])
  })

  it('scales, keeps the scale over a deploy, and gives it up when the app asks for another', async () => {
    expect(await ship(stack.core, { kind: 'scale', replicas: 4 })).toMatchObject({
      phase: 'succeeded',
      revision: '1.1.0',
    })
    expect((await live(stack))?.spec.replicas).toBe(4)
    await ship(stack.core, { revision: '1.2.0' })
    expect((await live(stack))?.spec.replicas).toBe(4)
    await stack.core.applyApp(admin, webApp({ replicas: 1 }), { dryRun: false })
    await ship(stack.core, { kind: 'redeploy' })
    expect((await live(stack))?.spec.replicas).toBe(1)
  })

  it('restarts the pods without touching what runs', async () => {
    const before = await live(stack)
    expect(await ship(stack.core, { kind: 'restart' })).toMatchObject({ phase: 'succeeded' })
    const after = await live(stack)
    expect(after?.spec.template.metadata.annotations?.['kubectl.kubernetes.io/restartedAt']).toBeTruthy()
    expect(after?.spec.template.spec).toEqual(before?.spec.template.spec)
  })

  it('rolls back to the last good revision, or to a named one', async () => {
    expect(await ship(stack.core, { kind: 'rollback' })).toMatchObject({
      phase: 'succeeded',
      revision: '1.1.0',
    })
    expect(await ship(stack.core, { kind: 'rollback', revision: '1.0.0' })).toMatchObject({
      phase: 'succeeded',
      revision: '1.0.0',
    })
    expect((await live(stack))?.spec.template.spec.containers[0]?.image).toContain(':1.0.0')
    await expect(stack.core.request(admin, ask({ kind: 'rollback', revision: '9.9' }))).rejects.toThrow(
      /has not succeeded.*1\.2\.0/,
    )
  })

  it('tells its history, newest first', async () => {
    const history = await stack.core.history(admin, { app: 'web', environment: 'staging', limit: 3 })
    expect(history.map(deploy => deploy.kind)).toEqual(['rollback', 'rollback', 'restart'])
  })

  it('deletes what it wrote and forgets the workload', async () => {
    expect(await ship(stack.core, { kind: 'delete' })).toMatchObject({ phase: 'succeeded', plan: 'delete' })
    expect(await live(stack)).toBeNull()
    expect(await stack.kubectlGet('/api/v1/namespaces/staging/services/web')).toBeNull()
    expect(await stack.core.status(admin, {})).toEqual([])
    expect(await ship(stack.core, { revision: '2.0.0' })).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
    })
  })
})

describe('a first deploy that fails', () => {
  it('has no known good, and the next one creates', async () => {
    const stack = await startStack()
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
    expect(await ship(stack.core, { revision: 'crash' })).toMatchObject({
      phase: 'failed',
      reason: 'no_known_good',
      cause: { reason: 'crash_loop' },
    })
    expect(await ship(stack.core, { revision: '1.0.0' })).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
    })
  })
})

describe('registering and deploying at once', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack()
  })
  it('creates a job that etcd does not know, in one transaction', async () => {
    const deploy = await ship(stack.core, { app: undefined, spec: webApp(), revision: '1.0.0' })
    expect(deploy).toMatchObject({ phase: 'succeeded', plan: 'create', app: 'web' })
    expect((await stack.core.showApp(admin, 'web')).jobs).toEqual(['shop/web'])
  })
  it('writes nothing where the token may not', async () => {
    const other = webApp({ app: 'other', jobs: [] })
    const asked = stack.core.request(
      callerWith('ci', 'deployer', ['staging']),
      ask({ app: undefined, spec: other, revision: '1.0.0' }),
    )
    await expect(asked).rejects.toMatchObject({
      kind: 'forbidden',
      message: expect.stringMatching(/production/),
    })
    await expect(stack.core.showApp(admin, 'other')).rejects.toThrow(/not an app/)
  })
})

describe('the same request twice', () => {
  it('is one deploy, also when both arrive at once', async () => {
    const stack = await startStack()
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
    const input = ask({ revision: '1.0.0', idempotencyKey: 'build-7' })
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => stack.core.request(admin, input)))
    expect(new Set(answers.map(answer => answer.deploy.id)).size).toBe(1)
    expect(answers.filter(answer => !answer.repeated)).toHaveLength(1)
    const later = await stack.core.request(admin, input)
    expect(later).toMatchObject({ repeated: true, deploy: { id: answers[0]?.deploy.id } })
    await outcome(stack.core, later.deploy.id)
    expect(await stack.core.history(admin, { app: 'web', limit: 10 })).toHaveLength(1)
  })
})

describe('several deploys of one app', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({
      environments: {
        staging: { createNamespace: true },
        production: { createNamespace: true, queue: 'keep' },
      },
    })
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
  })
  const race = async (environment: string) => {
    const asked: string[] = []
    for (const revision of ['1', '2', '3', '4']) {
      const { deploy } = await stack.core.request(admin, ask({ revision, environment }))
      asked.push(deploy.id)
    }
    return Promise.all(asked.map(async id => (await outcome(stack.core, id)).deploy))
  }
  it('run one after the other, the newest in the place of those that wait', async () => {
    const ended = await race('staging')
    expect(ended.at(-1)?.phase).toBe('succeeded')
    expect(
      ended.map(deploy => deploy.phase).filter(phase => phase === 'superseded').length,
    ).toBeGreaterThanOrEqual(2)
    expect(ended.every(deploy => deploy.phase === 'succeeded' || deploy.phase === 'superseded')).toBe(true)
    expect((await live(stack))?.spec.template.spec.containers[0]?.image).toContain(':4')
    const ran = ended.filter(deploy => deploy.startedAt !== null)
    for (const [i, deploy] of ran.entries())
      if (i > 0) expect(deploy.startedAt).toBeGreaterThanOrEqual(ran[i - 1]?.endedAt ?? 0)
  })
  it('all run in order where the environment keeps them', async () => {
    const ended = await race('production')
    expect(ended.map(deploy => deploy.phase)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded'])
    expect(ended.map(deploy => deploy.epoch)).toEqual([1, 2, 3, 4])
  })
})
