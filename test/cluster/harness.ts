// A real control plane on this machine: etcd, API server, controller manager and scheduler as processes on
// 127.0.0.1, RBAC on. For tests: one of each, data gone at the end. Its nodes are played (played-nodes.ts) or real
// (kubelet/node.ts). build.ts makes the programs; global-setup.ts starts it for the suites.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startEtcd } from '../../src/sandbox/etcd.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { type Binaries, isOlder, type Program } from './build.ts'
import { endLeftOvers, httpsStatus, lastLines, type Running, start, until } from './programs.ts'

export type ControlPlane = {
  /** The path of an administrator's kubeconfig. */
  readonly kubeconfig: string
  readonly url: string
  readonly etcd: string
  /** What the server says it is. */
  readonly version: string
  readonly readyMs: number
  /** Ends everything and removes the data; safe to call twice. */
  stop(): Promise<void>
}

/** What runs the pods. */
export type Nodes = {
  readonly count: number
  /** More flags of the API server; called before it starts. */
  flags(folder: string): Promise<readonly string[]>
  /** Starts what registers and runs the nodes; `launch` starts a program that ends with the control plane. */
  start(plane: {
    readonly folder: string
    readonly kubeconfig: string
    readonly wire: Wire
    readonly built: Binaries
    readonly launch: (name: string, bin: string, flags: readonly string[]) => Running
    /** Called in reverse order at the end. */
    readonly ends: (() => Promise<unknown> | unknown)[]
  }): Promise<Running>
}

const prefix = 'gkube-control-plane-'

/** Starts it all and waits until it works: API, controllers, scheduler and nodes. Throws with the end of a log. */
export async function startControlPlane(built: Binaries, nodes: Nodes): Promise<ControlPlane> {
  const began = performance.now()
  await endLeftOvers(prefix)
  const folder = mkdtempSync(join(tmpdir(), prefix))
  const ends: (() => Promise<unknown> | unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= (async () => {
      for (const end of ends.splice(0).reverse()) await end()
    })()
    return stopping
  }
  try {
    writeFileSync(join(folder, 'owner'), String(process.pid))
    const started = await startAll({ built, folder, ends, nodes })
    return { ...started, readyMs: Math.round(performance.now() - began), stop }
  } catch (error) {
    const seen = lastLines(folder)
    await stop()
    throw new Error(
      `the control plane did not start: ${error instanceof Error ? error.message : error}\n${seen}`,
    )
  }
}

type Start = { built: Binaries; folder: string; ends: (() => Promise<unknown> | unknown)[]; nodes: Nodes }

