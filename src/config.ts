// gkube.yaml and the environment as one validated Config, with the secrets it points to. All mistakes at once,
// each with its key, its place, what was seen, what is expected and an example. Reads nothing by itself: `read`
// and `env` come from main.ts. The schema is in config/schema.ts, the variables in config/variables.ts.
import { dirname } from 'node:path'
import { artifactsOf } from './config/artifacts.ts'
import {
  checkBootstrap,
  checkEtcd,
  checkPeople,
  clusterOf,
  environmentsOf,
  peopleOf,
  uniqueHosts,
} from './config/checks.ts'
import { jenkinsOf } from './config/jenkins.ts'
import { poolsOf } from './config/pools.ts'
import { problemOf, problemsOf, type Report } from './config/problems.ts'
import { publishOf } from './config/publish.ts'
import { configSchema, type ParsedConfig } from './config/schema.ts'
import { type Env, type Read, type Registry, secretsOf, type Tls } from './config/secrets.ts'
import { slackOf } from './config/slack.ts'
import { misspelt, overrides } from './config/variables.ts'
import type { Environment, Grant } from './core/environment.ts'
import { type Path, type Problem, problemsError } from './core/problems.ts'
import { suggest } from './core/suggest.ts'
import { amount, seconds } from './core/units.ts'
import { parseYaml } from './core/yaml.ts'
import { UserError } from './errors.ts'

export type ClusterConfig = {
  readonly inCluster: boolean
  readonly kubeconfig: string | null
  readonly context: string | null
  readonly watch: 'namespace' | 'cluster-wide'
}

export type Person = {
  /** The key in gkube.yaml. */
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly slack: string | null
  /** The user id in Jenkins. */
  readonly jenkins?: string
  /** Their own grants, those of their groups, and everyone's. */
  readonly grants: readonly Grant[]
}

/** The Slack app. HTTP mode needs the signing secret, Socket Mode the app token; with both it is Socket Mode. */
export type SlackConfig = {
  readonly botToken: string
  readonly signingSecret: string | null
  readonly appToken: string | null
  /** The Web API, with a slash at the end. */
  readonly api: string
  /** The slash command, with its slash. */
  readonly command: string
  /** What each full member of the workspace may do; guests and other workspaces get nothing by it. */
  readonly members: readonly Grant[]
  /** User groups of the workspace and what their members may do. */
  readonly groups: readonly {
    readonly name: string
    readonly id: string
    readonly grants: readonly Grant[]
  }[]
  /** `https://github.com/acme/{app}/compare/{from}...{to}`; null: no such links. */
  readonly compareLink: string | null
}

/** Jenkins: how it is asked, and who may tell of builds. */
export type JenkinsConfig = {
  /** Null: builds are only known from hooks. The address ends in a slash. */
  readonly server: { readonly url: string; readonly user: string; readonly token: string } | null
  readonly hooks: readonly {
    readonly name: string
    readonly secret: string
    /** Full paths, `shop/*` for all below a folder, `*` for all. */
    readonly jobs: readonly string[]
  }[]
  /** Where builds of registered apps are told; null: only where a channel subscribed. */
  readonly channel: string | null
  readonly events: 'all' | 'changes' | 'failures'
}

/** A pool of shared storage on GlusterFS. */
export type PoolConfig = {
  readonly volume: string
  readonly servers: readonly string[]
  /** Where the gluster CLI runs. The key is the private key itself. */
  readonly reach:
    | { readonly kind: 'local' }
    | { readonly kind: 'remote'; readonly host: string }
    | {
        readonly kind: 'ssh'
        readonly host: string
        readonly port: number
        readonly user: string
        readonly sudo: boolean
        readonly key: string
        /** `ssh-ed25519 AAAA…` */
        readonly hostKey: string
      }
  /** Where the volume is mounted on the machine that the CLI runs on; null: no directories, only volumes of their own. */
  readonly mount: string | null
  /** How pods mount it. */
  readonly strategy:
    | { readonly kind: 'intree'; readonly endpoints: { readonly name: string; readonly namespace: string } }
    | { readonly kind: 'nfs-csi'; readonly server: string; readonly share: string }
    | { readonly kind: 'kadalu'; readonly storageClass: string }
    | { readonly kind: 'hostpath'; readonly path: string }
  readonly snapshots: boolean
  /** For apps that ask for a volume of their own; null: none may. */
  readonly own: {
    readonly bricks: readonly string[]
    readonly replica: number
    readonly force: boolean
  } | null
}

/** Where code comes from. */
export type ArtifactsConfig = {
  /** Of uploads; null: none are taken. */
  readonly directory: string | null
  readonly maxBytes: number
  readonly keepSeconds: number
  /** Hosts of https, and the Secret that holds their credential; null: none is needed. */
  readonly hosts: Readonly<Record<string, { readonly credential: string | null }>>
}

