// The handover step: from a ReplicationController to the Deployment that was just rolled out beside it. First the new
// pods must be ready behind every Service that sends to the old ones; then the controller is scaled down one by one,
// looked at in between, and deleted. Whatever goes wrong on the way, it is scaled up again.
import { aboutWorkload } from '../adoption/found.ts'
import { ClusterError, type KubeObject, nameOf, type ObjectRef } from '../cluster.ts'
import type { Taken } from '../deploy.ts'
import { deployAnnotations } from '../objects/labels.ts'
import { fieldsOf, listOf } from '../objects/pod-templates.ts'
import { Fenced } from '../replica.ts'
import { seconds } from '../units.ts'
import { conflictWords } from './conflict.ts'
import {
  done,
  epochOf,
  failed,
  mostStale,
  type StepBody,
  type StepContext,
  type StepOutcome,
} from './step.ts'

const lookEveryMs = 250

export const handover: StepBody = async context => {
  const taken = context.deploy.prepared?.adoption?.taken.find(item => item.kind === 'ReplicationController')
  if (!taken) return failed('internal', 'Nothing says which ReplicationController hands over.')
  const old = await context.cluster.get(taken)
  if (!old || old.metadata.uid !== taken.uid) return done(`${nameOf(taken)} is gone`)
  const services = await servicesOf(context, old)
  const ready = await until(context, () => areServing(context, services), 'the new pods are not ready behind')
  if (ready) return ready
  const from = numberOf(fieldsOf(old.spec).replicas)
  for (let replicas = from - 1; replicas >= 0; replicas--) {
    context.progress({
      ready: from - replicas,
      wanted: from,
      message: `${nameOf(old)} goes down to ${replicas}`,
    })
    const stuck =
      (await scaleTo(context, taken, replicas)) ?? (await settled(context, taken, services, replicas))
    if (!stuck) continue
    const back = context.deploy.prepared?.overrides.replicas ?? context.frozen.spec.replicas
    await scaleTo(context, taken, Math.max(from, back))
    return stuck
  }
  await removeOld(context, taken)
  const names = services.map(service => service.metadata.name).join(', ')
  return done(`${nameOf(taken)} handed over${names ? ` behind ${names}` : ''} and is deleted`)
}

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 1)

/** Services that send to the pods of the controller. */
async function servicesOf(
  { cluster, workload }: StepContext,
  old: KubeObject,
): Promise<readonly KubeObject[]> {
  const { namespace } = workload
  const services = await cluster.list({ apiVersion: 'v1', kind: 'Service', namespace })
  return aboutWorkload(old, { services, budgets: [], autoscalers: [] }).services
}

/** Null once it is so; an outcome where it is late or cancelled. */
async function until(
  context: StepContext,
  look: () => Promise<string | null>,
  late: string,
): Promise<StepOutcome | null> {
  const limit = context.now() + seconds(context.frozen.spec.rollout.progress) * 1000
  for (;;) {
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return { kind: 'cancelled' }
    const missing = await look()
    if (missing === null) return null
    if (context.now() > limit)
      return failed('no_endpoints', `For ${context.frozen.spec.rollout.progress} ${late} ${missing}.`)
    await context.sleep(lookEveryMs)
  }
}

/** Null when as many new pods as wanted are ready addresses of every Service; else the Service that waits. */
async function areServing(context: StepContext, services: readonly KubeObject[]): Promise<string | null> {
  const { cluster, workload, frozen } = context
  const wanted = await wantedOf(context)
  if (wanted === null) return `Deployment ${frozen.adopted?.name ?? frozen.app}`
  const pods = await cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: workload.namespace,
    labels: labelsOf(frozen.adopted?.selector),
  })
  const own = new Set(pods.map(pod => pod.metadata.name))
  for (const service of services) {
    const serving = await addressesOf(context, service, own)
    if (serving < wanted) return `${nameOf(service)} (${serving}/${wanted})`
  }
  return null
}

const labelsOf = (selector: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fieldsOf(fieldsOf(selector).matchLabels)).map(([key, value]) => [key, String(value)]),
  )

/** How many pods the Deployment shall have, where it has them; null while it does not. */
async function wantedOf({ cluster, workload, frozen }: StepContext): Promise<number | null> {
  const ref: ObjectRef = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: workload.namespace,
    name: frozen.adopted?.name ?? frozen.app,
  }
  const live = await cluster.get(ref)
  const [spec, status] = [fieldsOf(live?.spec), fieldsOf(live?.status)]
  const wanted = numberOf(spec.replicas)
  return live && numberOf(status.readyReplicas ?? 0) >= wanted ? wanted : null
}

/** Ready addresses of these pods in the slices of a Service. */
async function addressesOf(
  { cluster, workload }: StepContext,
  service: KubeObject,
  pods: ReadonlySet<string>,
): Promise<number> {
  const slices = await cluster.list({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    namespace: workload.namespace,
    labels: { 'kubernetes.io/service-name': service.metadata.name },
  })
  const names = slices
    .flatMap(slice => listOf(slice.endpoints))
    .filter(endpoint => fieldsOf(endpoint.conditions).ready !== false)
    .map(endpoint => String(fieldsOf(endpoint.targetRef).name ?? ''))
  return new Set(names.filter(name => pods.has(name))).size
}

/** Sets the controller's count; a failure where somebody else holds it. */
async function scaleTo(context: StepContext, ref: Taken, replicas: number): Promise<StepOutcome | null> {
  const { cluster, deploy, frozen } = context
  for (let attempt = 0; ; attempt++) {
    const live = await cluster.get(ref)
    if (!live || live.metadata.uid !== ref.uid) return null
    if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(ref)} was written by a newer epoch`)
    const annotations = deployAnnotations({ id: deploy.id, epoch: deploy.epoch }, frozen.revision)
    const { name, namespace, resourceVersion } = live.metadata
    const metadata = { name, namespace, resourceVersion, annotations }
    const object = { apiVersion: live.apiVersion, kind: live.kind, metadata, spec: { replicas } }
    try {
      await cluster.apply(object)
      return null
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error
      if (error.kind === 'field_conflict')
        return failed('field_conflict', await conflictWords(context, object, error))
      if (error.kind !== 'stale' || attempt >= mostStale) throw error
    }
  }
}

/** The controller has let a pod go, and the new ones serve as before. */
async function settled(
  context: StepContext,
  ref: Taken,
  services: readonly KubeObject[],
  replicas: number,
): Promise<StepOutcome | null> {
  const look = async () => {
    const live = await context.cluster.get(ref)
    const now = live ? numberOf(fieldsOf(live.status).replicas ?? 0) : 0
    if (now > replicas) return `${nameOf(ref)} (${now} pods, ${replicas} wanted)`
    return areServing(context, services)
  }
  return until(context, look, 'this is not as it should be:')
}

async function removeOld({ cluster, deploy }: StepContext, ref: Taken): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const live = await cluster.get(ref)
    if (!live || live.metadata.uid !== ref.uid) return
    if (epochOf(live) > deploy.epoch) throw new Fenced(`${nameOf(ref)} was written by a newer epoch`)
    const { uid, resourceVersion } = live.metadata
    try {
      return await cluster.remove(ref, { uid, resourceVersion, propagation: 'Background' })
    } catch (error) {
      const changed = error instanceof ClusterError && error.kind === 'stale'
      if (!changed || attempt >= mostStale) throw error
    }
  }
}
