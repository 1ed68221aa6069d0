// The apply step: renders the frozen spec and writes what differs, each object by server-side apply with the
// resourceVersion just read as fence. Also the write half of an automatic rollback (`restore`).
import { ClusterError, type KubeObject, nameOf, type ObjectRef, refOf } from '../cluster.ts'
import type { Cause } from '../deploy.ts'
import { objectHash } from '../hash.ts'
import { sameObject } from '../inventory.ts'
import { autoscalerManager, withoutFields } from '../managed-fields.ts'
import { render } from '../objects.ts'
import { Fenced } from '../replica.ts'
import type { InventoryItem, Overrides, Workload } from '../workload.ts'
import { conflictWords } from './conflict.ts'
import {
  done,
  epochOf,
  failed,
  fenceAnnotation,
  mostStale,
  type StepBody,
  type StepContext,
  type StepOutcome,
} from './step.ts'
import { applied, isOurs, isUnchanged, itemOf, takeStock } from './written.ts'

/** Writes what the deploy renders. */
export const apply: StepBody = context => write(context)

/** Writes the known-good snapshot back, with what people had set by hand before this deploy. */
export const restore: StepBody = context => write(context)

/** What people have set by hand, as this step renders it. */
const overridesOf = ({ deploy, workload }: StepContext): Overrides =>
  (deploy.rollback ? deploy.prepared?.base.overrides : deploy.prepared?.overrides) ?? workload.overrides

async function write(context: StepContext): Promise<StepOutcome> {
  const { workload } = context
  const overrides = overridesOf(context)
  const wanted = await wantedBy(context, overrides)
  if (context.takenOver) await stampAll(context, wanted)
  const live = await Promise.all(wanted.map(object => read(context, refOf(object))))
  const inventory: InventoryItem[] = []
  const conflicts: string[] = []
  let written = 0
  for (const [i, object] of wanted.entries()) {
    const current = live[i] ?? null
    const known = workload.inventory.find(old => sameObject(old, refOf(object)))
    const hash = objectHash(object)
    if (current && known && !context.takenOver && isUnchanged(current, known, hash)) {
      inventory.push(known)
      continue
    }
    const result = await tryOne(context, object, current)
    if (result.kind === 'refused') {
      const words = [...conflicts, result.message].join(' ')
      if (!result.goOn) return failed(result.reason, words)
      conflicts.push(result.message)
      continue
    }
    inventory.push(itemOf(result.object, hash))
    written++
  }
  const leftOver = workload.inventory.filter(old => !inventory.some(kept => sameObject(kept, old)))
  if (conflicts.length > 0) {
    const words = `Everything else is as the record says. ${conflicts.join(' ')}`
    const now = applied(context, [...inventory, ...leftOver], overrides)
    return { ...failed('field_conflict', words), harmless: true, workload: now }
  }
  const message = written === 0 ? 'nothing to change' : `${written} of ${wanted.length} objects written`
  return done(message, applied(context, [...inventory, ...leftOver], overrides))
}

type Tried =
  | { readonly kind: 'written'; readonly object: KubeObject }
  /** `goOn`: the others may still be written. */
  | {
      readonly kind: 'refused'
      readonly reason: Cause['reason']
      readonly message: string
      readonly goOn: boolean
    }

async function tryOne(context: StepContext, object: KubeObject, current: KubeObject | null): Promise<Tried> {
  try {
    if (current) await handOverReplicas(context, object, current)
    return { kind: 'written', object: await writeOne(context, object, current) }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    if (error.kind === 'field_conflict') {
      const message = await conflictWords(context, object, error)
      const goOn = current !== null && corrects(context)
      if (goOn) await writeRest(context, object, error)
      return { kind: 'refused', reason: 'field_conflict', message, goOn }
    }
    const refusal = whyNot(error, object)
    if (!refusal) throw error
    return { kind: 'refused', ...refusal, goOn: false }
  }
}

/**
 * A redeploy of what is recorded already only puts right what others changed: then a field that it may not take
 * stops nothing else, and what it wrote is the known good.
 */
const corrects = ({ deploy, workload }: StepContext): boolean =>
  deploy.kind === 'redeploy' &&
  !deploy.rollback &&
  deploy.prepared?.spec === workload.spec &&
  workload.good?.spec === workload.spec

/** The object without the fields that others own. */
async function writeRest(context: StepContext, object: KubeObject, { fields }: ClusterError): Promise<void> {
  const current = await context.cluster.get(refOf(object))
  await writeOne(context, withoutFields(object, fields), current)
}

