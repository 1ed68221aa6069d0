// The verbs that every surface calls, with the schemas of their inputs (the wire format of the API).
// Types only: each verb lives in use-cases/, main.ts wires them into one `Core`.
import { z } from 'zod'
import type { AccessVerbs } from './access/verbs.ts'
import type { AdoptInput, AdoptionInput, AdoptionPlan } from './adoption/verbs.ts'
import { type App, type AppSpec, appSchema } from './app.ts'
import { type ArtifactVerbs, artifactHash } from './artifacts/verbs.ts'
import type { AuditVerbs } from './audit/verbs.ts'
import type { BuildVerbs } from './builds/verbs.ts'
import type { EventFacts, KubeObject, PodFacts } from './cluster.ts'
import type { Freeze } from './coordination.ts'
import type { Actor, Deploy, Diagnosis, Progress } from './deploy.ts'
import { kinds } from './deploy.ts'
import type { Drift } from './drift.ts'
import { environmentName, type Grant } from './environment.ts'
import type { Revision } from './kv.ts'
import type { Planned } from './messages.ts'
import { duration, jobPath, label, objectName, revision } from './units.ts'
import type { VolumeVerbs } from './volumes/verbs.ts'
import type { Artifact, Workload } from './workload.ts'

/** Who calls and what they may: resolved by a surface from a token or a Slack user, judged by policy.ts. */
export type Caller = {
  readonly actor: Actor
  readonly grants: readonly Grant[]
  /** The key in `people` of gkube.yaml, where it is known who it is: break-glass names them. */
  readonly person?: string
}

const appName = label(40)
const place = { app: appName, environment: environmentName }
const why = z.string().max(500)

/** Asks for one deploy of any kind. The app is named by itself, by its Jenkins job, or by the spec sent along. */
export const requestInput = z.strictObject({
  kind: z.enum(kinds).exclude(['adopt']).default('deploy'),
  app: appName.optional(),
  job: jobPath.optional(),
  /** `deploy -f`: registers this spec and deploys it in one transaction. */
  spec: appSchema.optional(),
  environment: environmentName
    .optional()
    .describe('default: the only one of the app that the caller may deploy to'),
  revision: revision
    .optional()
    .describe('deploy: what to run; rollback: where to (default: the last good one)'),
  from: environmentName.optional().describe('deploy: promote what runs there, instead of naming a revision'),
  basedOn: z
    .string()
    .max(40)
    .optional()
    .describe('id of a deploy: refuse with `conflict` where a later one changed the workload since'),
  replicas: z.int().min(0).max(10_000).optional().describe('scale'),
  claims: z
    .array(objectName)
    .max(20)
    .default([])
    .describe('delete: volume claims to delete too, typed by name'),
  replace: z.boolean().default(false).describe('recreate a StatefulSet whose immutable fields change'),
  force: z.boolean().default(false).describe('take over fields that another manager owns'),
  init: z.boolean().optional().describe('redeploy: run the init hook again'),
  artifact: artifactHash
    .optional()
    .describe('deploy: the SHA-256 of the uploaded artifact to run; it becomes the one of this revision'),
  /** The same key again answers the same deploy (24 h). */
  idempotencyKey: z.string().min(1).max(200).optional(),
  wait: z
    .boolean()
    .default(true)
    .describe('false: refuse with `held` if a lock, freeze or approval is in the way'),
  source: z
    .strictObject({
      job: z.string().max(500).nullable().default(null),
      build: z.int().positive().nullable().default(null),
      url: z
        .url({ protocol: /^https?$/ })
        .max(1000)
        .nullable()
        .default(null),
      note: why.default(''),
      commit: z.string().max(64).nullish().describe('GIT_COMMIT'),
      branch: z.string().max(500).nullish().describe('GIT_BRANCH'),
      user: z.string().max(200).nullish().describe('who started the build, as Jenkins names them'),
    })
    .prefault({}),
  olderBuild: z
    .boolean()
    .default(false)
    .describe('deploy this build although a newer one of its job was asked for: a person says so'),
  again: z.boolean().default(false).describe('deploy this build although it was deployed there before'),
})
export type RequestInput = z.output<typeof requestInput>

