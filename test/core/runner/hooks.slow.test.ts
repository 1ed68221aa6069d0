// Hooks run as Jobs on the stand-in cluster: once, whoever drives them and wherever he is killed; what they said is kept
// without its secrets; what fails or is cancelled leaves no Job behind, and nothing that the next deploy trips over.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from '../../../src/core/cluster.ts'
import { diagnosisSchema, hookLogSchema } from '../../../src/core/deploy.ts'
import { decode } from '../../../src/core/records.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
  leftovers,
  liveImage,
  phaseOf,
  place,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
  workloadOf,
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const sh = (script: string, more: object = {}) => ({ command: ['sh', '-c', script], timeout: '20s', ...more })
const all = {
  init: sh('echo initialised'),
  before: sh('echo migrated', { name: 'migrate' }),
  after: sh('echo it answers'),
}

type Hooks = Record<string, ReturnType<typeof sh>>
const register = (replica: TestReplica, tenant: Tenant, hooks: Hooks, over = {}) =>
  replica.core.applyApp(admin, tenant.app({ hooks, ...over }), { dryRun: false })

async function start(replica: TestReplica, tenant: Tenant, revision: string) {
  const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision }))
  return deploy.id
}
const ship = async (replica: TestReplica, tenant: Tenant, revision: string) =>
  ended(tenant, await start(replica, tenant, revision))

const jobs = (tenant: Tenant, kind = 'Job'): Promise<KubeObject[]> =>
  tenant.cluster.list({
    apiVersion: kind === 'Job' ? 'batch/v1' : 'v1',
    kind,
    namespace: place,
    labels: { 'gkube.dev/app': tenant.name },
  })
const isOf = (step: string) => (job: KubeObject) =>
  job.metadata.labels?.['app.kubernetes.io/component'] === step

async function results(tenant: Tenant, id: string) {
  const entry = await tenant.kv.get(tenant.keys.hookLog(id))
  return entry ? decode(hookLogSchema, entry).value.hooks : []
}
async function diagnosed(tenant: Tenant, id: string) {
  const entry = await tenant.kv.get(tenant.keys.diagnosis(id))
  return entry && decode(diagnosisSchema, entry).value
}

/** Counts the Jobs that are made, whoever makes them. */
function counting() {
  const made: string[] = []
  const cluster = (inner: Cluster): Cluster => ({
    ...inner,
    create: async (object, options) => {
      const written = await inner.create(object, options)
      if (object.kind === 'Job') made.push(object.metadata.name.split('-').at(-3) ?? '')
      return written
    },
  })
  return { made, cluster }
}

