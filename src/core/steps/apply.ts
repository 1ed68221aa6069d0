// The apply step: renders the frozen spec and writes what differs, each object by server-side apply with the
// resourceVersion just read as fence. Also the write half of an automatic rollback (`restore`).
import { ClusterError, type KubeObject, nameOf, type ObjectRef, refOf } from '../cluster.ts'
import type { Cause } from '../deploy.ts'
import { objectHash } from '../hash.ts'
import { sameObject } from '../inventory.ts'
import { appLabel, environmentLabel, managedBy } from '../objects/labels.ts'
import { render } from '../objects.ts'
import { Fenced } from '../replica.ts'
import type { InventoryItem, Overrides, Workload } from '../workload.ts'
import {
  done,
  epochOf,
  failed,
  fenceAnnotation,
  type StepBody,
  type StepContext,
  type StepOutcome,
} from './step.ts'

/** Another writer got in between this many times: give up with its name. */
const mostStale = 6

/** Writes what the deploy renders. */
export const apply: StepBody = context =>
  write(context, context.deploy.prepared?.overrides ?? context.workload.overrides)

/** Writes the known-good snapshot back, with what people had set by hand before this deploy. */
export const restore: StepBody = context =>
  write(context, context.deploy.prepared?.base.overrides ?? context.workload.overrides)

async function write(context: StepContext, overrides: Overrides): Promise<StepOutcome> {
  const { workload } = context
  // The namespace is the environment step's.
  const wanted = (await renderFor(context, overrides)).filter(
    object => object.kind !== 'Namespace' || object.metadata.name !== workload.namespace,
  )
  if (context.takenOver) await stampAll(context, wanted)
  const live = await Promise.all(wanted.map(object => read(context, refOf(object))))
  const inventory: InventoryItem[] = []
  let written = 0
  for (const [i, object] of wanted.entries()) {
    const current = live[i] ?? null
    const known = workload.inventory.find(old => sameObject(old, refOf(object)))
    const hash = objectHash(object)
    if (current && known && !context.takenOver && isUnchanged(current, known, hash)) {
      inventory.push(known)
      continue
    }
    try {
      if (current) await handOverReplicas(context, object, current)
      const result = await writeOne(context, object, current)
      inventory.push(item(result, hash))
      written++
    } catch (error) {
      const refusal = error instanceof ClusterError ? whyNot(error, object) : null
      if (!refusal) throw error
      return partly(context, { inventory, written, overrides, ...refusal })
    }
  }
  const leftOver = workload.inventory.filter(old => !inventory.some(kept => sameObject(kept, old)))
  const message = written === 0 ? 'nothing to change' : `${written} of ${wanted.length} objects written`
  return done(message, applied(context, [...inventory, ...leftOver], overrides))
}

/** After a take-over nothing that was cached is believed. */
const read = ({ cluster, takenOver }: StepContext, ref: ObjectRef): Promise<KubeObject | null> =>
  takenOver ? cluster.get(ref) : cluster.peek(ref)

/** What this deploy (or the snapshot it goes back to) renders. */
export async function renderFor(context: StepContext, overrides: Overrides): Promise<KubeObject[]> {
  const { cluster, deploy, environment, frozen, workload } = context
  const server = await cluster.server()
  return render({
    frozen,
    environment: {
      name: environment.name,
      cluster: workload.cluster,
      namespace: workload.namespace,
      createNamespace: environment.createNamespace,
    },
    overrides,
    deploy: { id: deploy.id, epoch: deploy.epoch },
    serverMinor: server.minor,
  })
}

/**
 * An autoscaler takes over: a field that its only manager drops falls back to its default, which would scale the
 * app to 1. So the live value gets a second manager before gkube drops it.
 */
async function handOverReplicas(
  context: StepContext,
  object: KubeObject,
  current: KubeObject,
): Promise<void> {
  const takesOver = context.frozen.spec.autoscale && context.base && !context.base.spec.autoscale
  if (!takesOver || !scalable.includes(object.kind)) return
  const live = await context.cluster.get(refOf(current))
  const replicas = live ? specOf(live).replicas : undefined
  if (!live || typeof replicas !== 'number') return
  const { name, namespace } = object.metadata
  const minimal = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, namespace },
    spec: { replicas },
  }
  await context.cluster.apply(minimal, { manager: 'gkube-autoscaler', force: true })
}

const scalable = ['Deployment', 'StatefulSet']
const specOf = (object: KubeObject): Record<string, unknown> => (object.spec ?? {}) as Record<string, unknown>

async function writeOne(
  context: StepContext,
  object: KubeObject,
  first: KubeObject | null,
): Promise<KubeObject> {
  const { cluster, deploy, workload } = context
  let current = first
  let force = deploy.params.force
  for (let attempt = 0; ; attempt++) {
    if (current && epochOf(current) > deploy.epoch)
      throw new Fenced(`${nameOf(object)} was written by a newer epoch`)
    if (current && !isOurs(current, workload)) throw notOurs(object)
    try {
      const { object: result } = current
        ? await cluster.apply(fenced(object, current), { force })
        : await cluster.create(object)
      return result
    } catch (error) {
      if (!(error instanceof ClusterError) || attempt >= mostStale) throw error
      if (error.kind === 'invalid' && deploy.params.replace && current && object.kind === 'StatefulSet') {
        await removeKeepingPods(context, current)
      } else if (error.kind === 'field_conflict' && !force && backFromAutoscaler(context, error)) {
        force = true
        continue
      } else if (!canReadAgain(error, current)) throw error
      current = await cluster.get(refOf(object))
    }
  }
}

const canReadAgain = (error: ClusterError, current: KubeObject | null): boolean =>
  error.kind === 'stale' ||
  error.kind === 'already_exists' ||
  (error.kind === 'not_found' && current !== null)

