// kill -9 in the middle of an adoption, at many points: another process finishes it, and whatever pods serve meanwhile
// are never fewer than were wanted.
import { beforeAll, expect, it } from 'vitest'
import { isTerminal } from '../../src/core/deploy.ts'
import { type Json, type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { fewestReady, legacy } from '../support/adopt-stories.ts'
import { type Replica, startReplica, until } from '../support/child.ts'
import { admin, type Stack, startStack, webApp } from '../support/stack.ts'

let stack: Stack
let wire: Wire
const namespace = 'staging'

beforeAll(async () => {
  stack = await startStack({
    open: true,
    speed: 6,
    environments: { staging: { createNamespace: true, allow: { kinds: ['ReplicationController'] } } },
  })
  wire = wireTo(JSON.stringify(stack.cluster.kubeconfig()))
  await wire.post('/api/v1/namespaces', { metadata: { name: namespace } })
  for (const name of ['a', 'b', 'c', 'd']) {
    const app = webApp({ app: `app-${name}`, jobs: [], ports: [], environments: { staging: {} } })
    await stack.core.applyApp(admin, app, { dryRun: false })
  }
  await stack.server.close()
})

/** Who has to ask the shape of what the cluster holds. */
const controller = async (name: string): Promise<Json> =>
  (await wire.get(`/api/v1/namespaces/${namespace}/replicationcontrollers/${name}`)).body

async function made(name: string): Promise<void> {
  const object = legacy('ReplicationController', name, { spec: { replicas: 2 }, container: { envFrom: [] } })
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  }
  await wire.post(`/api/v1/namespaces/${namespace}/services`, service)
  await wire.post(`/api/v1/namespaces/${namespace}/replicationcontrollers`, object)
  await wire.until(async () => (await controller(name)).status?.readyReplicas === 2, 20_000)
}

async function adopted(replica: Replica, name: string) {
  const path = `/v1/workloads/staging/app-${name}/adopt`
  const body = { workload: `rc/${name}`, replaceByDeployment: true, takeFrom: ['contract'] }
  const plan = await replica.call('POST', `${path}/plan`, body)
  const { hash, refusals, revision } = plan.body as unknown as {
    hash: string
    refusals: string[]
    revision: string
  }
  expect(refusals).toEqual([])
  const answer = await replica.call('POST', path, { ...body, revision, confirm: hash })
  if (!answer.body.deploy) throw new Error(JSON.stringify(answer.body))
  return answer.body.deploy
}

it('is finished by the next replica, whenever it was killed', async () => {
  const moments: [name: string, when: string][] = [
    ['a', 'at once'],
    ['b', 'rollout'],
    ['c', 'handover'],
  ]
  let replica = await startReplica(stack.configFile)
  for (const [name, when] of moments) {
    await made(name)
    const watch = await fewestReady({ wire }, namespace, name, 2)
    const asked = await adopted(replica, name)
    const running = (step: string) => (deploy: typeof asked) =>
      deploy.steps.some(one => one.name === step && one.state === 'running')
    if (when !== 'at once') await until(() => replica.show(asked.id), running(when))
    const gone = replica.end('SIGKILL')
    replica = await startReplica(stack.configFile)
    await gone
    const ended = await until(
      () => replica.show(asked.id),
      deploy => isTerminal(deploy.phase),
      40,
    )
    expect(ended, `${when}: ${ended.cause?.message}`).toMatchObject({ phase: 'succeeded', kind: 'adopt' })
    expect((await watch.end()).fewest).toBeGreaterThanOrEqual(2)
    expect((await controller(name)).code).toBe(404)
  }
  await replica.end('SIGTERM')
}, 90_000)

it('one that was changed meanwhile is left alone', async () => {
  const replica = await startReplica(stack.configFile)
  await made('d')
  const path = '/v1/workloads/staging/app-d/adopt'
  const body = { workload: 'rc/d', replaceByDeployment: true, takeFrom: ['contract'] }
  const plan = await replica.call('POST', `${path}/plan`, body)
  const { hash, revision } = plan.body as unknown as { hash: string; revision: string }
  await wire.patch(`/api/v1/namespaces/${namespace}/replicationcontrollers/d`, 'merge', {
    spec: { replicas: 3 },
  })
  const answer = await replica.call('POST', path, { ...body, revision, confirm: hash })
  expect(answer.status).toBe(409)
  expect((await controller('d')).spec.replicas).toBe(3)
  await replica.end('SIGTERM')
}, 40_000)
