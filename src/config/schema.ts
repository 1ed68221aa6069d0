// gkube.yaml as operators write it. Describes only: config.ts loads it, variables.ts lays the environment over it,
// secrets.ts reads what it points to. Descriptions end up in docs/configuration.md and in the editors' schema.
import { z } from 'zod'
import { environmentSchema, grantSchema } from '../core/environment.ts'
import { duration, label, quantity, seconds } from '../core/units.ts'
import { artifacts, pool, publish } from './storage-schema.ts'
import { filePath, variableName } from './values.ts'

const personName = z
  .string()
  .max(60)
  .regex(/^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$/, 'lower-case letters, digits, dots and dashes, such as ana')
/** `host` or `host:port`, without a scheme. */
const registryHost = z
  .string()
  .max(260)
  .regex(
    /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?)(:\d{1,5})?$/,
    'a host such as registry.example.com or localhost:5000',
  )
const endpoint = z
  .string()
  .regex(/^https?:\/\/[^/@\s]+\/?$/, 'an address such as https://etcd-0.example.com:2379, without a password')

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

const listen = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('the address to listen on; 0.0.0.0 in a container'),
  port: z.int().min(0).max(65535).default(8080).describe('the port of the API; 0 takes a free one'),
})

const etcd = z.strictObject({
  endpoints: z
    .array(endpoint)
    .min(1)
    .max(20)
    .default(['http://127.0.0.1:2379'])
    .describe('the members, all https or all http'),
  root: z
    .string()
    .regex(/^\/([A-Za-z0-9_.-]+\/)+$/, 'a key prefix such as /gkube/v1/, with a slash at both ends')
    .default('/gkube/v1/')
    .describe('every key of gkube lives below this prefix'),
  username: z.string().min(1).optional().describe('an etcd user; needs passwordFile or passwordEnv'),
  passwordFile: filePath.optional().describe('a file that holds the password'),
  passwordEnv: variableName.optional().describe('the environment variable that holds the password'),
  tls: z
    .strictObject({
      ca: filePath.optional().describe("a PEM file of authorities; default: the system's"),
      cert: filePath.optional().describe('a PEM file: the client certificate'),
      key: filePath.optional().describe('a PEM file: the key of the client certificate'),
      serverName: z
        .string()
        .min(1)
        .optional()
        .describe("the name in etcd's certificate, where it is not the endpoint's"),
    })
    .optional()
    .describe('certificates, for https endpoints'),
})

const cluster = z.strictObject({
  inCluster: z.boolean().default(false).describe('use the service account of the pod that gkube runs in'),
  kubeconfig: filePath.optional().describe('a kubeconfig file; default: KUBECONFIG, then ~/.kube/config'),
  context: z.string().min(1).optional().describe('a context of the kubeconfig; default: its current one'),
  watch: z
    .enum(['namespace', 'cluster-wide'])
    .default('namespace')
    .describe('cluster-wide needs a ClusterRole and holds one watch a kind'),
})

const person = z.strictObject({
  name: z.string().min(1).max(120).optional().describe('how messages name this person'),
  email: z.email('an e-mail address such as ana@example.com').optional().describe('as in Slack and Jenkins'),
  slack: z
    .string()
    .regex(/^[UW][A-Z0-9]{2,}$/, 'a Slack member id such as U012AB3CD (profile, Copy member ID)')
    .optional()
    .describe('the Slack member id'),
  jenkins: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('the user id in Jenkins, where it is not the same as the key'),
  grants: z.array(grantSchema).max(100).default([]).describe('what this person may do, and where'),
})

const group = z
  .strictObject({
    members: z.array(personName).max(1000).default([]).describe('keys of `people`'),
    slack: z
      .string()
      .regex(/^S[A-Z0-9]{2,}$/, 'the id of a Slack user group such as S012AB3CD')
      .optional()
      .describe('a Slack user group: its members belong to this group too, in Slack'),
    grants: z.array(grantSchema).max(100).default([]).describe('what each member may do, and where'),
  })
  .refine(group => group.members.length > 0 || group.slack !== undefined, {
    path: ['members'],
    message: 'at least one member, or a Slack user group',
  })

