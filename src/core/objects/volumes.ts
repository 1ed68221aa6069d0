// Volumes of an app: its files (one immutable ConfigMap), its storage (claims) and its code.
// Claims are rendered here, bound to what a pool has for them; making that is steps/volume.ts.
import type { V1PersistentVolumeClaim, V1Volume, V1VolumeMount } from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import { recipeOf } from '../code/recipe.ts'
import { sha256 } from '../hash.ts'
import { releaseName } from '../release-name.ts'
import type { Bound, Frozen } from '../workload.ts'
import { filesName, ownLabels, shorten } from './labels.ts'

/** Volumes that gkube adds have names of their own, so that they never meet a name from `storage`. */
export const reservedVolumes = 'gkube-'
const filesVolume = `${reservedVolumes}files`
const tmpVolume = `${reservedVolumes}tmp`

type Whose = { readonly app: string; readonly environment: string }
type Storage = AppSpec['storage'][number]
type Rendered = Pick<Frozen, 'spec' | 'app' | 'revision' | 'artifact' | 'image'>

/** The keys of the ConfigMap (`/etc/web/app.conf` → `etc_web_app.conf`) by path. */
function fileKeys(spec: AppSpec): Map<string, string> {
  const taken = new Set<string>()
  const keys = new Map<string, string>()
  for (const { path, content } of spec.files) {
    if (content === undefined) continue
    const plain = path
      .slice(1)
      .replace(/[^-._A-Za-z0-9]/g, '_')
      .slice(0, 200)
    const key = taken.has(plain) ? `${plain}-${sha256(path).slice(0, 8)}` : plain
    taken.add(key)
    keys.set(path, key)
  }
  return keys
}

/** The data of the files' ConfigMap; null where the app has no file with content. */
export function filesData(spec: AppSpec): Record<string, string> | null {
  const keys = fileKeys(spec)
  const data = spec.files.flatMap(file => {
    const key = keys.get(file.path)
    return key === undefined ? [] : [[key, file.content ?? ''] as const]
  })
  return data.length > 0 ? Object.fromEntries(data) : null
}

/** The claim's name: also what a person types to have its data deleted. */
export const claimName = (app: string, storage: Storage): string => shorten(`${app}-${storage.name}`)

/** A StatefulSet gives each pod a claim of its own for RWO storage; everything else is one shared claim. */
export const isPerPod = (spec: AppSpec, storage: Storage): boolean =>
  spec.kind === 'stateful' && storage.access === 'RWO'

function claimSpec(storage: Storage) {
  return {
    accessModes: [storage.access === 'RWX' ? 'ReadWriteMany' : 'ReadWriteOnce'],
    storageClassName: storage.storageClass,
    resources: { requests: { storage: String(storage.size) } },
  }
}

/** The app's claims. One that lies on a pool names its PersistentVolume, and its request stays as first written. */
export function claims(frozen: Frozen, namespace: string): V1PersistentVolumeClaim[] {
  const { app, spec, bound = {} } = frozen
  return spec.storage
    .filter(storage => !isPerPod(spec, storage))
    .map(storage => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claimName(app, storage), namespace, labels: ownLabels(frozen) },
      spec: { ...claimSpec(storage), ...boundSpec(bound[storage.name]) },
    }))
}

const boundSpec = (bound: Bound | undefined) =>
  bound && {
    storageClassName: '',
    volumeName: bound.volume,
    resources: { requests: { storage: String(bound.request) } },
  }

export const claimTemplates = (spec: AppSpec, whose: Whose): V1PersistentVolumeClaim[] =>
  spec.storage
    .filter(storage => isPerPod(spec, storage))
    .map(storage => ({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: storage.name, labels: ownLabels(whose) },
      spec: claimSpec(storage),
    }))

/** Where a release lives on the app's volume. */
export const releasePath = (name: string): string => `releases/${name}`

/**
 * Code on the first storage: `rollout` mounts one release read-only, so that a switch is a change of the pod
 * template; `reload` mounts the whole volume, where `current` is renamed into place (never `subPath: current`).
 */
function codeMount(rendered: Rendered): V1VolumeMount[] {
  const { spec, revision, artifact } = rendered
  const storage = spec.storage[0]
  if (!spec.code || !storage) return []
  if (spec.code.activate === 'reload') return [{ name: storage.name, mountPath: spec.code.mount }]
  if (!artifact) return []
  const subPath = releasePath(releaseName(revision, artifact.sha256, recipeOf(rendered)))
  return [{ name: storage.name, mountPath: spec.code.mount, subPath, readOnly: true }]
}

function sourceVolume(kind: 'secret' | 'configmap', name: string): string {
  const plain = `${reservedVolumes}${kind}-${name.replaceAll('.', '-')}`
  return name.includes('.') ? shorten(`${plain}-${sha256(name).slice(0, 8)}`) : shorten(plain)
}

/**
 * Volumes and mounts of the app's container and of its Jobs. Files are mounted by subPath, one by one, into
 * directories that the image fills: such a mount is never updated in place, but its ConfigMap never changes.
 * A secret or ConfigMap without a key becomes a whole directory, which the kubelet keeps up to date.
 */
export function podVolumes(
  rendered: Rendered,
  options: { readonly perPod: boolean; readonly code?: false },
): { volumes: V1Volume[]; mounts: V1VolumeMount[] } {
  const { spec, app } = rendered
  const volumes = new Map<string, V1Volume>()
  const mounts: V1VolumeMount[] = []
  const keys = fileKeys(spec)
  const data = filesData(spec)

  for (const storage of spec.storage) {
    if (isPerPod(spec, storage)) {
      // A Job has no ordinal, so it cannot mount a claim of one pod.
      if (options.perPod) mounts.push({ name: storage.name, mountPath: storage.mount })
      continue
    }
    const claim = { claimName: claimName(app, storage) }
    volumes.set(storage.name, { name: storage.name, persistentVolumeClaim: claim })
    mounts.push({ name: storage.name, mountPath: storage.mount })
  }
  // Before it is published, its mount would be an empty folder.
  if (options.code !== false) mounts.push(...codeMount(rendered))

  if (data) volumes.set(filesVolume, { name: filesVolume, configMap: { name: filesName(app, data) } })
  for (const file of spec.files) {
    const mount = { mountPath: file.path, readOnly: true }
    const source = file.secret ?? file.configMap
    if (source === undefined) {
      mounts.push({ ...mount, name: filesVolume, subPath: keys.get(file.path) })
      continue
    }
    const name = sourceVolume(file.secret ? 'secret' : 'configmap', source)
    volumes.set(
      name,
      file.secret ? { name, secret: { secretName: source } } : { name, configMap: { name: source } },
    )
    mounts.push({ ...mount, name, subPath: file.key })
  }

  // Nearly every runtime writes to /tmp: a read-only root without it only makes people turn it off again.
  if (spec.security.readOnlyRoot && !mounts.some(mount => mount.mountPath === '/tmp')) {
    volumes.set(tmpVolume, { name: tmpVolume, emptyDir: {} })
    mounts.push({ name: tmpVolume, mountPath: '/tmp' })
  }
  return { volumes: [...volumes.values()], mounts }
}
