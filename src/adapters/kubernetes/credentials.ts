// From a kubeconfig (or a pod's service account) to what one HTTPS request needs: server, TLS, headers.
// Built on the small modules of @kubernetes/client-node (6 ms each); its whole KubeConfig (400 ms, 85 MB) is
// loaded only for proxies and the older auth providers. docs/decisions/0005-a-small-kubernetes-wire.md has the numbers.
import { existsSync, readFileSync } from 'node:fs'
import type { Agent, RequestOptions } from 'node:https'
import { homedir } from 'node:os'
import path from 'node:path'
import {
  type Cluster,
  type Context,
  newClusters,
  newContexts,
  newUsers,
  type User,
} from '@kubernetes/client-node/dist/config_types.js'
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js'
import { FileAuth } from '@kubernetes/client-node/dist/file_auth.js'
import { parse } from 'yaml'
import { UserError } from '../../errors.ts'

/** What a request adds to its own options. `agent` is set only where a proxy needs its own. */
export type Access = {
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>
  readonly agent?: Agent
}

export type Credentials = {
  readonly server: URL
  /** Credentials as of now; runs an exec plugin or reads a token again when they are old. */
  access(): Promise<Access>
  /** The server refused them: forget what is cached. */
  forget(): void
}

export type CredentialSource = {
  /** A path, or several as in $KUBECONFIG; default ~/.kube/config. */
  readonly kubeconfig?: string
  readonly context?: string
  readonly inCluster?: boolean
}

type Config = { clusters: Cluster[]; users: User[]; contexts: Context[]; current: string }

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'
const execTimeoutMs = 30_000
/** Files (certificates that rotate) are read again after this long. */
const fileTtlMs = 60_000

/** Reads the credentials now and throws a UserError that names the file, context or key to fix. */
export function kubernetesCredentials(source: CredentialSource): Credentials {
  if (source.inCluster) return inClusterCredentials()
  const files = (source.kubeconfig ?? path.join(homedir(), '.kube', 'config'))
    .split(path.delimiter)
    .filter(Boolean)
  const config = merge(files.map(readConfig))
  const wanted = source.context ?? config.current
  const names = config.contexts.map(context => context.name)
  const where = files.join(', ')
  const context = config.contexts.find(candidate => candidate.name === wanted)
  if (!context)
    throw new UserError(
      'bad_input',
      wanted
        ? `${where} has no context "${wanted}"; it has: ${names.join(', ') || 'none'}.`
        : `${where} names no current context. Set one of: ${names.join(', ') || 'none'}.`,
    )
  const cluster = config.clusters.find(candidate => candidate.name === context.cluster)
  const user = config.users.find(candidate => candidate.name === context.user)
  if (!cluster)
    throw new UserError(
      'bad_input',
      `Context "${wanted}" of ${where} names cluster "${context.cluster}", which is not there.`,
    )
  if (!user)
    throw new UserError(
      'bad_input',
      `Context "${wanted}" of ${where} names user "${context.user}", which is not there.`,
    )
  return credentialsOf(cluster, user)
}

function readConfig(file: string): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UserError(
      'bad_input',
      `The kubeconfig ${file} cannot be read. Name one with kubeconfig, or use inCluster.`,
      { cause },
    )
  }
  try {
    const raw = parse(text) ?? {}
    const folder = path.dirname(path.resolve(file))
    const absolute = (name?: string) => (name ? path.resolve(folder, name) : name)
    const users = (raw.users ?? []).map((entry: { user?: { tokenFile?: string } }) => {
      const tokenFile = absolute(entry.user?.tokenFile)
      // kubectl's `tokenFile` is read again as it rotates; the package knows that only as a provider.
      return tokenFile
        ? { ...entry, user: { ...entry.user, 'auth-provider': { name: 'tokenFile', config: { tokenFile } } } }
        : entry
    })
    return {
      clusters: newClusters(raw.clusters).map(c => ({ ...c, caFile: absolute(c.caFile) })),
      users: newUsers(users).map(u => ({
        ...u,
        certFile: absolute(u.certFile),
        keyFile: absolute(u.keyFile),
        exec: pluginOf(u.exec, folder),
      })),
      contexts: newContexts(raw.contexts),
      current: raw['current-context'] ?? '',
    }
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    throw new UserError('bad_input', `The kubeconfig ${file} is not valid: ${why}`, { cause })
  }
}

type Plugin = {
  apiVersion?: string
  command: string
  args?: string[]
  env?: { name: string; value: string }[]
}

/** An exec plugin as kubectl starts it: its path beside the kubeconfig, and KUBERNETES_EXEC_INFO set. */
function pluginOf(plugin: Plugin | undefined, folder: string): Plugin | undefined {
  if (!plugin?.command) return plugin
  const info = {
    apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false },
  }
  return {
    ...plugin,
    command: plugin.command.includes('/') ? path.resolve(folder, plugin.command) : plugin.command,
    env: [...(plugin.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }],
  }
}

