// The Job that publishes code: fetch and finish are gkube's own program (src/publish/), between them the code update, the
// app's own in its image or the default one. What each is told is in docs/publish.md; steps/publish.ts runs it.
import type { V1Container, V1EnvVar, V1Volume, V1VolumeMount } from '@kubernetes/client-node'
import type { KubeObject } from '../cluster.ts'
import type { CodeSide } from '../code/code-side.ts'
import { recipeOf } from '../code/recipe.ts'
import type { Artifact } from '../workload.ts'
import { renderEnv, renderEnvFrom, renderResources, renderSecurity } from './container.ts'
import { type JobInput, laterSeconds, onceJob, ownEnv } from './jobs.ts'
import { jobLabels, jobName } from './labels.ts'
import { podVolumes, releasePath, reservedVolumes } from './volumes.ts'

/** For all of it, and for its first container to begin. The download alone gives up after 15 minutes. */
export const publishTimeout = { text: '30m', seconds: 1800, startWithin: '10m' }

/** The containers, in the order they run. */
export const publishContainers = ['fetch', 'update', 'finish'] as const

const credentials = { volume: `${reservedVolumes}credentials`, path: '/gkube/credentials' }

// Unpacking streams: what it needs does not grow with the artifact.
const ownResources = renderResources({
  requests: { cpu: '100m', memory: '128Mi' },
  limits: { memory: '512Mi' },
})

export type PublishInput = JobInput & {
  readonly attempt: number
  readonly artifact: Artifact
  readonly code: Pick<CodeSide, 'url' | 'hosts' | 'maxBytes'> & { readonly image: string }
  /** The release that runs now; null: none. */
  readonly previous: string | null
  /** Names of releases that stay; empty: nothing is removed. */
  readonly keep: readonly string[]
  /** `current` is switched to it at once. */
  readonly switches: boolean
}

export function publishJob(input: PublishInput): KubeObject {
  const { frozen, deploy, attempt } = input
  const storage = frozen.spec.storage[0]
  if (!storage) throw new Error(`${frozen.app} has code and no storage`)
  const { volumes } = podVolumes(frozen, { perPod: false, code: false })
  const claim = volumes.filter(volume => volume.name === storage.name)
  const secret = secretOf(input)
  const given: V1Volume[] = secret ? [{ name: credentials.volume, secret: { secretName: secret } }] : []
  const used = frozen.spec.code?.update ? volumes : claim
  return onceJob(input, {
    name: jobName(frozen.app, 'publish', deploy.id, attempt),
    step: 'publish',
    // gkube ends it by its own clock, while its pod is there to be looked at.
    timeout: publishTimeout.seconds + laterSeconds,
    initContainers: [fetching(input, secret !== null), updating(input)],
    containers: [finishing(input)],
    volumes: [...used, ...given],
  })
}

/** What `fetch` shows to whom it asks; null: nobody asks for anything. */
function secretOf({ frozen, deploy, attempt, artifact, code }: PublishInput): string | null {
  if (artifact.url === null) return jobName(frozen.app, 'publish', deploy.id, attempt)
  const host = code.hosts[URL.parse(artifact.url)?.host ?? '']
  return frozen.spec.code?.credential ?? host?.credential ?? null
}

/** Holds the one-time token of an upload: of the Job's name, and gone with it. */
export function tokenSecret(
  { frozen, namespace, deploy, attempt }: JobInput & { readonly attempt: number },
  token: string,
  jobUid: string,
): KubeObject {
  const name = jobName(frozen.app, 'publish', deploy.id, attempt)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: jobLabels(frozen, 'publish', deploy.id),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: jobUid }],
    },
    type: 'Opaque',
    immutable: true,
    data: { token: Buffer.from(token).toString('base64') },
  }
}

const variables = (values: Readonly<Record<string, string>>): V1EnvVar[] =>
  Object.entries(values).flatMap(([name, value]) => (value === '' ? [] : [{ name, value }]))