/** The Jobs that publish code. */
export type PublishConfig = {
  /** gkube's own image; null: no code can be published. */
  readonly image: string | null
  /** gkube as pods reach it, without a slash at its end; null: no upload can be published. */
  readonly url: string | null
}

export type Config = {
  /** The file it was read from; null when everything came from the environment. */
  readonly file: string | null
  readonly listen: { readonly host: string; readonly port: number }
  readonly etcd: {
    readonly endpoints: readonly string[]
    readonly root: string
    readonly username?: string
    readonly password?: string
    readonly tls?: Tls
  }
  readonly clusters: Readonly<Record<string, ClusterConfig>>
  readonly environments: Readonly<Record<string, Environment>>
  readonly people: Readonly<Record<string, Person>>
  readonly groups: Readonly<Record<string, { readonly members: readonly string[] }>>
  readonly registries: readonly Registry[]
  /** Null: no Slack. */
  readonly slack: SlackConfig | null
  /** Null: no Jenkins. */
  readonly jenkins: JenkinsConfig | null
  /** By name, as environments name them. */
  readonly pools: Readonly<Record<string, PoolConfig>>
  readonly artifacts: ArtifactsConfig
  readonly publish: PublishConfig
  /** How long entries of the audit are kept. */
  readonly audit: { readonly keepSeconds: number }
  readonly tokens: { readonly maxLifetimeSeconds: number; readonly bootstrap: string | null }
  readonly limits: {
    readonly bodyBytes: number
    readonly requestsPerMinute: number
    readonly streams: number
    readonly drainSeconds: number
    readonly leaseSeconds: number
  }
  readonly log: ParsedConfig['log']
}

const defaultFile = 'gkube.yaml'

/**
 * Loads the configuration. `file` (else GKUBE_CONFIG, else gkube.yaml) is read with `read`, which throws as
 * readFileSync does. Throws one UserError `bad_input` that lists every mistake.
 */
export function loadConfig(options: {
  readonly file?: string
  readonly env: Env
  readonly read: Read
  /** `ignore` leaves passwords and certificates unread: enough for what only looks at the rest (rbac). */
  readonly secrets?: 'read' | 'ignore'
}): Config {
  const { env, read } = options
  const named = options.file ?? (env.GKUBE_CONFIG || undefined)
  const file = named ?? defaultFile
  const source = parseYaml(readFile(read, file), file)
  const set = overrides(env)
  const data = set.reduce<unknown>(
    (all, { variable, value }) => put(all, variable.path, value),
    written(source.value),
  )
  /** A value from a variable is the variable's fault, not a line's. */
  const where = ({ path }: Problem): string => {
    const [top] = path
    const hit = set.find(({ variable }) => variable.path.every((step, i) => path[i] === step))
    const name = typeof top === 'string' && top.startsWith('GKUBE_') ? top : hit?.variable.name
    return name ? `environment variable ${name}: ` : `${source.where(path)}: `
  }
  const fail = (found: readonly Problem[]) => problemsError(`${file} is not valid:`, found, where)
  const problems = misspelt(env, suggest).map(
    ({ name, meant }): Problem => ({
      path: [name],
      message: `is not a variable of gkube; did you mean ${meant}?`,
    }),
  )

  const parsed = configSchema.safeParse(data)
  if (!parsed.success) throw fail([...problems, ...problemsOf(parsed.error, data)])
  const report: Report = finding => void problems.push(problemOf(finding))
  const config = resolve(parsed.data, { data, file, env, read, report, ignore: options.secrets === 'ignore' })
  if (problems.length > 0) throw fail(problems)
  return { ...config, file }
}

type Context = {
  readonly data: unknown
  readonly file: string
  readonly env: Env
  readonly read: Read
  readonly report: Report
  readonly ignore: boolean
}

