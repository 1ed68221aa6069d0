// An environment as the operators define it in gkube.yaml: where it runs and what policy holds there.
// config.ts reads it; policy.ts, objects.ts and the runner use it. Apps never write any of this.
import { z } from 'zod'
import { freezeWindowSchema, neverEnds } from './freeze-windows.ts'
import { duration, label } from './units.ts'

export const roles = ['viewer', 'deployer', 'approver', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/** A role on some apps in some environments; `*` is all. */
export const grantSchema = z.strictObject({
  role: z.enum(roles).describe('what may be done'),
  apps: z.array(z.string().min(1)).default(['*']).describe('apps by name; * is all'),
  environments: z.array(z.string().min(1)).default(['*']).describe('environments by name; * is all'),
})
export type Grant = z.output<typeof grantSchema>

export const environmentSchema = z.strictObject({
  cluster: z.string().min(1).default('default').describe('a key of `clusters`'),
  namespace: z
    .string()
    .regex(/^[a-z0-9{}-]+$/)
    .default('{environment}')
    .describe('the namespace; {app} and {environment} are filled in'),
  createNamespace: z.boolean().default(false).describe('create the namespace when it is missing'),
  protected: z.boolean().default(false).describe('default deny, and digests required'),
  requireDigest: z.boolean().default(false).describe('refuse a tag that cannot be resolved to a digest'),
  onFailure: z
    .enum(['rollback', 'hold', 'ask'])
    .default('rollback')
    .describe('a failed deploy: roll back, leave it to be looked at, or leave it and offer a rollback'),
  onCancel: z.enum(['rollback', 'hold']).default('rollback').describe('the same for a cancelled one'),
  afterRollback: z
    .enum(['none', 'lock'])
    .default('none')
    .describe(
      'lock: after an automatic rollback of a failed deploy the app is locked until a person unlocks it',
    ),
  queue: z
    .enum(['supersede', 'keep'])
    .default('supersede')
    .describe('supersede: a newer deploy of an app replaces the one that waits'),
  parallel: z.int().min(1).max(1000).default(20).describe('deploys that run at once in this environment'),
  approvals: z
    .strictObject({
      required: z.int().min(0).max(10).default(0).describe('approvals that a deploy needs'),
      requesterCounts: z.boolean().default(false).describe('who asked may approve too'),
      expiry: duration.default('30m').describe('a request that nobody approved ends after this'),
      reason: z.boolean().default(false).describe('an approval must give a reason'),
      rollback: z.boolean().default(false).describe('a rollback needs approvals too'),
      tell: z.boolean().default(false).describe('tell who may approve by direct message in Slack'),
      remind: duration.default('10m').describe('tell them again this long before the request expires'),
    })
    .prefault({})
    .describe('what approval a deploy needs'),
  freezes: z
    .array(freezeWindowSchema)
    .max(20)
    .refine(windows => !neverEnds(windows), {
      error: 'leave no gap between them: together they would never end',
    })
    .default([])
    .describe('times at which nothing is deployed there, again and again; rollbacks are'),
  breakGlass: z
    .array(z.string().min(1))
    .max(50)
    .default([])
    .describe('keys of `people` who may override approvals and freezes with a typed reason'),
  channel: z
    .string()
    .regex(/^[CG][A-Z0-9]{2,}$/, 'a Slack channel id such as C012AB3CD (channel details, at the bottom)')
    .optional()
    .describe('the Slack channel where deploys to it are told'),
  pool: z
    .string()
    .min(1)
    .optional()
    .describe("a key of `pools`: where apps' storage lives; left out: any StorageClass of the cluster"),
  history: z.int().min(5).max(10_000).default(100).describe('finished deploys kept per app'),
  exec: z.boolean().default(false).describe('allow `gkube exec` (audited)'),
  reload: z
    .boolean()
    .default(false)
    .describe('allow `code.activate: reload`: a deploy runs the reload command of the app in its pods'),
  allow: z
    .strictObject({
      kinds: z
        .array(z.string())
        .default([])
        .describe('kinds beyond the default list that manifests may hold'),
      serviceAccounts: z.array(z.string()).default([]).describe('service accounts that apps may run as'),
      patches: z
        .array(z.string())
        .default([])
        .describe('field paths that patches may set, such as spec.template.spec.hostAliases'),
    })
    .prefault({})
    .describe('what apps may use beyond the defaults'),
})
export type Environment = z.output<typeof environmentSchema> & { readonly name: string }

export const environmentName = label(30)

/** The namespace an app lives in there. */
export const namespaceOf = (environment: Pick<Environment, 'name' | 'namespace'>, app: string): string =>
  environment.namespace.replaceAll('{app}', app).replaceAll('{environment}', environment.name)