export const planInput = z.strictObject({
  app: appName.optional(),
  spec: appSchema.optional(),
  environment: environmentName,
  revision: revision.optional(),
  artifact: artifactHash
    .optional()
    .describe('SHA-256 of an uploaded artifact; default: that of the revision'),
})
export type PlanInput = z.output<typeof planInput>

/** One object of a plan: what would happen to it and, line by line, how. */
export type PlannedObject = {
  readonly object: string
  readonly action: 'create' | 'change' | 'delete' | 'none' | 'replace'
  /** Unified diff of the YAML, without managed fields and status; empty for none. */
  readonly diff: string
  readonly warnings: readonly string[]
}
export type Plan = {
  readonly app: string
  readonly environment: string
  readonly kind: 'create' | 'update'
  readonly from: string | null
  readonly revision: string
  readonly image: string
  readonly digest: string | null
  /** The code that would run; left out: an app without code. */
  readonly artifact?: Artifact
  readonly steps: readonly string[]
  readonly objects: readonly PlannedObject[]
  /** Short lines: `image 1.4.1 → 1.4.2`, `env LOG_LEVEL info → debug`. */
  readonly changes: readonly string[]
  /** Things to know: admission not checked, downtime, drift, unpinned tag. */
  readonly notes: readonly string[]
  /** Why it would be refused; empty means it can run. */
  readonly refusals: readonly string[]
}

/** One line of `gkube status`: the record beside what the cluster shows. */
export type Status = {
  readonly workload: Workload
  readonly ready: number | null
  readonly wanted: number | null
  readonly health: 'ready' | 'progressing' | 'failed' | 'unknown'
  readonly message: string
  /** The deploy that runs or waits now. */
  readonly current: Pick<Deploy, 'id' | 'kind' | 'revision' | 'phase'> | null
  readonly lock: Lock | null
  readonly freeze: Freeze | null
  /** What is not as gkube wrote it; nothing is said of objects while a deploy writes them. */
  readonly drift: readonly Drift[]
}

export const lockSchema = z.object({
  schema: z.literal(1),
  scope: z.enum(['all', 'env', 'app']),
  environment: z.string().nullable(),
  app: z.string().nullable(),
  by: z.object({ id: z.string(), name: z.string(), person: z.string().optional() }),
  reason: z.string(),
  at: z.int(),
  /** Null: until somebody unlocks it. */
  expiresAt: z.int().nullable(),
  /** When its owner is to be told that it ends; left out: they were, or it needs no word. */
  nagAt: z.int().optional(),
  /** The deploy whose rollback locked it. */
  deploy: z.string().optional(),
})
export type Lock = z.output<typeof lockSchema>

export const lockInput = z.strictObject({
  environment: environmentName.optional().describe('default: all environments'),
  app: appName.optional().describe('default: all apps'),
  reason: why.min(1),
  expiresIn: duration.default('24h'),
  steal: z.boolean().default(false),
})
export const unlockInput = lockInput
  .pick({ environment: true, app: true })
  .extend({ reason: why.default('') })

export const freezeInput = z.strictObject({
  environment: environmentName,
  reason: why.min(1),
  endsIn: duration.default('24h'),
})
/** A recurring freeze; times in milliseconds since the epoch. */
export const freezeWindowRow = z.object({
  environment: z.string(),
  cron: z.string(),
  for: z.string(),
  timeZone: z.string(),
  reason: z.string(),
  /** When the one that holds now ends; null: none does. */
  holdsUntil: z.int().nullable(),
  /** When it begins again; null: never. */
  nextAt: z.int().nullable(),
})
export type FreezeWindowRow = z.output<typeof freezeWindowRow>

export const unfreezeInput = z.strictObject({ environment: environmentName, reason: why.default('') })

/** A request that waits for approval, as one caller sees it. */
export type ApprovalRequest = {
  readonly deploy: Deploy
  readonly planned: Planned | null
  /** Null: the caller may decide it now. Else why not, in words. */
  readonly refusal: string | null
}

/** One thing that was checked; `mend` says how to put it right, empty where it is fine. */
export type Check = {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly message: string
  readonly mend: string
}

