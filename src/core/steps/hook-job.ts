// The Job of a step (hooks, publish): what it mounts is there before it, it is made once, and it is deleted by its UID.
// Also what earlier deploys left behind: their Jobs go, and their pods have ended, before another Job of the app starts.
import { backoff } from '../clock.ts'
import { ClusterError, type KubeObject, nameOf, type ObjectRef, refOf } from '../cluster.ts'
import { type Cause, type JobStep, jobSteps } from '../deploy.ts'
import { objectHash } from '../hash.ts'
import { sameObject } from '../inventory.ts'
import { podSelectorLabels } from '../objects/adopted.ts'
import type { JobInput } from '../objects/jobs.ts'
import { componentLabel, deployLabel, jobName, ownership } from '../objects/labels.ts'
import { fieldsOf, listOf } from '../objects/pod-templates.ts'
import { isPerPod } from '../objects/volumes.ts'
import { redactText } from '../redact.ts'
import { Fenced } from '../replica.ts'
import type { InventoryItem, Workload } from '../workload.ts'
import { renderFor, stamp, whyNot } from './apply.ts'
import { configMapNames } from './record.ts'
import { epochOf, type StepContext } from './step.ts'
import { isOurs, itemOf } from './written.ts'

/** A new attempt is a new deploy: whoever resumes this one finds the same Job. */
export const attempt = 1
const goneWithinMs = 120_000

export const jobRef = ({ deploy, workload }: StepContext, step: JobStep): ObjectRef => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  namespace: workload.namespace,
  name: jobName(deploy.app, step, deploy.id, attempt),
})

type Refused = { readonly kind: 'refused'; readonly reason: Cause['reason']; readonly message: string }

/**
 * Deletes Jobs that ended deploys left behind and waits until their pods have ended: two migrations at once would be
 * worse than one that waits. Returns the app's pods as they are.
 */
export async function makeRoom(
  context: StepContext,
  step: JobStep,
): Promise<{ readonly kind: 'free'; readonly pods: readonly KubeObject[] } | Refused | 'cancelled'> {
  await removeLeftJobs(context)
  const until = context.now() + goneWithinMs
  for (let tries = 0; ; tries++) {
    const pods = await podsOf(context)
    const [busy] = pods.filter(pod => isLeft(context, pod) && !isOver(pod))
    if (!busy) return { kind: 'free', pods }
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return 'cancelled'
    const what = `${nameOf(busy)} of an earlier ${busy.metadata.labels?.[componentLabel]}`
    if (context.now() > until)
      return {
        kind: 'refused',
        reason: 'deadline',
        message: `${what} still runs: ${step} was not started beside it.`,
      }
    context.progress({ ready: 0, wanted: 0, message: `waiting for ${what} to end` })
    await context.sleep(backoff(tries, { base: 100, most: 5_000, random: () => 0.5 }))
  }
}

/** Jobs of steps of this app that belong to no deploy that runs: there is only this one. */
export async function removeLeftJobs(context: StepContext): Promise<void> {
  const { cluster, deploy, workload } = context
  const labels = ownership(workload)
  const jobs = await cluster.list({
    apiVersion: 'batch/v1',
    kind: 'Job',
    namespace: workload.namespace,
    labels,
  })
  for (const job of jobs.filter(one => isLeft(context, one))) {
    if (epochOf(job) > deploy.epoch) throw new Fenced(`${nameOf(job)} was written by a newer epoch`)
    await cluster.remove(refOf(job), { uid: job.metadata.uid, propagation: 'Background' })
  }
}

function isLeft({ deploy }: StepContext, { metadata: { labels = {} } }: KubeObject): boolean {
  const isStep = (jobSteps as readonly string[]).includes(labels[componentLabel] ?? '')
  return isStep && labels[deployLabel] !== undefined && labels[deployLabel] !== deploy.id
}

const podsOf = ({ cluster, workload }: StepContext): Promise<KubeObject[]> =>
  cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: workload.namespace,
    labels: ownership(workload),
  })

const phaseOf = (pod: KubeObject): string => String(fieldsOf(pod.status).phase ?? '')
const isOver = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(phaseOf(pod))

type Started = (Refused | { readonly kind: 'started'; readonly uid: string }) & {
  /** The record, where something had to be there first; a record that did not change is not written again. */
  readonly workload?: Workload
}

