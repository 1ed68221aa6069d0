// What the stand-in cluster is made for beside being a cluster: failing on demand, counting, starting again,
// living beside another one, asking for a token. And the streams of pods: logs that follow, exec.

import { PassThrough, Writable } from 'node:stream'
import { CoreV1Api, Exec, KubeConfig, Log, makeInformer } from '@kubernetes/client-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { startCluster } from '../../src/sandbox/cluster/cluster.ts'
import { deployment, job, testCluster } from '../sandbox/cluster/support.ts'
import { type Json, type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { testEtcd } from '../support/etcd.ts'

const core = '/api/v1/namespaces/default'
const apps = '/apis/apps/v1/namespaces/default'
type Started = Awaited<ReturnType<typeof testCluster>>
let started: Started
let wire: Wire
beforeAll(async () => {
  started = await testCluster()
  wire = started.wire
})

const configOf = (text: string) => {
  const config = new KubeConfig()
  config.loadFromString(text)
  return config
}
const available = (of: Wire, name: string, replicas = 2) =>
  of.until(async () => {
    const { body } = await of.get(`${apps}/deployments/${name}`)
    return (
      body.status?.availableReplicas === replicas &&
      body.status.updatedReplicas === replicas &&
      body.status.replicas === replicas &&
      body
    )
  })

describe('faults', () => {
  it('hit the next matching requests and no others', async () => {
    const { faults } = started.cluster
    faults.add({ verb: 'patch', resource: 'configmaps', status: 429, retryAfter: 3, times: 2 })
    const apply = () =>
      wire.apply(`${core}/configmaps/f`, 'test', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'f' },
      })
    expect((await wire.get(`${core}/configmaps`)).status).toBe(200)
    const refused = await apply()
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toBe('3')
    expect(refused.body).toMatchObject({ reason: 'TooManyRequests', details: { retryAfterSeconds: 3 } })
    expect((await apply()).status).toBe(429)
    expect((await apply()).status).toBe(201)
  })

  it('cut the connection before or after the work', async () => {
    const { faults } = started.cluster
    const post = (name: string) => wire.post(`${core}/configmaps`, { metadata: { name } })
    faults.add({ verb: 'create', resource: 'configmaps', reset: 'before' })
    await expect(post('reset-a')).rejects.toThrow(/socket hang up|ECONNRESET/)
    faults.add({ verb: 'create', resource: 'configmaps', reset: 'after' })
    await expect(post('reset-b')).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect((await wire.get(`${core}/configmaps/reset-a`)).status).toBe(404)
    expect((await wire.get(`${core}/configmaps/reset-b`)).status).toBe(200)
  })

  it('make it wait, or answer 500', async () => {
    started.cluster.faults.add({
      verb: 'get',
      resource: 'namespaces',
      name: 'default',
      latency: 60,
      status: 500,
    })
    const begun = Date.now()
    expect((await wire.get('/api/v1/namespaces/default')).status).toBe(500)
    expect(Date.now() - begun).toBeGreaterThanOrEqual(58)
  })

  it('end watches with and without a word', async () => {
    for (const how of ['silently', 'expired'] as const) {
      const watch = await wire.watch(`${core}/secrets?watch=1`)
      started.cluster.endWatches(how)
      expect((await watch.ended()).map(event => event.object.code)).toEqual(how === 'expired' ? [410] : [])
    }
  })

  it('count requests by verb and resource', async () => {
    started.cluster.faults.resetCounts()
    await wire.get(`${core}/secrets`)
    await wire.get(`${core}/secrets/x`)
    await wire.patch(`${apps}/deployments/x/scale`, 'merge', {})
    expect(started.cluster.faults.counts()).toEqual({
      'list secrets': 1,
      'get secrets': 1,
      'patch deployments/scale': 1,
    })
  })
})

describe('an informer of @kubernetes/client-node', () => {
  it('follows, and reads again after 410', async () => {
    const config = configOf(started.kubeconfig)
    const api = config.makeApiClient(CoreV1Api)
    const informer = makeInformer(
      config,
      `${core}/configmaps`,
      () => api.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'inf=1' }),
      'inf=1',
    )
    const seen: string[] = []
    let wake: () => void = () => undefined
    informer.on('add', object => {
      seen.push(object.metadata?.name ?? '')
      wake()
    })
    await informer.start()
    const post = (name: string) =>
      wire.post(`${core}/configmaps`, { metadata: { name, labels: { inf: '1' } } })
    const until = async (name: string) => {
      while (!seen.includes(name)) await new Promise<void>(done => (wake = done))
    }
    await post('inf-1')
    await until('inf-1')
    started.cluster.compact()
    started.cluster.endWatches('expired')
    await post('inf-2')
    await until('inf-2')
    await informer.stop()
  })
})

