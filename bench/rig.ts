// What the benchmarks of the deploy core run on: etcd with fsync as in production, a stand-in cluster in a process of
// its own (on an etcd of its own), and one gkube in this process, wired as `gkube serve` wires it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Etcd3 } from 'etcd3'
import { stringify } from 'yaml'
import { loadConfig } from '../src/config.ts'
import { parseApp } from '../src/core/app-environment.ts'
import { type Caller, requestInput } from '../src/core/core.ts'
import type { Deploy } from '../src/core/deploy.ts'
import { createLog } from '../src/log.ts'
import { startEtcd } from '../src/sandbox/etcd.ts'
import { type Server, startServer } from '../src/server.ts'
import { type BenchCluster, benchCluster } from './cluster.ts'

export const admin: Caller = {
  actor: { id: 'token:bench', name: 'bench', via: 'cli' },
  grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
}
export const token = 'bench-token-0123456789abcdef0123456789abcdef'
export const appName = 'web'
export const environment = 'staging'

export type Rig = {
  readonly folder: string
  readonly etcd: string
  /** A plain client on the same etcd, for baselines. */
  readonly raw: Etcd3
  readonly cluster: BenchCluster
  readonly kubeconfig: string
  /** Where the app runs in the cluster. */
  readonly namespace: string
  readonly server: Server
  /** Writes a gkube.yaml for another replica with records of its own; its path. */
  configFile(root: string, port: number): string
  /** Waits for the end of a deploy; throws unless it succeeded. */
  ended(id: string): Promise<Deploy>
  /** Deploys and waits for the end. */
  ship(revision: string): Promise<Deploy>
  close(): Promise<void>
}

/** Starts everything and deploys the app once, so that what follows are updates on warm watches. */
export async function startRig(options: { speed: number }): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-bench-'))
  const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end()
  }
  try {
    return await start(folder, closing, close, options.speed)
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  folder: string,
  closing: (() => unknown)[],
  close: () => Promise<void>,
  speed: number,
): Promise<Rig> {
  const log = createLog({ level: 'warn', format: 'text' })
  const etcd = await startEtcd({ dataDir: join(folder, 'etcd'), log })
  closing.push(() => etcd.stop())
  // The cluster's etcd is on other machines in production: its disk must not be in gkube's way here.
  const clusterEtcd = await startEtcd({
    dataDir: join(folder, 'cluster-etcd'),
    log,
    flags: ['--unsafe-no-fsync'],
  })
  closing.push(() => clusterEtcd.stop())
  const cluster = await benchCluster(clusterEtcd.endpoint, speed)
  closing.push(() => cluster.stop())
  const raw = new Etcd3({ hosts: etcd.endpoint })
  closing.push(() => raw.close())
  const kubeconfig = join(folder, 'kubeconfig.json')
  writeFileSync(kubeconfig, JSON.stringify(cluster.kubeconfig))
  writeFileSync(join(folder, 'token'), token)
  const configFile = (root: string, port: number): string => {
    const file = join(mkdtempSync(join(folder, 'config-')), 'gkube.yaml')
    const content = {
      listen: { host: '127.0.0.1', port },
      etcd: { endpoints: [etcd.endpoint], root },
      clusters: { default: { kubeconfig } },
      environments: { [environment]: { createNamespace: true } },
      limits: { requestsPerMinute: 100_000, drain: '5s' },
      tokens: { bootstrapFile: join(folder, 'token') },
      log: { level: 'warn' },
    }
    writeFileSync(file, stringify(content))
    return file
  }
  mkdirSync(join(folder, 'kubectl'))
  const config = loadConfig({
    file: configFile('/gkube/v1/', 0),
    env: {},
    read: path => readFileSync(path, 'utf8'),
  })
  const server = await startServer({ config, log })
  closing.push(() => server.close())
  await server.ready
  const ended = async (id: string): Promise<Deploy> => {
    const signal = AbortSignal.timeout(60_000)
    for await (const event of server.core.watchDeploy(admin, id, { signal })) {
      if (event.kind !== 'deploy' || event.deploy.endedAt === null) continue
      if (event.deploy.phase === 'succeeded') return event.deploy
      throw new Error(`deploy ${id} ended ${event.deploy.phase}: ${event.deploy.cause?.message}`)
    }
    throw new Error(`deploy ${id} did not end in 60 s`)
  }
  const ship = async (revision: string): Promise<Deploy> => {
    const { deploy } = await server.core.request(admin, asked(revision))
    return ended(deploy.id)
  }
  await server.core.applyApp(admin, app(), { dryRun: false })
  await ship('0.0.1')
  // The second one starts every watch that an update needs.
  const { prepared } = await ship('0.0.2')
  const namespace = prepared?.namespace ?? ''
  return {
    namespace,
    folder,
    etcd: etcd.endpoint,
    raw,
    cluster,
    kubeconfig,
    server,
    configFile,
    ended,
    ship,
    close,
  }
}

/** The digest is part of the image, so no registry is asked; each revision is another image all the same. */
export const image = (revision: string): string =>
  `registry.example.com/shop/web:${revision}@sha256:${'0123456789abcdef'.repeat(4)}`

const app = () =>
  parseApp({
    app: appName,
    image: image('{revision}'),
    replicas: 2,
    ports: [{ name: 'http', port: 8080, service: 80 }],
    rollout: { stable: '0s', progress: '20s', limit: '40s' },
    environments: { [environment]: {} },
  })

/** A request with the defaults of the wire. */
export const asked = (revision: string) => requestInput.parse({ app: appName, environment, revision })