describe('an app with hooks', () => {
  it('runs each in its place, keeps its last lines, initialises once, leaves no Job', async () => {
    const tenant = world.tenant()
    const { made, cluster } = counting()
    const replica = await tenant.replica({ cluster })
    await register(replica, tenant, all)
    const first = await ship(replica, tenant, '1')
    expect(first).toMatchObject({ phase: 'succeeded', plan: 'create' })
    expect(first.steps.map(step => [step.name, step.title, step.state].filter(Boolean).join(' '))).toEqual([
      'environment done',
      'init done',
      'before migrate done',
      'apply done',
      'rollout done',
      'after done',
      'record done',
    ])
    expect((await results(tenant, first.id)).map(one => [one.step, one.lines])).toEqual([
      ['init', ['initialised']],
      ['before', ['migrated']],
      ['after', ['it answers']],
    ])
    expect((await workloadOf(tenant))?.initialisedAt).toBeGreaterThan(0)
    const second = await ship(replica, tenant, '2')
    expect(second).toMatchObject({ phase: 'succeeded', plan: 'update' })
    expect(made).toEqual(['init', 'before', 'after', 'before', 'after'])
    expect(await jobs(tenant)).toEqual([])
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('finds its files and its volume on a first deploy, and goes where the volume is held later', async () => {
    const tenant = world.tenant()
    const seen: KubeObject[] = []
    const replica = await tenant.replica({
      cluster: inner => ({
        ...inner,
        create: async (object, options) => {
          if (object.kind === 'Job') seen.push(object)
          return inner.create(object, options)
        },
      }),
    })
    const storage = [{ name: 'data', size: '1Gi', mount: '/srv/data', access: 'RWO' }]
    await register(
      replica,
      tenant,
      { before: sh('echo ok') },
      { storage, rollout: { strategy: 'recreate', stable: '0s' } },
    )
    expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'succeeded' })
    expect(await ship(replica, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    const [first, second] = seen.map(job => JSON.stringify(job.spec))
    expect(first).not.toContain('podAffinity')
    expect(second).toContain(
      `"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname"`,
    )
    const kinds = (await workloadOf(tenant))?.inventory.map(item => item.kind)
    expect(kinds?.filter(kind => kind === 'PersistentVolumeClaim')).toHaveLength(1)
    await replica.stop()
  })

  it('keeps no secret of a log', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    const script = 'echo postgres://web:hunter22@db/shop; echo password=hunter22; echo fine'
    await register(replica, tenant, { before: sh(script), after: sh(`${script}; exit 1`) })
    const deploy = await ship(replica, tenant, '1')
    const [before] = await results(tenant, deploy.id)
    expect(before?.lines.at(-1)).toBe('fine')
    const kept = JSON.stringify([
      await results(tenant, deploy.id),
      await diagnosed(tenant, deploy.id),
      deploy,
    ])
    expect(kept).toContain('[redacted]')
    expect(kept).not.toContain('hunter22')
    await replica.stop()
  })
})

describe('initialising again', () => {
  it('is a redeploy with its init, of what runs or of what never started; said in the audit', async () => {
    const tenant = world.tenant()
    const { made, cluster } = counting()
    const replica = await tenant.replica({ cluster })
    const again = () => replica.core.request(admin, ask({ app: tenant.name, kind: 'redeploy', init: true }))
    await register(replica, tenant, { init: sh('exit 0'), before: sh('exit 1') })
    expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'failed' })
    await register(replica, tenant, { init: sh('exit 0') })
    const first = await again()
    expect(await ended(tenant, first.deploy.id)).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
      revision: '1',
    })
    const before = (await workloadOf(tenant))?.initialisedAt ?? 0
    const second = await again()
    expect(await ended(tenant, second.deploy.id)).toMatchObject({ phase: 'succeeded', plan: 'update' })
    expect((await workloadOf(tenant))?.initialisedAt).toBeGreaterThan(before)
    expect(made).toEqual(['init', 'before', 'init', 'init'])
    const { entries } = await tenant.kv.list(tenant.keys.auditIn(place))
    expect(entries.filter(entry => entry.value.includes('1 init again'))).toHaveLength(2)
    await replica.stop()
  })

  it.each([
    ['an app without it', { kind: 'redeploy' }, /has no init hook in staging\. Add hooks\.init/],
    ['anything but a redeploy', { kind: 'restart' }, /Only a redeploy runs init again/],
  ] as const)('is refused for %s', async (_, input, words) => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await register(replica, tenant, {})
    await ship(replica, tenant, '1')
    const asked = replica.core.request(admin, ask({ app: tenant.name, init: true, ...input }))
    await expect(asked).rejects.toThrow(words)
    await replica.stop()
  })
})

