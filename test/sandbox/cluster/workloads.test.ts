// StatefulSets, DaemonSets, Jobs, CronJobs, volumes, autoscalers and budgets in the stand-in cluster.
import { beforeAll, describe, expect, it } from 'vitest'
import { dueTimes } from '../../../src/sandbox/cluster/controllers/cronjob.ts'
import { deployment, job, testCluster } from './support.ts'
import type { Json, Wire } from './wire.ts'

let wire: Wire
let problems: string[]
beforeAll(async () => {
  ;({ wire, problems } = await testCluster())
})

const core = '/api/v1/namespaces/default'
const apps = '/apis/apps/v1/namespaces/default'
const jobs = '/apis/batch/v1/namespaces/default/jobs'
const condition = (object: Json, type: string) =>
  object?.status?.conditions?.find((one: Json) => one.type === type)
const reach = (path: string, matches: (object: Json) => unknown) =>
  wire.until(async () => {
    const { body } = await wire.get(path)
    return matches(body) ? body : undefined
  })
const podsOf = async (selector: string): Promise<Json[]> =>
  (await wire.get(`${core}/pods?labelSelector=${encodeURIComponent(selector)}`)).body.items

const set = (name: string, image: string, spec: Json = {}): Json => {
  const { strategy: _s, ...base } = deployment(name, image).spec
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: {
      ...base,
      serviceName: name,
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
      ...spec,
    },
  }
}

describe('StatefulSets', () => {
  const done = ({ metadata, spec, status }: Json) =>
    status?.observedGeneration === metadata.generation &&
    status.readyReplicas === spec.replicas &&
    status.currentRevision === status.updateRevision &&
    status.updatedReplicas === spec.replicas

  it('start in order, each with its claim, and update from the last one down', async () => {
    const { body } = await wire.get(`${core}/pods`)
    const watch = await wire.watch(
      `${core}/pods?watch=1&labelSelector=app%3Ddb&resourceVersion=${body.metadata.resourceVersion}`,
    )
    await wire.apply(`${apps}/statefulsets/db`, 'test', set('db', 'reg/db:1', { replicas: 3 }))
    await reach(`${apps}/statefulsets/db`, done)
    await wire.apply(`${apps}/statefulsets/db`, 'test', set('db', 'reg/db:2', { replicas: 3 }))
    await reach(`${apps}/statefulsets/db`, object => object.metadata.generation === 2 && done(object))
    const order: string[] = []
    await watch.next(({ type, object }) => {
      if (type === 'ADDED') order.push(`${object.metadata.name} ${object.spec.containers[0].image}`)
      return order.length === 6
    })
    watch.close()
    expect(order).toEqual([
      'db-0 reg/db:1',
      'db-1 reg/db:1',
      'db-2 reg/db:1',
      'db-2 reg/db:2',
      'db-1 reg/db:2',
      'db-0 reg/db:2',
    ])
    const claims = (await wire.get(`${core}/persistentvolumeclaims?labelSelector=app%3Ddb`)).body.items
    expect(claims.map((one: Json) => [one.metadata.name, one.status.phase]).sort()).toEqual([
      ['data-db-0', 'Bound'],
      ['data-db-1', 'Bound'],
      ['data-db-2', 'Bound'],
    ])
  })

  it('keep pods below the partition on the old revision', async () => {
    const spec = (partition: number) => ({
      replicas: 2,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
    })
    await wire.apply(`${apps}/statefulsets/part`, 'test', set('part', 'reg/part:1', spec(0)))
    await reach(`${apps}/statefulsets/part`, done)
    await wire.apply(`${apps}/statefulsets/part`, 'test', set('part', 'reg/part:2', spec(1)))
    await reach(
      `${apps}/statefulsets/part`,
      ({ status }) => status.updatedReplicas === 1 && status.readyReplicas === 2,
    )
    expect(
      (await podsOf('app=part')).map(pod => `${pod.metadata.name} ${pod.spec.containers[0].image}`).sort(),
    ).toEqual(['part-0 reg/part:1', 'part-1 reg/part:2'])
  })

  it('take their pods back after they were deleted with orphans kept', async () => {
    await wire.apply(`${apps}/statefulsets/keep`, 'test', set('keep', 'reg/keep:1'))
    await reach(`${apps}/statefulsets/keep`, done)
    const before = (await podsOf('app=keep')).map(pod => pod.metadata.uid).sort()
    await wire.delete(`${apps}/statefulsets/keep`, { propagationPolicy: 'Orphan' })
    await wire.until(async () => (await wire.get(`${apps}/statefulsets/keep`)).status === 404)
    const made = await wire.apply(`${apps}/statefulsets/keep`, 'test', set('keep', 'reg/keep:1'))
    await reach(`${apps}/statefulsets/keep`, done)
    const after = await podsOf('app=keep')
    expect(after.map(pod => pod.metadata.uid).sort()).toEqual(before)
    expect(after[0]?.metadata.ownerReferences[0].uid).toBe(made.body.metadata.uid)
  })
})