/** As kubectl merges $KUBECONFIG: the first file to name something wins. */
const merge = (configs: Config[]): Config => ({
  clusters: configs.flatMap(config => config.clusters),
  users: configs.flatMap(config => config.users),
  contexts: configs.flatMap(config => config.contexts),
  current: configs.find(config => config.current)?.current ?? '',
})

/** KUBERNETES_SERVICE_HOST and _PORT are set by the kubelet in every pod: Kubernetes' contract, not our setting. */
function inClusterCredentials(): Credentials {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (!host || !existsSync(`${serviceAccount}/token`))
    throw new UserError(
      'bad_input',
      'inCluster is set, but this process does not run in a pod with a service account token. Name a kubeconfig instead.',
    )
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  const tokenFile = `${serviceAccount}/token`
  return credentialsOf(
    { name: 'in-cluster', server, caFile: `${serviceAccount}/ca.crt`, skipTLSVerify: false },
    { name: 'in-cluster', authProvider: { name: 'tokenFile', config: { tokenFile } } },
  )
}

type Applied = RequestOptions & { headers: Record<string, string> }

function credentialsOf(cluster: Cluster, user: User): Credentials {
  const server = new URL(cluster.server)
  // Plain http sends tokens in the clear: only a loopback (a sandbox) may.
  if (server.protocol === 'http:' && !cluster.skipTLSVerify && !isLoopback(server.hostname))
    throw new UserError(
      'bad_input',
      `Cluster "${cluster.name}" is ${cluster.server}: plain http is refused. Use https.`,
    )
  const files = new Map<string, { content: Buffer; at: number }>()
  const read = (file?: string, data?: string): Buffer | undefined => {
    if (!file) return data ? Buffer.from(data, 'base64') : undefined
    const known = files.get(file)
    if (known && performance.now() - known.at < fileTtlMs) return known.content
    const content = readFileSync(file)
    files.set(file, { content, at: performance.now() })
    return content
  }
  const whole = cluster.proxyUrl || !isSimple(user)
  let applier = whole ? wholeKubeConfig(cluster, user) : simple(user)
  let running: Promise<Access> | null = null

  const build = async (): Promise<Access> => {
    const applied: Applied = { headers: {} }
    await withTimeout(applier(applied), execTimeoutMs, user.name)
    if (user.token && !applied.headers.Authorization) applied.headers.Authorization = `Bearer ${user.token}`
    if (user.username)
      applied.headers.Authorization = `Basic ${btoa(`${user.username}:${user.password ?? ''}`)}`
    if (user.impersonateUser) applied.headers['Impersonate-User'] = user.impersonateUser
    // A token file often ends in a newline, which no header may.
    const headers = Object.fromEntries(Object.entries(applied.headers).map(([k, v]) => [k, String(v).trim()]))
    return {
      headers,
      tls: {
        ca: read(cluster.caFile, cluster.caData),
        cert: applied.cert ?? read(user.certFile, user.certData),
        key: applied.key ?? read(user.keyFile, user.keyData),
        servername: cluster.tlsServerName,
        ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
      },
      ...(applied.agent ? { agent: applied.agent as Agent } : {}),
    }
  }
  return {
    server,
    // One plugin process at a time, however many requests wait for it.
    access: () => {
      running ??= build().finally(() => {
        running = null
      })
      return running
    },
    forget: () => {
      files.clear()
      applier = whole ? wholeKubeConfig(cluster, user) : simple(user)
    },
  }
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)

const isSimple = (user: User): boolean => !user.authProvider || Boolean(user.authProvider.config?.tokenFile)

type Applier = (options: Applied) => Promise<void>

function simple(user: User): Applier {
  if (user.exec) {
    const plugin = new ExecAuth()
    return options => plugin.applyAuthentication(user, options)
  }
  if (!user.authProvider) return async () => undefined
  const file = new FileAuth()
  return options => file.applyAuthentication(user, options)
}

/** The package's own KubeConfig: for proxies, OIDC, GCP and Azure providers. */
function wholeKubeConfig(cluster: Cluster, user: User): Applier {
  const loaded = import('@kubernetes/client-node/dist/config.js').then(({ KubeConfig }) => {
    const config = new KubeConfig()
    // Plain http was judged above; the package refuses even a loopback unless told not to check certificates.
    const skipTLSVerify = cluster.skipTLSVerify || cluster.server.startsWith('http:')
    config.loadFromClusterAndUser({ ...cluster, skipTLSVerify }, user)
    return config
  })
  // Reported by the call that awaits it.
  loaded.catch(() => undefined)
  return async options => {
    const config = await loaded
    await config.applyToHTTPSOptions(options)
    if (!cluster.proxyUrl) delete options.agent
  }
}

async function withTimeout(work: Promise<void>, ms: number, user: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`the credentials of user "${user}" were not there after ${ms / 1000} s`)),
      ms,
    )
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