describe('what a hook may', () => {
  it('is what the app may: an account that is not allowed is refused before anything runs', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    const manifests = [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${tenant.name}-given` }, data: { a: 'b' } },
    ]
    const over = {
      kind: 'manifests',
      manifests,
      files: undefined,
      ports: undefined,
      replicas: undefined,
      image: undefined,
    }
    const before = sh('echo', { image: 'registry.example.com/tools:1' })
    await register(replica, tenant, { before }, { ...over, security: { serviceAccount: 'cluster-admin' } })
    expect(await ship(replica, tenant, '1')).toMatchObject({
      phase: 'failed',
      cause: { reason: 'plan_refused', message: expect.stringMatching(/^Job staging\/.*cluster-admin/) },
    })
    await replica.stop()
  })

  it('is shown in the plan', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await register(replica, tenant, all)
    const plan = await replica.core.plan(admin, { app: tenant.name, environment: place, revision: '1' })
    expect(plan.steps).toContain('before (migrate)')
    expect(plan.notes).toContain('before (migrate) runs `sh -c echo migrated`')
    expect(await jobs(tenant)).toEqual([])
    await replica.stop()
  })
})

describe('a hook that fails', () => {
  const cases: [string, ReturnType<typeof sh>, object, RegExp][] = [
    [
      'by its exit code',
      sh('echo no table; exit 3', { name: 'migrate' }),
      { reason: 'job_failed' },
      /^before \(migrate\) failed: exit code 3 after \d+ s \(/,
    ],
    [
      'because its image is not there',
      sh('echo', { image: 'registry.example.com/tools:missing' }),
      { reason: 'image_not_found' },
      /^before: Image `registry\.example\.com\/tools:missing` does not exist/,
    ],
    [
      'because it takes too long',
      sh('echo begun; sleep 3000', { timeout: '2s' }),
      { reason: 'job_failed' },
      /^before took longer than 2s\.$/,
    ],
    [
      'because no node has room',
      sh('echo', { timeout: '2s', resources: { requests: { cpu: '900' } } }),
      { reason: 'unschedulable' },
      /^before did not start within 2s\. /,
    ],
  ]
  it.each(cases)('%s: what serves goes on serving, and a retry works', async (_, before, cause, words) => {
    const tenant = world.tenant({ onFailure: 'rollback' })
    const replica = await tenant.replica()
    await register(replica, tenant, {})
    await ship(replica, tenant, '1')
    await register(replica, tenant, { before })
    const deploy = await ship(replica, tenant, '2')
    expect(deploy).toMatchObject({ phase: 'failed', cause, rollback: null })
    expect(deploy.cause?.message).toMatch(words)
    expect(deploy.steps.filter(step => step.state !== 'pending').map(step => step.name)).toEqual(['before'])
    const diagnosis = await diagnosed(tenant, deploy.id)
    expect(diagnosis?.cause).toEqual(deploy.cause)
    if (before.command[2]?.includes('no table')) expect(diagnosis?.log?.lines).toEqual(['no table'])
    if (before.command[2]?.includes('begun')) expect(diagnosis?.log?.lines).toEqual(['begun'])
    expect(await liveImage(tenant)).toContain(':1')
    expect(await jobs(tenant)).toEqual([])
    await register(replica, tenant, { before: sh('echo ok') })
    expect(await ship(replica, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('init: it is tried again by the next deploy, and not after it went well', async () => {
    const tenant = world.tenant()
    const { made, cluster } = counting()
    const replica = await tenant.replica({ cluster })
    await register(replica, tenant, { init: sh('exit 1'), before: sh('exit 0') })
    expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'failed', reason: 'job_failed' })
    await register(replica, tenant, { init: sh('exit 0'), before: sh('exit 1') })
    expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'failed', reason: 'job_failed' })
    await register(replica, tenant, { init: sh('exit 0'), before: sh('exit 0') })
    expect(await ship(replica, tenant, '1')).toMatchObject({ phase: 'succeeded', plan: 'create' })
    expect(made).toEqual(['init', 'init', 'before', 'before'])
    await replica.stop()
  })

  it('after: the deploy is rolled back as a rollout that fails is', async () => {
    const tenant = world.tenant({ onFailure: 'rollback' })
    const replica = await tenant.replica()
    await register(replica, tenant, {})
    await ship(replica, tenant, '1')
    await register(replica, tenant, { after: sh('echo 502 from /health; exit 7') })
    const deploy = await ship(replica, tenant, '2')
    expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'job_failed', rollback: { revision: '1' } })
    expect((await diagnosed(tenant, deploy.id))?.log?.lines).toEqual(['502 from /health'])
    expect(await liveImage(tenant)).toContain(':1')
    expect(await jobs(tenant)).toEqual([])
    await replica.stop()
  })

  it('because somebody deleted its Job', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica()
    await register(replica, tenant, { before: sh('sleep 3000') })
    const id = await start(replica, tenant, '1')
    await until(async () => (await jobs(tenant, 'Pod')).some(isOf('before')))
    const [job] = await jobs(tenant)
    await tenant.cluster.remove(
      { apiVersion: 'batch/v1', kind: 'Job', namespace: place, name: job?.metadata.name ?? '' },
      {},
    )
    expect((await ended(tenant, id)).cause?.message).toBe('before: somebody deleted its Job while it ran.')
    await replica.stop()
  })

  it('because its name is taken by a Job that is not this deploy’s', async () => {
    const tenant = world.tenant()
    const replica = await tenant.replica({
      cluster: inner => ({
        ...inner,
        create: async (object, options) => {
          if (object.kind === 'Job')
            await inner.create({ ...object, metadata: { ...object.metadata, labels: {} } }, options)
          return inner.create(object, options)
        },
      }),
    })
    await register(replica, tenant, { before: sh('echo ok') })
    expect(await ship(replica, tenant, '1')).toMatchObject({
      phase: 'failed',
      cause: {
        reason: 'field_conflict',
        message: expect.stringMatching(/^Job staging\/.* is not this deploy's/),
      },
    })
    await replica.stop()
  })
})

describe('cancelled while a hook runs', () => {
  it('before: the Job goes, nothing was changed', async () => {
    const tenant = world.tenant({ onCancel: 'rollback' })
    const replica = await tenant.replica()
    await register(replica, tenant, {})
    await ship(replica, tenant, '1')
    await register(replica, tenant, { before: sh('sleep 3000') })
    const id = await start(replica, tenant, '2')
    await until(async () => (await jobs(tenant)).some(isOf('before')))
    await replica.core.cancel(admin, id, { reason: 'wrong' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled', rollback: null })
    expect(await jobs(tenant)).toEqual([])
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('after: what was applied goes back, where the environment says so', async () => {
    const tenant = world.tenant({ onCancel: 'rollback' })
    const replica = await tenant.replica()
    await register(replica, tenant, {})
    await ship(replica, tenant, '1')
    await register(replica, tenant, { after: sh('sleep 3000') })
    const id = await start(replica, tenant, '2')
    await until(async () => (await jobs(tenant)).some(isOf('after')))
    await replica.core.cancel(admin, id, { reason: 'wrong' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled', rollback: { revision: '1' } })
    expect(await liveImage(tenant)).toContain(':1')
    expect(await jobs(tenant)).toEqual([])
    await replica.stop()
  })

  it('by one who is killed over it: the next owner cancels it and deletes the Job', async () => {
    const tenant = world.tenant()
    let killed = false
    const owner = await tenant.replica({
      cluster: inner => ({
        ...inner,
        remove: async (ref, preconditions) => {
          if (ref.kind !== 'Job') return inner.remove(ref, preconditions)
          killed = true
          void owner.crash()
          return new Promise(() => undefined)
        },
      }),
    })
    await register(owner, tenant, { before: sh('sleep 3000') })
    const id = await start(owner, tenant, '1')
    await until(async () => (await jobs(tenant)).some(isOf('before')))
    await owner.core.cancel(admin, id, { reason: 'wrong' })
    await until(() => killed)
    expect(await jobs(tenant)).toHaveLength(1)
    const next = await tenant.replica()
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled', cancelledBy: { name: 'ana' } })
    expect(await jobs(tenant)).toEqual([])
    await next.stop()
  })
})

describe('killed in the middle', () => {
  type Crash = (kill: () => void) => (inner: Cluster) => Cluster
  const cases: [string, Crash][] = [
    [
      'after the Job was made, before that was heard of',
      kill => inner => ({
        ...inner,
        create: async (object, options) => {
          const written = await inner.create(object, options)
          if (object.kind === 'Job') kill()
          return written
        },
      }),
    ],
    [
      'while the Job runs',
      kill => inner => ({
        ...inner,
        observe: (scope, changed) => {
          const observer = inner.observe(scope, changed)
          if (scope.workload.kind !== 'Job') return observer
          return {
            ...observer,
            current: () => {
              const observed = observer.current()
              if (observed?.pods.some(pod => pod.phase === 'Running')) kill()
              return observed
            },
          }
        },
      }),
    ],
    [
      'after its result was kept, before the Job was deleted',
      kill => inner => ({
        ...inner,
        remove: async (ref, preconditions) => {
          if (ref.kind === 'Job') {
            kill()
            return new Promise(() => undefined)
          }
          return inner.remove(ref, preconditions)
        },
      }),
    ],
    [
      'after the Job was deleted, before the step ended',
      kill => inner => ({
        ...inner,
        remove: async (ref, preconditions) => {
          await inner.remove(ref, preconditions)
          if (ref.kind === 'Job') kill()
        },
      }),
    ],
  ]
  it.each(cases)('%s: it goes on, and each hook ran once', async (_, crash) => {
    const tenant = world.tenant()
    const { made, cluster } = counting()
    let victim: TestReplica | null = null
    let killed = false
    const kill = () => {
      if (killed) return
      killed = true
      void victim?.crash()
    }
    const owner = await tenant.replica({ cluster: inner => crash(kill)(cluster(inner)) })
    victim = owner
    await register(owner, tenant, { ...all, init: sh('echo initialised; sleep 10') })
    const id = await start(owner, tenant, '1')
    await until(() => killed)
    const next = await tenant.replica({ cluster })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    expect(made).toEqual(['init', 'before', 'after'])
    expect((await results(tenant, id)).map(one => [one.step, one.lines])).toEqual([
      ['init', ['initialised']],
      ['before', ['migrated']],
      ['after', ['it answers']],
    ])
    expect((await workloadOf(tenant))?.initialisedAt).toBeGreaterThan(0)
    expect(await jobs(tenant)).toEqual([])
    expect(await leftovers(tenant)).toEqual([])
    await next.stop()
  })

  it('with all replicas, for longer than the hook may take: what ended well meanwhile ended well', async () => {
    const tenant = world.tenant()
    const owner = await tenant.replica()
    await register(owner, tenant, { before: sh('echo migrated; sleep 15', { timeout: '1s' }) })
    const id = await start(owner, tenant, '1')
    await until(async () => (await jobs(tenant)).some(isOf('before')))
    await owner.crash()
    await until(async () =>
      (await jobs(tenant, 'Pod')).some(pod => JSON.stringify(pod.status).includes('"Succeeded"')),
    )
    const started =
      (await phaseOf(tenant, id, () => true)).steps.find(step => step.name === 'before')?.startedAt ?? 0
    await until(() => Date.now() - started > 1_100)
    const next = await tenant.replica()
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    await next.stop()
  })
})

describe('a Job that an ended deploy left behind', () => {
  it('is deleted by the next deploy, which does not run beside its pod', async () => {
    const tenant = world.tenant()
    const owner = await tenant.replica()
    await register(owner, tenant, { before: sh('sleep 3000') })
    await start(owner, tenant, '1')
    await until(async () => (await jobs(tenant, 'Pod')).some(isOf('before')))
    await owner.crash()
    const never = () => new Promise<never>(() => undefined)
    const idle = await tenant.replica({ cluster: inner => ({ ...inner, get: never, create: never }) })
    await idle.core.release(admin, { app: tenant.name, environment: place, reason: 'it hangs' })
    await idle.crash()
    expect(await jobs(tenant)).toHaveLength(1)
    let beside = false
    const next = await tenant.replica({
      cluster: inner => ({
        ...inner,
        create: async (object, options) => {
          if (object.kind === 'Job')
            beside = (await jobs(tenant, 'Pod')).some(pod => JSON.stringify(pod.status).includes('"Running"'))
          return inner.create(object, options)
        },
      }),
    })
    await register(next, tenant, { before: sh('echo ok') })
    expect(await ship(next, tenant, '2')).toMatchObject({ phase: 'succeeded' })
    expect(beside).toBe(false)
    expect(await jobs(tenant)).toEqual([])
    await next.stop()
  })
})
