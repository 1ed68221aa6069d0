// Deployments in the stand-in cluster: what a client sees while one rolls out, fails, is rolled back, is
// paused or deleted. Wording and order of states are the real cluster's; times are a twentieth.
import { beforeAll, describe, expect, it } from 'vitest'
import { deployment, testCluster } from './support.ts'
import type { Json, Wire } from './wire.ts'

let wire: Wire
let problems: string[]
beforeAll(async () => {
  ;({ wire, problems } = await testCluster())
})

const core = '/api/v1/namespaces/default'
const apps = '/apis/apps/v1/namespaces/default'
const condition = (object: Json, type: string) =>
  object?.status?.conditions?.find((one: Json) => one.type === type)
const pods = async (app: string): Promise<Json[]> =>
  (await wire.get(`${core}/pods?labelSelector=app%3D${app}`)).body.items
const events = async (name: string): Promise<Json[]> =>
  (await wire.get(`${core}/events?fieldSelector=involvedObject.name%3D${name}`)).body.items

/** The deployment as soon as it is like this, by a watch. */
async function when(name: string, matches: (object: Json) => boolean, ms = 8000): Promise<Json> {
  const watch = await wire.watch(`${apps}/deployments?watch=1&fieldSelector=metadata.name%3D${name}`)
  try {
    return (await watch.next(({ object }) => matches(object), ms)).object
  } finally {
    watch.close()
  }
}

/** A pod of an app as soon as it is like this. */
async function whenPod(app: string, matches: (pod: Json) => boolean, ms = 8000): Promise<Json> {
  const watch = await wire.watch(`${core}/pods?watch=1&labelSelector=app%3D${app}`)
  try {
    return (await watch.next(({ object, type }) => type !== 'DELETED' && matches(object), ms)).object
  } finally {
    watch.close()
  }
}

const rolledOut = ({ metadata, spec, status }: Json) =>
  status?.observedGeneration >= metadata.generation &&
  status.updatedReplicas === spec.replicas &&
  status.replicas === spec.replicas &&
  status.availableReplicas === spec.replicas
const apply = (object: Json) =>
  wire.apply(`${apps}/deployments/${object.metadata.name}`, 'test', object, '&force=true')
const stateOf = (pod: Json) => pod.status?.containerStatuses?.[0]?.state ?? {}

