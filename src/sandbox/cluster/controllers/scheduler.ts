// Gives each new pod a node, and says in the real scheduler's words why none fits: node selectors, taints,
// cordons, required node affinity, cpu, memory, pod count, unbound claims. Pod (anti-)affinity is not looked at.
import { kindNamed } from '../kinds.ts'
import { type Json, type KubeObject, timestamp } from '../object.ts'
import { behaviourOf } from '../play.ts'
import { podResource, quantity } from '../quantity.ts'
import { expression } from '../selectors.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'

const podKind = kindNamed('Pod')
const nodeKind = kindNamed('Node')
const claimKind = kindNamed('PersistentVolumeClaim')

type Demand = { readonly cpu: number; readonly memory: number }

export function scheduler({ store, registry, record, images }: Context): Controller {
  // Bindings on their way, so that pods scheduled at the same time see each other.
  const binding = new Map<string, { node: string; demand: Demand }>()

  function demandOf(pod: KubeObject): Demand {
    const containers: Json[] = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    const huge = containers.some(one => behaviourOf(images(one.image)) === 'huge')
    return {
      cpu: huge ? 1e6 : podResource(pod.spec, 'cpu', 'requests'),
      memory: podResource(pod.spec, 'memory', 'requests'),
    }
  }

  function load(): Map<string, { cpu: number; memory: number; pods: number }> {
    const loads = new Map<string, { cpu: number; memory: number; pods: number }>()
    const count = (node: string, demand: Demand) => {
      const of = loads.get(node) ?? { cpu: 0, memory: 0, pods: 0 }
      loads.set(node, { cpu: of.cpu + demand.cpu, memory: of.memory + demand.memory, pods: of.pods + 1 })
    }
    for (const pod of store.list(podKind)) {
      if (pod.spec.nodeName && !['Succeeded', 'Failed'].includes(pod.status?.phase))
        count(pod.spec.nodeName, demandOf(pod))
    }
    for (const { node, demand } of binding.values()) count(node, demand)
    return loads
  }

  function claimProblem(pod: KubeObject): string | undefined {
    for (const { persistentVolumeClaim: ref } of pod.spec.volumes ?? []) {
      if (!ref) continue
      const claim = store.get(claimKind, pod.metadata.namespace, ref.claimName)
      if (!claim) return `persistentvolumeclaim "${ref.claimName}" not found`
      if (claim.status?.phase !== 'Bound') return 'pod has unbound immediate PersistentVolumeClaims'
    }
    return undefined
  }

  /** The node with the fewest pods that takes it, or why none does. */
  function choose(pod: KubeObject): { node: string } | { why: string } {
    const nodes = store.list(nodeKind)
    if (nodes.length === 0) return { why: 'no nodes available to schedule pods' }
    const problem = claimProblem(pod)
    const refused = `0/${nodes.length} nodes are available`
    if (problem)
      return {
        why: `${refused}: ${problem}. preemption: 0/${nodes.length} nodes are available: ${nodes.length} Preemption is not helpful for scheduling.`,
      }
    const demand = demandOf(pod)
    const loads = load()
    const counts = new Map<string, number>()
    let best: { node: string; pods: number } | undefined
    for (const node of nodes) {
      const of = loads.get(node.metadata.name) ?? { cpu: 0, memory: 0, pods: 0 }
      const reasons = obstacles(pod, node, { demand, load: of })
      for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
      if (reasons.length === 0 && (!best || of.pods < best.pods))
        best = { node: node.metadata.name, pods: of.pods }
    }
    if (best) return { node: best.node }
    const list = [...counts]
      .map(([reason, n]) => `${n} ${reason}`)
      .sort()
      .join(', ')
    const fits = [...counts.keys()].every(
      reason => reason.startsWith('Insufficient') || reason === 'Too many pods',
    )
    const preemption = fits
      ? 'No preemption victims found for incoming pod'
      : 'Preemption is not helpful for scheduling'
    return { why: `${refused}: ${list}. preemption: ${refused}: ${nodes.length} ${preemption}.` }
  }

  async function reconcile(key: string): Promise<undefined> {
    const { namespace, name } = splitKey(key)
    const pod = store.get(podKind, namespace, name)
    if (!pod || pod.spec.nodeName || pod.metadata.deletionTimestamp || pod.spec.schedulingGates?.length)
      return undefined
    if (pod.spec.schedulerName !== 'default-scheduler') return undefined
    const target = { kind: podKind, namespace, name }
    const choice = choose(pod)
    if ('why' in choice) {
      const condition = {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: choice.why,
      }
      const known = pod.status?.conditions?.find((one: Json) => one.type === 'PodScheduled')
      if (known?.message === choice.why) return undefined
      record(pod, {
        reason: 'FailedScheduling',
        message: choice.why,
        warning: true,
        from: 'default-scheduler',
      })
      await registry.mutate(
        target,
        draft => {
          draft.status = {
            ...draft.status,
            phase: 'Pending',
            conditions: [
              {
                ...condition,
                lastTransitionTime: known?.lastTransitionTime ?? timestamp(),
              },
            ],
          }
        },
        { manager: 'kube-scheduler', subresource: 'status' },
      )
      return undefined
    }
    binding.set(key, { node: choice.node, demand: demandOf(pod) })
    try {
      await registry.mutate(
        target,
        draft => {
          draft.spec.nodeName = choice.node
        },
        {
          manager: 'kube-scheduler',
        },
      )
    } finally {
      binding.delete(key)
    }
    record(pod, {
      reason: 'Scheduled',
      message: `Successfully assigned ${key} to ${choice.node}`,
      from: 'default-scheduler',
    })
    return undefined
  }

  return {
    name: 'scheduler',
    keys({ kind, object, type }) {
      const unbound = () =>
        store
          .list(podKind)
          .filter(pod => !pod.spec.nodeName)
          .map(keyOf)
      if (kind === podKind) {
        const over = type === 'DELETED' || ['Succeeded', 'Failed'].includes(object.status?.phase)
        return over ? unbound() : object.spec.nodeName ? [] : [keyOf(object)]
      }
      return kind === nodeKind || kind === claimKind ? unbound() : []
    },
    reconcile,
  }
}

