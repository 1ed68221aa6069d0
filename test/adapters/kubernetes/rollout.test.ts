// Rollouts as they happen: the adapter's watches, the verdicts and the diagnosis together, where images play (tags
// tell how): on the stand-in, ten times faster than life, and on the control plane of test/cluster.
import { describe, expect, it, vi } from 'vitest'
import type { KubernetesCluster } from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'
import { ClusterError, type KubeObject, refOf } from '../../../src/core/cluster.ts'
import type { Diagnosis } from '../../../src/core/deploy.ts'
import { gatherDiagnosis } from '../../../src/core/diagnose.ts'
import { type Expectation, judge, type Verdict } from '../../../src/core/rollout.ts'
import { deployment, realCluster, service, target } from './target.ts'

const here = target()
const noPlay = realCluster && !process.env.GKUBE_TEST_ETCD

const registry = 'registry.example.com/web'

function expectation(object: KubeObject, more: Partial<Expectation> = {}): Expectation {
  return {
    kind: object.kind,
    name: object.metadata.name,
    generation: object.metadata.generation ?? 0,
    servicePorts: [],
    progressSeconds: 600,
    limitSeconds: 1800,
    stableSeconds: 0.2,
    crashes: 3,
    startedAt: Date.now(),
    ...more,
  }
}

/**
 * What the rollout step does: judge at each change until it ends; then the diagnosis. With `stuckBy` the limit is
 * over as soon as that is the probable cause, however fast or slow this machine is.
 */
async function follow(
  cluster: KubernetesCluster,
  expected: Expectation,
  stuckBy?: string,
): Promise<{ verdict: Verdict; messages: string[]; explain: () => Promise<Diagnosis> }> {
  const { namespace } = here
  const app = expected.name
  let wake = () => {}
  const observer = cluster.observe(
    { namespace, app, workload: { apiVersion: 'apps/v1', kind: expected.kind, name: app } },
    () => wake(),
  )
  const messages: string[] = []
  let memo: Verdict['memo'] | undefined
  let stuck = false
  try {
    for (;;) {
      const observed = observer.current()
      const now = stuck ? expected.startedAt + expected.limitSeconds * 1_000 : Date.now()
      const verdict = judge(observed, { ...expected, memo }, now)
      memo = verdict.memo
      if (verdict.status === 'progressing' && stuckBy && verdict.probable?.reason === stuckBy) {
        stuck = true
        continue
      }
      if (messages.at(-1) !== verdict.message) messages.push(verdict.message)
      if (verdict.status !== 'progressing') {
        const explain = () =>
          gatherDiagnosis({ cluster, namespace, app, observed, verdict, expected }, Date.now())
        return { verdict, messages, explain }
      }
      await new Promise<void>(resolve => {
        wake = resolve
        setTimeout(resolve, Math.min(5_000, (verdict.nextCheckAt ?? Date.now() + 5_000) - Date.now()))
      })
    }
  } finally {
    observer.stop()
  }
}

/** Creates it and waits until it serves. */
async function running(cluster: KubernetesCluster, name: string): Promise<KubeObject> {
  const { object } = await cluster.create(deployment(here.namespace, name, { image: `${registry}:1.0.0` }))
  const { verdict } = await follow(cluster, expectation(object))
  expect(verdict).toMatchObject({ status: 'ready', ready: 2, wanted: 2 })
  return object
}

/** Applies another image, reading again when a controller was faster: as the apply step does. */
async function update(cluster: KubernetesCluster, name: string, image: string): Promise<KubeObject> {
  return (await cluster.apply(deployment(here.namespace, name, { image }))).object
}

