// Preparing: after it is settled what will run. The tag is resolved to a digest, the spec frozen, the plan checked;
// where a person will look at it, the server is asked by a dry run. Nothing is written to the cluster.

import { UserError } from '../errors.ts'
import { refusals } from './allowlist.ts'
import { appSchema } from './app.ts'
import { specFor } from './app-environment.ts'
import type { Clock } from './clock.ts'
import { type Cluster, ClusterError, type KubeObject, nameOf, refOf } from './cluster.ts'
import type { Cause, Deploy } from './deploy.ts'
import { type Environment, namespaceOf } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import { approvalHash, specHash } from './hash.ts'
import { immutableChanges, kindChanges } from './immutable.ts'
import type { Keys } from './keys.ts'
import type { Entry, Kv, Write } from './kv.ts'
import { render } from './objects.ts'
import { planKind, planOverrides, planSteps } from './plan.ts'
import { decode, put, type Stored } from './records.ts'
import { redactText } from './redact.ts'
import type { DeployEvent } from './transition.ts'
import { seconds } from './units.ts'
import { type Frozen, type Workload, workloadSchema } from './workload.ts'

/** The registry as the core needs it. */
export type Registry = {
  resolve(reference: string): Promise<
    | { readonly kind: 'digest'; readonly digest: string }
    | { readonly kind: 'not_found'; readonly message: string }
    /** Not asked, no answer, or no right: the image stays unpinned. */
    | { readonly kind: 'unavailable'; readonly message: string }
  >
}

export type PrepareDeps = {
  readonly kv: Pick<Kv, 'getMany'>
  readonly keys: Keys
  readonly clock: Pick<Clock, 'now'>
  readonly registry: Registry
  readonly specs: FrozenSpecs
  readonly environment: (name: string) => Environment | undefined
  readonly cluster: (name: string) => Cluster | undefined
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
  readonly objects: readonly KubeObject[]
  readonly plan: NonNullable<Deploy['plan']>
  readonly steps: readonly Deploy['steps'][number]['name'][]
  readonly overrides: Workload['overrides']
}

/** Cannot be prepared: the reason code and the words. */
export class Refusal extends Error {
  override readonly cause: Cause
  constructor(reason: Cause['reason'], message: string) {
    super(redactText(message))
    this.name = 'Refusal'
    this.cause = { reason, message: this.message.slice(0, 1000) }
  }
}

type Wanted = Pick<Deploy, 'id' | 'kind' | 'app' | 'environment' | 'revision' | 'requestedAt' | 'params'>

/** Works out what would run; throws Refusal, or UserError `unavailable` when etcd is. */
export async function workOut(deps: PrepareDeps, deploy: Wanted, given?: Frozen['spec']): Promise<Prepared> {
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
  const app = found.get(appKey)
  const usesApp = deploy.kind === 'deploy' || deploy.kind === 'redeploy'
  const { frozen, pinning } = usesApp
    ? await freeze(deps, deploy, given ?? specOf(app, deploy), environment, { workload, base })
    : await recall(deps, deploy, workload)
  const namespace = workload?.value.namespace ?? namespaceOf(environment, deploy.app)
  const facts = { kind: deploy.kind, spec: frozen.spec, workload: workload?.value ?? null, pool: false }
  const overrides = planOverrides({
    kind: deploy.kind,
    replicas: deploy.params.replicas,
    restartAt: new Date(deploy.requestedAt).toISOString(),
    spec: frozen.spec,
    base: base?.spec ?? null,
    current: workload?.value.overrides ?? null,
  })
  const place = {
    name: environment.name,
    cluster: clusterName,
    namespace,
    createNamespace: environment.createNamespace,
  }
  const { minor } = await cluster.server().catch(() => ({ minor: 0 }))
  const draw = (spec: Frozen, over: Workload['overrides']) =>
    render({
      frozen: spec,
      environment: place,
      overrides: over,
      deploy: { id: deploy.id, epoch: 0 },
      serverMinor: minor,
    })
  const objects = deploy.kind === 'delete' ? [] : draw(frozen, overrides)
  const before = base && workload ? draw(base, workload.value.overrides) : []
  const refused =
    deploy.kind === 'delete' ? [] : check({ objects, before, environment, namespace, frozen, deploy })
  return {
    frozen,
    base,
    workload,
    appRevision: usesApp && !given ? (app?.modRevision ?? '0') : '',
    environment,
    cluster,
    namespace,
    pinning,
    refusals: refused,
    objects,
    plan: planKind(facts),
    steps: planSteps(facts),
    overrides,
  }
}

