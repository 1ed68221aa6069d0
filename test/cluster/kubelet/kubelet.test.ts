// Real containers: probes, logs, exec, exit codes, memory limits and volumes as a kubelet and a runtime do them, told by
// gkube on a control plane of its own with one real node (node.ts). Only with GKUBE_TEST_KUBELET=1. What is played
// elsewhere (diagnosis.test.ts) is here held against the real thing. What the images do is in app.sh.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunEvent } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { hookJob } from '../../../src/core/objects/jobs.ts'
import { frozenOf } from '../../core/specs.ts'
import type { Json } from '../../sandbox/cluster/wire.ts'
import { admin, ask, outcome, webApp } from '../../support/stack.ts'
import { binaries } from '../build.ts'
import { type ControlPlane, startControlPlane } from '../harness.ts'
import { played, type RealStack, startRealStack } from '../real-stack.ts'
import { cannotRunNode, realNode } from './node.ts'

const why = played ? cannotRunNode() : 'they run on a control plane of their own'
if (why) process.stdout.write(`cluster: real containers are skipped: ${why}\n`)

const image = 'registry.example.com/shop/web'
const tags = ['1.0.0', '1.1.0', '1.1.0-slow', '1.1.0-crash', '1.1.0-once', '1.1.0-unready', '1.1.0-oom']
const say = (line: string) => void process.stdout.write(`cluster: ${line}\n`)

