// Preparing: after it is settled what will run. The tag is resolved to a digest and the spec frozen (freezing.ts), the
// plan checked; where a person will look at it, the server is asked by a dry run. Nothing is written to the cluster.
import { type Adoption, type Beginning, beginAdoption, finishAdoption } from './adoption/adoption.ts'
import { refusals } from './allowlist.ts'
import { hashToApprove } from './approved.ts'
import { shown } from './asking.ts'
import type { Clock } from './clock.ts'
import { type Cluster, type KubeObject, nameOf } from './cluster.ts'
import type { CodeSide } from './code/code-side.ts'
import { isPublished } from './code/releases.ts'
import { readsCurrent } from './code/reloading.ts'
import { demandPublishable, settleArtifact } from './code/settle.ts'
import { type AdoptParams, type Deploy, hookSteps } from './deploy.ts'
import { type Environment, namespaceOf } from './environment.ts'
import {
  freeze,
  Refusal,
  type Registry,
  recall,
  refuseOtherWorkload,
  refuseWithoutName,
  specOf,
  type Wanted,
} from './freezing.ts'
import type { FrozenSpecs } from './frozen.ts'
import { specHash } from './hash.ts'
import { immutableChanges, kindChanges } from './immutable.ts'
import type { Keys } from './keys.ts'
import type { Entry, Kv, Write } from './kv.ts'
import { hookJob } from './objects/jobs.ts'
import { publishJob } from './objects/publish-job.ts'
import { render } from './objects.ts'
import { hookTitles, planKind, planOverrides, planSteps } from './plan.ts'
import { voidedBy } from './planned.ts'
import { decode, put, type Stored } from './records.ts'
import type { DeployEvent } from './transition.ts'
import { seconds } from './units.ts'
import type { Pools } from './volumes/pool-side.ts'
import { boundClaims, noStorage, settleStorage } from './volumes/settle.ts'
import { type Frozen, type Workload, workloadSchema } from './workload.ts'

export type PrepareDeps = {
  readonly kv: Pick<Kv, 'getMany' | 'list'>
  readonly keys: Keys
  readonly clock: Pick<Clock, 'now'>
  readonly registry: Registry
  readonly specs: FrozenSpecs
  readonly environment: (name: string) => Environment | undefined
  readonly cluster: (name: string) => Cluster | undefined
  /** Left out: no pool is configured. */
  readonly pools?: Pools
  /** Left out: no code can be published. */
  readonly code?: CodeSide
}

/** What a plan is made from and comes to; `plan` shows it, `prepare` settles it. */
export type Prepared = {
  readonly frozen: Frozen
  readonly base: Frozen | null
  readonly workload: Stored<Workload> | null
  readonly appRevision: string
  readonly environment: Environment
  readonly cluster: Cluster
  readonly namespace: string
  readonly pinning: string
  readonly refusals: readonly string[]
  readonly adoption: Adoption | null
  readonly objects: readonly KubeObject[]
  /** Any spec of this app as it would be rendered there. */
  readonly draw: (what: Frozen, overrides: Workload['overrides']) => KubeObject[]
  readonly plan: NonNullable<Deploy['plan']>
  readonly steps: readonly Deploy['steps'][number]['name'][]
  /** Where storage lies, and what was not checked. */
  readonly storageNotes: readonly string[]
  readonly overrides: Workload['overrides']
}

/** What there is to plan from: records and configuration, nothing of the cluster. */
type Situation = {
  readonly environment: Environment
  readonly cluster: Cluster
  readonly namespace: string
  readonly app: Entry | undefined
  readonly workload: Stored<Workload> | null
  readonly base: Frozen | null
}

async function situationOf(deps: PrepareDeps, deploy: Wanted): Promise<Situation> {
  const { keys } = deps
  const environment = deps.environment(deploy.environment)
  if (!environment)
    throw new Refusal('app_gone', `Environment ${deploy.environment} is not configured any more.`)
  const [appKey, workloadKey] = [keys.app(deploy.app), keys.workload(deploy.environment, deploy.app)]
  const found = await deps.kv.getMany([appKey, workloadKey])
  const entry = found.get(workloadKey)
  const workload = entry ? decode(workloadSchema, entry) : null
  // What runs stays where it is, with its namespace, until it is deleted: an environment may get another cluster.
  const clusterName = workload?.value.cluster ?? environment.cluster
  const cluster = deps.cluster(clusterName)
  if (!cluster) throw new Refusal('cluster_unavailable', `Cluster ${clusterName} is not configured.`)
  const base = workload ? await deps.specs.get(workload.value.spec) : null
  const namespace = workload?.value.namespace ?? namespaceOf(environment, deploy.app)
  return { environment, cluster, namespace, app: found.get(appKey), workload, base }
}