function specOf(entry: Entry | undefined, deploy: Wanted): Frozen['spec'] {
  if (!entry) throw new Refusal('app_gone', `App ${deploy.app} is not registered any more.`)
  try {
    return specFor(decode(appSchema, entry).value, deploy.environment)
  } catch (error) {
    if (error instanceof UserError) throw new Refusal('plan_refused', error.message)
    throw error
  }
}

/** Bodies of these steps come with volumes and code; until then such an app is refused in words. */
const later = ['volume', 'publish', 'init', 'before', 'after']

function check(input: {
  objects: readonly KubeObject[]
  before: readonly KubeObject[]
  environment: Environment
  namespace: string
  frozen: Frozen
  deploy: Wanted
}): string[] {
  const { objects, before, environment, namespace, frozen, deploy } = input
  const changed = objects.flatMap(object => {
    const old = before.find(other => nameOf(other) === nameOf(object))
    return old ? immutableChanges(old, object, { replace: deploy.params.replace }) : []
  })
  return [
    ...refusals(objects, { environment, namespace, spec: frozen.spec }),
    ...kindChanges(before, objects),
    ...changed,
  ]
}

async function freeze(
  deps: PrepareDeps,
  deploy: Wanted,
  spec: Frozen['spec'],
  environment: Environment,
  now: { workload: Stored<Workload> | null; base: Frozen | null },
): Promise<{ frozen: Frozen; pinning: string }> {
  const revision = deploy.kind === 'redeploy' ? now.workload?.value.revision : deploy.revision
  if (!revision)
    throw new Refusal('app_gone', `${deploy.app} has never been deployed to ${deploy.environment}.`)
  const reference = (spec.image ?? '').replaceAll('{revision}', revision)
  const frozen = { schema: 1 as const, app: deploy.app, environment: deploy.environment, revision, spec }
  if (!reference) return { frozen: { ...frozen, image: '', digest: null }, pinning: '' }
  const known = pinnedBefore(reference, deploy, now.base)
  if (known) return { frozen: { ...frozen, ...known }, pinning: '' }
  const answer = reference.includes('@sha256:')
    ? ({ kind: 'digest', digest: reference.slice(reference.indexOf('@') + 1) } as const)
    : await deps.registry.resolve(reference)
  switch (answer.kind) {
    case 'not_found':
      throw new Refusal(
        'image_not_found',
        `Image ${reference} does not exist in the registry (${answer.message}).`,
      )
    case 'digest': {
      const image = reference.includes('@') ? reference : `${reference}@${answer.digest}`
      return { frozen: { ...frozen, image, digest: answer.digest }, pinning: '' }
    }
    case 'unavailable': {
      if (environment.requireDigest) {
        const why = `${environment.name} runs pinned images only, and the digest of ${reference} is not known: ${answer.message}`
        throw new Refusal('digest_required', why)
      }
      return {
        frozen: { ...frozen, image: reference, digest: null },
        pinning: `not pinned to a digest: ${answer.message}`,
      }
    }
  }
}

/** A redeploy runs the same bytes as before, even if the tag was moved. */
function pinnedBefore(
  reference: string,
  deploy: Wanted,
  base: Frozen | null,
): Pick<Frozen, 'image' | 'digest'> | null {
  if (deploy.kind !== 'redeploy' || !base?.digest) return null
  return base.image.startsWith(`${reference}@`) ? { image: base.image, digest: base.digest } : null
}