async function startAll({
  built,
  folder,
  ends,
  nodes,
}: Start): Promise<Omit<ControlPlane, 'readyMs' | 'stop'>> {
  const place = (name: string) => join(folder, name)
  const [port, managerPort, schedulerPort] = [await freePort(), await freePort(), await freePort()]
  const url = `https://127.0.0.1:${port}`
  const quiet = { info: () => undefined, warn: () => undefined }
  const etcd = await startEtcd({
    dataDir: place('etcd'),
    bin: built.path('etcd'),
    log: quiet,
    flags: ['--unsafe-no-fsync'],
  })
  ends.push(() => etcd.stop())

  const tokens = writeTokens(place('tokens.csv'))
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(place('accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  writeFileSync(place('accounts.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const launchOther = (name: string, bin: string, flags: readonly string[]) => {
    const child = start({ bin, name, folder, flags })
    ends.push(() => child.end())
    return child
  }
  const launch = (program: Program, flags: readonly string[]) =>
    launchOther(program, built.path(program), flags)

  const apiserver = launch('kube-apiserver', [
    `--etcd-servers=${etcd.endpoint}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    // It signs a certificate for itself there: nothing else on this machine needs to make one.
    `--cert-dir=${place('certificates')}`,
    `--token-auth-file=${place('tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${place('accounts.pub')}`,
    `--service-account-signing-key-file=${place('accounts.key')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
    ...(await nodes.flags(folder)),
    // For expired.test.ts: what is not cached is read from etcd, which can be told to forget.
    '--watch-cache-sizes=podtemplates#0',
    ...(isOlder(built) ? olderFlags : []),
  ])
  const certificate = place('certificates/apiserver.crt')
  const chain = await until(apiserver, 'a certificate', async () => readFileSync(certificate, 'utf8'))
  // Its own certificate first, then the authority that signed it.
  const ca = chain.slice(chain.lastIndexOf('-----BEGIN CERTIFICATE-----'))
  writeFileSync(place('ca.crt'), ca)
  const kubeconfig = (user: keyof typeof tokens) => {
    const file = place(`${user}.kubeconfig`)
    writeFileSync(file, stringify(kubeconfigFor({ url, ca, token: tokens[user] })), { mode: 0o600 })
    return file
  }
  const admin = kubeconfig('admin')
  const wire = wireTo(readFileSync(admin, 'utf8'))
  await until(apiserver, '/readyz', async () => (await wire.get('/readyz')).status === 200)

  const manager = launch('kube-controller-manager', [
    `--kubeconfig=${kubeconfig('manager')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${managerPort}`,
    `--cert-dir=${place('manager')}`,
    `--service-account-private-key-file=${place('accounts.key')}`,
    `--root-ca-file=${place('ca.crt')}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--controllers=*,-node-ipam-controller',
    // A new autoscaler is first looked at after one period: 15 s, in 1.35 at least.
    '--horizontal-pod-autoscaler-sync-period=2s',
    // Suites run beside each other, and wait for nothing that a laptop's cluster would not wait for.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
  ])
  const scheduler = launch('kube-scheduler', [
    `--kubeconfig=${kubeconfig('scheduler')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${schedulerPort}`,
    `--cert-dir=${place('scheduler')}`,
    '--leader-elect=false',
  ])
  const runtime = await nodes.start({
    folder,
    kubeconfig: kubeconfig('nodes'),
    wire,
    built,
    launch: launchOther,
    ends,
  })
  const healthy = (at: number) => async () => (await httpsStatus(`https://127.0.0.1:${at}/healthz`)) === 200
  await Promise.all([
    until(manager, '/healthz', healthy(managerPort)),
    until(scheduler, '/healthz', healthy(schedulerPort)),
    until(runtime, 'ready nodes', () => nodesReady(wire, nodes.count)),
    until(manager, 'service accounts', async () => {
      return (await wire.get('/api/v1/namespaces/default/serviceaccounts/default')).status === 200
    }),
  ])
  const version = (await wire.get('/version')).body.gitVersion as string
  return { kubeconfig: admin, url, etcd: etcd.endpoint, version }
}

const olderFlags = [
  '--feature-gates=MutatingAdmissionPolicy=true',
  '--runtime-config=admissionregistration.k8s.io/v1beta1=true',
]

const kubeconfigFor = (of: { url: string; ca: string; token: string }) => ({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'test',
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  clusters: [
    {
      name: 'test',
      cluster: { server: of.url, 'certificate-authority-data': Buffer.from(of.ca).toString('base64') },
    },
  ],
  users: [{ name: 'test', user: { token: of.token } }],
})

function writeTokens(file: string) {
  const token = () => randomBytes(24).toString('hex')
  const tokens = { admin: token(), manager: token(), scheduler: token(), nodes: token() }
  const lines = [
    `${tokens.admin},admin,admin,system:masters`,
    `${tokens.manager},system:kube-controller-manager,manager,`,
    `${tokens.scheduler},system:kube-scheduler,scheduler,`,
    `${tokens.nodes},nodes,nodes,system:masters`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  return tokens
}

async function nodesReady(wire: Wire, count: number): Promise<boolean> {
  const { body } = await wire.get('/api/v1/nodes')
  type Node = { status?: { conditions?: { type: string; status: string }[] }; spec: { taints?: unknown[] } }
  const ready = (body.items as Node[]).filter(
    node =>
      !node.spec.taints && node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True'),
  )
  return ready.length === count
}