export const logsInput = z.strictObject({
  ...place,
  pod: z.string().optional(),
  container: z.string().optional(),
  previous: z.boolean().default(false),
  tail: z.int().min(1).max(10_000).default(100),
  since: duration.optional(),
})
export type LogsInput = z.output<typeof logsInput>

export const runInput = z.strictObject({
  ...place,
  command: z.array(z.string()).min(1).max(100),
  timeout: duration.default('10m'),
})
export const execInput = z.strictObject({
  ...place,
  pod: z.string().optional(),
  container: z.string().optional(),
  command: z.array(z.string()).min(1).max(100),
})

export type ClusterInfo = {
  readonly name: string
  readonly version: string
  readonly reachable: boolean
  readonly message: string
  readonly environments: readonly string[]
  readonly nodes: readonly {
    name: string
    ready: boolean
    version: string
    cpu: string
    memory: string
    pods: number
    roles: string
  }[]
}

/** What became of a deploy whose command was stopped: `cancelling` is as the policy says, `continues` is left alone. */
export const abortOutcomes = ['cancelled', 'cancelling', 'continues', 'ended'] as const
export type AbortOutcome = (typeof abortOutcomes)[number]

/** What a watcher of one deploy receives; `revision` is the etcd revision (the SSE event id). */
export type DeployEvent =
  | { readonly kind: 'deploy'; readonly revision: Revision; readonly deploy: Deploy }
  | { readonly kind: 'progress'; readonly revision: Revision; readonly progress: Progress }
  | { readonly kind: 'diagnosis'; readonly revision: Revision; readonly diagnosis: Diagnosis }
  /** What it waits for, in words (`behind 1.4.2, running since …`, `locked by …`). */
  | { readonly kind: 'waiting'; readonly revision: Revision; readonly message: string }

export type LogChunk = { readonly pod: string; readonly container: string; readonly text: string }
export type RunEvent =
  | { readonly kind: 'started'; readonly job: string; readonly pod: string }
  | { readonly kind: 'output'; readonly text: string; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'ended'; readonly exitCode: number; readonly message: string }

type VerbsOfParts = AccessVerbs & BuildVerbs & AuditVerbs

