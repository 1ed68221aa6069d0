// What a pod needs of its namespace before it can start: ConfigMaps, Secrets and claims it refers to.
// Answers the kubelet's own words for what is missing, or undefined when all is there.
import { kindNamed } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import type { Store } from '../store.ts'

type Look = Pick<Store, 'get'>

const find = (store: Look, kind: 'ConfigMap' | 'Secret', pod: KubeObject, name: string) =>
  store.get(kindNamed(kind), pod.metadata.namespace, name)

/** Why a container's environment cannot be made (CreateContainerConfigError). */
export function configProblem(store: Look, pod: KubeObject, container: Json): string | undefined {
  for (const from of container.envFrom ?? []) {
    const problem =
      missing(store, pod, 'ConfigMap', from.configMapRef) ?? missing(store, pod, 'Secret', from.secretRef)
    if (problem) return problem
  }
  for (const { valueFrom } of container.env ?? []) {
    const problem =
      missing(store, pod, 'ConfigMap', valueFrom?.configMapKeyRef) ??
      missing(store, pod, 'Secret', valueFrom?.secretKeyRef)
    if (problem) return problem
  }
  return undefined
}

function missing(store: Look, pod: KubeObject, kind: 'ConfigMap' | 'Secret', ref: Json): string | undefined {
  if (!ref || ref.optional) return undefined
  const found = find(store, kind, pod, ref.name)
  if (!found) return `${kind.toLowerCase()} "${ref.name}" not found`
  if (
    ref.key === undefined ||
    found.data?.[ref.key] !== undefined ||
    found.binaryData?.[ref.key] !== undefined
  )
    return undefined
  return `couldn't find key ${ref.key} in ${kind} ${pod.metadata.namespace}/${ref.name}`
}

/** Why its volumes cannot be mounted (a FailedMount event; the pod stays in ContainerCreating). */
export function mountProblem(store: Look, pod: KubeObject): string | undefined {
  for (const volume of pod.spec.volumes ?? []) {
    const sources: Json[] = [volume, ...(volume.projected?.sources ?? [])]
    for (const source of sources) {
      const problem = sourceProblem(store, pod, source)
      if (problem) return `MountVolume.SetUp failed for volume "${volume.name}" : ${problem}`
    }
  }
  return undefined
}

function sourceProblem(store: Look, pod: KubeObject, source: Json): string | undefined {
  const secret = source.secret && {
    name: source.secret.secretName ?? source.secret.name,
    optional: source.secret.optional,
  }
  const problem =
    missing(store, pod, 'ConfigMap', keyless(source.configMap)) ?? missing(store, pod, 'Secret', secret)
  if (problem) return problem
  const keys: Json[] = source.configMap?.items ?? []
  const data = source.configMap && find(store, 'ConfigMap', pod, source.configMap.name)?.data
  const absent = source.configMap?.optional ? undefined : keys.find(item => data?.[item.key] === undefined)
  return absent && `configmap references non-existent config key: ${absent.key}`
}

const keyless = (ref: Json) => ref && { name: ref.name, optional: ref.optional }
