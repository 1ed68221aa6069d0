// How long a deploy stands still when its owner is killed (kill -9): until another replica's first write on it, with the
// etcd leader as it is, and with the leader killed at the same moment (a new one gives all leases their time again).
// Real processes: three members of etcd that sync their disks, two replicas of `gkube serve` with the default lease.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { stringify } from 'yaml'
import { startCluster } from '../src/sandbox/cluster/cluster.ts'
import { startEtcd } from '../src/sandbox/etcd.ts'
import { type Members, startMembers } from '../test/chaos/etcd-members.ts'
import { type Replicas, startReplicas } from '../test/chaos/replicas.ts'
import type { Figure } from './figures.ts'
import { monotonic } from './monotonic.ts'

const token = 'bench-token-0123456789abcdef0123456789abcdef'
const root = '/gkube/v1/'
const ttlMs = 5_000
const quiet = { info: () => undefined, warn: () => undefined }

type Rig = { readonly members: Members; readonly replicas: Replicas }

export async function failover(rounds: number): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-failover-'))
  const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const members = await startMembers(join(folder, 'members'), [])
    closing.push(members.stop)
    // Real clusters have an etcd of their own.
    const clusterEtcd = await startEtcd({ dataDir: join(folder, 'cluster'), log: quiet })
    closing.push(clusterEtcd.stop)
    const cluster = await startCluster({
      etcd: { endpoints: [clusterEtcd.endpoint] },
      prefix: '/cluster/',
      speed: 10,
    })
    closing.push(cluster.stop)
    const kubeconfig = join(folder, 'kubeconfig.yaml')
    writeFileSync(kubeconfig, stringify(cluster.kubeconfig()))
    const replicas = await startReplicas({
      folder,
      count: 2,
      config: {
        etcd: { endpoints: members.endpoints, root },
        clusters: { default: { kubeconfig } },
        environments: { staging: { createNamespace: true, onFailure: 'hold', onCancel: 'hold' } },
        limits: { drain: '1s' },
      },
      env: { GKUBE_BOOTSTRAP_TOKEN: token },
    })
    closing.push(replicas.stop)
    const rig = { members, replicas }
    await call(rig, 'PUT', '/v1/apps/web', {
      schema: 1,
      app: 'web',
      kind: 'worker',
      image: 'registry.example.com/shop/web:{revision}',
      replicas: 1,
      environments: { staging: {} },
    })
    const stable: number[] = []
    const changing: number[] = []
    for (let round = 0; round < rounds; round++) {
      stable.push(await takenOver(rig, `1.${round}.0-unready`, false))
      changing.push(await takenOver(rig, `2.${round}.0-unready`, true))
    }
    return [
      figure('owner killed: until another goes on', stable, ttlMs + 1_000),
      figure('owner and etcd leader killed: the same', changing, 2 * ttlMs + 4_000),
    ]
  } finally {
    for (const end of closing.reverse()) await end()
  }
}

const figure = (what: string, values: readonly number[], limit: number): Figure => ({
  what,
  unit: 'ms',
  values,
  baseline: null,
  aim: { kind: 'most', limit, at: 'p99' },
})

/** Deploys what never gets ready, kills its owner, and waits until somebody else's epoch is in the record. */
async function takenOver(rig: Rig, revision: string, leaderToo: boolean): Promise<number> {
  const { members, replicas } = rig
  await members.healthy()
  await replicas.allReady()
  // Leases of the round before have run out.
  await wait(ttlMs / 2 + Math.random() * 2_000)
  const asked = await call(rig, 'POST', '/v1/deploys', { app: 'web', environment: 'staging', revision })
  const { id } = asked.deploy as { id: string }
  const record = await until(rig, `deploys/${id}`, one => {
    const steps = one.steps as readonly { name: string; state: string }[]
    return steps.some(({ name, state }) => name === 'rollout' && state === 'running')
  })
  const owner = await until(rig, `owners/${id}`, () => true)
  const pid = Number(/-(\d+)-[^-]*$/.exec(String(owner.replica))?.[1])
  const leader = leaderToo ? await members.leader() : -1
  const began = monotonic()
  process.kill(pid, 'SIGKILL')
  if (leaderToo) await members.kill(leader)
  await until(rig, `deploys/${id}`, one => Number(one.epoch) > Number(record.epoch))
  const took = monotonic() - began
  if (leaderToo) await members.start(leader)
  await members.healthy()
  await call(rig, 'POST', `/v1/deploys/${id}/cancel`, { reason: 'measured' })
  await until(rig, `deploys/${id}`, one => one.endedAt !== null)
  return took
}

type Json = Readonly<Record<string, unknown>>

/** Looks at a record, in whichever member answers, until it is so. */
async function until({ members }: Rig, key: string, holds: (record: Json) => boolean): Promise<Json> {
  const body = JSON.stringify({ key: Buffer.from(root + key).toString('base64'), serializable: true })
  const look = async (endpoint: string): Promise<Json | null> => {
    const signal = AbortSignal.timeout(1_000)
    const answer = await fetch(`${endpoint}/v3/kv/range`, { method: 'POST', body, signal })
    const { kvs } = (await answer.json()) as { kvs?: { value: string }[] }
    return kvs?.[0] ? JSON.parse(Buffer.from(kvs[0].value, 'base64').toString()) : null
  }
  for (const end = Date.now() + 60_000; Date.now() < end; await wait(10)) {
    // The one that was killed refuses.
    const found = await Promise.all(members.endpoints.map(endpoint => look(endpoint).catch(() => null)))
    const record = found.find(one => one && holds(one))
    if (record) return record
  }
  throw new Error(`${key} did not change for a minute`)
}

async function call({ replicas }: Rig, method: string, path: string, body: Json): Promise<Json> {
  for (const end = Date.now() + 60_000; ; await wait(200)) {
    try {
      const answer = await fetch(replicas.url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          connection: 'close',
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      })
      const json = (await answer.json()) as Json
      if (answer.ok) return json
      if (answer.status < 500 || Date.now() > end) throw new Error(`${path}: ${JSON.stringify(json)}`)
    } catch (error) {
      if (Date.now() > end || /^\//.test(String((error as Error).message))) throw error
    }
  }
}
