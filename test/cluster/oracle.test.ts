// kubectl as the oracle: generated rollouts (rollouts.ts), each deployed by gkube and followed by `kubectl rollout
// status` from the moment the write is seen. The verdicts must be equal; what gkube is certain of early must never
// become a success for kubectl. Times are printed, never asserted: docs/benchmarks.md has figures.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { admin, ask, outcome, webApp } from '../support/stack.ts'
import { binaries } from './build.ts'
import { played, type RealStack, sharedCluster, startRealStack } from './real-stack.ts'
import { generatedRollouts, type Rollout, rolloutKinds } from './rollouts.ts'

const seed = 20_260
const lanes = ['lane-1', 'lane-2', 'lane-3', 'lane-4', 'lane-5']
/** Beyond the deadline: what kubectl still calls progress then is no success. */
const patience = 8

type Side = { readonly ok: boolean; readonly said: string; readonly ms: number }
type Result = { readonly rollout: Rollout; readonly gkube: Side; readonly kubectl: Side }

describe.runIf(played)('gkube beside kubectl rollout status', () => {
  it('comes to the same verdict', async () => {
    const rollouts = generatedRollouts(seed)
    const quotas = rollouts.filter(({ kind }) => kind.quota).map(({ app }) => app)
    const environments = [...lanes, ...quotas].map(name => [name, { onFailure: 'hold' }] as const)
    const stack = await startRealStack(Object.fromEntries(environments))
    const home = mkdtempSync(join(tmpdir(), 'gkube-kubectl-'))
    const bin = (await binaries(() => undefined)).path('kubectl')
    const env = { HOME: home, KUBECONFIG: sharedCluster() }
    const waiting = [...rollouts]
    const results: Result[] = []
    try {
      await Promise.all(
        lanes.map(async lane => {
          for (let rollout = waiting.shift(); rollout; rollout = waiting.shift()) {
            const environment = rollout.kind.quota ? rollout.app : lane
            results.push(await compare(rollout, { stack, environment, bin, env }))
          }
        }),
      )
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
    process.stdout.write(table(results))
    expect(results.map(of => `${about(of)}: ${of.gkube.ok}`)).toEqual(
      results.map(of => `${about(of)}: ${of.kubectl.ok}`),
    )
    expect(results.filter(of => of.gkube.ok !== (of.rollout.kind.verdict === 'good')).map(about)).toEqual([])
    expect(results).toHaveLength(50)
  }, 240_000)
})

type Place = {
  readonly stack: RealStack
  readonly environment: string
  readonly bin: string
  readonly env: NodeJS.ProcessEnv
}

/** One rollout through gkube, with kubectl looking on. */
async function compare(rollout: Rollout, { stack, environment, bin, env }: Place): Promise<Result> {
  const { app, kind, isNew, replicas } = rollout
  const { core, wire } = stack
  const namespace = stack.namespace(environment)
  const spec = { jobs: [], replicas, rollout: rollout.rollout, environments: { [environment]: {} } }
  const workload = kind.workload ? { kind: 'stateful' } : {}
  await core.applyApp(admin, webApp({ app, ...spec, ...workload }), { dryRun: false })
  const deploy = async (input: object) => {
    const asked = await core.request(admin, ask({ app, environment, ...input }))
    return (await outcome(core, asked.deploy.id, 90)).deploy
  }
  if (!isNew) {
    const first = await deploy({ revision: '1.0.0' })
    expect(first, `${app}: ${first.cause?.message}`).toMatchObject({ phase: 'succeeded' })
  }
  if (kind.quota) await refusePods(stack, namespace)

  const plural = kind.workload ? 'statefulsets' : 'deployments'
  const path = `/apis/apps/v1/namespaces/${namespace}/${plural}`
  const before = (await wire.get(`${path}/${app}`)).body.metadata?.generation ?? 0
  const { resourceVersion } = (await wire.get(path)).body.metadata
  const watch = await wire.watch(
    `${path}?watch=1&resourceVersion=${resourceVersion}&fieldSelector=metadata.name%3D${app}`,
  )
  const scaled = kind.scale === 'zero' ? 0 : replicas - 1
  const ended = deploy(
    kind.scale ? { kind: 'scale', replicas: scaled } : { revision: kind.tag ? `1.1.0-${kind.tag}` : '1.1.0' },
  )
  await watch.next(event => event.object.metadata.generation > before, 20_000)
  const written = Date.now()
  watch.close()
  // A StatefulSet has no deadline of its own: kubectl's time-out stands for it.
  const seconds = kind.verdict === 'good' ? 90 : kind.progress + (kind.workload ? 0 : patience)
  const target = `${plural}/${app}`
  const kubectl = await followed(bin, env, [
    ...['-n', namespace, 'rollout', 'status', target, `--timeout=${seconds}s`],
  ])
  const { steps, cause } = await ended
  const step = steps.find(({ name }) => name === 'rollout')
  if (!step?.endedAt) throw new Error(`${app} had no rollout: ${cause?.message}`)
  // What crashes for ever would only keep the nodes busy.
  await wire.delete(`${path}/${app}`)
  return {
    rollout,
    gkube: {
      ok: step.state === 'done',
      said: step.state === 'done' ? 'ok' : (cause?.reason ?? '?'),
      ms: step.endedAt - written,
    },
    kubectl: { ...kubectl, ms: kubectl.at - written },
  }
}

/** No more pods in a namespace; returns once the API server refuses them. */
async function refusePods({ wire }: RealStack, namespace: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/resourcequotas`
  const made = await wire.post(path, { metadata: { name: 'none' }, spec: { hard: { pods: '0' } } })
  expect(made.status).toBe(201)
  await wire.until(async () => (await wire.get(`${path}/none`)).body.status?.used?.pods !== undefined)
}

/** Runs kubectl to its end: its verdict, its last words and the time of its exit. */
async function followed(bin: string, env: NodeJS.ProcessEnv, args: readonly string[]) {
  const child = spawn(bin, args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: 120_000 })
  const words = text(child.stderr)
  const exited = once(child, 'exit').then(([code]) => ({ code: code as number | null, at: Date.now() }))
  const { code, at } = await exited
  const error = (await words).trim().split('\n').at(-1) ?? ''
  const known = /exceeded its progress deadline|timed out/.exec(error)?.[0]
  // Only a verdict is one: no connection, or an object that is not there, is a fault of the test.
  if (code !== 0 && !known) throw new Error(`kubectl ${args.join(' ')}: ${code} ${error}`)
  return { ok: code === 0, said: code === 0 ? 'ok' : (known ?? ''), at }
}

const about = ({ rollout, gkube, kubectl }: Result): string =>
  `${rollout.app} ${rollout.kind.name} (${JSON.stringify({ ...rollout, kind: undefined, app: undefined })}; ${gkube.said} | ${kubectl.said})`

const quantile = (of: readonly number[], q: number): number =>
  [...of].sort((a, b) => a - b)[Math.max(0, Math.ceil(of.length * q) - 1)] ?? Number.NaN
const median = (of: readonly number[]): number => quantile(of, 0.5)

/** Lines by kind, then those whose times can be compared: done, and ended by the same deadline. */
function table(results: readonly Result[]): string {
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  const difference = ({ gkube, kubectl }: Result) => gkube.ms - kubectl.ms
  const words = (sides: readonly Side[]) => [...new Set(sides.map(({ said }) => said))].join(', ')
  const rows = rolloutKinds.map(kind => {
    const of = results.filter(({ rollout }) => rollout.kind === kind)
    const [gkube, kubectl] = [of.map(one => one.gkube), of.map(one => one.kubectl)]
    const ms = (sides: readonly Side[]) => `${median(sides.map(side => side.ms))} ms`
    const differences = of.map(difference)
    const late = [median(differences), quantile(differences, 0.95)]
    return row([kind.name, of.length, words(gkube), words(kubectl), ms(gkube), ms(kubectl), ...late])
  })
  const head = ['rollout', 'n', 'gkube', 'kubectl', 'p50', 'p50', 'gkube - kubectl p50', 'p95']
  const summary = (what: string, verdict: 'good' | 'bad') => {
    const same = results.filter(({ rollout: { kind } }) => kind.sameEvent && kind.verdict === verdict)
    const of = same.map(difference)
    const apart = quantile(of.map(Math.abs), 0.95)
    return `oracle: ${what}, ${of.length} of them: gkube - kubectl p50 ${median(of)} ms, between ${Math.min(...of)} and ${Math.max(...of)} ms; p95 apart ${apart} ms`
  }
  return [
    `oracle: ${results.length} rollouts, seed ${seed}; milliseconds from the write, p50`,
    row(head),
    row(head.map(() => '---')),
    ...rows,
    summary('both see it done', 'good'),
    summary('both wait for the same deadline', 'bad'),
    '',
  ].join('\n')
}