/** Makes the Job, or finds the one that this deploy made before. `render`: what it is, on this server and beside these pods. */
export async function startJob(
  context: StepContext,
  { pods, render }: { pods: readonly KubeObject[]; render: (input: JobInput) => KubeObject },
): Promise<Started> {
  const { cluster, deploy, frozen } = context
  const { minor } = await cluster.server()
  const job = render({
    frozen,
    imagePullSecrets: [],
    serverMinor: minor,
    namespace: context.workload.namespace,
    deploy: { id: deploy.id, epoch: deploy.epoch },
    beside: isBeside(context, pods),
  })
  let workload: Workload | undefined
  let object = job
  try {
    for (const needed of await neededBy(context, job)) {
      object = needed
      const before = workload ?? context.workload
      const inventory = await ensure({ ...context, workload: before }, needed)
      if (inventory !== before.inventory) workload = { ...before, inventory }
    }
    object = job
    const { object: made } = await cluster.create(job)
    return { kind: 'started', uid: made.metadata.uid ?? '', workload }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    if (error.kind === 'already_exists' && object === job) return { ...(await found(context, job)), workload }
    const refusal = whyNot(error, object)
    if (!refusal) throw error
    return { kind: 'refused', ...refusal, workload }
  }
}

/** The name is taken: by this deploy before a crash or a lost answer, or by somebody else. */
async function found(
  { cluster, deploy }: StepContext,
  job: KubeObject,
): Promise<Refused | { readonly kind: 'started'; readonly uid: string }> {
  const ref = refOf(job)
  const live = await cluster.get(ref)
  if (!live) throw new ClusterError('unavailable', `${nameOf(ref)} was there and is gone again`)
  if (live.metadata.labels?.[deployLabel] !== deploy.id)
    return {
      kind: 'refused',
      reason: 'field_conflict',
      message: `${nameOf(ref)} exists and is not this deploy's. Delete it, then deploy again.`,
    }
  await stamp(cluster, ref, deploy.epoch)
  return { kind: 'started', uid: live.metadata.uid ?? '' }
}

/** A volume that only one node can mount is held by a pod that runs: the Job must go to its node. */
function isBeside({ frozen, base }: StepContext, pods: readonly KubeObject[]): boolean {
  const { spec } = frozen
  if (!spec.storage.some(storage => storage.access === 'RWO' && !isPerPod(spec, storage))) return false
  const wanted = Object.entries(podSelectorLabels(base ?? frozen))
  return pods.some(
    pod =>
      pod.metadata.deletionTimestamp === undefined &&
      phaseOf(pod) === 'Running' &&
      wanted.every(([key, value]) => pod.metadata.labels?.[key] === value),
  )
}

/** Of what the app renders, what the Job mounts: apply comes later, and on a create nothing of it is there yet. */
async function neededBy(context: StepContext, job: KubeObject): Promise<KubeObject[]> {
  const overrides = context.deploy.prepared?.overrides ?? context.workload.overrides
  const maps = configMapNames(job)
  const template = fieldsOf(fieldsOf(fieldsOf(job.spec).template).spec)
  const claims = listOf(template.volumes).map(one => fieldsOf(one.persistentVolumeClaim).claimName)
  const objects = await renderFor(context, overrides)
  return objects.filter(
    ({ kind, metadata: { name } }) =>
      (kind === 'ConfigMap' && maps.includes(name)) ||
      (kind === 'PersistentVolumeClaim' && claims.includes(name)),
  )
}

/** The inventory with this object in it, which is made where it is not there. Apply puts right what differs. */
async function ensure({ cluster, workload }: StepContext, object: KubeObject): Promise<InventoryItem[]> {
  const { inventory } = workload
  const ref = refOf(object)
  const live = await cluster.get(ref)
  if (live && !isOurs(live, workload))
    throw new ClusterError('already_exists', `${nameOf(ref)} exists and is not gkube's.`)
  const isKnown = inventory.some(item => sameObject(item, ref))
  if (live && isKnown) return inventory
  const item = live ? itemOf(live, '') : itemOf((await cluster.create(object)).object, objectHash(object))
  return [...inventory.filter(one => !sameObject(one, ref)), item]
}

/** Deletes the Job and its pods; what is left in words where gkube may not. */
export async function removeJob({ cluster, deploy }: StepContext, ref: ObjectRef): Promise<string> {
  const live = await cluster.get(ref)
  if (!live || live.metadata.labels?.[deployLabel] !== deploy.id) return ''
  if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(ref)} was written by a newer epoch`)
  try {
    await cluster.remove(ref, { uid: live.metadata.uid, propagation: 'Background' })
    return ''
  } catch (error) {
    if (!(error instanceof ClusterError) || !['forbidden', 'stale'].includes(error.kind)) throw error
    return error.kind === 'stale' ? '' : redactText(`${nameOf(ref)} stays: ${error.message}`)
  }
}

/** As a cancel does: a cluster that does not answer does not hold it up, the app's next hook deletes what is left. */
export async function dropJob(context: StepContext, ref: ObjectRef): Promise<void> {
  try {
    await removeJob(context, ref)
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
  }
}
