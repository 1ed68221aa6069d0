// A whole gkube on the real control plane: a ServiceAccount with exactly what `gkube rbac` prints for each
// environment, its token in a kubeconfig, and a replica wired as `gkube serve` wires it. On the stand-in:
// test/support/stack.ts, whose helpers for asking and waiting serve here too.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import type { Core } from '../../src/core/core.ts'
import type { Environment } from '../../src/core/environment.ts'
import { rbacFor, rbacText } from '../../src/core/rbac.ts'
import { createLog } from '../../src/log.ts'
import type { PoolInstead } from '../../src/server/pools.ts'
import { type Server, startServer } from '../../src/server.ts'
import { type Json, type Wire, wireTo } from '../sandbox/cluster/wire.ts'
import { testEtcd } from '../support/etcd.ts'

export type RealStack = {
  readonly core: Core
  readonly server: Server
  readonly configFile: string
  /** Lines of the log that are warnings or worse. */
  readonly log: string[]
  /** An administrator's requests to the first cluster, beside gkube. */
  readonly wire: Wire
  /** The same cluster with gkube's own rights. */
  readonly own: Wire
  readonly namespace: (environment: string) => string
}

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Where images play: our own control plane. Elsewhere nothing could be pulled. */
export const played = Boolean(process.env.GKUBE_TEST_ETCD)

/** The administrator's kubeconfig of the control plane that the suites share. */
export function sharedCluster(): string {
  const file = process.env.GKUBE_TEST_KUBECONFIG
  if (!file) throw new Error('GKUBE_TEST_KUBECONFIG is not set: run this by npm run test:cluster')
  return file
}

/**
 * Starts it with the environments staging and production; it ends, and its namespaces go, with the test file.
 * `clusters` are administrators' kubeconfigs by name; an environment names one, or is on `default`.
 */
export async function startRealStack(
  environments: Record<string, object> = { staging: {}, production: {} },
  clusters: Record<string, string> = { default: sharedCluster() },
  more: { readonly config?: object; readonly pool?: PoolInstead } = {},
): Promise<RealStack> {
  const etcd = await testEtcd()
  const folder = mkdtempSync(join(tmpdir(), 'gkube-real-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const base = `gkube-e2e-${randomBytes(3).toString('hex')}`
  const namespace = (environment: string) => `${base}-${environment}`
  const names = Object.keys(clusters)
  const configFile = join(folder, 'gkube.yaml')
  const ownFile = (cluster: string) => join(folder, `${cluster}.yaml`)
  const content = {
    listen: { host: '127.0.0.1', port: 0 },
    etcd: { endpoints: [etcd.endpoint], root: etcd.root() },
    clusters: Object.fromEntries(names.map(name => [name, { kubeconfig: ownFile(name) }])),
    environments: Object.fromEntries(
      Object.entries(environments).map(([name, more]) => [name, { namespace: namespace(name), ...more }]),
    ),
    limits: { drain: '5s' },
    ...more.config,
  }
  writeFileSync(configFile, stringify(content))
  const config = loadConfig({ file: configFile, env: {}, read: path => readFileSync(path, 'utf8') })
  for (const [name, file] of Object.entries(clusters)) {
    const there = Object.values(config.environments).filter(environment => environment.cluster === name)
    writeFileSync(ownFile(name), stringify(await admit({ file, base, environments: there })), { mode: 0o600 })
  }

  const log: string[] = []
  const server = await startServer({
    config,
    log: createLog({ level: 'warn', format: 'json', write: line => void log.push(line) }),
    registry: { resolve: async () => ({ kind: 'unavailable', message: 'no registry in this test' }) },
    leaseSeconds: 2,
    ...(more.pool ? { pool: more.pool } : {}),
  })
  cleanups.push(() => server.close())
  await server.ready
  const [first = 'default'] = names
  return {
    core: server.core,
    server,
    configFile,
    log,
    wire: wireTo(readFileSync(clusters[first] ?? '', 'utf8')),
    own: wireTo(readFileSync(ownFile(first), 'utf8')),
    namespace,
  }
}

/** Namespaces, a ServiceAccount with what `gkube rbac` prints and nothing else, and a kubeconfig with its token. */
async function admit(of: { file: string; base: string; environments: Environment[] }): Promise<Json> {
  const kubeconfig = parse(readFileSync(of.file, 'utf8')) as Json
  const wire = wireTo(stringify(kubeconfig))
  for (const name of [of.base, ...of.environments.map(environment => environment.namespace)]) {
    await made(wire, '/api/v1/namespaces', { metadata: { name } })
    cleanups.push(() => wire.delete(`/api/v1/namespaces/${name}`).catch(unlessGone))
  }
  const serviceAccount = { namespace: of.base, name: 'gkube' }
  const accounts = `/api/v1/namespaces/${of.base}/serviceaccounts`
  await made(wire, accounts, { metadata: { name: serviceAccount.name } })
  for (const environment of of.environments) {
    for (const document of parseAllDocuments(rbacText(rbacFor(environment, { serviceAccount }))))
      await made(wire, ...pathOf(document.toJS()))
  }
  const asked = await made(wire, `${accounts}/${serviceAccount.name}/token`, {
    spec: { expirationSeconds: 3600 },
  })
  const current = kubeconfig.contexts.find((one: Json) => one.name === kubeconfig['current-context'])
  return {
    ...kubeconfig,
    users: [{ name: current.context.user, user: { token: asked.status.token } }],
  }
}

/** A cluster that its test has ended has no namespaces to delete. */
const unlessGone = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ECONNREFUSED') throw error
}

async function made(wire: Wire, path: string, object: object): Promise<Json> {
  const { status, body, text } = await wire.post(path, object)
  if (status !== 201) throw new Error(`${path}: ${status} ${text}`)
  return body
}

/** Where an RBAC object is created. */
function pathOf(object: Json): [path: string, object: object] {
  const group = `/apis/${object.apiVersion}`
  const { namespace } = object.metadata
  const plural = `${object.kind.toLowerCase()}s`
  return [namespace ? `${group}/namespaces/${namespace}/${plural}` : `${group}/${plural}`, object]
}