/** The autoscaler is gone from the app, so `replicas` is gkube's again. */
const backFromAutoscaler = ({ base, frozen }: StepContext, error: ClusterError): boolean =>
  Boolean(base?.spec.autoscale) &&
  !frozen.spec.autoscale &&
  error.fields.every(field => field === '.spec.replicas')

/** `--replace`: the StatefulSet goes, its pods and claims stay and are taken over by the new one. */
const removeKeepingPods = ({ cluster }: StepContext, current: KubeObject): Promise<void> =>
  cluster.remove(refOf(current), {
    uid: current.metadata.uid,
    resourceVersion: current.metadata.resourceVersion,
    propagation: 'Orphan',
  })

const notOurs = (object: KubeObject): ClusterError =>
  new ClusterError(
    'already_exists',
    `${nameOf(object)} exists and is not gkube's. Rename the app, delete that object, or let an operator adopt it.`,
  )

const fenced = (object: KubeObject, current: KubeObject): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: current.metadata.resourceVersion },
})

/** Ours: in the inventory by UID, or labelled as ours for this app (a crash may have come before the record). */
function isOurs(object: KubeObject, workload: Workload): boolean {
  const labels = object.metadata.labels ?? {}
  return (
    workload.inventory.some(known => known.uid === object.metadata.uid) ||
    object.kind === 'Namespace' ||
    (labels[managedBy] === 'gkube' &&
      labels[appLabel] === workload.app &&
      labels[environmentLabel] === workload.environment)
  )
}

/** Nobody touched it since we wrote the same content: no request. */
const isUnchanged = (live: KubeObject, known: InventoryItem, hash: string): boolean =>
  known.hash === hash && known.uid === live.metadata.uid && known.seen === seenOf(live)

const item = (object: KubeObject, hash: string): InventoryItem => ({
  ...refOf(object),
  uid: object.metadata.uid ?? '',
  hash,
  seen: seenOf(object),
})

/** generation moves with the spec only; kinds without one are compared by resourceVersion. */
const seenOf = (object: KubeObject): string =>
  object.metadata.generation === undefined
    ? `rv${object.metadata.resourceVersion ?? ''}`
    : `g${object.metadata.generation}`

/** A take-over writes its epoch on everything first: what the old owner still sends is then refused as stale. */
async function stampAll(context: StepContext, wanted: readonly KubeObject[]): Promise<void> {
  const { cluster, deploy, workload } = context
  const refs: ObjectRef[] = wanted.map(refOf)
  for (const known of workload.inventory) if (!refs.some(ref => sameObject(ref, known))) refs.push(known)
  for (const ref of refs) await stamp(cluster, ref, deploy.epoch)
}

async function stamp(cluster: StepContext['cluster'], ref: ObjectRef, epoch: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const live = await cluster.get(ref)
    if (!live?.metadata.resourceVersion) return
    const seen = epochOf(live)
    if (seen > epoch) throw new Fenced(`${nameOf(ref)} was written by a newer epoch`)
    if (seen === epoch) return
    try {
      await cluster.stamp(ref, { [fenceAnnotation]: String(epoch) }, live.metadata.resourceVersion)
      return
    } catch (error) {
      const raced = error instanceof ClusterError && (error.kind === 'stale' || error.kind === 'not_found')
      if (!raced || attempt >= mostStale) throw error
    }
  }
}

function applied(context: StepContext, inventory: readonly InventoryItem[], overrides: Overrides): Workload {
  const { deploy, frozen, workload } = context
  return {
    ...workload,
    revision: frozen.revision,
    image: frozen.image,
    digest: frozen.digest,
    spec: deploy.rollback ? deploy.rollback.spec : (deploy.prepared?.spec ?? workload.spec),
    overrides,
    inventory: [...inventory],
    deploy: deploy.id,
    deployedBy: deploy.requestedBy.name,
    updatedAt: context.now(),
  }
}

type Refusal = { readonly reason: Cause['reason']; readonly message: string }

/** Failed in the middle: what was written is recorded, so that a rollback or a later deploy knows it. */
function partly(
  context: StepContext,
  at: Refusal & { inventory: readonly InventoryItem[]; written: number; overrides: Overrides },
): StepOutcome {
  if (at.written === 0) return failed(at.reason, at.message, { clean: true })
  const untouched = context.workload.inventory.filter(
    old => !at.inventory.some(kept => sameObject(kept, old)),
  )
  return failed(at.reason, at.message, {
    workload: applied(context, [...at.inventory, ...untouched], at.overrides),
  })
}

/** A refusal in words; null where trying again can help. */
function whyNot(error: ClusterError, object: KubeObject): Refusal | null {
  const what = nameOf(object)
  switch (error.kind) {
    case 'field_conflict':
      return {
        reason: 'field_conflict',
        message: `${what}: ${error.fields.join(', ')} belongs to ${error.managers.join(', ')}. Take it out of the app, or deploy again with --force to take it over.`,
      }
    case 'forbidden':
      return { reason: 'forbidden', message: `${what}: ${error.message}` }
    case 'invalid':
      return { reason: 'invalid_object', message: `${what}: ${error.message}` }
    case 'not_found':
      return { reason: 'namespace_missing', message: `${what}: ${error.message}` }
    case 'already_exists':
      return { reason: 'field_conflict', message: error.message }
    case 'stale':
      return {
        reason: 'stale_object',
        message: `${what} is changed by someone else all the time: ${error.message}`,
      }
    case 'unauthorized':
      return { reason: 'forbidden', message: `The cluster refused gkube's credential: ${error.message}` }
    default:
      return null
  }
}