/** Where the pods mount it: links to what releases share must lead there for both. */
const volumeOf = ({ frozen }: PublishInput): string => frozen.spec.storage[0]?.mount.replace(/\/+$/, '') ?? ''

const common = (input: PublishInput): V1EnvVar[] => [
  ...ownEnv(input),
  ...variables({
    GKUBE_VOLUME: volumeOf(input),
    GKUBE_ARTIFACT_SHA256: input.artifact.sha256,
    GKUBE_RECIPE: recipeOf(input.frozen),
  }),
]

function own(input: PublishInput, verb: string, env: V1EnvVar[]): V1Container & { name: string } {
  const { frozen, code } = input
  const storage = frozen.spec.storage[0]
  return {
    name: verb,
    image: code.image,
    command: ['gkube', 'publish', verb],
    env: [...common(input), ...env],
    resources: ownResources,
    securityContext: { ...renderSecurity(frozen.spec.security), readOnlyRootFilesystem: true },
    volumeMounts: storage ? [{ name: storage.name, mountPath: storage.mount }] : [],
  }
}

function fetching(input: PublishInput, hasSecret: boolean): V1Container {
  const { artifact, code, frozen } = input
  const file = frozen.spec.code?.file
  const container = own(
    input,
    'fetch',
    variables({
      GKUBE_ARTIFACT_URL: artifact.url ?? uploadAddress(code.url, artifact.sha256),
      GKUBE_ARTIFACT_HOSTS: Object.keys(code.hosts).sort().join(','),
      GKUBE_URL: artifact.url === null ? (code.url ?? '') : '',
      GKUBE_ARTIFACT_CREDENTIALS: hasSecret ? credentials.path : '',
      GKUBE_ARTIFACT_LIMIT: String(code.maxBytes),
      ...(file === undefined ? {} : { GKUBE_UNPACK: 'false', GKUBE_ARTIFACT_NAME: file }),
    }),
  )
  const given: V1VolumeMount[] = hasSecret
    ? [{ name: credentials.volume, mountPath: credentials.path, readOnly: true }]
    : []
  return { ...container, volumeMounts: [...(container.volumeMounts ?? []), ...given] }
}

const uploadAddress = (url: string | null, sha256: string): string =>
  `${(url ?? '').replace(/\/+$/, '')}/v1/artifacts/${sha256}`

/** The app's own in its image, with all that the app has; else gkube's, which needs nothing of it. */
function updating(input: PublishInput): V1Container {
  const { frozen, deploy, previous } = input
  const { spec } = frozen
  const volume = volumeOf(input)
  const making = `${volume}/${releasePath(`.tmp-${deploy.id}`)}`
  const env = variables({
    GKUBE_RELEASE: making,
    GKUBE_PREVIOUS: previous === null ? '' : `${volume}/${releasePath(previous)}`,
    GKUBE_SHARED: `${volume}/shared`,
    GKUBE_UPDATE_SCRIPT: `${making}.update.sh`,
  })
  const securityContext = renderSecurity(spec.security)
  if (!spec.code?.update) return { ...own(input, 'update', env), workingDir: making, securityContext }
  return {
    name: 'update',
    image: frozen.image,
    command: [...spec.code.update],
    workingDir: making,
    env: [...renderEnv(spec.env), ...common(input), ...env],
    envFrom: spec.envFrom.length > 0 ? renderEnvFrom(spec.envFrom) : undefined,
    resources: renderResources(spec.resources),
    securityContext,
    volumeMounts: podVolumes(frozen, { perPod: false, code: false }).mounts,
  }
}

/** What makes it a release of its name; done again, it only switches. */
export const finishing = (input: PublishInput): V1Container =>
  own(
    input,
    'finish',
    variables({
      GKUBE_ACTIVATE: input.switches ? 'reload' : 'rollout',
      GKUBE_KEEP_RELEASES: input.keep.join(','),
    }),
  )
