// `code.activate: reload` on the stand-in cluster: the pods are kept, `current` is switched once, each pod is told and
// asked what it sees, and the way back is the same. What the Job does for real is test/publish/'s; here a variable is the
// link, and exec answers from it.
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from '../../../src/core/cluster.ts'
import type { CodeSide } from '../../../src/core/code/code-side.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { admin, ask } from '../../support/stack.ts'
import { ended, place, startWorld, type Tenant, type TestReplica, until, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const shaOf = (text: string) => createHash('sha256').update(text).digest('hex')
const side: CodeSide = {
  image: 'r.example.com/gkube:1',
  url: null,
  hosts: { 'files.example.com': { credential: null } },
  maxBytes: 1000,
  checksum: async url => ({ kind: 'known', sha256: shaOf(url) }),
  uploaded: async () => null,
  ticket: async () => 'never asked for',
}

type Container = { name: string; command: string[]; env: { name: string; value: string }[] }
type PodSpec = { initContainers?: Container[]; containers: Container[] }
const podOf = (job: KubeObject): PodSpec =>
  (job as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec

/** The volume as far as it matters here, and what was run in the pods. */
function volume() {
  const state = {
    /** What `.gkube-release` below `current` says. */
    current: '',
    switches: [] as string[],
    jobs: [] as string[],
    ran: [] as string[],
    /** How the reload command ends; null: it works. */
    broken: null as string | null,
    /** Reads that see nothing yet. */
    blind: 0,
  }
  const cluster = (inner: Cluster): Cluster => ({
    ...inner,
    create: async (object, options) => {
      if (object.kind !== 'Job') return inner.create(object, options)
      const copy = structuredClone(object)
      const { initContainers = [], containers } = podOf(copy)
      for (const container of [...initContainers, ...containers])
        container.command = ['sh', '-c', 'echo done']
      const written = await inner.create(copy, options)
      state.jobs.push(object.metadata.name.split('-').at(-3) ?? '')
      const finish = Object.fromEntries(containers[0]?.env.map(one => [one.name, one.value]) ?? [])
      if (finish.GKUBE_ACTIVATE === 'reload') {
        state.current = JSON.stringify({
          schema: 1,
          revision: finish.GKUBE_REVISION,
          sha256: finish.GKUBE_ARTIFACT_SHA256,
        })
        state.switches.push(finish.GKUBE_REVISION ?? '')
      }
      return written
    },
    exec: async (_namespace, pod, { command, output }) => {
      if (command[0] === 'cat') {
        if (state.blind-- > 0) {
          output('cat: /srv/app/current/.gkube-release: Stale file handle\n', 'stderr')
          return 1
        }
        output(state.current, 'stdout')
        return 0
      }
      state.ran.push(`${pod} ${command.join(' ')}`)
      if (state.broken === null) return 0
      output(state.broken, 'stderr')
      return 7
    },
  })
  return { state, cluster }
}

const reload = ['nginx', '-s', 'reload']
const register = (replica: TestReplica, tenant: Tenant, over: object = {}) =>
  replica.core.applyApp(
    admin,
    tenant.app({
      image: 'r.example.com/nginx:1',
      files: [],
      replicas: 2,
      storage: [{ name: 'code', size: '1Gi', mount: '/srv/data' }],
      code: {
        artifact: 'https://files.example.com/site-{revision}.tgz',
        mount: '/srv/app',
        activate: 'reload',
        reload,
      },
      ...over,
    }),
    { dryRun: false },
  )
const ship = async (replica: TestReplica, tenant: Tenant, over: Parameters<typeof ask>[0]): Promise<Deploy> =>
  ended(tenant, (await replica.core.request(admin, ask({ app: tenant.name, ...over }))).deploy.id)

const stepsOf = ({ steps }: Deploy) =>
  steps.map(({ name, state }) => (state === 'done' ? name : `${name} ${state}`))

async function podUids(tenant: Tenant): Promise<string[]> {
  const labels = { 'gkube.dev/app': tenant.name }
  const pods = await tenant.cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace: place, labels })
  return pods
    .filter(pod => pod.metadata.labels?.['app.kubernetes.io/component'] === undefined)
    .map(pod => pod.metadata.uid ?? '')
    .sort()
}

async function begin() {
  const tenant = world.tenant({ reload: true })
  const { state, cluster } = volume()
  const replica = await tenant.replica({ cluster, code: side })
  await register(replica, tenant)
  return { tenant, state, cluster, replica }
}

