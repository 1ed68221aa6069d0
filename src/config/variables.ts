// Environment variables that override gkube.yaml. This table is the only list of them: docs/configuration.md is
// checked against it, and a variable that looks like one of these but is none is refused as a typing error.

type Env = Readonly<Record<string, string | undefined>>

export type Variable = {
  readonly name: string
  /** The key of gkube.yaml that it overrides; empty for those that are read elsewhere. */
  readonly path: readonly string[]
  readonly description: string
  readonly example: string
  /** From text to what the key holds; default: the text itself. */
  readonly parse?: (text: string) => unknown
  /** The value must never be shown. */
  readonly secret?: boolean
}

const list = (text: string) =>
  text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')

/** `host:port`, `[::1]:8080`, `:8080` or `8080`. */
function address(text: string): unknown {
  const [, host, port] = /^(?:(.*):)?(\d+)$/.exec(text) ?? []
  if (port === undefined) return text
  const bare = host?.replace(/^\[(.*)\]$/, '$1')
  return bare ? { host: bare, port: Number(port) } : { port: Number(port) }
}

export const variables: readonly Variable[] = [
  {
    name: 'GKUBE_CONFIG',
    path: [],
    description: 'the configuration file; default: gkube.yaml in the working directory',
    example: '/etc/gkube/gkube.yaml',
  },
  {
    name: 'GKUBE_LISTEN',
    path: ['listen'],
    description: 'where the API listens',
    example: '0.0.0.0:8080',
    parse: address,
  },
  {
    name: 'GKUBE_ETCD_ENDPOINTS',
    path: ['etcd', 'endpoints'],
    description: 'etcd members, separated by commas',
    example: 'https://etcd-0:2379,https://etcd-1:2379',
    parse: list,
  },
  { name: 'GKUBE_ETCD_ROOT', path: ['etcd', 'root'], description: 'the key prefix', example: '/gkube/v1/' },
  { name: 'GKUBE_ETCD_USERNAME', path: ['etcd', 'username'], description: 'the etcd user', example: 'gkube' },
  {
    name: 'GKUBE_ETCD_PASSWORD',
    path: [],
    description: 'the password of the etcd user',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_ETCD_PASSWORD_FILE',
    path: ['etcd', 'passwordFile'],
    description: 'a file that holds it',
    example: '/run/secrets/etcd-password',
  },
  {
    name: 'GKUBE_ETCD_CA_FILE',
    path: ['etcd', 'tls', 'ca'],
    description: "authorities of etcd's certificate (PEM)",
    example: '/etc/gkube/etcd/ca.crt',
  },
  {
    name: 'GKUBE_ETCD_CERT_FILE',
    path: ['etcd', 'tls', 'cert'],
    description: 'the client certificate (PEM)',
    example: '/etc/gkube/etcd/tls.crt',
  },
  {
    name: 'GKUBE_ETCD_KEY_FILE',
    path: ['etcd', 'tls', 'key'],
    description: 'its key (PEM)',
    example: '/etc/gkube/etcd/tls.key',
  },
  {
    name: 'GKUBE_BOOTSTRAP_TOKEN',
    path: [],
    description: 'the token that makes the first tokens (role admin), 32 characters or more',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_SLACK_BOT_TOKEN',
    path: [],
    description: 'the bot token of the Slack app (xoxb-…); switches Slack on',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_SLACK_SIGNING_SECRET',
    path: [],
    description: 'the signing secret of the Slack app: requests come in at /slack/events',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_SLACK_APP_TOKEN',
    path: [],
    description: 'the app token (xapp-…): Socket Mode',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_JENKINS_URL',
    path: ['jenkins', 'url'],
    description: 'the address of Jenkins',
    example: 'https://jenkins.example.com/',
  },
  {
    name: 'GKUBE_JENKINS_USER',
    path: ['jenkins', 'user'],
    description: 'the Jenkins user that gkube is',
    example: 'gkube',
  },
  {
    name: 'GKUBE_JENKINS_TOKEN',
    path: [],
    description: 'an API token of that user',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_JENKINS_HOOK_SECRET',
    path: [],
    description: 'the secret of a hook that may tell of all jobs: /hooks/jenkins/<secret>',
    example: '…',
    secret: true,
  },
  {
    name: 'GKUBE_LOG_LEVEL',
    path: ['log', 'level'],
    description: 'debug, info, warn, error or silent',
    example: 'info',
  },
  { name: 'GKUBE_LOG_FORMAT', path: ['log', 'format'], description: 'auto, json or text', example: 'json' },
  {
    name: 'GKUBE_DRAIN',
    path: ['limits', 'drain'],
    description: 'how long running work may take to stop after SIGTERM',
    example: '25s',
  },
]

/** Read by the command line, not by the server: they must not count as typing errors. */
const elsewhere = [
  'GKUBE_URL',
  'GKUBE_TOKEN',
  'GKUBE_TOKEN_FILE',
  'GKUBE_APP',
  'GKUBE_REVISION',
  'GKUBE_ENVIRONMENT',
  'GKUBE_RECONNECT',
  'GKUBE_DEBUG',
  // Of tests of crashes (fail-points.ts).
  'GKUBE_FAIL_POINTS',
]

export type Override = { readonly variable: Variable; readonly value: unknown }

/** The variables that are set and belong to a key. An empty variable counts as not set. */
export const overrides = (env: Env): Override[] =>
  variables.flatMap(variable => {
    const text = env[variable.name]
    if (text === undefined || text === '' || variable.path.length === 0) return []
    return [{ variable, value: variable.parse ? variable.parse(text) : text }]
  })

/**
 * Names that begin like ours, are none of ours, and look like one of them. What else begins so is left alone:
 * Kubernetes adds GKUBE_PORT and others for a Service called gkube.
 */
export const misspelt = (env: Env, suggest: (word: string, words: readonly string[]) => string | null) => {
  const known = [...variables.map(v => v.name), ...elsewhere].map(bare)
  return Object.keys(env)
    .filter(name => name.startsWith(prefix) && !known.includes(bare(name)))
    .flatMap(name => {
      const meant = suggest(bare(name), known)
      return meant ? [{ name, meant: `${prefix}${meant}` }] : []
    })
}

const prefix = 'GKUBE_'
const bare = (name: string): string => name.slice(prefix.length)
