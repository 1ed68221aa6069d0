// What a chaos run happens to: three members of etcd, three replicas of gkube, a stand-in cluster (with an etcd of its
// own, which stays up, as real clusters have), a stand-in Slack and a stand-in Jenkins. All randomness is from one seed.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { stringify } from 'yaml'
import { type Cluster, startCluster } from '../../src/sandbox/cluster/cluster.ts'
import type { JobSeed, SandboxJenkins } from '../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../src/sandbox/jenkins/jenkins.ts'
import type { SandboxSlack } from '../../src/sandbox/slack/control.ts'
import { startSlack } from '../../src/sandbox/slack/slack.ts'
import { startTestEtcd } from '../support/etcd.ts'
import { type Members, startMembers } from './etcd-members.ts'
import { startRegistry } from './image-registry.ts'
import { type Random, seeded } from './random.ts'
import { type Replicas, startReplicas } from './replicas.ts'

/** Everything that takes long is done only where this is set. */
export const isFull = process.env.CHAOS_FULL === '1'
export const root = '/gkube/v1/'
export const clusterPrefix = '/cluster/'
const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const hookSecret = 'a-hook-secret-of-this-test-only-0123456789'

export type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

export type World = {
  readonly seed: number
  readonly random: Random
  readonly folder: string
  readonly members: Members
  readonly replicas: Replicas
  readonly cluster: Cluster
  readonly clusterEtcd: string
  readonly slack: SandboxSlack
  readonly jenkins: SandboxJenkins
  /** Where images are, such as `127.0.0.1:5000`. */
  readonly registry: string
  /** Asks until it is answered by one that works; throws after two minutes. */
  api(method: string, path: string, body?: unknown, token?: string): Promise<Answer>
  /** A stream of events to its end: the data of each. */
  events(path: string): Promise<readonly unknown[]>
  /** What has been asked with one key, and which deploy each answer named. */
  readonly accepted: Map<string, Set<string>>
  arm(point: string): void
  armed(): readonly string[]
  /** Points that any replica ever passed. */
  met(): readonly string[]
}

export type WorldOptions = {
  readonly replicas?: number
  /** gkube.yaml's `limits.lease`; default: gkube's own. */
  readonly lease?: string
  readonly envOf?: (index: number) => Readonly<Record<string, string>>
  readonly node?: readonly string[]
}

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
}, 60_000)

/** A build that takes no time and succeeds. */
const job: JobSeed = { path: 'shop/built', kind: 'freestyle', quiet: 0, run: async build => build.takes(100) }