describe.skipIf(noPlay).concurrent('a rollout', () => {
  it('is ready when pods are ready and the Service has endpoints', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'serves', { image: `${registry}:1.0.0` }),
    )
    await cluster.create(service(here.namespace, 'serves'))
    const servicePorts = [{ service: 'serves', port: 'http' }]
    const { verdict, messages } = await follow(cluster, expectation(object, { servicePorts }))
    expect(verdict).toMatchObject({ status: 'ready', ready: 2, wanted: 2, message: 'Ready: 2/2' })
    expect(messages.some(message => message.startsWith('Ready: 2/2, stable for'))).toBe(true)
  })

  it('is not ready while a Service selects nothing', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(deployment(here.namespace, 'unserved'))
    const servicePorts = [{ service: 'unserved', port: 'http' }]
    const { verdict } = await follow(cluster, expectation(object, { servicePorts }), 'no_endpoints')
    expect(verdict).toMatchObject({
      status: 'failed',
      cause: { reason: 'deadline' },
      probable: { reason: 'no_endpoints' },
    })
    expect(verdict.cause?.message).toContain('unserved:http')
  })

  it('that crashes fails at the third crash, with the log lines, and old pods go on', async () => {
    const cluster = here.client()
    await running(cluster, 'crashes')
    const object = await update(cluster, 'crashes', `${registry}:1.1.0-crash`)
    const { verdict, explain } = await follow(cluster, expectation(object))
    expect(verdict).toMatchObject({ status: 'failed', cause: { reason: 'crash_loop' } })
    expect(verdict.cause?.message).toMatch(
      /^The new pods crash at start: exit code 1 after \d+ s, \d+ times \(crashes-/,
    )
    // A server records events on the side: the pod's own may come a moment after its status.
    const ofPod = expect.stringMatching(/^Pod crashes-/)
    const diagnosis = await vi.waitFor(async () => {
      const found = await explain()
      expect(found.events.map(event => event.object)).toContainEqual(ofPod)
      return found
    }, 10_000)
    expect(diagnosis.cause.reason).toBe('crash_loop')
    expect(diagnosis.seen.join('\n')).toMatch(/old pods untouched, [12]\/[12] ready/)
    expect(diagnosis.log?.lines.join('\n')).toContain('ECONNREFUSED 10.0.0.7:5432')
    expect(diagnosis.tries.join()).toContain('gkube logs crashes --previous')
  })

  it('back to what ran before does not count the crashes of the failed one', async () => {
    const cluster = here.client()
    await running(cluster, 'returns')
    const bad = await update(cluster, 'returns', `${registry}:1.1.0-crash`)
    expect((await follow(cluster, expectation(bad))).verdict.status).toBe('failed')
    const good = await update(cluster, 'returns', `${registry}:1.0.0`)
    const { verdict } = await follow(cluster, expectation(good))
    expect(verdict).toMatchObject({ status: 'ready', ready: 2, wanted: 2 })
  })

  it('whose image does not exist fails after two pulls and says so', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'absent', { image: `${registry}:missing` }),
    )
    const { verdict, explain } = await follow(cluster, expectation(object))
    expect(verdict).toMatchObject({ status: 'failed', cause: { reason: 'image_not_found' } })
    expect(verdict.cause?.message).toContain(`Image \`${registry}:missing\` does not exist`)
    const diagnosis = await explain()
    expect(diagnosis.seen[0]).toMatch(/of 2 new pods (ErrImagePull|ImagePullBackOff) for/)
    expect(diagnosis.tries).toEqual(['check the tag, or `gkube history absent` for one that exists'])
    expect(diagnosis.log).toBeNull()
  })

  it('whose image name is invalid fails at once', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'badname', { image: `${registry}:badname` }),
    )
    const { verdict } = await follow(cluster, expectation(object))
    expect(verdict).toMatchObject({ status: 'failed', cause: { reason: 'invalid_image' } })
  })

  it('that runs out of memory fails and says so', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'hungry', { image: `${registry}:oom` }),
    )
    const { verdict, explain } = await follow(cluster, expectation(object))
    expect(verdict).toMatchObject({ status: 'failed', cause: { reason: 'out_of_memory' } })
    expect((await explain()).log?.lines.join()).toContain('catalogue')
  })

  it('that no node can hold waits for the clock and names the scheduler', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'large', { image: `${registry}:huge` }),
    )
    const { verdict, explain } = await follow(cluster, expectation(object), 'unschedulable')
    expect(verdict).toMatchObject({
      status: 'failed',
      cause: { reason: 'deadline' },
      probable: { reason: 'unschedulable' },
    })
    const diagnosis = await explain()
    expect(diagnosis.cause.message).toMatch(/Not done after 30 m\. Ready: 0\/2.*have no node/)
    expect(diagnosis.tries.join()).toContain('gkube cluster')
  })

  it('that never gets ready waits for the clock and shows its log', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(
      deployment(here.namespace, 'unready', { image: `${registry}:unready` }),
    )
    const { verdict, explain } = await follow(cluster, expectation(object), 'not_ready')
    expect(verdict).toMatchObject({ cause: { reason: 'deadline' }, probable: { reason: 'not_ready' } })
    // The pod may have begun to run only just now.
    const log = async () => (await explain()).log?.lines.join() ?? ''
    await vi.waitUntil(async () => (await log()).includes('waiting for the message broker'), {
      timeout: 10_000,
    })
  })
})

