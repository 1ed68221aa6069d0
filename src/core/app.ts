// App: what a team registers for a Jenkins job. The zod schema is the wire format (app.yaml, the API, etcd).
// This file only describes; app-environment.ts merges an environment into it, objects.ts renders it.
import { z } from 'zod'
import { duration, jobPath, label, objectName, quantity } from './units.ts'

const key = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'a variable name such as LOG_LEVEL')
const port = z.int().min(1).max(65535)
const portRef = z
  .union([port, label(15)])
  .describe('a port by its name or number')
  .meta({ examples: ['http'] })
const path = z.string().startsWith('/', 'an absolute path such as /srv/data').max(1024)
const labels = z.record(z.string().max(316), z.string().max(63))
const count = z
  .union([z.int().min(0), z.string().regex(/^\d{1,3}%$/)])
  .describe('a whole number or a percentage such as 25%')
const isZero = (value: z.output<typeof count>) => Number.parseInt(String(value), 10) === 0
/** Parts of the Kubernetes API that pass through as written; the final objects are checked by the allowlist. */
const passThrough = z.record(z.string(), z.json())

const envValue = z
  .union([
    z.string(),
    z.number(),
    z.boolean(),
    z.strictObject({ secret: objectName, key: z.string(), optional: z.boolean().optional() }),
    z.strictObject({ configMap: objectName, key: z.string(), optional: z.boolean().optional() }),
    z.strictObject({ field: z.string() }),
  ])
  .describe('a text, a number, true or false, { secret, key }, { configMap, key } or { field }')
  .meta({ examples: ['{ secret: web, key: url }'] })
const env = z.record(key, envValue)
const envFrom = z.array(
  z.union([
    z.strictObject({ secret: objectName, prefix: z.string().optional(), optional: z.boolean().optional() }),
    z.strictObject({
      configMap: objectName,
      prefix: z.string().optional(),
      optional: z.boolean().optional(),
    }),
  ]),
)

const resourceList = z.strictObject({
  cpu: quantity.optional(),
  memory: quantity.optional(),
  'ephemeral-storage': quantity.optional(),
})
const resources = z.strictObject({ requests: resourceList.optional(), limits: resourceList.optional() })

const timings = {
  initialDelay: duration.optional(),
  period: duration.optional(),
  timeout: duration.optional(),
  failures: z.int().min(1).optional(),
  successes: z.int().min(1).optional(),
}
const probe = z
  .strictObject({
    http: z
      .strictObject({ path, port: portRef.optional(), headers: z.record(z.string(), z.string()).optional() })
      .optional(),
    tcp: z.strictObject({ port: portRef.optional() }).optional(),
    exec: z.array(z.string()).min(1).optional(),
    grpc: z.strictObject({ port: port.optional(), service: z.string().optional() }).optional(),
    ...timings,
  })
  .refine(
    p => [p.http, p.tcp, p.exec, p.grpc].filter(Boolean).length === 1,
    'exactly one of http, tcp, exec or grpc',
  )

const mount = z.strictObject({ name: label(), path, readOnly: z.boolean().optional() })
const container = z.strictObject({
  name: label(),
  image: z.string().min(1),
  native: z.boolean().default(true).describe('run as a native sidecar (starts before, ends after the app)'),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: env.optional(),
  envFrom: envFrom.optional(),
  ports: z.array(z.strictObject({ name: label(15), port })).optional(),
  resources: resources.optional(),
  probes: z
    .strictObject({ startup: probe.optional(), readiness: probe.optional(), liveness: probe.optional() })
    .optional(),
  mounts: z.array(mount).optional(),
})

const hook = z.strictObject({
  name: label(40).optional().describe('what people call it, shown beside the step: migrate'),
  image: z.string().optional().describe("default: the app's image"),
  command: z.array(z.string()).min(1),
  env: env.optional(),
  timeout: duration.default('10m'),
  resources: resources.optional(),
})

