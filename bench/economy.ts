// What one replica holds while 1,000 deploys of three pods each are in flight: `gkube serve` in a process of its own, as
// people start it, a real etcd, and the stand-in cluster in another process. Pods take so long to get ready that all
// deploys wait together; memory and counts are gkube's own, the times are mostly the stand-in's.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Etcd3 } from 'etcd3'
import { stringify } from 'yaml'
import { createLog } from '../src/log.ts'
import { startEtcd } from '../src/sandbox/etcd.ts'
import { freePort } from '../src/sandbox/free-port.ts'
import { benchCluster } from './cluster.ts'
import type { Figure } from './figures.ts'
import { monotonic } from './monotonic.ts'
import { gkube, residentMb, startNode } from './processes.ts'
import { environment, image, token } from './rig.ts'

const root = '/gkube/v1/'
const pods = 3
const atOnce = 8
const aimMb = 256
/** The usual ones have no room for so many. */
const nodes = Array.from({ length: 20 }, (_, n) => ({
  name: `node-${n + 1}`,
  cpu: '64',
  memory: '256Gi',
  pods: '250',
}))

export type EconomyOptions = {
  readonly deploys: number
  /** Seconds after its start in which a pod is not ready yet: long enough that the last deploy is claimed meanwhile. */
  readonly unreadySeconds: number
  readonly say: (text: string) => void
  /** Options of Node for gkube's process, such as `--heapsnapshot-signal=SIGUSR2`. */
  readonly node?: readonly string[]
}

export async function economy({
  deploys,
  unreadySeconds,
  say,
  node = [],
}: EconomyOptions): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-economy-'))
  const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const log = createLog({ level: 'warn', format: 'text' })
    const etcd = await startEtcd({ dataDir: join(folder, 'etcd'), log })
    closing.push(() => etcd.stop())
    // The cluster's etcd is on other machines in production: its disk must not be in gkube's way here.
    const clusterEtcd = await startEtcd({
      dataDir: join(folder, 'cluster-etcd'),
      log,
      flags: ['--unsafe-no-fsync', `--quota-backend-bytes=${4 * 1024 ** 3}`],
    })
    closing.push(() => clusterEtcd.stop())
    const cluster = await benchCluster(clusterEtcd.endpoint, 1, nodes)
    closing.push(() => cluster.stop())
    const raw = new Etcd3({ hosts: etcd.endpoint })
    closing.push(() => raw.close())
    const port = await freePort()
    const config = writeConfig(folder, { etcd: etcd.endpoint, port, kubeconfig: cluster.kubeconfig })
    const serving = startNode([...flagsOfImage(), ...node, gkube, 'serve', '--config', config], {
      MALLOC_ARENA_MAX: '2',
    })
    serving.child.stdout?.resume()
    closing.push(() => serving.stop())
    const pid = serving.child.pid ?? 0
    const { call, ready } = caller(`http://127.0.0.1:${port}`)
    await ready()

    const names = Array.from({ length: deploys }, (_, n) => `app-${n}`)
    await each(names, app => call('PUT', `/v1/apps/${app}`, appOf(app, unreadySeconds)))
    await delay(5_000)
    const idle = residentMb(pid)
    await cluster.take()
    const before = await etcdCalls(etcd.endpoint)
    const memory: number[] = []
    const seen = tally()
    const count = async (prefix: string) =>
      await raw
        .getAll()
        .prefix(root + prefix)
        .count()
    let peak = { inFlight: 0, observed: 0 }

    const began = monotonic()
    await each(names, app =>
      call('POST', '/v1/deploys', { app, environment, revision: '1.0.0', idempotencyKey: app }),
    )
    const asked = monotonic() - began
    say(`economy: all were asked for after ${seconds(asked)} s`)
    for (let open = deploys, told = 0; open > 0; await delay(500)) {
      memory.push(residentMb(pid))
      const inFlight = await count(`slots/${environment}/`)
      const observed = await count('progress/')
      peak = { inFlight: Math.max(peak.inFlight, inFlight), observed: Math.max(peak.observed, observed) }
      open = await count('open/')
      seen.add((await cluster.take()).requests)
      if (monotonic() - began > 1_800_000) throw new Error(`${open} deploys did not end in half an hour`)
      if (monotonic() - told < 15_000) continue
      told = monotonic()
      const now = Math.round(memory.at(-1) ?? 0)
      say(`economy: ${seconds(told - began)} s, ${open} open, ${inFlight} in flight, ${now} MB`)
    }
    const took = monotonic() - began
    await delay(5_000)
    seen.add((await cluster.take()).requests)
    const after = await etcdCalls(etcd.endpoint)
    const rest = residentMb(pid)
    await checkEnds(raw, deploys)
    const most = highWaterMb(pid) ?? Math.max(...memory)
    const per = (total: number) => Math.round((total / deploys) * 100) / 100
    const calls = Object.fromEntries(
      Object.entries(after).map(([method, n]) => [method, per(n - (before[method] ?? 0))] as const),
    )
    return [
      {
        what: `memory at most, ${deploys} deploys of ${pods} pods`,
        unit: 'MB',
        values: [most],
        baseline: { what: `idle, the same ${deploys} apps registered`, values: [idle] },
        aim: { kind: 'most', limit: aimMb },
        detail: {
          'deploys in flight at the same moment': peak.inFlight,
          'of them seen by the shared watches': peak.observed,
          'MB at the median of all looks': median(memory),
          'MB 5 s after the last one ended': Math.round(rest),
          'seconds until all were asked for': seconds(asked),
          'seconds until all had ended': seconds(took),
          'seconds of them that pods were not ready by themselves': unreadySeconds,
        },
      },
      {
        what: 'API requests per deploy that creates',
        unit: 'requests',
        values: [per(seen.total())],
        baseline: null,
        aim: null,
        detail: Object.fromEntries(Object.entries(seen.counts).map(([what, n]) => [what, per(n)])),
      },
      {
        what: 'etcd requests per deploy that creates',
        unit: 'requests',
        values: [Math.round(Object.values(calls).reduce((sum, n) => sum + n, 0) * 100) / 100],
        baseline: null,
        aim: null,
        detail: calls,
      },
    ]
  } finally {
    for (const end of closing.splice(0).reverse()) await end()
  }
}

