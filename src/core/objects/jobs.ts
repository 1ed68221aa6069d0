// One-off Kubernetes Jobs: hooks of a deploy (init, before, after) and `gkube run <app> -- cmd`. They share the
// app's image, user, environment and volumes. They run at least once: GKUBE_DEPLOY_ID lets a script be idempotent.
// The Job that publishes code is publish-job.ts.
import type { V1Affinity, V1Container, V1EnvVar, V1Job, V1Volume } from '@kubernetes/client-node'
import type { Hook } from '../app.ts'
import type { KubeObject } from '../cluster.ts'
import { releaseOf } from '../code/releases.ts'
import { reloads } from '../code/reloading.ts'
import type { HookStep } from '../deploy.ts'
import { seconds } from '../units.ts'
import { podSelectorLabels } from './adopted.ts'
import { renderEnv, renderResources, some } from './container.ts'
import { deployAnnotations, jobLabels, jobName } from './labels.ts'
import { plain } from './plain.ts'
import { appContainer, fillRevision, type PodInput, podBase, sidecars } from './pod.ts'
import { podVolumes, releasePath } from './volumes.ts'

/**
 * gkube ends a hook that takes too long by its own clock, while its pod is there to be looked at. The cluster ends it
 * this many seconds later: for when no gkube is there to do it.
 */
export const laterSeconds = 60

export type JobInput = PodInput & {
  readonly namespace: string
  readonly deploy: { readonly id: string; readonly epoch: number }
  /** A pod of the app runs and holds a volume that only one node can mount: the Job must go to that node. */
  readonly beside: boolean
}

/** The Job of a hook. Its name is the same for the same attempt, so that a repeated create finds it. */
export function hookJob(
  input: JobInput & { readonly step: HookStep; readonly hook: Hook; readonly attempt: number },
): KubeObject {
  const { frozen, hook, step, deploy } = input
  return job(input, {
    name: jobName(frozen.app, step, deploy.id, input.attempt),
    step,
    image: hook.image === undefined ? frozen.image : fillRevision(hook.image, frozen.revision),
    command: hook.command,
    env: renderEnv({ ...frozen.spec.env, ...hook.env }),
    timeout: seconds(hook.timeout) + laterSeconds,
    resources: hook.resources,
  })
}

/** The Job of `gkube run`: `id` tells runs apart. Nothing waits for its record, so it removes itself after an hour. */
export function runJob(
  input: Omit<JobInput, 'deploy'> & {
    readonly id: string
    readonly command: readonly string[]
    /** Seconds. */
    readonly timeout: number
  },
): KubeObject {
  const { frozen, id } = input
  return job(
    { ...input, deploy: { id, epoch: 0 } },
    {
      name: jobName(frozen.app, 'run', id, 1),
      step: 'run',
      image: frozen.image,
      command: input.command,
      env: renderEnv(frozen.spec.env),
      timeout: input.timeout,
      ttl: 3600,
    },
  )
}

type Work = {
  readonly name: string
  readonly step: string
  readonly image: string
  readonly command: readonly string[]
  readonly env: V1EnvVar[]
  readonly timeout: number
  readonly resources?: Hook['resources']
  readonly ttl?: number
}

function job(input: JobInput, work: Work): KubeObject {
  const { volumes, mounts } = podVolumes(input.frozen, { perPod: false })
  const app = appContainer(input)
  return onceJob(input, {
    ...work,
    // Only sidecars that end with the Job: a plain one would keep it running for ever.
    initContainers: sidecars(input, 'native'),
    containers: [
      {
        name: work.step,
        image: work.image,
        command: [...work.command],
        env: [...work.env, ...ownEnv(input), ...releaseEnv(input)],
        envFrom: app.envFrom,
        resources: work.resources ? renderResources(work.resources) : app.resources,
        securityContext: app.securityContext,
        volumeMounts: some(mounts),
      },
    ],
    volumes,
  })
}

type Once = {
  readonly name: string
  readonly step: string
  /** Seconds. */
  readonly timeout: number
  readonly ttl?: number
  readonly initContainers: readonly V1Container[]
  readonly containers: readonly V1Container[]
  readonly volumes: readonly V1Volume[]
}

/** A Job that runs once, in a pod that is the app's in everything but its containers. */
export function onceJob(input: JobInput, once: Once): KubeObject {
  const { frozen, deploy } = input
  const labels = jobLabels(frozen, once.step, deploy.id)
  const annotations = deployAnnotations(deploy, frozen.revision)
  const base = podBase(input)
  const rendered: V1Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: once.name, namespace: input.namespace, labels, annotations },
    spec: {
      // A failed attempt is a new Job with a new name: gkube decides, not the Job controller.
      backoffLimit: 0,
      activeDeadlineSeconds: once.timeout,
      ttlSecondsAfterFinished: once.ttl,
      template: {
        metadata: { labels },
        spec: {
          ...base,
          affinity: input.beside ? beside(base.affinity, podSelectorLabels(frozen)) : base.affinity,
          restartPolicy: 'Never',
          initContainers: some(once.initContainers),
          containers: [...once.containers],
          volumes: some(once.volumes),
        },
      },
    },
  }
  return plain(rendered)
}

export const ownEnv = ({ frozen, deploy }: JobInput): V1EnvVar[] => [
  { name: 'GKUBE_APP', value: frozen.app },
  { name: 'GKUBE_DEPLOY_ID', value: deploy.id },
  { name: 'GKUBE_ENVIRONMENT', value: frozen.environment },
  { name: 'GKUBE_REVISION', value: frozen.revision },
]

/** Where the code of this revision is: with reload, `current` is the release before until the step activate. */
function releaseEnv({ frozen }: JobInput): V1EnvVar[] {
  const { code } = frozen.spec
  const name = releaseOf(frozen)
  if (!code || name === null) return []
  const mount = code.mount.replace(/\/+$/, '')
  return [{ name: 'GKUBE_RELEASE', value: reloads(frozen.spec) ? `${mount}/${releasePath(name)}` : mount }]
}

/** On the node of a running pod, beside whatever else the app asks for. */
function beside(affinity: V1Affinity | undefined, matchLabels: Record<string, string>): V1Affinity {
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels } }
  const { podAffinity } = affinity ?? {}
  const required = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
  return {
    ...affinity,
    podAffinity: { ...podAffinity, requiredDuringSchedulingIgnoredDuringExecution: [...required, term] },
  }
}