describe('DaemonSets', () => {
  it('run on every node that their selector allows', async () => {
    await wire.patch('/api/v1/nodes/node-3', 'merge', { metadata: { labels: { disk: 'none' } } })
    const { spec } = deployment('agent', 'reg/agent:1')
    const { replicas: _r, ...rest } = spec
    rest.template.spec.affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] }],
        },
      },
    }
    await wire.post(`${apps}/daemonsets`, { metadata: { name: 'agent' }, spec: rest })
    const done = await reach(`${apps}/daemonsets/agent`, ({ status }) => status?.numberAvailable === 2)
    expect(done.status).toMatchObject({
      desiredNumberScheduled: 2,
      updatedNumberScheduled: 2,
      observedGeneration: 1,
    })
    expect((await podsOf('app=agent')).map(pod => pod.spec.nodeName).sort()).toEqual(['node-1', 'node-2'])
    await wire.patch(`${apps}/daemonsets/agent`, 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'web', image: 'reg/agent:2' }] } } },
    })
    await reach(
      `${apps}/daemonsets/agent`,
      ({ status }) =>
        status.observedGeneration === 2 &&
        status.updatedNumberScheduled === 2 &&
        status.numberAvailable === 2,
    )
  })
})

describe('Jobs', () => {
  it('succeed with their log', async () => {
    await wire.post(jobs, job('migrate', ['sh', '-c', 'echo "migrating $DB"; echo done']))
    const done = await reach(`${jobs}/migrate`, object => condition(object, 'Complete')?.status === 'True')
    expect(done.status).toMatchObject({
      succeeded: 1,
      startTime: expect.any(String),
      completionTime: expect.any(String),
    })
    expect(condition(done, 'Complete')).toMatchObject({ reason: 'CompletionsReached' })
    const [pod] = await podsOf('job-name=migrate')
    expect(pod.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
    })
    expect((await wire.get(`${core}/pods/${pod.metadata.name}/log`)).text).toBe('migrating \ndone\n')
  })

  const failures: {
    name: string
    command: string[]
    spec?: Json
    image?: string
    code: number
    reason: string
    pods: number
  }[] = [
    {
      name: 'exit',
      command: ['sh', '-c', 'echo no; exit 3'],
      code: 3,
      reason: 'BackoffLimitExceeded',
      pods: 1,
    },
    {
      name: 'retry',
      command: ['sh', '-c', 'exit 1'],
      spec: { backoffLimit: 2 },
      code: 1,
      reason: 'BackoffLimitExceeded',
      pods: 3,
    },
    {
      name: 'image',
      command: ['run'],
      image: 'reg/tool:crash',
      code: 1,
      reason: 'BackoffLimitExceeded',
      pods: 1,
    },
  ]
  it.each(failures)('fail: $name', async ({ name, command, spec, image, code, reason, pods }) => {
    await wire.post(jobs, job(`f-${name}`, command, spec, image))
    const failed = await reach(`${jobs}/f-${name}`, object => condition(object, 'Failed')?.status === 'True')
    expect(condition(failed, 'Failed').reason).toBe(reason)
    expect(failed.status.failed).toBe(pods)
    const made = await podsOf(`job-name=f-${name}`)
    expect(made).toHaveLength(pods)
    expect(made[0]?.status.containerStatuses[0].state.terminated.exitCode).toBe(code)
  })

  it('end at their deadline', async () => {
    await wire.post(jobs, job('late', ['sh', '-c', 'sleep 600'], { activeDeadlineSeconds: 4 }))
    const failed = await reach(`${jobs}/late`, object => condition(object, 'Failed')?.status === 'True')
    expect(condition(failed, 'Failed')).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Job was active longer than specified deadline',
    })
  })

  it('do not run while suspended', async () => {
    await wire.post(jobs, job('held', ['true'], { suspend: true }))
    await reach(`${jobs}/held`, object => condition(object, 'Suspended')?.status === 'True')
    expect(await podsOf('job-name=held')).toEqual([])
    await wire.patch(`${jobs}/held`, 'merge', { spec: { suspend: false } })
    await reach(`${jobs}/held`, object => condition(object, 'Complete'))
  })

  it('leave their pods behind by default, and warn of it', async () => {
    await wire.post(jobs, job('left', ['true']))
    await reach(`${jobs}/left`, object => condition(object, 'Complete'))
    const reply = await wire.delete(`${jobs}/left`)
    expect(String(reply.headers.warning)).toContain(
      'child pods are preserved by default when jobs are deleted',
    )
    await wire.until(async () => (await wire.get(`${jobs}/left`)).status === 404)
    expect(await podsOf('job-name=left')).toHaveLength(1)
  })

  it('are made by CronJobs on schedule', () => {
    const at = (text: string) => Date.parse(text)
    const spec = { schedule: '*/15 * * * *', timeZone: 'Europe/Berlin' }
    expect(dueTimes(spec, at('2026-01-01T10:00:00Z'), at('2026-01-01T10:31:00Z'))).toEqual({
      due: new Date('2026-01-01T10:30:00Z'),
      next: new Date('2026-01-01T10:45:00Z'),
    })
    expect(dueTimes(spec, at('2026-01-01T10:30:00Z'), at('2026-01-01T10:31:00Z')).due).toBeUndefined()
  })

  it('are made by a CronJob that has missed its time', async () => {
    const crons = '/apis/batch/v1/namespaces/default/cronjobs'
    await wire.post(crons, {
      metadata: { name: 'tick' },
      spec: { schedule: '* * * * *', suspend: true, jobTemplate: { spec: job('x', ['true']).spec } },
    })
    const lastScheduleTime = new Date(Date.now() - 180_000).toISOString()
    await wire.patch(`${crons}/tick/status`, 'merge', { status: { lastScheduleTime } })
    expect(
      (await wire.get(jobs)).body.items.filter((one: Json) => one.metadata.name.startsWith('tick-')),
    ).toEqual([])
    await wire.patch(`${crons}/tick`, 'merge', { spec: { suspend: false } })
    const [made] = await wire.until(async () => {
      const found = (await wire.get(jobs)).body.items.filter((one: Json) =>
        one.metadata.name.startsWith('tick-'),
      )
      return found.length > 0 && found
    })
    expect(made.metadata.ownerReferences).toMatchObject([{ kind: 'CronJob', name: 'tick', controller: true }])
    await wire.patch(`${crons}/tick`, 'merge', { spec: { suspend: true } })
  })
})