/** Works out what would run; throws Refusal, or UserError `unavailable` when etcd is. */
export async function workOut(deps: PrepareDeps, deploy: Wanted, given?: Frozen['spec']): Promise<Prepared> {
  const now = await situationOf(deps, deploy)
  const { environment, cluster, namespace, workload, base } = now
  const usesApp = ['deploy', 'redeploy', 'adopt'].includes(deploy.kind)
  if (workload && !base && usesApp) refuseWithoutName(workload.value)
  const spec = usesApp ? (given ?? specOf(now.app, deploy)) : null
  const asked = deploy.kind === 'adopt' ? deploy.params.adopt : undefined
  const there = asked && spec ? await whatIsThere(now, asked, spec) : null
  const { frozen: image, pinning } = await whatRuns(deps, deploy, { spec, now, there })
  refuseOtherWorkload(deploy, base, image)
  // What ran before lies where it lay.
  const record = workload?.value ?? null
  const plan = planKind({ kind: deploy.kind, workload: record })
  const at = { ...now, workload: record, pools: deps.pools, plan }
  const { frozen, notes: storageNotes, ...storage } = spec ? await settleStorage(at, image) : noStorage(image)
  const facts = {
    kind: deploy.kind,
    spec: frozen.spec,
    workload: record,
    ...storage,
    adopted: frozen.adopted,
    replaces: asked?.replaceByDeployment,
    again: deploy.params.init,
    published: isPublished(frozen, record),
    reloads: readsCurrent(record, { base, frozen }),
  }
  const overrides = there?.overrides ?? overridesAfter(deploy, frozen, now)
  const { minor } = await cluster.server().catch(() => ({ minor: 0 }))
  const draw = (what: Frozen, over: Workload['overrides']) =>
    render({
      frozen: what,
      environment: {
        name: environment.name,
        cluster: cluster.name,
        namespace,
        createNamespace: environment.createNamespace,
      },
      overrides: over,
      deploy: { id: deploy.id, epoch: 0 },
      serverMinor: minor,
    })
  const goes = deploy.kind === 'delete'
  const objects = goes ? [] : draw(frozen, overrides)
  const before = base && workload && !there ? draw(base, workload.value.overrides) : []
  const steps = planSteps(facts)
  await demandPublishable(deps.code, deploy, { frozen, steps, environment })
  const jobs = jobsOf(steps, { frozen, namespace, deploy, minor, code: deps.code })
  const refused = goes ? [] : check({ objects, jobs, before, environment, namespace, frozen, deploy })
  const adoption = there && asked ? await finishAdoption(there, asked, { ...now, frozen, objects }) : null
  return {
    frozen,
    base,
    workload,
    appRevision: usesApp && !given ? (now.app?.modRevision ?? '0') : '',
    environment,
    cluster,
    namespace,
    pinning,
    refusals: [...(adoption?.refusals ?? []), ...refused],
    adoption,
    objects,
    draw,
    plan,
    steps,
    storageNotes,
    overrides,
  }
}

/** Without a spec, what ran before. */
async function whatRuns(
  deps: PrepareDeps,
  deploy: Wanted,
  { spec, now, there }: { spec: Frozen['spec'] | null; now: Situation; there: Beginning | null },
): Promise<{ frozen: Frozen; pinning: string }> {
  if (!spec) return recall(deps, deploy, now.workload)
  const { frozen, pinning } = await freeze(deps, deploy, spec, now.environment, { ...now, there })
  const artifact = await settleArtifact(deps, deploy, { frozen, base: now.base })
  return { frozen: artifact ? { ...frozen, artifact } : frozen, pinning }
}

/** As they will be made, apart from what only the cluster knows then: what they may do is judged by these. */
function jobsOf(
  steps: Prepared['steps'],
  given: { frozen: Frozen; namespace: string; deploy: Wanted; minor: number; code?: CodeSide },
): KubeObject[] {
  const { frozen, namespace, deploy, minor, code } = given
  const at = {
    frozen,
    namespace,
    deploy: { id: deploy.id, epoch: 0 },
    imagePullSecrets: [],
    beside: false,
    serverMinor: minor,
    attempt: 1,
  }
  const hooks = hookSteps.flatMap(step => {
    const hook = steps.includes(step) ? frozen.spec.hooks[step] : undefined
    return hook ? [hookJob({ ...at, step, hook })] : []
  })
  const { artifact } = frozen
  if (!steps.includes('publish') || !code?.image || !artifact) return hooks
  const side = { ...code, image: code.image }
  return [publishJob({ ...at, artifact, code: side, previous: null, keep: [], switches: false }), ...hooks]
}

const overridesAfter = (
  deploy: Wanted,
  frozen: Frozen,
  { base, workload }: Situation,
): Workload['overrides'] =>
  planOverrides({
    kind: deploy.kind,
    replicas: deploy.params.replicas,
    restartAt: new Date(deploy.requestedAt).toISOString(),
    spec: frozen.spec,
    base: base?.spec ?? null,
    current: workload?.value.overrides ?? null,
    isController: frozen.adopted?.kind === 'ReplicationController',
  })

