// The cycle step: a ReplicationController replaces no pods by itself, so a restart deletes them one by one. The next
// one goes only when all others are ready again: never fewer than the wanted count less one. Which pods are old is
// written on them (the time of the restart), so that after a crash the next owner goes on where this one was.
import type { KubeObject, Observed } from '../cluster.ts'
import { watchedOf } from '../inventory.ts'
import { restartedAnnotation } from '../objects/labels.ts'
import { fieldsOf, listOf } from '../objects/pod-templates.ts'
import { wait } from './rollout.ts'
import { done, type StepBody, type StepContext } from './step.ts'

export const cycle: StepBody = async context => {
  const restartedAt = context.deploy.prepared?.overrides.restartedAt ?? ''
  const gone = new Set<string>()
  for (;;) {
    const startedAt = gone.size === 0 ? context.startedAt : context.now()
    const whole = await wait(context, { startedAt, holds: observed => isWhole(observed, gone) })
    if (whole.kind !== 'done') return whole
    const [next] = await oldPods(context, restartedAt, gone)
    if (!next) return done(`${gone.size} pods replaced one by one`)
    const { namespace, name, uid = '' } = next.metadata
    await context.cluster.remove({ apiVersion: 'v1', kind: 'Pod', namespace, name }, { uid })
    gone.add(uid)
  }
}

/** What the watch still shows of a pod that was just deleted does not count. */
function isWhole({ workload, pods }: Observed, gone: ReadonlySet<string>): boolean {
  const ready = pods.filter(pod => pod.ready && !pod.terminating && !gone.has(pod.uid))
  return workload !== null && ready.length >= workload.wanted
}

/** Living pods of the controller from before the restart, by name. */
async function oldPods(
  { cluster, workload, frozen }: StepContext,
  restartedAt: string,
  gone: ReadonlySet<string>,
): Promise<KubeObject[]> {
  const scope = watchedOf(workload, frozen)
  if (!scope) return []
  const pods = await cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: workload.namespace,
    labels: scope.podLabels,
  })
  const isIts = (pod: KubeObject) =>
    listOf(pod.metadata.ownerReferences).some(
      owner =>
        owner.controller === true && owner.kind === scope.workload.kind && owner.name === scope.workload.name,
    )
  const isOld = ({ metadata }: KubeObject) =>
    metadata.annotations?.[restartedAnnotation] !== restartedAt && metadata.deletionTimestamp === undefined
  const isOver = (pod: KubeObject) => ['Succeeded', 'Failed'].includes(String(fieldsOf(pod.status).phase))
  return pods
    .filter(pod => isIts(pod) && isOld(pod) && !isOver(pod) && !gone.has(pod.metadata.uid ?? ''))
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name))
}