describe('pods with init containers', () => {
  it('run them in order; sidecars stay', async () => {
    const object = deployment('init', 'reg/init:1', { replicas: 1 })
    object.spec.template.spec.initContainers = [
      { name: 'first', image: 'reg/i:1', command: ['sh', '-c', 'echo prepared'] },
      { name: 'mesh', image: 'reg/mesh:1', restartPolicy: 'Always' },
    ]
    await wire.post(`${apps}/deployments`, object)
    await reach(`${apps}/deployments/init`, ({ status }) => status?.availableReplicas === 1)
    const [pod] = await podsOf('app=init')
    expect(pod.status.initContainerStatuses).toMatchObject([
      { name: 'first', state: { terminated: { exitCode: 0 } } },
      { name: 'mesh', state: { running: {} }, started: true },
    ])
    expect((await wire.get(`${core}/pods/${pod.metadata.name}/log?container=first`)).text).toBe('prepared\n')
  })

  it('fail with them', async () => {
    const object = deployment('badinit', 'reg/init:1', { replicas: 1 })
    object.spec.template.spec.initContainers = [{ name: 'first', image: 'reg/i:crash' }]
    await wire.post(`${apps}/deployments`, object)
    const [pod] = await wire.until(async () => {
      const found = await podsOf('app=badinit')
      return (
        found[0]?.status?.initContainerStatuses?.[0].state.waiting?.reason === 'CrashLoopBackOff' && found
      )
    })
    expect(pod.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }],
    })
  })
})

