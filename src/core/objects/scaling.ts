// The autoscaler and the disruption budget. `gkube scale` on an autoscaled app edits its bounds, which is why
// the overrides come in here; the replicas themselves belong to the autoscaler (workload.ts leaves them out).
import type { V1PodDisruptionBudget, V2HorizontalPodAutoscaler, V2MetricSpec } from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import type { Adopted, Workload } from '../workload.ts'
import { workloadKind, workloadName, workloadSelector } from './adopted.ts'
import { ownLabels } from './labels.ts'

type Input = {
  readonly app: string
  readonly environment: string
  readonly namespace: string
  readonly spec: AppSpec
  readonly adopted?: Adopted
}

const meta = (input: Input) => ({
  name: input.app,
  namespace: input.namespace,
  labels: ownLabels(input),
})

const utilization = (name: string, averageUtilization: number): V2MetricSpec => ({
  type: 'Resource',
  resource: { name, target: { type: 'Utilization', averageUtilization } },
})

/** Bounds of the autoscaler: the person's where they scaled by hand, never min above max. */
export function autoscaleBounds(
  autoscale: NonNullable<AppSpec['autoscale']>,
  overrides: Pick<Workload['overrides'], 'min' | 'max'>,
): { min: number; max: number } {
  const min = overrides.min ?? autoscale.min
  return { min, max: Math.max(min, overrides.max ?? autoscale.max) }
}

/** Null where the app asks for none. Without a metric, Kubernetes' own default (80 % CPU) is written out. */
export function autoscaler(
  input: Input,
  overrides: Pick<Workload['overrides'], 'min' | 'max'>,
): V2HorizontalPodAutoscaler | null {
  const { autoscale } = input.spec
  if (!autoscale) return null
  const { min, max } = autoscaleBounds(autoscale, overrides)
  const { memory } = autoscale
  const cpu = autoscale.cpu ?? (memory === undefined ? 80 : undefined)
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: meta(input),
    spec: {
      scaleTargetRef: {
        apiVersion: 'apps/v1',
        kind: workloadKind(input.spec, input.adopted),
        name: workloadName(input),
      },
      minReplicas: min,
      maxReplicas: max,
      metrics: [
        ...(cpu === undefined ? [] : [utilization('cpu', cpu)]),
        ...(memory === undefined ? [] : [utilization('memory', memory)]),
      ],
    },
  }
}

export function disruptionBudget(input: Input): V1PodDisruptionBudget | null {
  const { disruption } = input.spec
  if (!disruption) return null
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: meta(input),
    spec: { ...disruption, selector: workloadSelector(input) },
  }
}