describe('a rollout', () => {
  it('makes a ReplicaSet, pods that get ready, endpoints and events', async () => {
    await wire.post(`${core}/services`, {
      metadata: { name: 'ok' },
      spec: { selector: { app: 'ok' }, ports: [{ port: 80, targetPort: 'http' }] },
    })
    await apply(deployment('ok', 'reg/ok:1'))
    const done = await when('ok', rolledOut)
    expect(condition(done, 'Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: expect.stringMatching(/^ReplicaSet "ok-\w{10}" has successfully progressed\.$/),
    })
    expect(condition(done, 'Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' })
    expect(done.metadata.annotations['deployment.kubernetes.io/revision']).toBe('1')
    const [pod] = await pods('ok')
    expect(pod.metadata).toMatchObject({
      generateName: expect.stringMatching(/^ok-\w{10}-$/),
      labels: { 'pod-template-hash': expect.any(String) },
    })
    expect(pod.status).toMatchObject({
      phase: 'Running',
      podIP: expect.stringMatching(/^10\.244\./),
      containerStatuses: [{ ready: true, started: true, restartCount: 0 }],
    })
    const slices = await wire.until(async () => {
      const { items } = (
        await wire.get(
          `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dok`,
        )
      ).body
      return items[0]?.endpoints?.filter((one: Json) => one.conditions.ready).length === 2 && items
    })
    expect(slices[0].ports).toMatchObject([{ port: 8080, protocol: 'TCP' }])
    const seen = await wire.until(async () => {
      const reasons = (await events(pod.metadata.name)).map(one => one.reason)
      return reasons.includes('Started') && reasons
    })
    expect(seen).toEqual(expect.arrayContaining(['Scheduled', 'Pulled', 'Created', 'Started']))
    expect((await events('ok')).map(one => one.message)).toContainEqual(
      expect.stringMatching(/^Scaled up replica set ok-\w{10} from 0 to 2$/),
    )
  })

  it('never goes below maxUnavailable nor above maxSurge', async () => {
    const spec = {
      replicas: 4,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    }
    await apply(deployment('roll', 'reg/roll:1', spec))
    const first = await when('roll', rolledOut)
    const watch = await wire.watch(
      `${apps}/deployments?watch=1&fieldSelector=metadata.name%3Droll&resourceVersion=${first.metadata.resourceVersion}`,
    )
    await apply(deployment('roll', 'reg/roll:2', spec))
    const seen: Json[] = []
    await watch.next(({ object }) => {
      seen.push(object.status)
      return object.metadata.generation > 1 && rolledOut(object)
    })
    watch.close()
    expect(Math.min(...seen.map(status => status.availableReplicas ?? 0))).toBe(4)
    expect(Math.max(...seen.map(status => status.replicas))).toBe(5)
    await wire.until(async () => (await pods('roll')).length === 4)
    expect(new Set((await pods('roll')).map(pod => pod.spec.containers[0].image))).toEqual(
      new Set(['reg/roll:2']),
    )
  })

  it('goes back to an old template by its old ReplicaSet, as a new revision', async () => {
    for (const tag of ['1', '2', '1']) {
      await apply(deployment('back', `reg/back:${tag}`))
      await when(
        'back',
        object => object.spec.template.spec.containers[0].image.endsWith(tag) && rolledOut(object),
      )
    }
    const { items } = (await wire.get(`${apps}/replicasets?labelSelector=app%3Dback`)).body
    const revisions = items.map((set: Json) => [
      set.spec.template.spec.containers[0].image,
      set.metadata.annotations['deployment.kubernetes.io/revision'],
      set.spec.replicas,
    ])
    expect(revisions.sort()).toEqual([
      ['reg/back:1', '3', 2],
      ['reg/back:2', '2', 0],
    ])
  })

  it('keeps as many old ReplicaSets as the history limit says', async () => {
    for (const tag of ['1', '2', '3', '4']) {
      await apply(deployment('hist', `reg/hist:${tag}`, { replicas: 1, revisionHistoryLimit: 1 }))
      await when(
        'hist',
        object => object.spec.template.spec.containers[0].image.endsWith(tag) && rolledOut(object),
      )
    }
    await wire.until(
      async () => (await wire.get(`${apps}/replicasets?labelSelector=app%3Dhist`)).body.items.length === 2,
    )
  })

  it('recreates: no new pod before the last old one is gone', async () => {
    const spec = { strategy: { type: 'Recreate' } }
    await apply(deployment('re', 'reg/re:1', spec))
    await when('re', rolledOut)
    const { body } = await wire.get(`${core}/pods`)
    const watch = await wire.watch(
      `${core}/pods?watch=1&labelSelector=app%3Dre&resourceVersion=${body.metadata.resourceVersion}`,
    )
    await apply(deployment('re', 'reg/re:2', spec))
    const order: string[] = []
    await watch.next(({ type, object }) => {
      if (type !== 'MODIFIED') order.push(type)
      return object.spec.containers[0].image === 'reg/re:2'
    })
    watch.close()
    expect(order).toEqual(['DELETED', 'DELETED', 'ADDED'])
  })

  it('does nothing while paused, and goes on when it is resumed', async () => {
    await apply(deployment('pause', 'reg/pause:1', { paused: true }))
    const paused = await when(
      'pause',
      object => condition(object, 'Progressing')?.reason === 'DeploymentPaused',
    )
    expect(paused.status.replicas).toBeUndefined()
    await apply(deployment('pause', 'reg/pause:1', { paused: false }))
    await when('pause', rolledOut)
  })

  it('waits minReadySeconds before a pod counts as available', async () => {
    await apply(deployment('calm', 'reg/calm:1', { minReadySeconds: 20, replicas: 1 }))
    const ready = await when(
      'calm',
      object => object.status?.readyReplicas === 1 && !object.status.availableReplicas,
    )
    expect(condition(ready, 'Available').status).toBe('False')
    await when('calm', rolledOut)
  })
})