describe('logs', () => {
  it('follow a container to its end', async () => {
    await wire.post(
      '/apis/batch/v1/namespaces/default/jobs',
      job('talk', ['sh', '-c', 'echo one; sleep 10; echo two; sleep 10; echo three']),
    )
    const name = await wire.until(async () => {
      const { items } = (await wire.get(`${core}/pods?labelSelector=job-name%3Dtalk`)).body
      return items[0]?.status?.phase === 'Running' && (items[0].metadata.name as string)
    })
    const chunks: string[] = []
    const sink = new PassThrough()
    sink.on('data', chunk => chunks.push(String(chunk)))
    const ended = new Promise(done => sink.on('end', done))
    await new Log(configOf(started.kubeconfig)).log('default', name, 'tool', sink, {
      follow: true,
      timestamps: true,
    })
    await ended
    const lines = chunks.join('').trim().split('\n')
    expect(lines.map(line => line.split(' ')[1])).toEqual(['one', 'two', 'three'])
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z one$/)
    expect((await wire.get(`${core}/pods/${name}/log?tailLines=1`)).text).toBe('three\n')
    expect((await wire.get(`${core}/pods/${name}/log?limitBytes=5`)).text).toBe('one\nt')
  })

  it('say why there are none', async () => {
    await wire.post(`${core}/pods`, {
      metadata: { name: 'mute' },
      spec: {
        containers: [
          { name: 'a', image: 'r/a:missing' },
          { name: 'b', image: 'r/b:1' },
        ],
      },
    })
    await wire.until(async () => (await wire.get(`${core}/pods/mute`)).body.spec.nodeName)
    expect((await wire.get(`${core}/pods/mute/log`)).body.message).toBe(
      'a container name must be specified for pod mute, choose one of: [a b]',
    )
    const waiting = await wire.until(async () => {
      const { body } = await wire.get(`${core}/pods/mute/log?container=a`)
      return body.message.includes('pull') && body
    })
    expect(waiting).toMatchObject({
      code: 400,
      message: 'container "a" in pod "mute" is waiting to start: trying and failing to pull image',
    })
  })
})

describe('exec', () => {
  it.each([
    { name: 'echo', command: ['echo', 'hello', 'there'], out: 'hello there\n', code: undefined },
    { name: 'a mounted file', command: ['cat', '/etc/app/app.conf'], out: 'port=1\n', code: undefined },
    {
      name: 'a script with its environment',
      command: ['sh', '-c', 'echo $MODE; exit 4'],
      out: 'fast\n',
      code: '4',
    },
    { name: 'what is not there', command: ['nosuch'], out: '', code: '127' },
  ])('answers $name', async ({ command, out, code }) => {
    await wire.apply(`${core}/configmaps/exec`, 'test', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'exec' },
      data: { 'app.conf': 'port=1\n' },
    })
    const object = deployment(
      'exec',
      'reg/exec:1',
      { replicas: 1 },
      { env: [{ name: 'MODE', value: 'fast' }], volumeMounts: [{ name: 'conf', mountPath: '/etc/app' }] },
    )
    object.spec.template.spec.volumes = [{ name: 'conf', configMap: { name: 'exec' } }]
    await wire.apply(`${apps}/deployments/exec`, 'test', object)
    await available(wire, 'exec', 1)
    const pod = (await wire.get(`${core}/pods?labelSelector=app%3Dexec`)).body.items[0].metadata.name
    let printed = ''
    const sink = () =>
      new Writable({
        write(chunk, _encoding, done) {
          printed += chunk
          done()
        },
      })
    const status = await new Promise<Json>((resolve, reject) => {
      new Exec(configOf(started.kubeconfig))
        .exec(
          'default',
          pod,
          'web',
          command,
          sink(),
          new PassThrough().resume() as unknown as Writable,
          null,
          false,
          resolve,
        )
        .catch(reject)
    })
    expect(printed).toBe(out)
    expect(status.status).toBe(code ? 'Failure' : 'Success')
    expect(status.details?.causes?.find((cause: Json) => cause.reason === 'ExitCode')?.message).toBe(code)
  })
})