const slack = z.strictObject({
  botTokenFile: filePath.optional().describe('a file that holds the bot token (xoxb-…)'),
  botTokenEnv: variableName.optional().describe('the environment variable that holds it'),
  signingSecretFile: filePath
    .optional()
    .describe('a file that holds the signing secret: Slack sends requests to /slack/events'),
  signingSecretEnv: variableName.optional().describe('the environment variable that holds it'),
  appTokenFile: filePath
    .optional()
    .describe('a file that holds the app token (xapp-…): Socket Mode, no public address needed'),
  appTokenEnv: variableName.optional().describe('the environment variable that holds it'),
  api: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('the Web API; default: https://slack.com/api/'),
  command: z
    .string()
    .regex(/^\/[a-z0-9_-]{1,31}$/, 'a slash command such as /gkube, 32 characters at most')
    .default('/gkube')
    .describe('the slash command, as in the app manifest'),
  members: z
    .array(grantSchema)
    .max(100)
    .default([])
    .describe('what each full member of the workspace may do; guests get nothing by it'),
  compareLink: z
    .string()
    .max(500)
    .regex(/^https?:\/\//, 'an address such as https://git.example.com/{app}/compare/{from}...{to}')
    .optional()
    .describe('the page that compares two revisions; {app}, {from} and {to} are filled in'),
})

const hook = z.strictObject({
  secretFile: filePath
    .optional()
    .describe(
      'a file that holds its secret: the end of its address, a password, a Bearer token, or the key of an HMAC',
    ),
  secretEnv: variableName.optional().describe('the environment variable that holds it'),
  jobs: z
    .array(z.string().min(1).max(500))
    .min(1)
    .max(1000)
    .default(['*'])
    .describe('the jobs it may tell of: full paths, `shop/*` for all below a folder, * for all'),
})

const jenkins = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('the address of Jenkins; without it builds are only known from hooks, and none is started'),
  user: z.string().min(1).max(200).optional().describe('the Jenkins user that gkube is'),
  tokenFile: filePath.optional().describe('a file that holds an API token of that user'),
  tokenEnv: variableName.optional().describe('the environment variable that holds it'),
  hooks: z
    .record(label(40), hook)
    .default({})
    .describe('who may tell of builds at /hooks/jenkins, by a name of your own'),
  channel: z
    .string()
    .regex(/^[CG][A-Z0-9]{2,}$/, 'a Slack channel id such as C012AB3CD (channel details, at the bottom)')
    .optional()
    .describe('the Slack channel where builds of registered apps are told; others by /gkube subscribe'),
  events: z
    .enum(['all', 'changes', 'failures'])
    .default('changes')
    .describe('what is told there: changes are first failures and back to normal'),
})

const registry = z.strictObject({
  host: registryHost
    .optional()
    .describe('the registry as image references name it; docker.io for Docker Hub'),
  username: z.string().min(1).optional().describe('together with passwordFile or passwordEnv'),
  passwordFile: filePath.optional().describe('a file that holds the password or token'),
  passwordEnv: variableName.optional().describe('the environment variable that holds the password or token'),
  dockerConfig: filePath
    .optional()
    .describe(
      'a Docker config.json (a mounted image pull secret): all its hosts, instead of host and username',
    ),
  insecure: z.boolean().default(false).describe('http instead of https; on this machine (loopback) only'),
})

export const configSchema = z
  .strictObject({
    listen: listen.prefault({}).describe('where the HTTP API listens'),
    etcd: etcd.prefault({}).describe('where gkube keeps its records'),
    clusters: z
      .record(label(40), cluster.nullable())
      .default({ default: { inCluster: false, watch: 'namespace' } })
      .describe('the Kubernetes clusters by name; one called `default` if none is given'),
    defaults: environmentSchema
      .prefault({})
      .describe('what holds in every environment: maps merge, lists and values are replaced'),
    environments: z
      .record(label(30), environmentSchema.nullable())
      .refine(all => Object.keys(all).length > 0, 'at least one environment, such as staging')
      .describe('where apps run, and what policy holds there'),
    people: z.record(personName, person).default({}).describe('who may do what'),
    groups: z.record(personName, group).default({}).describe('the same for several people'),
    everyone: z.array(grantSchema).max(100).default([]).describe('what each person named here may do'),
    registries: z
      .array(registry)
      .max(100)
      .default([])
      .describe('credentials to resolve tags to digests; public images need none'),
    slack: slack.optional().describe('the Slack app; left out: no Slack'),
    jenkins: jenkins.optional().describe('Jenkins and its hooks; left out: no Jenkins'),
    pools: z
      .record(label(40), pool)
      .default({})
      .describe('shared storage on GlusterFS, by a name of your own'),
    artifacts: artifacts.prefault({}).describe('where the code of apps with the code strategy comes from'),
    publish: publish.prefault({}).describe('the Jobs that put code on the volumes of its apps'),
    tokens: z
      .strictObject({
        maxLifetime: duration.default('8760h').describe('no API token may be made to live longer'),
        bootstrapFile: filePath
          .optional()
          .describe('a file with a token of 32 characters or more that makes the first tokens (role admin)'),
        bootstrapEnv: variableName.optional().describe('the same, in an environment variable'),
      })
      .prefault({})
      .describe('bearer tokens of the API'),
    audit: z
      .strictObject({
        keep: duration
          .default('9600h')
          .refine(keep => seconds(keep) >= 86_400, 'a day or more, such as 9600h')
          .describe('entries are kept so long; then whole sealed ranges go, and their seals stay'),
      })
      .prefault({})
      .describe('who did what (docs/audit.md)'),
    limits: z
      .strictObject({
        body: quantity.default('1Mi').describe('the largest request body, in bytes'),
        requestsPerMinute: z.int().min(1).max(100_000).default(600).describe('per token'),
        streams: z.int().min(1).max(10_000).default(200).describe('open event and log streams at once'),
        drain: duration.default('25s').describe('how long running work may take to stop after SIGTERM'),
        lease: duration
          .refine(text => seconds(text) >= 2 && seconds(text) <= 60, 'must be 2s to 60s')
          .default('5s')
          .describe('how long a replica may be silent before another one takes its deploys over'),
      })
      .prefault({})
      .describe('limits of one replica'),
    log: z
      .strictObject({
        level: z.enum(logLevels).default('info').describe('nothing below this level is written'),
        format: z
          .enum(['auto', 'json', 'text'])
          .default('auto')
          .describe('auto: text on a terminal, else JSON'),
      })
      .prefault({})
      .describe('the log on stderr'),
  })
  .meta({ title: 'gkube.yaml', description: 'The configuration of a gkube server' })

export type ParsedConfig = z.output<typeof configSchema>