describe('images named to fail', () => {
  it(':missing cannot be pulled, in turns of ErrImagePull and ImagePullBackOff, and the rollout runs into its deadline', async () => {
    await apply(deployment('missing', 'reg/app:missing', { replicas: 1, progressDeadlineSeconds: 30 }))
    const error = await whenPod('missing', pod => stateOf(pod).waiting?.reason === 'ErrImagePull')
    expect(stateOf(error).waiting.message).toContain('manifest unknown')
    await whenPod('missing', pod => stateOf(pod).waiting?.reason === 'ImagePullBackOff')
    const late = await when('missing', object => condition(object, 'Progressing')?.status === 'False')
    expect(condition(late, 'Progressing')).toMatchObject({
      reason: 'ProgressDeadlineExceeded',
      message: expect.stringMatching(/^ReplicaSet "missing-\w+" has timed out progressing\.$/),
    })
    const seen = await events(error.metadata.name)
    expect(seen.filter(one => one.type === 'Warning').map(one => one.message)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Failed to pull image "reg\/app:missing": .*manifest unknown$/),
        'Error: ErrImagePull',
        'Error: ImagePullBackOff',
      ]),
    )
  })

  it(':crash loops, with a growing count, its last end and logs of both lives', async () => {
    await apply(deployment('crash', 'reg/app:1.5.0-crash', { replicas: 1 }))
    const pod = await whenPod(
      'crash',
      one =>
        stateOf(one).waiting?.reason === 'CrashLoopBackOff' &&
        one.status.containerStatuses[0].restartCount >= 2,
    )
    expect(stateOf(pod).waiting.message).toMatch(/^back-off \d+s restarting failed container=web pod=crash-/)
    expect(pod.status.containerStatuses[0].lastState.terminated).toMatchObject({
      exitCode: 1,
      reason: 'Error',
      startedAt: expect.any(String),
      finishedAt: expect.any(String),
    })
    const previous = await wire.get(`${core}/pods/${pod.metadata.name}/log?previous=true&tailLines=30`)
    expect(previous.text).toContain('Error: connect ECONNREFUSED 10.0.0.7:5432')
    expect((await events(pod.metadata.name)).map(one => one.reason)).toContain('BackOff')
  })

  it(':oom is killed, :flaky comes round after two crashes', async () => {
    await apply(deployment('oom', 'reg/app:oom', { replicas: 1 }))
    await apply(deployment('flaky', 'reg/app:flaky', { replicas: 1 }))
    const pod = await whenPod('oom', one => one.status?.containerStatuses?.[0].lastState.terminated)
    expect(pod.status.containerStatuses[0].lastState.terminated).toMatchObject({
      exitCode: 137,
      reason: 'OOMKilled',
    })
    await when('flaky', rolledOut)
    expect((await pods('flaky'))[0]?.status.containerStatuses[0].restartCount).toBe(2)
  })

  it(':unready runs and never gets ready', async () => {
    await apply(
      deployment(
        'unready',
        'reg/app:unready',
        { replicas: 1 },
        { readinessProbe: { httpGet: { port: 8080 } } },
      ),
    )
    const pod = await whenPod('unready', one => one.status?.phase === 'Running')
    const seen = await wire.until(async () =>
      (await events(pod.metadata.name)).find(one => one.reason === 'Unhealthy'),
    )
    expect(seen.message).toBe('Readiness probe failed: HTTP probe failed with statuscode: 503')
    const [now] = await pods('unready')
    expect(condition(now, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [web]',
    })
  })

  it(':huge cannot be scheduled', async () => {
    await apply(deployment('huge', 'reg/app:huge', { replicas: 1 }))
    const pod = await whenPod('huge', one => condition(one, 'PodScheduled')?.status === 'False')
    expect(condition(pod, 'PodScheduled')).toMatchObject({
      reason: 'Unschedulable',
      message: expect.stringMatching(/^0\/3 nodes are available: 3 Insufficient cpu\. preemption: /),
    })
  })

  it('an image that is no reference is an InvalidImageName', async () => {
    await apply(deployment('name', 'reg/App!:1', { replicas: 1 }))
    const pod = await whenPod('name', one => stateOf(one).waiting?.reason === 'InvalidImageName')
    expect(stateOf(pod).waiting.message).toContain("couldn't parse image name")
  })

  it(':slow takes its time', async () => {
    const begun = Date.now()
    await apply(deployment('slow', 'reg/app:slow', { replicas: 1 }))
    await when('slow', rolledOut)
    expect(Date.now() - begun).toBeGreaterThan(400)
  })
})

