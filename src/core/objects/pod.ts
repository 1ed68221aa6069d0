// The pod of an app, the same for Deployment, StatefulSet, CronJob and its Jobs (which share user and group).
// Nothing about a single deploy belongs here: a changed template restarts pods.
import type {
  V1Affinity,
  V1Container,
  V1PodSpec,
  V1PodTemplateSpec,
  V1Toleration,
  V1TopologySpreadConstraint,
} from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import { reloads } from '../code/reloading.ts'
import { seconds } from '../units.ts'
import type { Frozen } from '../workload.ts'
import { keptLabels, podSelectorLabels } from './adopted.ts'
import {
  isNative,
  renderEnv,
  renderEnvFrom,
  renderLifecycle,
  renderProbes,
  renderResources,
  renderSecurity,
  renderSidecar,
  some,
} from './container.ts'
import { restartedAnnotation, workloadLabels } from './labels.ts'
import { podVolumes } from './volumes.ts'

/** What a pod is rendered from. */
export type PodInput = {
  readonly frozen: Frozen
  readonly imagePullSecrets: readonly string[]
  /** `1.<minor>` of the cluster: fields it does not know yet are left out. */
  readonly serverMinor: number
}

/** `{revision}` in an image of a sidecar or a hook. */
export const fillRevision = (text: string, revision: string): string =>
  text.replaceAll('{revision}', revision)

/** The app's own container; Jobs change its command, name and environment. */
export function appContainer({ frozen, serverMinor }: PodInput): V1Container & { name: string } {
  const { spec } = frozen
  return {
    name: frozen.app,
    image: frozen.image,
    command: some(spec.command),
    args: some(spec.args),
    ports: some(
      spec.ports.map(port => ({ name: port.name, containerPort: port.port, protocol: port.protocol })),
    ),
    env: some(renderEnv(spec.env)),
    envFrom: some(renderEnvFrom(spec.envFrom)),
    resources: renderResources(spec.resources),
    ...renderProbes(spec.probes, spec.ports, spec.kind !== 'cron'),
    lifecycle: renderLifecycle(seconds(spec.rollout.drain), spec.ports.length > 0, serverMinor),
    securityContext: renderSecurity(spec.security),
    volumeMounts: some(podVolumes(frozen, { perPod: true }).mounts),
  }
}

/** Everything of a pod except its containers: shared by the workload and the Jobs. */
export function podBase({ frozen, imagePullSecrets }: PodInput): Omit<V1PodSpec, 'containers'> {
  const { spec } = frozen
  const { security, placement } = spec
  const pullSecrets = [...new Set([...spec.imagePullSecrets, ...imagePullSecrets])]
  return {
    serviceAccountName: security.serviceAccount,
    // A token is only given where a team asked for an account by name; that account then decides.
    automountServiceAccountToken: security.serviceAccount ? undefined : false,
    imagePullSecrets: some(pullSecrets.map(name => ({ name }))),
    securityContext: {
      runAsNonRoot: security.profile === 'restricted' ? true : undefined,
      runAsUser: security.runAsUser,
      runAsGroup: security.runAsGroup,
      // Volumes belong to the group that app and Jobs share; changed only where the root is not right yet.
      ...(spec.storage.length > 0 &&
        security.runAsGroup !== undefined && {
          fsGroup: security.runAsGroup,
          fsGroupChangePolicy: 'OnRootMismatch',
        }),
      seccompProfile: { type: 'RuntimeDefault' },
    },
    nodeSelector: placement.nodeSelector,
    // Passed through as written: the API server judges their fields, the allowlist their reach.
    tolerations: some((placement.tolerations ?? []) as V1Toleration[]),
    affinity: placement.affinity as V1Affinity | undefined,
    terminationGracePeriodSeconds: seconds(spec.rollout.grace),
  }
}

/**
 * Spreading is left to the scheduler unless asked for: its own defaults already spread over hosts and zones,
 * any constraint of a pod turns them off, and one that depended on the number of replicas would restart pods
 * when somebody scales. What was asked for selects the app's own pods.
 */
function spread(spec: AppSpec, selector: Record<string, string>): V1TopologySpreadConstraint[] {
  const defaults = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selector },
  }
  // Passed through as written over the defaults.
  return (spec.placement.spread ?? []).map(rule => ({ ...defaults, ...rule }) as V1TopologySpreadConstraint)
}

/** Sidecars as the server can run them: native ones before, plain ones beside the app's container. */
export function sidecars({ frozen, serverMinor }: PodInput, which: 'native' | 'plain'): V1Container[] {
  const fill = { image: (text: string) => fillRevision(text, frozen.revision), serverMinor }
  return frozen.spec.sidecars
    .filter(sidecar => isNative(sidecar, serverMinor) === (which === 'native'))
    .map(sidecar => renderSidecar(sidecar, frozen.spec, fill))
}

/** With reload the container is kept, so its template says nothing of the revision. */
const shownRevision = ({ spec, revision }: Frozen): string => (reloads(spec) ? '' : revision)

/** The pod template of the workload. `restartedAt` is the one thing a person may change in it by hand. */
export function podTemplate(
  input: PodInput,
  options: { readonly restartedAt: string | null; readonly restartPolicy?: 'Never' },
): V1PodTemplateSpec {
  const { frozen } = input
  const { spec } = frozen
  const annotations = {
    ...spec.annotations,
    ...(options.restartedAt ? { [restartedAnnotation]: options.restartedAt } : {}),
  }
  return {
    metadata: {
      labels: { ...spec.labels, ...workloadLabels(frozen, shownRevision(frozen)), ...keptLabels(frozen) },
      annotations: Object.keys(annotations).length > 0 ? annotations : undefined,
    },
    spec: {
      ...podBase(input),
      topologySpreadConstraints: some(spread(spec, podSelectorLabels(frozen))),
      restartPolicy: options.restartPolicy,
      initContainers: some(sidecars(input, 'native')),
      containers: [appContainer(input), ...sidecars(input, 'plain')],
      volumes: some(podVolumes(frozen, { perPod: true }).volumes),
    },
  }
}
