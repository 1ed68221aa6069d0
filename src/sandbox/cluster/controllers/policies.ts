// The status of what only watches: HorizontalPodAutoscalers (bounds are kept, load is not measured),
// PodDisruptionBudgets and ResourceQuotas. Eviction and quota checks that use them are elsewhere.
import { kindNamed, kindOf } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import { formatQuantity } from '../quantity.ts'
import { selects } from '../selectors.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { isActive, isReady, podKind, setCondition, share } from './pods.ts'

const manager = 'kube-controller-manager'
const scalerKind = kindNamed('HorizontalPodAutoscaler')
const budgetKind = kindNamed('PodDisruptionBudget')
const quotaKind = kindNamed('ResourceQuota')

export function autoscalers({ store, registry, record }: Context): Controller {
  const targetOf = ({ metadata, spec }: KubeObject) => {
    const kind = kindOf(spec.scaleTargetRef)
    return kind && { kind, namespace: metadata.namespace, name: spec.scaleTargetRef.name as string }
  }

  async function write(
    scaler: KubeObject,
    facts: readonly [type: string, is: boolean, reason: string, message: string][],
    counts: Json,
  ) {
    const { namespace, name } = scaler.metadata
    await registry.mutate(
      { kind: scalerKind, namespace, name },
      draft => {
        let conditions = draft.status?.conditions
        for (const [type, is, reason, message] of facts)
          conditions = setCondition(conditions, { type, status: is ? 'True' : 'False', reason, message })
        draft.status = { ...draft.status, ...counts, conditions }
      },
      { manager, subresource: 'status' },
    )
  }

  return {
    name: 'horizontal-pod-autoscaler',
    keys({ kind, object, type }) {
      if (kind === scalerKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (!kind.subresources.includes('scale')) return []
      return store
        .list(scalerKind, object.metadata.namespace)
        .filter(
          ({ spec }) =>
            spec.scaleTargetRef.kind === kind.kind && spec.scaleTargetRef.name === object.metadata.name,
        )
        .map(keyOf)
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const scaler = store.get(scalerKind, namespace, name)
      if (!scaler) return undefined
      const target = targetOf(scaler)
      const object = target && store.get(target.kind, target.namespace, target.name)
      if (!target || !object) {
        const { kind, name: of } = scaler.spec.scaleTargetRef
        const message = `the HPA controller was unable to get the target's current scale: ${kind.toLowerCase()}s.apps "${of}" not found`
        await write(scaler, [['AbleToScale', false, 'FailedGetScale', message]], {
          currentReplicas: 0,
          desiredReplicas: 0,
        })
        return undefined
      }
      const { minReplicas = 1, maxReplicas } = scaler.spec
      const asked: number = object.spec.replicas
      const wanted = asked === 0 ? 0 : Math.min(maxReplicas, Math.max(minReplicas, asked))
      if (wanted !== asked) {
        await registry.mutate(
          target,
          draft => {
            draft.spec.replicas = wanted
          },
          { manager, subresource: 'scale' },
        )
        const why =
          asked < minReplicas
            ? 'Current number of replicas below Spec.MinReplicas'
            : 'Current number of replicas above Spec.MaxReplicas'
        record(scaler, {
          reason: 'SuccessfulRescale',
          message: `New size: ${wanted}; reason: ${why}`,
          from: 'horizontal-pod-autoscaler',
        })
      }
      const able: [string, boolean, string, string] = [
        'AbleToScale',
        true,
        'ReadyForNewScale',
        'recommended size matches current size',
      ]
      const active: [string, boolean, string, string] =
        asked === 0
          ? [
              'ScalingActive',
              false,
              'ScalingDisabled',
              'scaling is disabled since the replica count of the target is zero',
            ]
          : [
              'ScalingActive',
              true,
              'ValidMetricFound',
              'the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
            ]
      await write(scaler, [able, active], {
        currentReplicas: object.status?.replicas ?? 0,
        desiredReplicas: wanted,
      })
      return undefined
    },
  }
}

export function budgets({ store, registry }: Context): Controller {
  return {
    name: 'disruption-controller',
    keys({ kind, object, type }) {
      if (kind === budgetKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (kind !== podKind) return []
      return store
        .list(budgetKind, object.metadata.namespace)
        .filter(({ spec }) => selects(spec.selector, object.metadata.labels))
        .map(keyOf)
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const budget = store.get(budgetKind, namespace, name)
      if (!budget) return undefined
      const pods = store
        .list(podKind, namespace)
        .filter(pod => isActive(pod) && selects(budget.spec.selector, pod.metadata.labels))
      const healthy = pods.filter(isReady).length
      const { minAvailable, maxUnavailable } = budget.spec
      const desired =
        minAvailable === undefined
          ? pods.length - share(maxUnavailable ?? 0, pods.length, 'up')
          : share(minAvailable, pods.length, 'up')
      const allowed = Math.max(0, healthy - desired)
      await registry.mutate(
        { kind: budgetKind, namespace, name },
        draft => {
          const is = allowed > 0
          const conditions = setCondition(draft.status?.conditions, {
            type: 'DisruptionAllowed',
            status: is ? 'True' : 'False',
            reason: is ? 'SufficientPods' : 'InsufficientPods',
            message: '',
          })
          draft.status = {
            currentHealthy: healthy,
            desiredHealthy: desired,
            disruptionsAllowed: allowed,
            expectedPods: pods.length,
            observedGeneration: budget.metadata.generation,
            conditions,
          }
        },
        { manager, subresource: 'status' },
      )
      return undefined
    },
  }
}

export function quotas({ store, registry }: Context): Controller {
  return {
    name: 'resourcequota-controller',
    keys({ kind, object, type }) {
      if (kind === quotaKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (kind.kind === 'Event' || type === 'MODIFIED') return []
      return store.list(quotaKind, object.metadata.namespace).map(keyOf)
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const quota = store.get(quotaKind, namespace, name)
      if (!quota) return undefined
      const hard: Record<string, string> = quota.spec.hard ?? {}
      const used = Object.entries(registry.usage(namespace, Object.keys(hard))).map(([of, value]) => [
        of,
        formatQuantity(value, of),
      ])
      await registry.mutate(
        { kind: quotaKind, namespace, name },
        draft => {
          draft.status = { hard, used: Object.fromEntries(used) }
        },
        { manager, subresource: 'status' },
      )
      return undefined
    },
  }
}