describe('what a pod needs', () => {
  it('waits for a ConfigMap of its environment, and starts when it comes', async () => {
    await apply(
      deployment(
        'env',
        'reg/env:1',
        { replicas: 1 },
        { envFrom: [{ configMapRef: { name: 'env-settings' } }] },
      ),
    )
    const pod = await whenPod('env', one => stateOf(one).waiting?.reason === 'CreateContainerConfigError')
    expect(stateOf(pod).waiting.message).toBe('configmap "env-settings" not found')
    await wire.post(`${core}/configmaps`, { metadata: { name: 'env-settings' }, data: { A: '1' } })
    await when('env', rolledOut)
  })

  it('stays in ContainerCreating with a FailedMount event while a Secret of a volume is missing', async () => {
    const object = deployment('mount', 'reg/mount:1', { replicas: 1 })
    object.spec.template.spec.volumes = [{ name: 'keys', secret: { secretName: 'mount-keys' } }]
    await apply(object)
    const pod = await whenPod('mount', one => stateOf(one).waiting?.reason === 'ContainerCreating')
    const seen = await wire.until(async () =>
      (await events(pod.metadata.name)).find(one => one.reason === 'FailedMount'),
    )
    expect(seen.message).toBe('MountVolume.SetUp failed for volume "keys" : secret "mount-keys" not found')
    await wire.post(`${core}/secrets`, { metadata: { name: 'mount-keys' }, stringData: { key: 'x' } })
    await when('mount', rolledOut)
  })

  it('is refused by a quota, and said so up to the Deployment', async () => {
    await wire.post('/api/v1/namespaces', { metadata: { name: 'small' } })
    await wire.post('/api/v1/namespaces/small/resourcequotas', {
      metadata: { name: 'compute' },
      spec: { hard: { pods: '1' } },
    })
    const path = '/apis/apps/v1/namespaces/small/deployments'
    await wire.post(path, deployment('two', 'reg/two:1'))
    const failed = await wire.until(async () => {
      const { body } = await wire.get(`${path}/two`)
      return condition(body, 'ReplicaFailure') && body
    })
    expect(condition(failed, 'ReplicaFailure')).toMatchObject({
      status: 'True',
      reason: 'FailedCreate',
      message: expect.stringMatching(
        /^pods "two-\w+-\w+" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1$/,
      ),
    })
  })
})

describe('the end of a deployment', () => {
  it('takes its ReplicaSets and pods with it; pods end in time', async () => {
    await apply(deployment('gone', 'reg/gone:1'))
    await when('gone', rolledOut)
    await wire.delete(`${apps}/deployments/gone`, { propagationPolicy: 'Foreground' })
    await wire.until(async () => (await wire.get(`${apps}/deployments/gone`)).status === 404)
    expect(await pods('gone')).toEqual([])
  })

  it('empties and ends a namespace', async () => {
    await wire.post('/api/v1/namespaces', { metadata: { name: 'leaving' } })
    await wire.post('/apis/apps/v1/namespaces/leaving/deployments', deployment('a', 'reg/a:1'))
    await wire.until(async () => (await wire.get('/api/v1/namespaces/leaving/pods')).body.items.length === 2)
    expect((await wire.delete('/api/v1/namespaces/leaving')).body.status.phase).toBe('Terminating')
    const refused = await wire.post('/api/v1/namespaces/leaving/configmaps', { metadata: { name: 'late' } })
    expect(refused.body).toMatchObject({
      code: 403,
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    })
    await wire.until(async () => (await wire.get('/api/v1/namespaces/leaving')).status === 404)
  })
})

it('did all of this without a surprise', () => {
  expect(problems.filter(one => !one.includes('exceeded quota'))).toEqual([])
})