describe.skipIf(noPlay)('logs', () => {
  const podOf = async (cluster: KubernetesCluster, name: string): Promise<string> => {
    const pods = await cluster.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: here.namespace,
      labels: { 'app.kubernetes.io/name': name },
    })
    return pods[0]?.metadata.name ?? ''
  }

  it('are read whole, by tail and by container', async () => {
    const cluster = here.client()
    await running(cluster, 'speaks')
    const pod = await podOf(cluster, 'speaks')
    const whole = await cluster.logs(here.namespace, pod, { container: 'app' })
    expect(whole).toContain('listening on 0.0.0.0:8080')
    const tail = await cluster.logs(here.namespace, pod, { tailLines: 1 })
    expect(tail.trim().split('\n')).toHaveLength(1)
    const wrong = cluster.logs(here.namespace, pod, { container: 'other' })
    await expect(wrong).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('are followed until the reader leaves, and leaving hurts nobody', async () => {
    const cluster = here.client()
    await running(cluster, 'follows')
    const stop = new AbortController()
    const lines: string[] = []
    for await (const line of cluster.followLogs(here.namespace, await podOf(cluster, 'follows'), {
      signal: stop.signal,
    })) {
      lines.push(line)
      if (line.includes('listening')) stop.abort()
    }
    expect(lines[0]).toContain('starting')
    expect(lines.at(-1)).toContain('listening')
    await cluster.server()
  })

  it('that are followed end when the client closes', async () => {
    const cluster = here.client()
    await running(cluster, 'closes')
    const lines = cluster.followLogs(here.namespace, await podOf(cluster, 'closes'), {
      signal: new AbortController().signal,
    })
    await lines[Symbol.asyncIterator]().next()
    const rest = (async () => {
      for await (const _ of lines);
    })()
    cluster.close()
    await expect(rest).rejects.toBeInstanceOf(ClusterError)
  })
})

describe.skipIf(realCluster)('exec', () => {
  it('runs a command in a pod of the stand-in; exec.test.ts has every ending', async () => {
    const cluster = here.client()
    await running(cluster, 'runs')
    const [pod] = await cluster.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: here.namespace,
      labels: { 'app.kubernetes.io/name': 'runs' },
    })
    const run = async (...command: string[]) => {
      let output = ''
      const code = await cluster.exec(here.namespace, pod?.metadata.name ?? '', {
        container: 'app',
        command,
        signal: AbortSignal.timeout(5_000),
        output: text => {
          output += text
        },
      })
      return { code, output }
    }
    expect(await run('echo', 'hello')).toEqual({ code: 0, output: 'hello\n' })
    expect(await run('sh', '-c', 'exit 7')).toMatchObject({ code: 7 })
  })
})

describe.skipIf(noPlay)('events', () => {
  it('are found by the names of objects, newest last, one read a name or one for many', async () => {
    const cluster = here.client()
    const object = await running(cluster, 'tells')
    const few = await cluster.events(here.namespace, ['tells'])
    expect(few.map(event => event.reason)).toContain('ScalingReplicaSet')
    expect(new Set(few.map(event => event.object))).toEqual(new Set(['Deployment tells']))
    const many = await cluster.events(here.namespace, ['tells', 'a', 'b', 'c', 'd', 'e'])
    expect(many).toEqual(few)
    expect([...many].sort((a, b) => a.lastAt - b.lastAt)).toEqual(many)
    expect(refOf(object).name).toBe('tells')
  })
})
