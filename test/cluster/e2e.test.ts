// The life of an app on a real control plane, with no more rights than `gkube rbac` prints: created, updated, broken
// and rolled back, scaled, restarted, deleted, in two environments; touched by somebody else; killed half way.
// The same stories on the stand-in: test/e2e/. How each kind of failure is told: diagnosis.test.ts.
import { beforeAll, describe, expect, it } from 'vitest'
import { type Deploy, isTerminal } from '../../src/core/deploy.ts'
import type { Json } from '../sandbox/cluster/wire.ts'
import { startReplica, until } from '../support/child.ts'
import { admin, ship as shipFor, webApp } from '../support/stack.ts'
import { played, type RealStack, startRealStack } from './real-stack.ts'

let stack: RealStack
const ship = (input: Parameters<typeof shipFor>[1]) => shipFor(stack.core, input)
const steps = (deploy: Deploy) => deploy.steps.map(step => step.name)
const path = (environment = 'staging', app = 'web') =>
  `/apis/apps/v1/namespaces/${stack.namespace(environment)}/deployments/${app}`
const live = async (environment?: string): Promise<Json> => (await stack.wire.get(path(environment))).body
const imageOf = (deployment: Json): string => deployment.spec.template.spec.containers[0].image

describe.runIf(played)('the life of an app', () => {
  beforeAll(async () => {
    stack = await startRealStack()
    await stack.core.applyApp(admin, webApp(), { dryRun: false })
  })

  it('creates what etcd does not know', async () => {
    const deploy = await ship({ revision: '1.0.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', reason: 'ok', plan: 'create' })
    expect(steps(deploy)).toEqual(['environment', 'apply', 'rollout', 'record'])
    const deployment = await live()
    expect(imageOf(deployment)).toBe('registry.example.com/shop/web:1.0.0')
    expect(deployment.metadata.annotations['gkube.dev/deploy']).toBe(deploy.id)
    expect(deployment.status.readyReplicas).toBe(2)
    const own = deployment.metadata.managedFields.filter((entry: Json) => entry.manager === 'gkube')
    expect(own.map((entry: Json) => entry.operation)).toEqual(['Apply'])
  })

  it('updates what it knows, by few requests', async () => {
    const cluster = stack.server.clusters.get('default')
    const before = cluster?.counts() ?? {}
    const deploy = await ship({ revision: '1.1.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'update' })
    expect(imageOf(await live())).toContain(':1.1.0')
    const asked = Object.entries(cluster?.counts() ?? {}).map(
      ([what, n]) => [what, n - (before[what] ?? 0)] as const,
    )
    const sum = asked.reduce((total, [, n]) => total + n, 0)
    expect(sum, JSON.stringify(Object.fromEntries(asked))).toBeLessThanOrEqual(4)
  })

  it('goes back when the new pods crash, and says why with their last lines', async () => {
    const deploy = await ship({ revision: 'crash' })
    expect(deploy, deploy.cause?.message).toMatchObject({
      phase: 'rolled_back',
      reason: 'crash_loop',
      rollback: { revision: '1.1.0' },
    })
    expect(deploy.cause?.message).toMatch(/crash at start: exit code 1/)
    const { diagnosis } = await stack.core.showDeploy(admin, deploy.id)
    expect(diagnosis?.log?.lines.join('\n')).toContain('ECONNREFUSED')
    expect(diagnosis?.events.map(event => event.reason)).toContain('BackOff')
    expect(imageOf(await live())).toContain(':1.1.0')
    expect((await stack.core.status(admin, { app: 'web' }))[0]).toMatchObject({
      health: 'ready',
      workload: { revision: '1.1.0', state: 'ready' },
    })
  })

  it('scales and restarts', async () => {
    expect(await ship({ kind: 'scale', replicas: 3 })).toMatchObject({ phase: 'succeeded' })
    expect((await live()).status).toMatchObject({ replicas: 3, readyReplicas: 3 })
    expect(await ship({ kind: 'restart' })).toMatchObject({ phase: 'succeeded', revision: '1.1.0' })
    const { metadata } = (await live()).spec.template
    expect(metadata.annotations['kubectl.kubernetes.io/restartedAt']).toBeTruthy()
  })

  it('rolls back when it is asked to', async () => {
    const deploy = await ship({ kind: 'rollback', revision: '1.0.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', revision: '1.0.0' })
    expect(imageOf(await live())).toContain(':1.0.0')
  })

  it('keeps environments apart', async () => {
    expect(await ship({ revision: '2.0.0', environment: 'production' })).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
    })
    expect(imageOf(await live('production'))).toContain(':2.0.0')
    expect(imageOf(await live('staging'))).toContain(':1.0.0')
  })

  it('names who else wrote its fields, changes nothing, and takes them over when forced', async () => {
    const somebody = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } }
    const container = { name: 'web', image: 'registry.example.com/shop/web:hotfix' }
    const name = (await live()).spec.template.spec.containers[0].name
    const spec = { template: { spec: { containers: [{ ...container, name }] } } }
    const taken = await stack.wire.apply(path(), 'kubectl-ana', { ...somebody, spec }, '&force=true')
    expect(taken.status).toBe(200)
    const refused = await ship({ revision: '1.1.0' })
    expect(refused).toMatchObject({ phase: 'failed', reason: 'field_conflict' })
    expect(refused.cause?.message).toMatch(/kubectl-ana/)
    expect(refused.cause?.message).toMatch(/image/)
    expect(imageOf(await live())).toContain(':hotfix')
    const forced = await ship({ revision: '1.1.0', force: true })
    expect(forced, forced.cause?.message).toMatchObject({ phase: 'succeeded' })
    expect(imageOf(await live())).toContain(':1.1.0')
  })

  it('deletes what it wrote, and leaves the other environment alone', async () => {
    expect(await ship({ kind: 'delete' })).toMatchObject({ phase: 'succeeded', plan: 'delete' })
    await stack.wire.until(async () => (await stack.wire.get(path())).status === 404)
    const service = `/api/v1/namespaces/${stack.namespace('staging')}/services/web`
    expect((await stack.wire.get(service)).status).toBe(404)
    expect((await live('production')).status.readyReplicas).toBe(2)
  })

  it('was never refused for want of rights, and has no others', async () => {
    expect(stack.log.filter(line => /forbidden/i.test(line))).toEqual([])
    const may = async (verb: string, resource: string, namespace: string, group = '') => {
      const { body } = await stack.own.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        spec: { resourceAttributes: { verb, resource, namespace, group } },
      })
      return body.status.allowed as boolean
    }
    const staging = stack.namespace('staging')
    expect(await may('patch', 'deployments', staging, 'apps')).toBe(true)
    for (const [verb, resource, namespace, group] of [
      ['get', 'secrets', staging],
      ['create', 'pods', staging],
      ['create', 'pods/exec', staging],
      ['create', 'roles', staging, 'rbac.authorization.k8s.io'],
      ['patch', 'deployments', 'default', 'apps'],
      ['list', 'pods', ''],
      ['create', 'namespaces', ''],
    ] as const) {
      expect(await may(verb, resource, namespace, group), `${verb} ${resource} in "${namespace}"`).toBe(false)
    }
  })
})