describe('code that pods reload', () => {
  it('is switched before the first pod starts, and by a step of its own later, while the pods stay', async () => {
    const { tenant, state, replica } = await begin()
    const first = await ship(replica, tenant, { revision: '1' })
    expect(first).toMatchObject({ phase: 'succeeded' })
    expect(stepsOf(first)).toEqual(['environment', 'publish', 'apply', 'rollout', 'record'])
    expect(state).toMatchObject({ switches: ['1'], ran: [] })
    const pods = await podUids(tenant)
    expect(pods).toHaveLength(2)
    const second = await ship(replica, tenant, { revision: '2' })
    expect(second).toMatchObject({ phase: 'succeeded' })
    expect(stepsOf(second)).toEqual(['publish', 'apply', 'rollout', 'activate', 'record'])
    expect(second.steps.find(step => step.name === 'activate')?.message).toBe(
      `current is 2-${shaOf('https://files.example.com/site-2.tgz').slice(0, 12)}, 2 pods reloaded`,
    )
    expect(await podUids(tenant)).toEqual(pods)
    expect(state.switches).toEqual(['1', '2'])
    expect(state.jobs).toEqual(['publish', 'publish', 'activate'])
    expect(state.ran.map(line => line.split(' ').slice(1).join(' '))).toEqual([
      reload.join(' '),
      reload.join(' '),
    ])
  })

  it('is read again where another mount does not see the new link at once', async () => {
    const { tenant, state, replica } = await begin()
    await ship(replica, tenant, { revision: '1' })
    state.blind = 3
    expect(await ship(replica, tenant, { revision: '2' })).toMatchObject({ phase: 'succeeded' })
    expect(state.blind).toBeLessThan(0)
  })

  it('goes back where a pod does not take it: the link first, then each pod', async () => {
    const { tenant, state, replica } = await begin()
    await ship(replica, tenant, { revision: '1' })
    state.broken = 'nginx: [emerg] unknown directive "servr"\n'
    const failing = (await replica.core.request(admin, ask({ app: tenant.name, revision: '2' }))).deploy.id
    await until(() => state.ran.length > 0)
    state.broken = null
    const second = await ended(tenant, failing)
    expect(second).toMatchObject({ phase: 'rolled_back', reason: 'activate_failed' })
    expect(second.cause?.message).toMatch(
      /^activate failed: the reload command in web-\S+ ended with exit code 7: nginx: \[emerg\] unknown directive "servr"/,
    )
    expect(stepsOf(second)).toEqual([
      'publish',
      'apply',
      'rollout',
      'activate failed',
      'restore',
      'reactivate',
      'recover',
    ])
    expect(state.switches).toEqual(['1', '2', '1'])
    expect(JSON.parse(state.current)).toMatchObject({ revision: '1' })
  })

  it('goes back when a person asks, without publishing', async () => {
    const { tenant, state, replica } = await begin()
    await ship(replica, tenant, { revision: '1' })
    await ship(replica, tenant, { revision: '2' })
    const pods = await podUids(tenant)
    const back = await ship(replica, tenant, { kind: 'rollback' })
    expect(back).toMatchObject({ phase: 'succeeded', revision: '1' })
    expect(stepsOf(back)).toEqual(['apply', 'rollout', 'activate', 'record'])
    expect(state.switches).toEqual(['1', '2', '1'])
    expect(await podUids(tenant)).toEqual(pods)
  })

  it('is switched once where its owner dies after the Job', async () => {
    const { tenant, state, cluster, replica } = await begin()
    await ship(replica, tenant, { revision: '1' })
    const stuck = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    const first = await tenant.replica({
      code: side,
      cluster: inner => ({
        ...cluster(inner),
        exec: async () => {
          reached.resolve()
          await stuck.promise
          return 1
        },
      }),
    })
    await replica.stop()
    const id = (await first.core.request(admin, ask({ app: tenant.name, revision: '2' }))).deploy.id
    await reached.promise
    await first.crash()
    const second = await tenant.replica({ cluster, code: side })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    expect(state.jobs).toEqual(['publish', 'publish', 'activate'])
    expect(state.switches).toEqual(['1', '2'])
    expect(state.ran).toHaveLength(2)
    stuck.resolve()
    await second.stop()
  })

  it('is refused where the environment does not allow it', async () => {
    const tenant = world.tenant()
    const { cluster } = volume()
    const replica = await tenant.replica({ cluster, code: side })
    await register(replica, tenant)
    const refused = await ship(replica, tenant, { revision: '1' })
    expect(refused).toMatchObject({ phase: 'failed', reason: 'plan_refused' })
    expect(refused.cause?.message).toContain('environments.staging.reload')
  })
})
