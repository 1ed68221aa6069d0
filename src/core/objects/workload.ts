// The object that runs an app: Deployment, StatefulSet or CronJob. Replicas come from the record's overrides,
// then the spec; with an autoscaler they are not rendered at all, so that nobody else owns the field.
import type {
  V1CronJob,
  V1Deployment,
  V1DeploymentStrategy,
  V1ObjectMeta,
  V1ReplicationController,
  V1StatefulSet,
} from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import { seconds } from '../units.ts'
import type { Workload } from '../workload.ts'
import { workloadName, workloadSelector } from './adopted.ts'
import { ownLabels, restartedAnnotation, workloadLabels } from './labels.ts'
import { headlessName } from './network.ts'
import { type PodInput, podTemplate } from './pod.ts'
import { claimTemplates } from './volumes.ts'

export type WorkloadInput = PodInput & {
  readonly namespace: string
  readonly overrides: Workload['overrides']
  /** See RenderInput of objects.ts. */
  readonly liveReplicas: number | null
}

/** Old ReplicaSets kept: enough to look back by hand; gkube's own rollback uses frozen specs. */
const revisionHistoryLimit = 5

function metadata({ frozen, namespace }: WorkloadInput): V1ObjectMeta {
  const { annotations } = frozen.spec
  return {
    name: workloadName(frozen),
    namespace,
    labels: workloadLabels(frozen, frozen.revision),
    annotations: Object.keys(annotations).length > 0 ? { ...annotations } : undefined,
  }
}

/** Replicas to render; undefined leaves the field to the autoscaler. */
export const replicasOf = (
  spec: AppSpec,
  overrides: Workload['overrides'],
  liveReplicas: number | null,
): number | undefined =>
  spec.autoscale ? (liveReplicas ?? undefined) : (overrides.replicas ?? spec.replicas)

function strategy({ rollout }: AppSpec): V1DeploymentStrategy {
  if (rollout.strategy === 'recreate') return { type: 'Recreate' }
  const { maxSurge, maxUnavailable } = rollout
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } }
}

export function deployment(input: WorkloadInput): V1Deployment {
  const { frozen, overrides } = input
  const { spec } = frozen
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(input),
    spec: {
      replicas: replicasOf(spec, overrides, input.liveReplicas),
      selector: workloadSelector(frozen),
      strategy: strategy(spec),
      // The stability window is gkube's (`rollout.stable`): here it would slow every later pod down too.
      minReadySeconds: 0,
      progressDeadlineSeconds: seconds(spec.rollout.progress),
      revisionHistoryLimit,
      template: podTemplate(input, { restartedAt: overrides.restartedAt }),
    },
  }
}

/**
 * Pods start in parallel unless `rollout.ordered`: ordered ones wait for a broken pod for ever, also when the
 * template is put back, so that no rollback could finish. Updates still go one by one.
 */
export function statefulSet(input: WorkloadInput): V1StatefulSet {
  const { frozen, overrides } = input
  const { spec } = frozen
  const templates = claimTemplates(spec, frozen)
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metadata(input),
    spec: {
      replicas: replicasOf(spec, overrides, input.liveReplicas),
      serviceName: headlessName(frozen.app),
      podManagementPolicy: spec.rollout.ordered ? 'OrderedReady' : 'Parallel',
      selector: workloadSelector(frozen),
      updateStrategy: { type: 'RollingUpdate' },
      revisionHistoryLimit,
      template: podTemplate(input, { restartedAt: overrides.restartedAt }),
      volumeClaimTemplates: templates.length > 0 ? templates : undefined,
      ...frozen.adopted?.fixed,
    },
  }
}

/**
 * Of an adopted ReplicationController only what gkube changes there: how many pods, and when they were restarted.
 * Its template stays whoever's it is.
 */
export function replicationController(input: WorkloadInput): V1ReplicationController {
  const { frozen, namespace, overrides } = input
  const { restartedAt } = overrides
  return {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: { name: workloadName(frozen), namespace, labels: ownLabels(frozen) },
    spec: {
      replicas: overrides.replicas ?? undefined,
      template: restartedAt
        ? { metadata: { annotations: { [restartedAnnotation]: restartedAt } } }
        : undefined,
    },
  }
}

/** Scaled to 0, a CronJob is suspended. How often a failed run is tried again is left to Kubernetes. */
export function cronJob(input: WorkloadInput): V1CronJob {
  const { frozen, overrides } = input
  const { schedule, replicas } = frozen.spec
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: metadata(input),
    spec: {
      schedule: schedule?.cron ?? '',
      timeZone: schedule?.timeZone,
      concurrencyPolicy: schedule?.concurrency,
      suspend: (overrides.replicas ?? replicas) === 0,
      jobTemplate: {
        metadata: { labels: { ...frozen.spec.labels, ...workloadLabels(frozen, frozen.revision) } },
        spec: {
          template: podTemplate(input, { restartedAt: overrides.restartedAt, restartPolicy: 'Never' }),
        },
      },
    },
  }
}