const artifactUrl = z.string().regex(/^https:\/\/|^\{/, 'an https address; {revision} is filled in')

const shape = {
  kind: z.enum(['service', 'worker', 'cron', 'stateful', 'manifests']).default('service'),
  image: z
    .string()
    .min(1)
    .optional()
    .describe('an image reference; {revision} is filled in')
    .meta({ examples: ['registry.example.com/shop/web:{revision}'] }),
  imagePullSecrets: z.array(objectName).default([]),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  ports: z
    .array(
      z.strictObject({
        name: label(15),
        port: port.meta({ examples: [8080] }),
        service: port.optional().describe('the port of the Service; default: the same'),
        protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
      }),
    )
    .default([]),
  replicas: z
    .int()
    .min(0)
    .max(10_000)
    .default(1)
    .meta({ examples: [3] }),
  autoscale: z
    .strictObject({
      min: z.int().min(1),
      max: z.int().min(1),
      cpu: z.int().min(1).max(100).optional(),
      memory: z.int().min(1).max(100).optional(),
    })
    .refine(a => a.min <= a.max, 'min must not be above max')
    .optional(),
  schedule: z
    .strictObject({
      cron: z.string().regex(/^(@\w+|(\S+\s+){4}\S+)$/, 'five cron fields such as "0 3 * * *"'),
      timeZone: z.string().optional(),
      concurrency: z.enum(['Allow', 'Forbid', 'Replace']).default('Forbid'),
    })
    .optional(),
  env: env.default({}),
  envFrom: envFrom.default([]),
  files: z
    .array(
      z
        .strictObject({
          path,
          content: z.string().max(900_000).optional(),
          secret: objectName.optional(),
          configMap: objectName.optional(),
          key: z.string().optional(),
        })
        .refine(
          f => [f.content, f.secret, f.configMap].filter(v => v !== undefined).length === 1,
          'exactly one of content, secret or configMap',
        ),
    )
    .default([]),
  resources: resources.default({ requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } }),
  probes: z
    .strictObject({ startup: probe.optional(), readiness: probe.optional(), liveness: probe.optional() })
    .default({}),
  sidecars: z.array(container).default([]),
  rollout: z
    .strictObject({
      strategy: z.enum(['rolling', 'recreate']).default('rolling'),
      maxSurge: count.default(1),
      maxUnavailable: count.default(0),
      progress: duration.default('10m').describe('no progress for this long fails the deploy'),
      limit: duration.default('30m').describe('a rollout never takes longer than this'),
      stable: duration.default('10s').describe('ready for this long before the deploy counts as succeeded'),
      drain: duration
        .default('5s')
        .describe('wait before a container with ports is told to stop, so that traffic moves away'),
      grace: duration.default('30s').describe('time to stop; must be longer than drain'),
      ordered: z
        .boolean()
        .default(false)
        .describe('stateful: start pods one after the other; a broken one then blocks its own rollback'),
      crashes: z.int().min(1).default(3).describe('this many crashes of one new pod fail the deploy'),
    })
    .prefault({})
    .refine(
      r => r.strategy === 'recreate' || !isZero(r.maxSurge) || !isZero(r.maxUnavailable),
      'maxSurge and maxUnavailable must not both be 0',
    ),
  ingress: z
    .array(
      z.strictObject({
        host: z.string().min(1),
        path: z.string().startsWith('/').default('/'),
        port: portRef.optional(),
        class: z.string().optional(),
        tlsSecret: objectName.optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
    )
    .default([]),
  disruption: z
    .strictObject({
      maxUnavailable: count.optional(),
      minAvailable: count.optional(),
    })
    .refine(
      d => (d.maxUnavailable === undefined) !== (d.minAvailable === undefined),
      'one of maxUnavailable or minAvailable',
    )
    .optional(),
  security: z
    .strictObject({
      profile: z.enum(['restricted', 'baseline']).default('restricted'),
      runAsUser: z.int().min(0).optional(),
      runAsGroup: z.int().min(0).optional(),
      readOnlyRoot: z.boolean().default(false),
      serviceAccount: objectName.optional(),
    })
    .prefault({}),
  placement: z
    .strictObject({
      nodeSelector: labels.optional(),
      tolerations: z.array(passThrough).optional(),
      affinity: passThrough.optional(),
      spread: z.array(passThrough).optional(),
    })
    .prefault({}),
  labels: labels.default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  storage: z
    .array(
      z.strictObject({
        name: label(),
        size: quantity,
        mount: path,
        access: z.enum(['RWX', 'RWO']).default('RWX'),
        storageClass: z.string().optional(),
        own: z
          .boolean()
          .optional()
          .describe('on a pool: a volume of its own instead of a directory on the shared one'),
      }),
    )
    .default([]),
  hooks: z
    .strictObject({ init: hook.optional(), before: hook.optional(), after: hook.optional() })
    .default({}),
  code: z
    .strictObject({
      artifact: artifactUrl.optional(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
      credential: objectName.optional(),
      file: z
        .string()
        .max(200)
        .regex(/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/, 'a file name such as app.war')
        .optional()
        .describe('the artifact is kept as one file of this name, and not unpacked'),
      mount: path,
      update: z
        .array(z.string())
        .min(1)
        .optional()
        .describe('the code update script; gkube has a good default'),
      activate: z.enum(['rollout', 'reload']).default('rollout'),
      reload: z.array(z.string()).min(1).optional(),
      keep: z.int().min(2).max(50).default(5),
    })
    .optional(),
  manifests: z
    .array(passThrough)
    .default([])
    .describe('kind: manifests — what Helm or kustomize rendered; {revision} is filled in'),
  patches: z
    .array(z.strictObject({ target: z.string().min(1), name: objectName.optional(), patch: passThrough }))
    .default([])
    .describe('changes to rendered objects of a kind: maps merge, lists of named things merge by name'),
  deployOn: z
    .union([z.literal('success'), z.strictObject({ branch: z.string().min(1).max(500) })])
    .optional()
    .describe(
      'a successful build of its job is deployed: each, or those of branches like `main` or `release/*`; a protected environment asks in the channel',
    ),
  onAbort: z
    .enum(['rollback', 'continue'])
    .default('continue')
    .describe('a Jenkins step is aborted while its deploy runs: roll it back, or let it go on'),
} as const

/** The keys of an App as written, before an environment is merged in. */
export const appSchema = z
  .strictObject({
    schema: z.literal(1).default(1),
    app: label(40)
      .describe('the name of the app: also the name of its objects')
      .meta({ examples: ['web'] }),
    jobs: z.array(jobPath).default([]).describe('the Jenkins jobs that build this app'),
    revisionFrom: z.enum(['GIT_COMMIT', 'BUILD_NUMBER']).default('GIT_COMMIT'),
    ...shape,
    environments: z
      .record(label(30), z.record(z.string(), z.json()).nullable())
      .default({})
      .describe('what differs per environment: maps merge, lists replace, null removes'),
  })
  .meta({ title: 'gkube app', description: 'What a team registers for a Jenkins job' })
export type App = z.output<typeof appSchema>

/** An App with one environment merged in: what objects.ts renders and what a frozen spec holds. */
export const appSpecSchema = z.strictObject({ schema: z.literal(1).default(1), app: label(40), ...shape })
export type AppSpec = z.output<typeof appSpecSchema>

export type Container = z.output<typeof container>
export type Probe = z.output<typeof probe>
export type EnvMap = z.output<typeof env>
export type Hook = z.output<typeof hook>
export type EnvFrom = z.output<typeof envFrom>
export type Resources = z.output<typeof resources>
