// A whole gkube for tests: this file's etcd, a stand-in cluster of its own and one replica, wired as `gkube serve`
// wires them. Deploys run for real; only pods are played, several times faster than on a laptop.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import type { App } from '../../src/core/app.ts'
import { parseApp } from '../../src/core/app-environment.ts'
import type { Caller, Core, DeployEvent, RequestInput } from '../../src/core/core.ts'
import { requestInput } from '../../src/core/core.ts'
import type { Deploy } from '../../src/core/deploy.ts'
import type { Registry } from '../../src/core/freezing.ts'
import { createLog } from '../../src/log.ts'
import { type Cluster, startCluster } from '../../src/sandbox/cluster/cluster.ts'
import type { RunsOptions } from '../../src/sandbox/cluster/runs/runs.ts'
import type { SandboxSlack, SlackOptions } from '../../src/sandbox/slack/control.ts'
import { startSlack } from '../../src/sandbox/slack/slack.ts'
import type { PoolInstead } from '../../src/server/pools.ts'
import { type Server, startServer } from '../../src/server.ts'
import { type TestEtcd, testEtcd } from './etcd.ts'

export const admin: Caller = {
  actor: { id: 'token:admin', name: 'ana', via: 'cli' },
  grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
}
/** A caller with one role. */
export const callerWith = (
  name: string,
  role: Caller['grants'][number]['role'],
  environments = ['*'],
): Caller => ({
  actor: { id: `token:${name}`, name, via: 'cli' },
  grants: [{ role, apps: ['*'], environments }],
})

export type Stack = {
  readonly etcd: TestEtcd
  readonly root: string
  readonly cluster: Cluster
  /** The stand-in workspace; throws where the stack was started without one. */
  readonly slack: SandboxSlack
  readonly server: Server
  readonly core: Core
  /** Lines of the log that are warnings or worse. */
  readonly log: string[]
  /** Another replica on the same etcd and cluster. */
  replica(): Promise<Server>
  /** The path of the configuration file, for child processes. */
  readonly configFile: string
  kubectlGet<T = Record<string, never>>(path: string): Promise<T | null>
}

type Options = {
  readonly environments?: Record<string, unknown>
  readonly config?: Record<string, unknown>
  readonly registry?: Registry
  readonly speed?: number
  /** What runs for real in the stand-in cluster; left out: everything is played. */
  readonly runs?: RunsOptions
  /** Instead of real pools. */
  readonly pool?: PoolInstead
  readonly etcd?: TestEtcd
  /** Where the stand-in keeps its objects; default: the same. */
  readonly clusterEtcd?: TestEtcd
  /** A stand-in workspace and how gkube is reached from it. */
  readonly slack?: 'http' | 'socket'
  readonly slackOptions?: SlackOptions
  /** Variables of the replicas' environment: the secrets of a workspace that the test has started itself. */
  readonly env?: Readonly<Record<string, string>>
  /** A cluster that asks for no token: kubectl sends none over plain http. */
  readonly open?: boolean
}

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const unpinned: Registry = {
  resolve: async () => ({ kind: 'unavailable', message: 'no registry in this test' }),
}
let clusters = 0