describe.runIf(played)('a replica that is killed', () => {
  it('leaves a deploy that the next one finishes, once', async () => {
    const real = await startRealStack({ staging: {} })
    await real.core.applyApp(admin, webApp({ environments: { staging: {} } }), { dryRun: false })
    await real.server.close()
    let replica = await startReplica(real.configFile)
    for (const [i, delay] of [0, 40, 400].entries()) {
      const revision = `1.0.${i}-slow`
      const body = { app: 'web', environment: 'staging', revision, idempotencyKey: revision }
      const asked = await replica.request(body)
      await new Promise(resolve => setTimeout(resolve, delay))
      const gone = replica.end('SIGKILL')
      replica = await startReplica(real.configFile)
      await gone
      expect((await replica.request(body)).id).toBe(asked.id)
      const ended = await until(
        () => replica.show(asked.id),
        deploy => isTerminal(deploy.phase),
        40,
      )
      expect(ended, `killed after ${delay} ms: ${ended.cause?.message}`).toMatchObject({
        phase: 'succeeded',
        revision,
      })
      const sets = await real.wire.get(`/apis/apps/v1/namespaces/${real.namespace('staging')}/replicasets`)
      const images = sets.body.items.map((set: Json) => imageOf(set))
      expect(images.filter((image: string) => image.endsWith(`:${revision}`))).toHaveLength(1)
    }
    expect(await replica.end('SIGTERM')).toBe(0)
  }, 180_000)
})