async function whatIsThere(
  { cluster, namespace, workload }: Situation,
  asked: AdoptParams,
  spec: Frozen['spec'],
): Promise<Beginning> {
  const place = { cluster, namespace, app: spec.app }
  const found = await beginAdoption(place, asked, { spec, workload: workload?.value ?? null })
  if (found) return found
  throw new Refusal('plan_refused', `There is no ${asked.kind} ${asked.name} in namespace ${namespace}.`)
}

function check(input: {
  objects: readonly KubeObject[]
  /** Of its hooks: they come and go, and may do no more than the app's own pods. */
  jobs: readonly KubeObject[]
  before: readonly KubeObject[]
  environment: Environment
  namespace: string
  frozen: Frozen
  deploy: Wanted
}): string[] {
  const { objects, jobs, before, environment, namespace, frozen, deploy } = input
  const changed = objects.flatMap(object => {
    const old = before.find(other => nameOf(other) === nameOf(object))
    return old ? immutableChanges(old, object, { replace: deploy.params.replace }) : []
  })
  return [
    ...refusals([...objects, ...jobs], {
      environment,
      namespace,
      spec: frozen.spec,
      bound: boundClaims(frozen),
    }),
    ...kindChanges(before, objects),
    ...changed,
  ]
}

/** The event that ends preparing, and what is written with it. */
export async function prepare(
  deps: PrepareDeps,
  deploy: Deploy,
): Promise<{ event: DeployEvent; writes: Write[] }> {
  try {
    const worked = await workOut(deps, deploy)
    if (worked.refusals.length > 0) throw new Refusal('plan_refused', worked.refusals.join(' '))
    if (worked.adoption && worked.adoption.hash !== deploy.params.adopt?.confirm)
      throw new Refusal('plan_refused', changedSinceShown)
    const approval = approvalFor(worked.environment, deploy, deps.clock.now())
    const settled = settle(deps, deploy, worked, approval)
    // What a break-glass let through a freeze is held again: whoever did it is told, as voters are.
    const isVoid = voidedBy(deploy, settled.event.prepared.hash).length > 0
    if (!approval && !isVoid) return settled
    return {
      ...settled,
      writes: [...settled.writes, ...(await shown(deps, deploy, worked, settled.event.prepared))],
    }
  } catch (error) {
    if (error instanceof Refusal) return { event: { kind: 'refuse', cause: error.cause }, writes: [] }
    throw error
  }
}

export const changedSinceShown =
  'What was shown has changed since: the app, or what is on the cluster. Look at it again and confirm it: gkube adopt.'

function approvalFor({ approvals }: Environment, deploy: Deploy, now: number) {
  const exempt = deploy.kind === 'rollback' && !approvals.rollback
  if (approvals.required === 0 || exempt) return null
  return {
    required: approvals.required,
    requesterCounts: approvals.requesterCounts,
    expiresAt: now + seconds(approvals.expiry) * 1000,
  }
}

type Settled = Extract<DeployEvent, { kind: 'prepared' }>

function settle(
  deps: PrepareDeps,
  deploy: Deploy,
  worked: Prepared,
  approval: ReturnType<typeof approvalFor>,
): { event: Settled; writes: Write[] } {
  const { frozen, environment, namespace, workload, base, overrides } = worked
  const spec = specHash(frozen)
  deps.specs.learn(spec, frozen)
  const { objects } = worked
  const cluster = worked.cluster.name
  const current = workload?.value.revision ?? ''
  const hash = hashToApprove(deploy, { frozen, spec, cluster, namespace, base: current, objects })
  const event: Settled = {
    kind: 'prepared',
    plan: worked.plan,
    revision: frozen.revision,
    steps: worked.steps,
    titles: hookTitles(frozen.spec),
    approval,
    prepared: {
      cluster,
      namespace,
      spec,
      image: frozen.image,
      digest: frozen.digest,
      ...(frozen.artifact ? { artifact: frozen.artifact } : {}),
      base: {
        revision: current,
        spec: base ? (workload?.value.spec ?? null) : null,
        overrides: workload?.value.overrides ?? null,
        ...(workload && workload.value.good?.spec !== workload.value.spec
          ? { good: workload.value.good?.revision ?? null }
          : {}),
      },
      overrides,
      basis: { app: worked.appRevision, workload: workload?.modRevision ?? '0' },
      onFailure: environment.onFailure,
      onCancel: environment.onCancel,
      afterRollback: environment.afterRollback,
      ...(worked.adoption ? { adoption: { taken: [...worked.adoption.taken] } } : {}),
      hash,
    },
  }
  const isNew = spec !== workload?.value.spec
  return { event, writes: isNew ? [put(deps.keys.spec(spec), frozen)] : [] }
}