function resolve(
  parsed: ParsedConfig,
  { data, file, env, read, report, ignore }: Context,
): Omit<Config, 'file'> {
  const secrets = secretsOf({ read, env, folder: dirname(file), report, ignore })
  const clusters = Object.fromEntries(
    Object.entries(parsed.clusters).map(([name, cluster]) => [name, clusterOf(name, cluster, report)]),
  )
  const pools = poolsOf(parsed.pools, { secrets, report, ignore })
  const known = { clusters: Object.keys(clusters), pools: Object.keys(parsed.pools) }
  const environments = environmentsOf(data, known, report)
  checkPeople(parsed, Object.keys(environments), report)
  const { etcd, limits } = parsed
  const password = env.GKUBE_ETCD_PASSWORD || secrets.secret(['etcd'], 'password', etcd)
  checkEtcd(etcd, password !== undefined, report)
  const bootstrap = env.GKUBE_BOOTSTRAP_TOKEN || secrets.secret(['tokens'], 'bootstrap', parsed.tokens)
  checkBootstrap(bootstrap, report)
  return {
    listen: parsed.listen,
    etcd: {
      endpoints: etcd.endpoints.map(endpoint => endpoint.replace(/\/$/, '')),
      root: etcd.root,
      ...(etcd.username === undefined ? {} : { username: etcd.username, password }),
      ...(etcd.tls === undefined ? {} : { tls: secrets.tls(etcd.tls) }),
    },
    clusters,
    environments,
    people: peopleOf(parsed),
    groups: Object.fromEntries(
      Object.entries(parsed.groups).map(([name, group]) => [name, { members: group.members }]),
    ),
    slack: slackOf(parsed, { env, secrets, report, ignore }),
    jenkins: jenkinsOf(parsed.jenkins, { env, secrets, report, ignore }),
    pools,
    artifacts: artifactsOf(parsed.artifacts, report),
    publish: publishOf(parsed.publish),
    registries: uniqueHosts(secrets.registries(parsed.registries), report),
    audit: { keepSeconds: seconds(parsed.audit.keep) },
    tokens: { maxLifetimeSeconds: seconds(parsed.tokens.maxLifetime), bootstrap: bootstrap ?? null },
    limits: {
      bodyBytes: Math.floor(amount(limits.body)),
      requestsPerMinute: limits.requestsPerMinute,
      streams: limits.streams,
      drainSeconds: seconds(limits.drain),
      leaseSeconds: seconds(limits.lease),
    },
    log: parsed.log,
  }
}

function readFile(read: Read, file: string): string {
  try {
    return read(file)
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new UserError(
      'bad_input',
      missing
        ? `There is no ${file}. Copy gkube.example.yaml to begin with, or name yours: --config FILE or GKUBE_CONFIG.`
        : `${file} cannot be read: ${(cause as Error).message}`,
      { cause, details: { file } },
    )
  }
}

/** Sections and keys without a value count as not written; an environment, a cluster or a host without one has defaults. */
function written(data: unknown, depth = 0, below = ''): unknown {
  if (Array.isArray(data)) return data.map(item => written(item, depth + 1))
  if (data === null || typeof data !== 'object') return depth === 0 && data === null ? {} : data
  return Object.fromEntries(
    Object.entries(data).flatMap(([key, value]) =>
      value === null && depth !== 1 && below !== 'hosts' ? [] : [[key, written(value, depth + 1, key)]],
    ),
  )
}

/** A copy with `value` at the path; a map is laid over the map that stands there. */
function put(data: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path
  const map = isMap(data) ? data : {}
  if (step === undefined) return isMap(value) ? { ...map, ...value } : value
  return { ...map, [step]: put(map[step], rest, value) }
}

const isMap = (value: unknown): value is Record<string | number, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** The configuration as it may be shown: every secret is `***`, files and certificates are named by their size. */
export function maskedConfig(config: Config): Record<string, unknown> {
  const { etcd, registries, slack, jenkins, pools, tokens, ...rest } = config
  return {
    ...rest,
    etcd: {
      ...etcd,
      ...(etcd.password === undefined ? {} : { password: mask }),
      ...(etcd.tls === undefined ? {} : { tls: { ...etcd.tls, ...maskedPem(etcd.tls) } }),
    },
    registries: registries.map(registry => ({
      ...registry,
      password: registry.password === null ? null : mask,
    })),
    slack: slack && {
      ...slack,
      botToken: mask,
      signingSecret: slack.signingSecret === null ? null : mask,
      appToken: slack.appToken === null ? null : mask,
    },
    jenkins: jenkins && {
      ...jenkins,
      server: jenkins.server && { ...jenkins.server, token: mask },
      hooks: jenkins.hooks.map(hook => ({ ...hook, secret: mask })),
    },
    pools: Object.fromEntries(
      Object.entries(pools).map(([name, pool]) => [
        name,
        { ...pool, reach: pool.reach.kind === 'ssh' ? { ...pool.reach, key: mask } : pool.reach },
      ]),
    ),
    tokens: { ...tokens, bootstrap: tokens.bootstrap === null ? null : mask },
  }
}

const mask = '***'
const maskedPem = (tls: Tls): Record<string, string> => ({
  ...(tls.ca === undefined ? {} : { ca: `PEM, ${tls.ca.length} characters` }),
  ...(tls.cert === undefined ? {} : { cert: `PEM, ${tls.cert.length} characters` }),
  ...(tls.key === undefined ? {} : { key: mask }),
})