/** Starts everything; it ends with the test file. */
export async function startStack(options: Options = {}): Promise<Stack> {
  const etcd = options.etcd ?? (await testEtcd())
  const root = etcd.root()
  const folder = mkdtempSync(join(tmpdir(), 'gkube-stack-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const cluster = await startCluster({
    etcd: { endpoints: [(options.clusterEtcd ?? etcd).endpoint] },
    prefix: `/cluster/${++clusters}${root}`,
    token: options.open ? undefined : 'test-token',
    speed: options.speed ?? 10,
    runs: options.runs,
  })
  cleanups.push(() => cluster.stop())
  const kubeconfig = join(folder, 'kubeconfig.yaml')
  writeFileSync(kubeconfig, stringify(cluster.kubeconfig()))
  const configFile = join(folder, 'gkube.yaml')
  const environments = options.environments ?? {
    staging: { createNamespace: true, ...(options.slack ? { channel: 'C0STAGING' } : {}) },
    production: {
      createNamespace: true,
      ...(options.slack ? { channel: 'C0PRODUCTION', protected: true } : {}),
    },
  }
  const slack = options.slack ? await startSlack({ rates: 'off', ...options.slackOptions }) : null
  if (slack) cleanups.push(() => slack.stop())
  const content = {
    ...(slack ? slackConfig(slack.api) : {}),
    listen: { host: '127.0.0.1', port: 0 },
    etcd: { endpoints: [etcd.endpoint], root },
    clusters: { default: { kubeconfig } },
    environments,
    limits: { drain: '5s' },
    ...options.config,
  }
  writeFileSync(configFile, stringify(content))
  const log: string[] = []
  const launch = async () => {
    const env = { ...(slack ? slackEnv(slack, options.slack) : {}), ...options.env }
    const config = loadConfig({ file: configFile, env, read: path => readFileSync(path, 'utf8') })
    const server = await startServer({
      config,
      log: createLog({ level: 'warn', format: 'json', write: line => void log.push(line) }),
      registry: options.registry ?? unpinned,
      leaseSeconds: 2,
      ...(options.pool ? { pool: options.pool } : {}),
    })
    cleanups.push(() => server.close())
    await server.ready
    return server
  }
  const server = await launch()
  if (slack) {
    slack.connect(options.slack === 'http' ? `${server.url}/slack/events` : null)
    if (options.slack === 'socket')
      await slack.control.until(() => slack.control.sockets.count() > 0, { what: 'a socket of gkube' })
  }
  return {
    etcd,
    root,
    cluster,
    get slack() {
      if (!slack) throw new Error('this stack has no Slack')
      return slack
    },
    server,
    core: server.core,
    log,
    replica: launch,
    configFile,
    async kubectlGet(path) {
      const answer = await fetch(`${cluster.url}${path}`, { headers: { authorization: 'Bearer test-token' } })
      return answer.ok ? ((await answer.json()) as never) : null
    },
  }
}

/** Who may what in the stand-in workspace: its members may deploy to staging, ben releases, cho operates. */
const slackConfig = (api: string) => ({
  slack: {
    api,
    members: [{ role: 'viewer' }, { role: 'deployer', environments: ['staging'] }],
  },
  people: {
    cho: {
      name: 'cho',
      slack: 'U0CHO',
      grants: [{ role: 'operator', environments: ['staging', 'production'] }],
    },
  },
  groups: {
    'release-managers': {
      slack: 'S0RELEASE',
      grants: [
        { role: 'deployer', environments: ['staging', 'production'] },
        { role: 'approver', environments: ['staging', 'production'] },
      ],
    },
  },
})

const slackEnv = (slack: SandboxSlack, mode: Options['slack']) => ({
  GKUBE_SLACK_BOT_TOKEN: slack.botToken,
  ...(mode === 'http'
    ? { GKUBE_SLACK_SIGNING_SECRET: slack.signingSecret }
    : { GKUBE_SLACK_APP_TOKEN: slack.appToken }),
})

/** An app that rolls out within a second of the stand-in's time. */
export const webApp = (over: Record<string, unknown> = {}): App =>
  parseApp({
    app: 'web',
    jobs: ['shop/web'],
    image: 'registry.example.com/shop/web:{revision}',
    replicas: 2,
    ports: [{ name: 'http', port: 8080, service: 80 }],
    rollout: { stable: '0s', progress: '20s', limit: '40s' },
    environments: { staging: {}, production: {} },
    ...over,
  })

/** Asks for a deploy with the defaults of the wire. */
export const ask = (input: Partial<RequestInput>): RequestInput =>
  requestInput.parse({ environment: 'staging', app: 'web', ...input })

/** Waits for the end of a deploy, with every event on the way. */
export async function outcome(
  core: Core,
  id: string,
  seconds = 30,
): Promise<{ deploy: Deploy; events: DeployEvent[] }> {
  const events: DeployEvent[] = []
  for await (const event of core.watchDeploy(admin, id, { signal: AbortSignal.timeout(seconds * 1000) }))
    events.push(event)
  const last = events.findLast(event => event.kind === 'deploy')
  if (last?.kind !== 'deploy' || last.deploy.endedAt === null) {
    throw new Error(`deploy ${id} did not end in ${seconds} s: ${JSON.stringify(events.slice(-4))}`)
  }
  return { deploy: last.deploy, events }
}

/** Asks and waits. */
export async function ship(
  core: Core,
  input: Partial<RequestInput>,
  caller: Caller = admin,
): Promise<Deploy> {
  const { deploy } = await core.request(caller, ask(input))
  return (await outcome(core, deploy.id)).deploy
}
