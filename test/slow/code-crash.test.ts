// kill -9 between every two steps of the code path, and between each effect of a step and its record: volume, environment,
// publish, init, before, apply, rollout, activate, after, record, and the way back. Several gkubes, each with an app of
// its own, die at one place after the other; what is left is judged from outside: what each script wrote down, the
// volume, the cluster, etcd, and what requests are answered meanwhile.
// Jobs run at least once, by Kubernetes' own word: twice where it runs a pod again (its node was lost) or where somebody
// deletes a Job before its result is recorded. No kill of gkube does: a Job has one name a deploy, and goes after its result.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { directoryStore } from '../../src/adapters/artifacts/directory-store.ts'
import { type Audit, auditSchema } from '../../src/core/coordination.ts'
import { type Deploy, isTerminal, terminalPhases } from '../../src/core/deploy.ts'
import { keysBelow } from '../../src/core/keys.ts'
import { releaseName } from '../../src/core/release-name.ts'
import { type Workload, workloadSchema } from '../../src/core/workload.ts'
import { type Cluster, startCluster } from '../../src/sandbox/cluster/cluster.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { siteArtifact } from '../../src/sandbox/site-artifacts.ts'
import { type Json, type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { allPlaces, appOf, type Lane, lanes } from '../support/code-crash-lanes.ts'
import { testEtcd } from '../support/etcd.ts'
import { type Mortal, startMortal } from '../support/mortal.ts'
import { type Answer, ask, load } from '../support/web-load.ts'

const revisions = ['1', '2', '3'] as const
const image = 'registry.example.com/gkube:test'
/** `CHAOS_DIR=<folder>` keeps the logs of the processes there. */
const kept = process.env.CHAOS_DIR
const folder = mkdtempSync(join(kept ?? tmpdir(), 'gkube-code-crash-'))
const compiled = join(folder, 'compiled')
const hashes = new Map<string, string>()
const mortals: Mortal[] = []
let etcd: Awaited<ReturnType<typeof testEtcd>>
let cluster: Cluster
let wire: Wire
let door: number
let kubeconfig: string
let watch: Awaited<ReturnType<Wire['watch']>>

beforeAll(async () => {
  etcd = await testEtcd()
  const pools = join(folder, 'pools')
  mkdirSync(pools)
  cluster = await startCluster({
    etcd: { endpoints: [etcd.endpoint] },
    prefix: '/cluster/',
    speed: 4,
    runs: {
      folder: join(folder, 'cluster'),
      own: {
        image,
        command: [
          '/usr/bin/env',
          `NODE_COMPILE_CACHE=${compiled}`,
          process.execPath,
          '--disable-warning=ExperimentalWarning',
          resolve('src/main.ts'),
        ],
      },
      hostPaths: [pools],
    },
  })
  door = (await cluster.openFrontDoor(0)).port
  kubeconfig = join(folder, 'kubeconfig.yaml')
  writeFileSync(kubeconfig, stringify(cluster.kubeconfig()))
  wire = wireTo(readFileSync(kubeconfig, 'utf8'))
  const store = directoryStore({ directory: join(folder, 'artifacts'), maxBytes: 1e6, keepMs: 86_400_000 })
  for (const revision of revisions) {
    const bytes = await siteArtifact(revision)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    hashes.set(revision, sha256)
    await store.put(
      sha256,
      (async function* () {
        yield bytes
      })(),
    )
  }
})
afterAll(async () => {
  await Promise.all(mortals.map(mortal => mortal.stop()))
  await cluster?.stop()
  if (!kept) rmSync(folder, { recursive: true, force: true })
}, 60_000)

type Stage = {
  readonly deploy: Deploy
  /** Points that killed nobody. */
  readonly left: readonly string[]
  /** What scripts wrote, since the beginning: `init 1`. */
  readonly ran: readonly string[]
  /** Names on the volume, with the name that the marker in each stands for. */
  readonly releases: Readonly<Record<string, string>>
  readonly current: string | null
  readonly load: { readonly answers: readonly Answer[]; readonly failures: readonly string[] } | null
  /** After it. */
  readonly answers: readonly Answer[]
  /** Jobs, Secrets, and pods of Jobs; keys of who works, waits or holds. */
  readonly remains: readonly string[]
  readonly workload: Workload
}
type Story = {
  readonly stages: readonly Stage[]
  readonly audit: readonly Audit[]
  readonly deaths: number
  readonly seconds: number
}

// The first test waits for all of it: a minute or two, and longer where others work as well.
vi.setConfig({ testTimeout: 480_000 })
const stories = new Map<string, Promise<Story>>()
beforeAll(async () => {
  watch = await wire.watch('/apis/batch/v1/jobs?watch=true')
  for (const lane of lanes) {
    const story = play(lane)
    story.catch(() => undefined)
    stories.set(lane.name, story)
  }
})

async function play(lane: Lane): Promise<Story> {
  const { name } = lane
  const from = performance.now()
  const port = await freePort()
  const root = etcd.root()
  const pools = join(folder, 'pools', name)
  mkdirSync(pools)
  const configFile = join(folder, `${name}.yaml`)
  writeFileSync(configFile, stringify(configOf({ name, port, root, pools })))
  const mortal = await startMortal({
    configFile,
    port,
    pools,
    points: join(folder, 'points', name),
    log: join(folder, `${name}.log`),
    // They start many times.
    env: { NODE_COMPILE_CACHE: compiled },
  })
  mortals.push(mortal)
  await mortal.call('PUT', '/v1/apps/site', appOf(lane))
  const kv = etcd.kv({ root })
  const stages: Stage[] = []
  for (const [revision, places] of [
    ['1', lane.create],
    ['2', lane.update],
    ['3', lane.back],
  ] as const) {
    mortal.dieAt(places)
    const requests = revision === '1' ? null : load(door, name)
    const asked = { app: 'site', environment: name, revision, artifact: hashes.get(revision) }
    const { deploy } = await mortal.call<{ deploy: Deploy }>('POST', '/v1/deploys', {
      ...asked,
      idempotencyKey: `${name}-${revision}`,
    })
    const ended = await endOf(mortal, deploy.id)
    const keys = keysBelow(root)
    const workload = await kv.get(keys.workload(name, 'site'))
    stages.push({
      deploy: ended,
      left: mortal.left(),
      ran: linesOf(join(pools, name, 'site/code/ran')),
      ...volumeOf(join(pools, name, 'site/code')),
      load: requests && (await requests.stop()),
      answers: await Promise.all([1, 2, 3, 4].map(() => ask(door, name))),
      remains: await remainsOf(name, () =>
        kv.list(root).then(({ entries }) => entries.map(({ key }) => key.slice(root.length))),
      ),
      workload: workloadSchema.parse(JSON.parse(workload?.value ?? 'null')),
    })
    if (mortal.left().length > 0 || !isTerminal(ended.phase)) break
  }
  const { entries } = await kv.list(keysBelow(root).auditIn(name))
  const audit = entries.map(({ value }) => auditSchema.parse(JSON.parse(value)))
  const deaths = mortal.deaths()
  await mortal.stop()
  return { stages, audit, deaths, seconds: Math.round((performance.now() - from) / 1000) }
}

const configOf = (at: { name: string; port: number; root: string; pools: string }) => ({
  listen: { host: '127.0.0.1', port: at.port },
  etcd: { endpoints: [etcd.endpoint], root: at.root },
  clusters: { default: { kubeconfig } },
  pools: {
    shared: {
      volume: 'shared',
      servers: ['localhost'],
      reach: { kind: 'local' },
      mount: at.pools,
      strategy: 'hostpath',
      hostPath: at.pools,
    },
  },
  artifacts: { directory: join(folder, 'artifacts') },
  publish: { image, url: `http://127.0.0.1:${at.port}` },
  environments: { [at.name]: { createNamespace: true, onFailure: 'rollback', reload: true, pool: 'shared' } },
  limits: { requestsPerMinute: 100_000 },
})

/** When it has ended and nobody is to die any more; else what it is after some patience. */
async function endOf(mortal: Mortal, id: string): Promise<Deploy> {
  let since = Date.now()
  for (let deaths = mortal.deaths(); ; await wait(100)) {
    const { deploy } = await mortal.call<{ deploy: Deploy }>('GET', `/v1/deploys/${id}`)
    if (deaths !== mortal.deaths()) since = Date.now()
    deaths = mortal.deaths()
    const over = isTerminal(deploy.phase)
    // A point after the end is passed a moment later.
    if (over && (mortal.left().length === 0 || Date.now() - since > 5_000)) return deploy
    if (Date.now() - since > 60_000) return deploy
  }
}

const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []

function volumeOf(volume: string): Pick<Stage, 'releases' | 'current'> {
  const all = join(volume, 'releases')
  const names = existsSync(all) ? readdirSync(all) : []
  const marked = names.map(name => {
    const marker = join(all, name, '.gkube-release')
    if (!existsSync(marker)) return [name, 'no marker']
    const { revision, sha256, recipe } = JSON.parse(readFileSync(marker, 'utf8')) as Record<string, string>
    return [name, releaseName(revision ?? '', sha256 ?? '', recipe)]
  })
  const link = join(volume, 'current')
  return { releases: Object.fromEntries(marked), current: existsSync(link) ? readlinkSync(link) : null }
}

/** Nothing, soon: the cluster collects what belonged to a Job. */
async function remainsOf(namespace: string, keys: () => Promise<string[]>): Promise<readonly string[]> {
  const held = /^(owners|intents|queue|slots|locks|open)\//
  for (let tries = 0; ; tries++) {
    const paths = [
      `/apis/batch/v1/namespaces/${namespace}/jobs`,
      `/api/v1/namespaces/${namespace}/secrets`,
      `/api/v1/namespaces/${namespace}/pods?labelSelector=batch.kubernetes.io/job-name`,
    ]
    const lists = await Promise.all(paths.map(path => wire.get(path)))
    const objects = lists.flatMap(({ body }) =>
      (body.items as Json[]).map(item => `${body.kind}: ${item.metadata.name}`),
    )
    const remains = [...objects, ...(await keys()).filter(key => held.test(key))]
    if (remains.length === 0 || tries > 50) return remains
    await wait(100)
  }
}

const storyOf = (lane: Lane): Promise<Story> =>
  stories.get(lane.name) ?? Promise.reject(new Error('not played'))
type Made = { readonly namespace: string; readonly name: string }
let jobs: Promise<readonly Made[]> | undefined
/** All Jobs that anybody ever made, in their order; when all stories have ended. */
function jobsMade(): Promise<readonly Made[]> {
  jobs ??= Promise.allSettled(stories.values()).then(async () => {
    watch.close()
    const events = await watch.ended()
    return events.filter(({ type }) => type === 'ADDED').map(({ object }) => object.metadata as Made)
  })
  return jobs
}
/** A release by its revision and artifact: how it was made has a part of its own in the name. */
const nameOf = (revision: string): string => releaseName(revision, hashes.get(revision) ?? '')
const shortOf = (release: string): string => release.replace(/-[0-9a-f]{6}$/, '')

/** What the scripts have written by the end of each deploy: each once, in its order. */
const ranBy: readonly (readonly string[])[] = [
  ['publish 1', 'init 1', 'before 1', 'after 1'],
  ['publish 2', 'before 2', 'after 2'],
  ['publish 3', 'before 3', 'after 3'],
]
const jobsBy = ({ activate }: Lane): readonly (readonly string[])[] => {
  const reloads = activate === 'reload'
  return [
    ['publish', 'init', 'before', 'after'],
    ['publish', 'before', ...(reloads ? ['activate'] : []), 'after'],
    ['publish', 'before', ...(reloads ? ['activate'] : []), 'after', ...(reloads ? ['reactivate'] : [])],
  ]
}

describe.each(lanes)('$name: gkube is killed at each place', lane => {
  const reloads = lane.activate === 'reload'

  it('and each was passed: once, by the process before', async () => {
    const { stages, deaths, seconds } = await storyOf(lane)
    process.stdout.write(`${lane.name}: killed ${deaths} times in ${seconds} s\n`)
    expect(stages.flatMap(({ left }) => left)).toEqual([])
    expect(stages).toHaveLength(3)
    expect(deaths).toBe(lane.create.length + lane.update.length + lane.back.length)
  })

  it.each([
    ['a create', 0, 'succeeded', '1'],
    ['an update', 1, 'succeeded', '2'],
    ['an update that is rolled back', 2, 'rolled_back', '2'],
  ] as const)('%s ends as it should, done once', async (_name, index, phase, serves) => {
    const { stages } = await storyOf(lane)
    const stage = stages[index]
    if (!stage) throw new Error('it was not played')
    const { deploy } = stage
    expect(deploy, JSON.stringify(deploy.cause)).toMatchObject({ phase })
    const steps = deploy.steps.map(({ name, state }) => `${name} ${state}`)
    expect(steps.filter(step => !step.endsWith(' done'))).toEqual(
      phase === 'rolled_back' ? ['after failed'] : [],
    )
    expect(new Set(deploy.steps.map(({ name }) => name)).size).toBe(deploy.steps.length)
    const ids = stages.slice(0, index + 1).map(one => one.deploy.id)
    const ran = ranBy.slice(0, index + 1).flatMap((lines, at) => lines.map(line => `${line} ${ids[at]}`))
    expect(stage.ran).toEqual(ran)
    const made = (await jobsMade())
      .filter(job => job.namespace === lane.name && job.name.includes(deploy.id.toLowerCase()))
      .map(job => job.name.split('-')[1])
    expect(made).toEqual(jobsBy(lane)[index])
    const before = stages[index - 1]?.workload
    expect(stage.workload).toMatchObject({
      state: 'ready',
      revision: serves,
      good: { revision: serves },
      initialisedAt: before?.initialisedAt ?? expect.any(Number),
    })
    expect(stage.remains).toEqual([])
  })

  it('the volume holds each release whole, and serves the right one', async () => {
    const { stages } = await storyOf(lane)
    const found = stages.map(({ releases }) =>
      Object.entries(releases)
        .map(([name, marked]) => (name === marked ? shortOf(name) : `${name}: ${marked}`))
        .toSorted(),
    )
    expect(found).toEqual([['1'], ['1', '2'], ['1', '2', '3']].map(all => all.map(nameOf)))
    expect(stages.map(({ current }) => current && shortOf(current))).toEqual(
      ['1', '2', '2'].map(revision => (reloads ? `releases/${nameOf(revision)}` : null)),
    )
    expect(
      stages.map(({ answers }) => [...new Set(answers.map(one => `${one.status} ${one.version}`))]),
    ).toEqual([['200 1'], ['200 2'], ['200 2']])
  })

  it('no request fails meanwhile, and no pod serves what is not its own', async () => {
    const { stages } = await storyOf(lane)
    const seen = stages.slice(1).map(stage => {
      const { answers = [], failures = [] } = stage.load ?? {}
      expect(failures).toEqual([])
      return answers
    })
    expect(seen.map(answers => answers.length > 20)).toEqual([true, true])
    const versions = seen.map(answers => [...new Set(answers.map(({ version }) => version))].toSorted())
    expect(versions[0]).toEqual(['1', '2'])
    expect(['2', '2,3']).toContain(String(versions[1]))
    const served = new Map<string, Set<string>>()
    for (const { pod, version } of seen.flat()) served.set(pod, (served.get(pod) ?? new Set()).add(version))
    if (reloads) expect(served.size).toBe(2)
    else expect([...served.values()].filter(all => all.size > 1)).toEqual([])
  })

  it('the cluster has one of each object, and etcd one record of each deploy and one end in its audit', async () => {
    const { stages, audit } = await storyOf(lane)
    const of = async (path: string) => (await wire.get(path)).body.items as Json[]
    const sets = await of(`/apis/apps/v1/namespaces/${lane.name}/replicasets`)
    expect(sets).toHaveLength(reloads ? 1 : 3)
    expect(await of(`/apis/apps/v1/namespaces/${lane.name}/deployments`)).toHaveLength(1)
    const volumes = (await of('/api/v1/persistentvolumes')).filter(
      ({ spec }) => spec.claimRef?.namespace === lane.name,
    )
    expect(volumes.map(({ status }) => status.phase)).toEqual(['Bound'])
    const ends = audit.filter(({ outcome }) => (terminalPhases as readonly string[]).includes(outcome))
    expect(ends.map(({ deploy }) => deploy).toSorted()).toEqual(
      stages.map(({ deploy }) => deploy.id).toSorted(),
    )
  })
})

it('leaves no place out', () => {
  const killed = lanes.flatMap(lane => [...lane.create, ...lane.update, ...lane.back])
  expect(killed.toSorted()).toEqual(allPlaces.toSorted())
  process.stdout.write(`${killed.length} places\n`)
})