/** Every verb checks the caller's rights itself and throws UserError where it must not be done. */
export type Core = ArtifactVerbs &
  VolumeVerbs &
  VerbsOfParts & {
    applyApp(
      caller: Caller,
      app: App,
      options: { dryRun: boolean },
    ): Promise<{ app: App; outcome: 'created' | 'changed' | 'unchanged' }>
    /** Names only: cheap, for suggestions and selects. */
    listNames(caller: Caller): Promise<readonly string[]>
    listApps(caller: Caller): Promise<readonly { app: App; workloads: readonly Workload[] }[]>
    showApp(caller: Caller, app: string): Promise<App>
    renderApp(caller: Caller, input: PlanInput): Promise<{ spec: AppSpec; objects: readonly KubeObject[] }>
    deleteApp(caller: Caller, app: string): Promise<void>

    /** `channel`: the Slack channel id where it was asked for; its message goes there if the bot can post there. */
    request(
      caller: Caller,
      input: RequestInput,
      origin?: { readonly channel: string | null },
    ): Promise<{ deploy: Deploy; repeated: boolean }>
    plan(caller: Caller, input: PlanInput): Promise<Plan>
    planAdoption(caller: Caller, input: AdoptionInput): Promise<AdoptionPlan>
    /** UserError `conflict` where it is not what was shown any more. */
    adopt(caller: Caller, input: AdoptInput): Promise<{ deploy: Deploy; repeated: boolean }>
    showDeploy(
      caller: Caller,
      id: string,
    ): Promise<{
      deploy: Deploy
      progress: Progress | null
      diagnosis: Diagnosis | null
      waiting: string | null
      planned: Planned | null
    }>
    /** Changes of one deploy from `after` on (exclusive; default: its state now), until it ends or the signal aborts. */
    watchDeploy(
      caller: Caller,
      id: string,
      options: { after?: Revision; signal: AbortSignal },
    ): AsyncIterable<DeployEvent>
    /** `ifWaiting`: refuse with `conflict` once it runs. `onCancel`: of what runs; default: as the environment says. */
    cancel(
      caller: Caller,
      id: string,
      input: { reason: string; ifWaiting?: boolean; onCancel?: 'rollback' | 'hold' | undefined },
    ): Promise<Deploy>
    /** The command that followed it was stopped: what waits is cancelled, what runs follows the app's `onAbort`. */
    abort(
      caller: Caller,
      id: string,
      input: { reason: string },
    ): Promise<{ deploy: Deploy; outcome: AbortOutcome }>
    /** `hash`: of what the voter was shown (`prepared.hash`); refused with `conflict` where that is not what would run. */
    vote(
      caller: Caller,
      id: string,
      input: { decision: 'approve' | 'deny'; reason: string; hash?: string },
    ): Promise<Deploy>
    /** Refuses as `vote` would, with the same entry in the audit, before anything is typed. Decides nothing. */
    mayVote(caller: Caller, id: string, input: { decision: 'approve' | 'deny' }): Promise<void>
    /** Break-glass: a named person starts what waits for approval or is held by a freeze. Loud, audited. `hash` as for votes. */
    override(caller: Caller, id: string, input: { reason: string; hash?: string }): Promise<Deploy>
    /** What waits for approval where the caller may look, the oldest first. */
    approvals(caller: Caller): Promise<readonly ApprovalRequest[]>
    /** What the caller asked for, newest first. */
    asked(caller: Caller, query: { limit: number }): Promise<readonly Deploy[]>
    /** What runs or waits where the caller may look, the oldest first. */
    openDeploys(caller: Caller): Promise<readonly Deploy[]>
    history(
      caller: Caller,
      query: { app: string; environment?: string; limit: number },
    ): Promise<readonly Deploy[]>

    status(caller: Caller, query: { app?: string; environment?: string }): Promise<readonly Status[]>
    pods(caller: Caller, place: { app: string; environment: string }): Promise<readonly PodFacts[]>
    events(caller: Caller, place: { app: string; environment: string }): Promise<readonly EventFacts[]>
    logs(caller: Caller, input: LogsInput): Promise<readonly LogChunk[]>
    followLogs(caller: Caller, input: LogsInput, signal: AbortSignal): AsyncIterable<LogChunk>
    deletePod(caller: Caller, input: { app: string; environment: string; pod: string }): Promise<void>
    run(caller: Caller, input: z.output<typeof runInput>, signal: AbortSignal): AsyncIterable<RunEvent>
    exec(caller: Caller, input: z.output<typeof execInput>, signal: AbortSignal): AsyncIterable<RunEvent>
    diff(
      caller: Caller,
      input: { app: string; from: string; to: string },
    ): Promise<{ diff: string; changes: readonly string[] }>
    clusters(caller: Caller): Promise<readonly ClusterInfo[]>

    lock(caller: Caller, input: z.output<typeof lockInput>): Promise<Lock>
    unlock(caller: Caller, input: z.output<typeof unlockInput>): Promise<void>
    locks(caller: Caller): Promise<readonly Lock[]>
    freeze(caller: Caller, input: z.output<typeof freezeInput>): Promise<Freeze>
    unfreeze(caller: Caller, input: z.output<typeof unfreezeInput>): Promise<void>
    /** What holds now: by a person, and recurring. */
    freezes(caller: Caller): Promise<readonly Freeze[]>
    /** The recurring freezes that gkube.yaml has, and when each comes. */
    freezeWindows(caller: Caller): Promise<readonly FreezeWindowRow[]>
    /** Frees what is stuck: raises the epoch, moves records that do not parse to quarantine. */
    release(
      caller: Caller,
      input: { app: string; environment: string; reason: string },
    ): Promise<{ released: readonly string[] }>

    /** Everything this replica talks to, tried now; takes some seconds at most. */
    doctor(caller: Caller): Promise<readonly Check[]>
    /** etcd and clusters as seen now, for /readyz. */
    health(): Promise<{ ok: boolean; checks: readonly { name: string; ok: boolean; message: string }[] }>
  }