describe('volumes', () => {
  const claims = `${core}/persistentvolumeclaims`
  const claim = (name: string, spec: Json = {}) => ({
    metadata: { name },
    spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } }, ...spec },
  })
  const volume = (name: string, spec: Json = {}) => ({
    metadata: { name },
    spec: {
      capacity: { storage: '5Gi' },
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      persistentVolumeReclaimPolicy: 'Retain',
      nfs: { server: 'x', path: '/' },
      ...spec,
    },
  })

  it('are provisioned by the default class, and grow', async () => {
    await wire.post(claims, claim('auto'))
    const bound = await reach(`${claims}/auto`, ({ status }) => status.phase === 'Bound')
    expect(bound.spec.storageClassName).toBe('standard')
    const shrink = await wire.patch(`${claims}/auto`, 'merge', {
      spec: { resources: { requests: { storage: '500Mi' } } },
    })
    expect(shrink.body.message).toContain('field can not be less than previous value')
    await wire.patch(`${claims}/auto`, 'merge', { spec: { resources: { requests: { storage: '2Gi' } } } })
    await reach(`${claims}/auto`, ({ status }) => status.capacity.storage === '2Gi')
    await wire.delete(`${claims}/auto`)
    await wire.until(
      async () => (await wire.get(`/api/v1/persistentvolumes/${bound.spec.volumeName}`)).status === 404,
    )
  })

  it('made beforehand are bound to whom they are meant for, kept and released', async () => {
    await wire.post(
      '/api/v1/persistentvolumes',
      volume('pv-shop', { claimRef: { namespace: 'default', name: 'shop' } }),
    )
    await wire.post('/api/v1/persistentvolumes', volume('pv-other', { capacity: { storage: '1Gi' } }))
    await wire.post(claims, claim('shop', { storageClassName: '', volumeName: 'pv-shop' }))
    const bound = await reach(`${claims}/shop`, ({ status }) => status.phase === 'Bound')
    expect(bound.status.capacity.storage).toBe('5Gi')
    await wire.delete(`${claims}/shop`)
    const released = await reach(
      '/api/v1/persistentvolumes/pv-shop',
      ({ status }) => status.phase === 'Released',
    )
    expect(released.spec.claimRef.name).toBe('shop')
  })

  it('are not made for a class that does not exist, and pods say what they wait for', async () => {
    await wire.post(claims, claim('never', { storageClassName: 'none' }))
    const object = deployment('waits', 'reg/w:1', { replicas: 1 })
    object.spec.template.spec.volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'never' } }]
    await wire.post(`${apps}/deployments`, object)
    const [pod] = await wire.until(async () => {
      const found = await podsOf('app=waits')
      return condition(found[0], 'PodScheduled') && found
    })
    expect(condition(pod, 'PodScheduled').message).toContain(
      'pod has unbound immediate PersistentVolumeClaims',
    )
    expect((await wire.get(`${claims}/never`)).body.status.phase).toBe('Pending')
  })
})

describe('autoscalers and budgets', () => {
  it('keep replicas within bounds, and evictions within budgets', async () => {
    await wire.post(`${apps}/deployments`, deployment('auto', 'reg/auto:1', { replicas: 1 }))
    await wire.post('/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers', {
      metadata: { name: 'auto' },
      spec: {
        minReplicas: 2,
        maxReplicas: 3,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'auto' },
      },
    })
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
    await wire.post(budgets, {
      metadata: { name: 'auto' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'auto' } } },
    })
    await reach(`${apps}/deployments/auto`, ({ status }) => status?.availableReplicas === 2)
    await reach(
      `${budgets}/auto`,
      ({ status }) => status?.currentHealthy === 2 && status.disruptionsAllowed === 0,
    )
    const [pod] = await podsOf('app=auto')
    const evict = () =>
      wire.post(`${core}/pods/${pod.metadata.name}/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: pod.metadata.name },
      })
    expect((await evict()).body).toMatchObject({
      code: 429,
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
    })
    await wire.patch(`${apps}/deployments/auto/scale`, 'merge', { spec: { replicas: 9 } })
    await reach(
      `${apps}/deployments/auto`,
      ({ status, spec }) => spec.replicas === 3 && status.availableReplicas === 3,
    )
    await reach(`${budgets}/auto`, ({ status }) => status.disruptionsAllowed === 1)
    expect((await evict()).status).toBe(201)
  })
})

it('did all of this without a surprise', () => {
  expect(problems).toEqual([])
})