/** Options of Node in the container image: what is measured is what runs. */
function flagsOfImage(): string[] {
  const file = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8')
  const [, entry = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(file.slice(file.lastIndexOf('FROM'))) ?? []
  const words: readonly string[] = JSON.parse(entry)
  return words.filter(word => word.startsWith('--'))
}

function writeConfig(folder: string, at: { etcd: string; port: number; kubeconfig: object }): string {
  const kubeconfig = join(folder, 'kubeconfig.json')
  writeFileSync(kubeconfig, JSON.stringify(at.kubeconfig))
  writeFileSync(join(folder, 'token'), token)
  const file = join(folder, 'gkube.yaml')
  const content = {
    listen: { host: '127.0.0.1', port: at.port },
    etcd: { endpoints: [at.etcd], root },
    clusters: { default: { kubeconfig } },
    environments: { [environment]: { createNamespace: true, parallel: 1000, onFailure: 'hold' } },
    limits: { requestsPerMinute: 100_000, drain: '5s' },
    tokens: { bootstrapFile: join(folder, 'token') },
    log: { level: 'warn' },
  }
  writeFileSync(file, stringify(content))
  return file
}

const appOf = (app: string, unreadySeconds: number): object => ({
  app,
  image: image('{revision}'),
  replicas: pods,
  ports: [{ name: 'http', port: 8080, service: 80 }],
  probes: { readiness: { http: { path: '/healthz' }, initialDelay: `${unreadySeconds}s` } },
  rollout: { stable: '0s', progress: '50m', limit: '55m' },
  environments: { [environment]: {} },
})

function caller(base: string) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return {
    /** A disk that others use keeps etcd waiting now and then: what was not confirmed is asked for again. */
    async call(method: string, path: string, body: object): Promise<void> {
      for (const until = monotonic() + 60_000; ; await delay(200)) {
        const answer = await fetch(base + path, { method, headers, body: JSON.stringify(body) })
        const text = await answer.text()
        if (answer.ok) return
        if (answer.status !== 503 || monotonic() > until)
          throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      }
    },
    async ready(): Promise<void> {
      for (const until = monotonic() + 60_000; monotonic() < until; await delay(50)) {
        const answer = await fetch(`${base}/readyz`).catch(() => null)
        if (answer?.ok) return
      }
      throw new Error('gkube serve was not ready in a minute')
    },
  }
}

/** A few at a time, as people and Jenkins would. */
async function each(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names].reverse()
  const lane = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) await work(name)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

/** Calls that etcd has answered since its start, by method. The bench's own counting is taken out of neither. */
async function etcdCalls(endpoint: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${endpoint}/metrics`)).text()
  const calls: Record<string, number> = {}
  for (const [, method, n] of text.matchAll(
    /^grpc_server_started_total\{grpc_method="(Txn|LeaseGrant|LeaseKeepAlive)",.*\} (\S+)$/gm,
  ))
    if (method) calls[method] = Number(n)
  return calls
}

function tally() {
  const counts: Record<string, number> = {}
  return {
    counts,
    add(requests: readonly { readonly agent: string; readonly what: string }[]): void {
      for (const { agent, what } of requests) if (agent === 'gkube') counts[what] = (counts[what] ?? 0) + 1
    },
    total: () => Object.values(counts).reduce((sum, n) => sum + n, 0),
  }
}

/** A figure of deploys that failed would be no figure. */
async function checkEnds(raw: Etcd3, deploys: number): Promise<void> {
  const records = Object.values(await raw.getAll().prefix(`${root}deploys/`).strings())
  const bad = records.map(text => JSON.parse(text)).filter(({ phase }) => phase !== 'succeeded')
  if (records.length === deploys && bad.length === 0) return
  const first = bad[0] && `${bad[0].app} ${bad[0].phase}: ${bad[0].cause?.message}`
  throw new Error(`${records.length} deploys, ${bad.length} did not succeed; ${first}`)
}

/** What the system itself kept as the most (Linux); looks in between miss peaks. */
function highWaterMb(pid: number): number | null {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kib === undefined ? null : Number(kib) / 1024
  } catch {
    return null
  }
}

const seconds = (ms: number): number => Math.round(ms / 1000)

function median(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
}