function obstacles(
  pod: KubeObject,
  node: KubeObject,
  use: { demand: Demand; load: { cpu: number; memory: number; pods: number } },
): string[] {
  const { demand, load } = use
  if (node.spec?.unschedulable) return ['node(s) were unschedulable']
  const taint = (node.spec?.taints ?? []).find(
    (one: Json) => one.effect !== 'PreferNoSchedule' && !tolerates(pod, one),
  )
  if (taint) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`]
  if (!wants(pod, node)) return ["node(s) didn't match Pod's node affinity/selector"]
  const room = node.status?.allocatable ?? {}
  const reasons: string[] = []
  if (load.pods + 1 > quantity(room.pods)) reasons.push('Too many pods')
  if (demand.cpu > 0 && load.cpu + demand.cpu > quantity(room.cpu)) reasons.push('Insufficient cpu')
  if (demand.memory > 0 && load.memory + demand.memory > quantity(room.memory))
    reasons.push('Insufficient memory')
  return reasons
}

/** True where a node's labels and taints let a pod run, whatever else runs there. */
export const mayRunOn = (pod: { readonly spec?: Json }, node: KubeObject): boolean =>
  wants(pod, node) &&
  !(node.spec?.taints ?? []).some((one: Json) => one.effect !== 'PreferNoSchedule' && !tolerates(pod, one))

const tolerates = (pod: { readonly spec?: Json }, taint: Json): boolean =>
  (pod.spec.tolerations ?? []).some(
    (one: Json) =>
      (!one.key || one.key === taint.key) &&
      (!one.effect || one.effect === taint.effect) &&
      (one.operator === 'Exists' || (one.value ?? '') === (taint.value ?? '')),
  )

function wants(pod: { readonly spec?: Json }, node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {}
  const selected = Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)
  const terms: Json[] | undefined =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return (
    selected &&
    (!terms ||
      terms.some(term => (term.matchExpressions ?? []).every((test: Json) => expression(test, labels))))
  )
}