async function recall(
  deps: PrepareDeps,
  deploy: Wanted,
  workload: Stored<Workload> | null,
): Promise<{ frozen: Frozen; pinning: string }> {
  const hash = deploy.params.spec ?? workload?.value.spec
  if (!workload || !hash)
    throw new Refusal('app_gone', `${deploy.app} does not run in ${deploy.environment}.`)
  const frozen = await deps.specs.get(hash)
  if (!frozen)
    throw new Refusal(
      'app_gone',
      `The snapshot of ${deploy.app} is not kept any more. Deploy a revision instead.`,
    )
  return { frozen, pinning: '' }
}

/** The event that ends preparing, and what is written with it. */
export async function prepare(
  deps: PrepareDeps,
  deploy: Deploy,
): Promise<{ event: DeployEvent; writes: Write[] }> {
  try {
    const worked = await workOut(deps, deploy)
    const unsupported = worked.steps.filter(step => later.includes(step))
    if (unsupported.length > 0) {
      throw new Refusal('not_supported', `This version of gkube does not run ${unsupported.join(', ')} yet.`)
    }
    if (worked.refusals.length > 0) throw new Refusal('plan_refused', worked.refusals.join(' '))
    const approval = approvalFor(worked.environment, deploy, deps.clock.now())
    if (approval) await dryRun(worked)
    return settle(deps, deploy, worked, approval)
  } catch (error) {
    if (error instanceof Refusal) return { event: { kind: 'refuse', cause: error.cause }, writes: [] }
    throw error
  }
}

function approvalFor({ approvals }: Environment, deploy: Deploy, now: number) {
  const exempt = deploy.kind === 'rollback' && !approvals.rollback
  if (approvals.required === 0 || exempt) return null
  return {
    required: approvals.required,
    requesterCounts: approvals.requesterCounts,
    expiresAt: now + seconds(approvals.expiry) * 1000,
  }
}

/** Admission decides before people do. A namespace that is not there yet cannot be asked. */
async function dryRun({ cluster, objects }: Prepared): Promise<void> {
  for (const object of objects) {
    try {
      if (await cluster.peek(refOf(object))) await cluster.apply(object, { dryRun: true, force: true })
      else await cluster.create(object, { dryRun: true })
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.kind === 'invalid' || error.kind === 'forbidden') {
        throw new Refusal('admission_refused', `${nameOf(object)}: ${error.message}`)
      }
      if (error.kind !== 'not_found' && error.kind !== 'already_exists') throw error
    }
  }
}

function settle(
  deps: PrepareDeps,
  deploy: Deploy,
  worked: Prepared,
  approval: ReturnType<typeof approvalFor>,
): { event: DeployEvent; writes: Write[] } {
  const { frozen, environment, namespace, workload, base, overrides } = worked
  const spec = specHash(frozen)
  deps.specs.learn(spec, frozen)
  const hash = approvalHash({
    deploy: deploy.id,
    spec,
    revision: frozen.revision,
    image: frozen.image,
    digest: frozen.digest,
    artifact: null,
    environment: environment.name,
    cluster: worked.cluster.name,
    namespace,
    requester: deploy.requestedBy.id,
    base: workload?.value.revision ?? '',
    objects: worked.objects,
  })
  const event: DeployEvent = {
    kind: 'prepared',
    plan: worked.plan,
    revision: frozen.revision,
    steps: worked.steps,
    approval,
    prepared: {
      cluster: worked.cluster.name,
      namespace,
      spec,
      image: frozen.image,
      digest: frozen.digest,
      base: {
        revision: workload?.value.revision ?? '',
        spec: base ? (workload?.value.spec ?? null) : null,
        overrides: workload?.value.overrides ?? null,
      },
      overrides,
      basis: { app: worked.appRevision, workload: workload?.modRevision ?? '0' },
      onFailure: environment.onFailure,
      onCancel: environment.onCancel,
      hash,
    },
  }
  const isNew = spec !== workload?.value.spec
  return { event, writes: isNew ? [put(deps.keys.spec(spec), frozen)] : [] }
}