export async function startWorld(name: string, options: WorldOptions = {}): Promise<World> {
  const seed = Number(process.env.CHAOS_SEED) || Math.floor(Math.random() * 2 ** 31)
  process.stdout.write(
    `chaos ${name}: seed ${seed} (again: CHAOS_SEED=${seed} npm run test:chaos -- ${name})\n`,
  )
  const folder = mkdtempSync(join(process.env.CHAOS_DIR ?? tmpdir(), 'gkube-chaos-'))
  cleanups.push(() => process.env.CHAOS_DIR ?? rmSync(folder, { recursive: true, force: true }))
  const points = join(folder, 'points')
  mkdirSync(points)
  const members = await startMembers(join(folder, 'etcd'))
  cleanups.push(members.stop)
  const clusterEtcd = await startTestEtcd()
  const cluster = await startCluster({
    etcd: { endpoints: [clusterEtcd.endpoint] },
    prefix: clusterPrefix,
    token: 'test-token',
    speed: 10,
    nodes: [1, 2, 3].map(n => ({ name: `node-${n}`, cpu: '1000', memory: '4000Gi', pods: '10000' })),
  })
  cleanups.push(() => cluster.stop())
  const slack = await startSlack({ rates: 'off' })
  cleanups.push(() => slack.stop())
  // As the plugin is set up where hooks matter: one that is not taken is sent again. The address comes below.
  const jenkins = await startJenkins({
    seed: [job],
    speed: 5,
    hook: { url: 'http://127.0.0.1:1/', retries: 3 },
  })
  cleanups.push(() => jenkins.stop())
  const registry = await startRegistry()
  cleanups.push(registry.stop)
  const kubeconfig = join(folder, 'kubeconfig.yaml')
  writeFileSync(kubeconfig, stringify(cluster.kubeconfig()))
  const replicas = await startReplicas({
    folder,
    count: options.replicas ?? 3,
    config: configOf({ members, kubeconfig, slack, jenkins, registry: registry.host, lease: options.lease }),
    env: {
      GKUBE_BOOTSTRAP_TOKEN: token,
      GKUBE_SLACK_BOT_TOKEN: slack.botToken,
      GKUBE_SLACK_APP_TOKEN: slack.appToken,
      GKUBE_JENKINS_TOKEN: jenkins.token,
      GKUBE_JENKINS_HOOK_SECRET: hookSecret,
      GKUBE_FAIL_POINTS: points,
      // They start many times.
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
    },
    envOf: options.envOf,
    node: options.node,
  })
  cleanups.push(replicas.stop)
  await slack.control.until(() => slack.control.sockets.count() > 0, { timeoutMs: 30_000 })
  jenkins.connect(`${replicas.url}/hooks/jenkins/${hookSecret}`)

  return {
    seed,
    random: seeded(seed),
    folder,
    members,
    replicas,
    cluster,
    clusterEtcd: clusterEtcd.endpoint,
    slack,
    jenkins,
    registry: registry.host,
    api: (method, path, body, as = token) => ask(replicas.url, { method, path, body, token: as }),
    async events(path) {
      const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' }
      const answer = await fetch(replicas.url + path, { headers, signal: AbortSignal.timeout(60_000) })
      const lines = (await answer.text()).split('\n').filter(line => line.startsWith('data: '))
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`)
      return lines.map(line => JSON.parse(line.slice('data: '.length)))
    },
    accepted: new Map(),
    arm: point => writeFileSync(join(points, point), ''),
    armed: () => readdirSync(points).filter(file => file !== '.met'),
    met: () => [...new Set(readFileSync(join(points, '.met'), 'utf8').trim().split('\n'))].toSorted(),
  }
}

type At = {
  readonly members: Members
  readonly kubeconfig: string
  readonly slack: SandboxSlack
  readonly jenkins: SandboxJenkins
  readonly registry: string
  readonly lease?: string | undefined
}

const configOf = (at: At) => ({
  etcd: { endpoints: at.members.endpoints, root },
  clusters: { default: { kubeconfig: at.kubeconfig } },
  environments: {
    // Slack takes some 50 updates a minute: most deploys of a run are told nowhere.
    lab: { createNamespace: true, onFailure: 'rollback', history: 1000 },
    guarded: { createNamespace: true, history: 1000, approvals: { required: 2 } },
    staging: { createNamespace: true, onFailure: 'rollback', history: 1000, channel: 'C0STAGING' },
    production: {
      createNamespace: true,
      onFailure: 'rollback',
      history: 1000,
      protected: true,
      channel: 'C0PRODUCTION',
      approvals: { required: 1 },
    },
  },
  groups: {
    'release-managers': {
      slack: 'S0RELEASE',
      grants: [
        { role: 'approver', environments: ['production'] },
        { role: 'deployer', environments: ['staging', 'production'] },
      ],
    },
  },
  slack: { api: at.slack.api, members: [{ role: 'viewer', environments: ['staging', 'production'] }] },
  jenkins: { url: at.jenkins.url, user: at.jenkins.user },
  registries: [{ host: at.registry, insecure: true }],
  limits: { drain: '5s', lease: at.lease ?? '5s', requestsPerMinute: 100_000 },
  log: { level: 'info', format: 'json' },
})

async function ask(
  url: string,
  { method, path, body, token }: { method: string; path: string; body: unknown; token: string },
): Promise<Answer> {
  let last: unknown
  for (const end = Date.now() + 120_000; Date.now() < end; await wait(150)) {
    try {
      const answer = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          connection: 'close',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      })
      const text = await answer.text()
      last = `${answer.status} ${text}`
      if (answer.status >= 500 || answer.status === 429) continue
      return { status: answer.status, body: text ? JSON.parse(text) : {} }
    } catch (error) {
      last = error // killed, or not there yet
    }
  }
  throw new Error(`${method} ${path} was not answered for two minutes: ${last}`)
}
