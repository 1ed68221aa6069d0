// Volumes of a pod as folders of this machine: claims by way of their PersistentVolume, emptyDir, ConfigMaps, Secrets and
// the downward API as files. What a PersistentVolume names is only used where the sandbox made it (`hostPaths`): a
// hostPath of /etc is a folder of the scratch folder, like every other volume.
import { mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { fieldOf } from '../environment.ts'
import { kindNamed } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import type { Store } from '../store.ts'
import type { Mount } from './translate.ts'

type Look = Pick<Store, 'get'>

type Where = {
  readonly store: Look
  /** Everything that is not a pool's lies below it. */
  readonly folder: string
  /** Folders that a PersistentVolume may name. */
  readonly hostPaths: readonly string[]
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep)

export function podVolumes({ store, folder, hostPaths }: Where) {
  const podFolder = (pod: KubeObject): string => join(folder, 'pods', pod.metadata.uid)

  /** Where a volume is; made where it is missing. Throws with what the kubelet would say. */
  async function folderOf(pod: KubeObject, volume: Json): Promise<string> {
    if (volume.persistentVolumeClaim) return ofClaim(pod, volume.persistentVolumeClaim.claimName)
    if (volume.hostPath) return join(folder, 'host', resolve('/', volume.hostPath.path))
    const own = join(podFolder(pod), 'volumes', volume.name)
    const files = filesOf(store, pod, volume)
    await mkdir(own, { recursive: true, mode: 0o755 })
    for (const [name, { content, mode }] of files) {
      const file = resolve(own, name)
      if (!isWithin(file, own)) throw new Error(`${name} is not a path inside the volume ${volume.name}`)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content, { mode })
    }
    return own
  }

  async function ofClaim(pod: KubeObject, name: string): Promise<string> {
    const claim = store.get(kindNamed('PersistentVolumeClaim'), pod.metadata.namespace, name)
    const bound = claim?.spec.volumeName
    const volume = bound && store.get(kindNamed('PersistentVolume'), undefined, bound)
    if (!volume) throw new Error(`persistentvolumeclaim "${name}" is not bound`)
    const { hostPath } = volume.spec
    const path = hostPath && resolve('/', hostPath.path)
    const isPool = path && hostPaths.some(one => isWithin(path, one))
    const real = isPool ? path : join(folder, 'volumes', bound)
    if (!isPool || hostPath.type !== 'Directory') await mkdir(real, { recursive: true, mode: 0o755 })
    const is = await stat(real).catch(() => null) // not there, or its mount is gone: said in the kubelet's words
    if (!is?.isDirectory())
      throw new Error(`hostPath type check failed: ${hostPath?.path ?? real} is not a directory`)
    return real
  }

  return {
    /** The folder of what a pod has for itself. */
    podFolder,
    folderOf,
    /** The mounts of one container, with subPath resolved now: what is not there becomes a folder, as on a node. */
    async mountsOf(pod: KubeObject, container: Json): Promise<readonly Mount[]> {
      const mounts: Mount[] = []
      for (const { name, mountPath, subPath } of container.volumeMounts ?? []) {
        const volume = (pod.spec.volumes ?? []).find((one: Json) => one.name === name)
        if (!volume) throw new Error(`there is no volume ${name}`)
        const top = await realpath(await folderOf(pod, volume))
        const real = subPath ? await below(top, subPath) : top
        mounts.push({ mountPath, real, volume: top })
      }
      return mounts
    },
    forget: (pod: KubeObject): Promise<void> => rm(podFolder(pod), { recursive: true, force: true }),
  }
}

async function below(top: string, subPath: string): Promise<string> {
  const wanted = resolve(top, subPath)
  if (!isWithin(wanted, top)) throw new Error(`subPath ${subPath} leads out of its volume`)
  if (!(await stat(wanted).catch(() => null))) await mkdir(wanted, { recursive: true, mode: 0o750 })
  const real = await realpath(wanted)
  if (!isWithin(real, top)) throw new Error(`subPath ${subPath} leads out of its volume by a link`)
  return real
}

type File = { readonly content: Buffer; readonly mode: number }

/** What a volume holds from the beginning; nothing for an emptyDir. */
function filesOf(store: Look, pod: KubeObject, volume: Json): Map<string, File> {
  const { projected, configMap, downwardAPI } = volume
  const secret = volume.secret && { ...volume.secret, name: volume.secret.secretName }
  const sources: Json[] = projected?.sources ?? [{ configMap, secret, downwardAPI }]
  const fallback = (projected ?? configMap ?? secret)?.defaultMode ?? 0o644
  return new Map(
    sources.flatMap(source =>
      itemsOf(store, pod, source).map(({ path, content, mode }) => [
        path,
        { content, mode: mode ?? fallback },
      ]),
    ),
  )
}

type Item = { readonly path: string; readonly content: Buffer; readonly mode?: number }

function itemsOf(store: Look, pod: KubeObject, source: Json): Item[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source
  if (serviceAccountToken)
    return [{ path: serviceAccountToken.path, content: Buffer.from('sandbox'), mode: 0o600 }]
  if (downwardAPI)
    return (downwardAPI.items as Json[])
      .filter(({ fieldRef }) => fieldRef)
      .map(({ path, fieldRef, mode }) => ({
        path,
        content: Buffer.from(fieldOf(pod, fieldRef.fieldPath)),
        mode,
      }))
  const from = configMap ?? secret
  if (!from) return []
  const kind = configMap ? 'ConfigMap' : 'Secret'
  const all = contentsOf(kind, store.get(kindNamed(kind), pod.metadata.namespace, from.name))
  const items: Json[] = from.items ?? [...all.keys()].map(key => ({ key, path: key }))
  return items.flatMap(({ key, path, mode }) => {
    const content = all.get(key)
    return content ? [{ path, content, mode }] : []
  })
}

function contentsOf(kind: 'ConfigMap' | 'Secret', found: KubeObject | undefined): Map<string, Buffer> {
  const entries = (part: Json, encoding: BufferEncoding): [string, Buffer][] =>
    Object.entries((part ?? {}) as Record<string, string>).map(([key, text]) => [
      key,
      Buffer.from(text, encoding),
    ])
  return new Map([
    ...entries(found?.data, kind === 'Secret' ? 'base64' : 'utf8'),
    ...entries(found?.binaryData, 'base64'),
  ])
}