describe.skipIf(why)('real containers', () => {
  let plane: ControlPlane
  let stack: RealStack
  const volume = why ? '' : mkdtempSync(join(tmpdir(), 'gkube-volume-'))

  beforeAll(async () => {
    const built = await binaries(say)
    plane = await startControlPlane(built, realNode(tags.map(tag => `${image}:${tag}`)))
    say(`Kubernetes ${plane.version} with a real node: ready in ${(plane.readyMs / 1000).toFixed(1)} s`)
    stack = await startRealStack(
      { staging: { exec: true, onFailure: 'rollback' } },
      { default: plane.kubeconfig },
    )
    // The kubelet gives a hostPath no owner: whoever runs in the pod must be able to write.
    chmodSync(volume, 0o777)
    const spec = {
      capacity: { storage: '10Mi' },
      accessModes: ['ReadWriteMany'],
      storageClassName: 'by-hand',
      hostPath: { path: volume, type: 'Directory' },
    }
    expect(
      (await stack.wire.post('/api/v1/persistentvolumes', { metadata: { name: 'here' }, spec })).status,
    ).toBe(201)
  }, 180_000)
  afterAll(async () => {
    await plane?.stop()
    if (volume) rmSync(volume, { recursive: true, force: true })
  }, 60_000)

  const rollout = { stable: '0s', progress: '30s', limit: '60s', drain: '0s', grace: '1s' }
  const probes = { readiness: { http: { path: '/healthz' }, period: '1s' } }
  const small = { requests: { cpu: '10m', memory: '8Mi' }, limits: { memory: '64Mi' } }
  const running = async (app: string, more: Record<string, unknown> = {}): Promise<void> => {
    const shape = {
      app,
      jobs: [],
      replicas: 1,
      rollout,
      probes,
      resources: small,
      environments: { staging: {} },
    }
    await stack.core.applyApp(admin, webApp({ ...shape, ...more }), { dryRun: false })
    const deploy = await ship({ app, revision: '1.0.0' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
  }
  const ship = async (input: { app: string; revision: string }): Promise<Deploy> => {
    const asked = await stack.core.request(admin, ask(input))
    return (await outcome(stack.core, asked.deploy.id, 60)).deploy
  }
  const place = (app: string) => ({ app, environment: 'staging' })
  const signal = () => AbortSignal.timeout(30_000)
  const podsOf = async (app: string): Promise<Json[]> => {
    const query = `labelSelector=app.kubernetes.io%2Fname%3D${app}`
    const path = `/api/v1/namespaces/${stack.namespace('staging')}/pods?${query}`
    return (await stack.wire.get(path)).body.items
  }
  const rolloutSeconds = (deploy: Deploy): number => {
    const step = deploy.steps.find(one => one.name === 'rollout')
    return ((step?.endedAt ?? Number.NaN) - (step?.startedAt ?? Number.NaN)) / 1000
  }

  it.concurrent('a readiness probe holds a rollout, and the old pod serves until it passes', async () => {
    await running('probed')
    const deployments = `/apis/apps/v1/namespaces/${stack.namespace('staging')}/deployments`
    const { resourceVersion } = (await stack.wire.get(deployments)).body.metadata
    const watch = await stack.wire.watch(
      `${deployments}?watch=1&resourceVersion=${resourceVersion}&fieldSelector=metadata.name%3Dprobed`,
    )
    const deploy = await ship({ app: 'probed', revision: '1.1.0-slow' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
    // The process listens at once; what the probe asks for comes four seconds later.
    expect(rolloutSeconds(deploy)).toBeGreaterThan(3.5)
    const available: number[] = []
    await watch.next(event => {
      available.push(event.object.status.availableReplicas ?? 0)
      return event.object.status.updatedReplicas === 1 && event.object.status.replicas === 1
    }, 10_000)
    watch.close()
    expect(Math.min(...available)).toBeGreaterThanOrEqual(1)
    const [pod] = (await podsOf('probed')).filter(one => !one.metadata.deletionTimestamp)
    const started = Date.parse(pod.status.containerStatuses[0].state.running.startedAt)
    const ready = pod.status.conditions.find((one: Json) => one.type === 'Ready')
    expect(Date.parse(ready.lastTransitionTime) - started).toBeGreaterThanOrEqual(3_000)

    const [chunk] = await stack.core.logs(admin, { ...place('probed'), previous: false, tail: 10 })
    expect(chunk?.text).toContain('web 1.1.0-slow listens')

    const ran = await gather(stack.core.exec(admin, { ...place('probed'), command: ['id', '-u'] }, signal()))
    expect(ran).toMatchObject({ output: '65532\n', exitCode: 0 })
    const failed = ['sh', '-c', 'echo to-stderr >&2; exit 9']
    expect(
      await gather(stack.core.exec(admin, { ...place('probed'), command: failed }, signal())),
    ).toMatchObject({ output: 'to-stderr\n', exitCode: 9 })
  })

  it.concurrent('a crash is told with its exit code and last lines, and goes back', async () => {
    await running('crashing')
    const deploy = await ship({ app: 'crashing', revision: '1.1.0-crash' })
    say(`a crash loop is certain after ${rolloutSeconds(deploy).toFixed(1)} s`)
    expect(deploy, deploy.cause?.message).toMatchObject({
      phase: 'rolled_back',
      reason: 'crash_loop',
      rollback: { revision: '1.0.0' },
    })
    expect(deploy.cause?.message).toMatch(/crash at start: exit code 7 after \d s, (3|4) times \(crashing-/)
    const { diagnosis } = await stack.core.showDeploy(admin, deploy.id)
    expect(diagnosis?.log?.lines.join('\n')).toContain('cannot start: DATABASE_URL is not set')
    expect(diagnosis?.events.map(event => event.reason)).toContain('BackOff')
  })

  it.concurrent('three pods that crash once each are no crash loop; the log of before is there', async () => {
    const patch = {
      spec: {
        template: {
          spec: {
            volumes: [{ name: 'scratch', emptyDir: {} }],
            containers: [{ name: 'stumbling', volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] }],
          },
        },
      },
    }
    const pace = { maxSurge: '100%' }
    await running('stumbling', {
      replicas: 3,
      rollout: { ...rollout, ...pace },
      patches: [{ target: 'Deployment', patch }],
    })
    const deploy = await ship({ app: 'stumbling', revision: '1.1.0-once' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
    const pods = (await podsOf('stumbling')).filter(one => !one.metadata.deletionTimestamp)
    expect(pods.map(pod => pod.status.containerStatuses[0].restartCount)).toEqual([1, 1, 1])
    const before = await stack.core.logs(admin, { ...place('stumbling'), previous: true, tail: 10 })
    expect(before.map(chunk => chunk.text).join()).toContain('the database is not there yet')
    const now = await stack.core.logs(admin, { ...place('stumbling'), previous: false, tail: 10 })
    expect(now.map(chunk => chunk.text).join()).not.toContain('the database is not there yet')
  })

  it.concurrent('a probe that never passes is told with what the kubelet saw', async () => {
    await running('unready', { rollout: { ...rollout, progress: '6s' } })
    const deploy = await ship({ app: 'unready', revision: '1.1.0-unready' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'rolled_back', reason: 'deadline' })
    expect(deploy.cause?.message).toMatch(/^No progress for 6 s\..*readiness probe/)
    const { diagnosis } = await stack.core.showDeploy(admin, deploy.id)
    const told = diagnosis?.events.map(event => `${event.reason}: ${event.message}`).join('\n')
    expect(told).toMatch(/Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404/)
  })

  it.concurrent('a process that takes more memory than its limit is told at once', async () => {
    await running('greedy')
    const deploy = await ship({ app: 'greedy', revision: '1.1.0-oom' })
    expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'rolled_back', reason: 'out_of_memory' })
  })

  it.concurrent('an image that cannot be pulled is told in the words of the runtime', async () => {
    // Nothing listens there: no name is asked for outside of this machine.
    const shape = { jobs: [], replicas: 1, resources: small, environments: { staging: {} } }
    const late = { ...rollout, progress: '5s' }
    const app = webApp({ app: 'nowhere', image: '127.0.0.1:9/shop/web:{revision}', ...shape, rollout: late })
    await stack.core.applyApp(admin, app, { dryRun: false })
    const deploy = await ship({ app: 'nowhere', revision: '1.0.0' })
    expect(deploy).toMatchObject({ phase: 'failed', cause: { reason: 'deadline' } })
    expect(deploy.cause?.message).toMatch(/Image `127.0.0.1:9\/shop\/web:1.0.0` cannot be pulled: .*refused/)
  })

  describe('an app with a volume of this machine', () => {
    const storage = [{ name: 'data', size: '10Mi', mount: '/data', storageClass: 'by-hand' }]
    beforeAll(() => running('keeper', { storage }))

    it('`gkube run` writes to it, shows what it prints, and ends as its command ends', async () => {
      const run = (command: string) =>
        gather(
          stack.core.run(
            admin,
            { ...place('keeper'), command: ['sh', '-c', command], timeout: '1m' },
            signal(),
          ),
        )
      const wrote = await run('echo from $GKUBE_APP $GKUBE_REVISION > /data/run.txt && cat /data/run.txt')
      expect(wrote).toMatchObject({ output: 'from keeper 1.0.0\n', exitCode: 0 })
      expect(readFileSync(join(volume, 'run.txt'), 'utf8')).toBe('from keeper 1.0.0\n')
      expect(statSync(join(volume, 'run.txt')).uid).toBe(65532)
      const failed = await run('echo half > /data/half.txt; echo no more >&2; exit 3')
      expect(failed).toMatchObject({ output: 'no more\n', exitCode: 3 })
      expect(readFileSync(join(volume, 'half.txt'), 'utf8')).toBe('half\n')
      const read = { ...place('keeper'), command: ['cat', '/data/run.txt'] }
      expect(await gather(stack.core.exec(admin, read, signal()))).toMatchObject({
        output: 'from keeper 1.0.0\n',
      })
    })

    // Deploys do not run hooks yet; their Jobs are rendered as they will be, and created by hand.
    it.each([
      { end: 'Complete', attempt: 1, command: 'echo one > /data/init.txt', wrote: 'one\n', exitCode: 0 },
      {
        end: 'Failed',
        attempt: 2,
        command: 'echo two > /data/init.txt; exit 4',
        wrote: 'two\n',
        exitCode: 4,
      },
    ])('the Job of an init hook ends as $end, and what it wrote stays', async of => {
      const { end, attempt, command, wrote, exitCode } = of
      const namespace = stack.namespace('staging')
      const keys = { app: 'keeper', image: `${image}:{revision}`, storage, resources: small }
      const job = hookJob({
        frozen: frozenOf(keys),
        namespace,
        deploy: { id: '01JZZZZZZZZZZZZZZZZZZZZZZZ', epoch: 1 },
        beside: false,
        imagePullSecrets: [],
        serverMinor: 37,
        step: 'init',
        hook: { command: ['sh', '-c', command], timeout: '1m' },
        attempt,
      })
      const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`
      expect((await stack.own.post(jobs, job)).status).toBe(201)
      const ended = async (): Promise<Json> =>
        (await stack.wire.get(`${jobs}/${job.metadata.name}`)).body.status?.conditions?.find(
          (one: Json) => ['Complete', 'Failed'].includes(one.type) && one.status === 'True',
        )
      await stack.wire.until(async () => Boolean(await ended()))
      expect((await ended()).type).toBe(end)
      expect(readFileSync(join(volume, 'init.txt'), 'utf8')).toBe(wrote)
      const query = `labelSelector=batch.kubernetes.io%2Fjob-name%3D${job.metadata.name}`
      const { items } = (await stack.wire.get(`/api/v1/namespaces/${namespace}/pods?${query}`)).body
      expect(items[0].status.containerStatuses[0].state.terminated.exitCode).toBe(exitCode)
    })
  })
})

async function gather(events: AsyncIterable<RunEvent>): Promise<{ output: string; exitCode: number }> {
  let output = ''
  for await (const event of events) {
    if (event.kind === 'output') output += event.text
    if (event.kind === 'ended') return { output, exitCode: event.exitCode }
  }
  throw new Error(`it did not end: ${output}`)
}