describe('several and again', () => {
  it('goes on where it stopped, over the same etcd', async () => {
    const first = await testCluster({ speed: 5 })
    const spec = {
      replicas: 3,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    }
    await first.wire.post(`${apps}/deployments`, deployment('half', 'reg/half:1', spec))
    await available(first.wire, 'half', 3)
    await first.wire.apply(
      `${apps}/deployments/half`,
      'test',
      deployment('half', 'reg/half:2', spec),
      '&force=true',
    )
    await first.wire.until(
      async () => (await first.wire.get(`${apps}/deployments/half`)).body.status.updatedReplicas === 1,
    )
    await first.cluster.stop()
    const again = await startCluster(first.settings)
    try {
      const second = wireTo(JSON.stringify(again.kubeconfig()))
      const done = await available(second, 'half', 3)
      expect(done.metadata.generation).toBe(2)
      await second.until(async () => (await second.get(`${core}/pods`)).body.items.length === 3)
      const { items } = (await second.get(`${core}/pods`)).body
      expect(new Set(items.map((pod: Json) => pod.spec.containers[0].image))).toEqual(new Set(['reg/half:2']))
      const old = await second.watch(`${core}/pods?watch=1&resourceVersion=1`)
      expect((await old.next()).object.code).toBe(410)
    } finally {
      await again.stop()
    }
  })

  it('keeps two clusters apart in one process and one etcd', async () => {
    const other = await testCluster()
    await wire.post(`${core}/configmaps`, { metadata: { name: 'only-here' } })
    expect((await other.wire.get(`${core}/configmaps/only-here`)).status).toBe(404)
  })

  it('sees what another server over the same prefix writes', async () => {
    const twin = await startCluster(started.settings)
    try {
      const its = wireTo(JSON.stringify(twin.kubeconfig()))
      const made = (await its.post(`${core}/configmaps`, { metadata: { name: 'twin' } })).body
      const seen = await wire.until(async () => {
        const { body, status } = await wire.get(`${core}/configmaps/twin`)
        return status === 200 && body
      })
      expect(seen).toEqual(made)
      const stale = await Promise.all(
        ['1', '2'].map((value, i) =>
          [its, wire][i]?.put(`${core}/configmaps/twin`, { ...made, data: { value } }),
        ),
      )
      expect(stale.map(reply => reply?.status).sort()).toEqual([200, 409])
    } finally {
      await twin.stop()
    }
  })

  it('asks for its token', async () => {
    const { cluster, kubeconfig } = await testCluster({ token: 'secret' })
    const bare = await fetch(`${cluster.url}/api/v1/namespaces`)
    expect(bare.status).toBe(401)
    expect(await bare.json()).toMatchObject({ kind: 'Status', reason: 'Unauthorized', code: 401 })
    expect((await wireTo(kubeconfig).get('/api/v1/namespaces')).status).toBe(200)
  })

  it('takes many rollouts at once', async () => {
    const { wire: many } = await testCluster({ speed: 50 })
    const names = Array.from({ length: 20 }, (_, i) => `d-${i}`)
    await Promise.all(
      names.map(name => many.apply(`${apps}/deployments/${name}`, 'test', deployment(name, 'reg/many:1'))),
    )
    await many.until(async () => {
      const { items } = (await many.get(`${apps}/deployments`)).body
      return items.filter((one: Json) => one.status?.availableReplicas === 2).length === 20
    }, 12_000)
  })

  it('waits for etcd and then works on', async () => {
    const etcd = await testEtcd()
    await etcd.stop()
    const refused = await wire.post(`${core}/configmaps`, { metadata: { name: 'late' } })
    expect(refused.body).toMatchObject({ kind: 'Status', code: 500, reason: 'InternalError' })
    await etcd.start()
    const made = await wire.until(async () => {
      const reply = await wire.post(`${core}/configmaps`, { metadata: { name: 'late-2' } })
      return [201, 409].includes(reply.status) && reply
    }, 12_000)
    expect([201, 409]).toContain(made.status)
    expect((await wire.get(`${core}/configmaps/late-2`)).status).toBe(200)
  })
})