/** The namespace is the environment step's. */
async function wantedBy(context: StepContext, overrides: Overrides): Promise<KubeObject[]> {
  const objects = await renderFor(context, overrides)
  return objects.filter(
    ({ kind, metadata }) => kind !== 'Namespace' || metadata.name !== context.workload.namespace,
  )
}

/** The record when this step ended in the middle: what it wrote, or may have. */
export async function halfWritten(context: StepContext): Promise<Workload> {
  const overrides = overridesOf(context)
  // Only names are needed, and they are the same on every server: one that does not answer need not be asked.
  const server = () => context.cluster.server().catch(() => ({ version: '', minor: 0 }))
  const wanted = await wantedBy({ ...context, cluster: { ...context.cluster, server } }, overrides)
  return applied(context, await takeStock(context, wanted.map(refOf)), overrides)
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
  const { base, deploy, frozen } = context
  const before = deploy.kind === 'adopt' || (base !== null && !base.spec.autoscale)
  const takesOver = frozen.spec.autoscale && before
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
  await context.cluster.apply(minimal, { manager: autoscalerManager, force: true })
}

const scalable = ['Deployment', 'StatefulSet']
const specOf = (object: KubeObject): Record<string, unknown> => (object.spec ?? {}) as Record<string, unknown>

async function writeOne(
  context: StepContext,
  object: KubeObject,
  first: KubeObject | null,
): Promise<KubeObject> {
  const { cluster } = context
  let current = first
  let { force } = context.deploy.params
  for (let attempt = 0; ; attempt++) {
    checkMayWrite(context, object, current)
    try {
      const { object: result } = current
        ? await cluster.apply(fenced(object, current), { force })
        : await cluster.create(object)
      return result
    } catch (error) {
      if (!(error instanceof ClusterError) || attempt >= mostStale) throw error
      const mayTake = backFromAutoscaler(context, error) || asksFor(context, error)
      if (error.kind === 'field_conflict' && !force && mayTake) {
        force = true
        continue
      }
      await makeWay(context, { object, current, error })
      current = await cluster.get(refOf(object))
    }
  }
}

/** Fenced where a newer epoch wrote it; refused where it is somebody else's. */
function checkMayWrite({ deploy, workload }: StepContext, object: KubeObject, current: KubeObject | null) {
  if (!current) return
  if (epochOf(current) > deploy.epoch) throw new Fenced(`${nameOf(object)} was written by a newer epoch`)
  if (!isOurs(current, workload)) throw notOurs(object)
}

/** After a refused write: returns where reading again can help, else throws the refusal. */
async function makeWay(
  context: StepContext,
  { object, current, error }: { object: KubeObject; current: KubeObject | null; error: ClusterError },
): Promise<void> {
  const replaces = error.kind === 'invalid' && context.deploy.params.replace && object.kind === 'StatefulSet'
  if (replaces && current) return removeKeepingPods(context, current)
  if (!canReadAgain(error, current)) throw error
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

/** Scaling is asking for that one field; against an autoscaler it would not last. */
const asksFor = ({ deploy }: StepContext, { fields, managers }: ClusterError): boolean =>
  deploy.kind === 'scale' &&
  fields.every(field => field === '.spec.replicas') &&
  !managers.includes('kube-controller-manager')

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
  // The UID too: an apply with only a resourceVersion makes an object again that was deleted meanwhile.
  metadata: {
    ...object.metadata,
    uid: current.metadata.uid,
    resourceVersion: current.metadata.resourceVersion,
  },
})

/** A take-over writes its epoch on everything first: what the old owner still sends is then refused as stale. */
async function stampAll(context: StepContext, wanted: readonly KubeObject[]): Promise<void> {
  const { cluster, deploy, workload } = context
  const refs: ObjectRef[] = wanted.map(refOf)
  for (const known of workload.inventory) if (!refs.some(ref => sameObject(ref, known))) refs.push(known)
  for (const ref of refs) await stamp(cluster, ref, deploy.epoch)
}

/** Writes the epoch on an object that is there. Throws Fenced where a newer one wrote it. */
export async function stamp(cluster: StepContext['cluster'], ref: ObjectRef, epoch: number): Promise<void> {
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

type Refusal = { readonly reason: Cause['reason']; readonly message: string }

/** A refusal in words; null where trying again can help. */
export function whyNot(error: ClusterError, object: KubeObject): Refusal | null {
  const what = nameOf(object)
  switch (error.kind) {
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
