// Pure: the PersistentVolume that binds a claim to what lies on a pool, by the way its pods mount it; and whether one that
// is there already is it. One that differs is never switched to another place. steps/volume.ts writes what this says.
import type { JsonOperation, KubeObject } from '../cluster.ts'
import { nameOf } from '../cluster.ts'
import { ownAnnotations } from '../hash.ts'
import { deployAnnotations, ownership } from '../objects/labels.ts'
import { fieldsOf } from '../objects/pod-templates.ts'
import { amount } from '../units.ts'
import type { Bound, Frozen } from '../workload.ts'
import { bytesOf, type StorageWork } from './bound.ts'
import { directoryOf, ownVolumeOf } from './place.ts'
import type { PoolVolume } from './pool.ts'
import type { PoolSide } from './pool-side.ts'

export const storageLabel = `${ownAnnotations}storage`
/** What it lies on: read again when the app comes back after a delete. */
const poolAnnotation = `${ownAnnotations}pool`
const kindAnnotation = `${ownAnnotations}pool-volume`

/** Sources of a PersistentVolume that gkube writes; one that has another is not gkube's doing. */
const sources = ['glusterfs', 'csi', 'hostPath'] as const

type Source = Readonly<Record<string, unknown>>

/** How its pods mount it. `side` says where the pool is; a directory has a path on it, a volume of its own has none. */
export function sourceOf({ strategy, volume, servers }: PoolSide, of: PoolVolume): Source {
  const own = of.kind === 'own'
  const directory = directoryOf(of.place)
  const gluster = own ? ownVolumeOf(of.place) : volume
  switch (strategy.kind) {
    case 'intree': {
      const { name, namespace } = strategy.endpoints
      const path = own ? gluster : `${gluster}/${directory}`
      return { glusterfs: { endpoints: name, endpointsNamespace: namespace, path } }
    }
    case 'nfs-csi': {
      const { server } = strategy
      const share = `${strategy.share}/${directory}`
      return {
        csi: {
          driver: 'nfs.csi.k8s.io',
          volumeHandle: `${server}${share}##`,
          volumeAttributes: { server, share },
        },
      }
    }
    case 'kadalu': {
      const hostvol = strategy.storageClass.replace(/^kadalu\./, '')
      const attributes = { type: 'External', pvtype: 'subvol', gserver: servers[0] ?? '', gvolname: gluster }
      return {
        csi: {
          driver: 'kadalu',
          volumeHandle: own ? gluster : `${hostvol}/${directory}`,
          volumeAttributes: own
            ? { ...attributes, hostvol: gluster }
            : { ...attributes, hostvol, path: directory },
        },
      }
    }
    case 'hostpath':
      // Directory: on a node where the volume is not mounted the pod waits with an error, and writes nothing there.
      return { hostPath: { path: `${strategy.path}/${directory}`, type: 'Directory' } }
  }
}

export type Wished = {
  readonly frozen: Pick<Frozen, 'app' | 'environment' | 'revision'>
  readonly work: Pick<StorageWork, 'storage' | 'bound' | 'volume' | 'claim'>
  readonly side: PoolSide
  readonly namespace: string
  /** What the pool gives it now. */
  readonly bytes: number
  readonly deploy: { readonly id: string; readonly epoch: number }
}

export function persistentVolume({ frozen, work, side, namespace, bytes, deploy }: Wished): KubeObject {
  const { storage, bound, volume, claim } = work
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: bound.volume,
      labels: { ...ownership(frozen), [storageLabel]: storage.name },
      annotations: {
        [poolAnnotation]: bound.pool,
        [kindAnnotation]: bound.kind,
        ...deployAnnotations(deploy, frozen.revision),
      },
    },
    spec: {
      accessModes: [storage.access === 'RWX' ? 'ReadWriteMany' : 'ReadWriteOnce'],
      capacity: { storage: bytes === bytesOf(storage) ? String(storage.size) : String(bytes) },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim },
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      ...(side.strategy.kind === 'nfs-csi' ? { mountOptions: ['nfsvers=4.1'] } : {}),
      ...sourceOf(side, volume),
    },
  }
}

/** What a live PersistentVolume says of itself; null: it is not gkube's for this storage. */
export function boundBefore(
  live: KubeObject,
  of: { readonly app: string; readonly environment: string; readonly storage: string },
): Pick<Bound, 'pool' | 'kind'> | null {
  const labels = live.metadata.labels ?? {}
  const wanted = { ...ownership(of), [storageLabel]: of.storage }
  if (Object.entries(wanted).some(([key, value]) => labels[key] !== value)) return null
  const { [poolAnnotation]: pool, [kindAnnotation]: kind } = live.metadata.annotations ?? {}
  return pool && (kind === 'directory' || kind === 'own') ? { pool, kind } : null
}

export type Compared =
  | { readonly kind: 'same' }
  /** `words`: what these operations of a JSON patch come to. */
  | { readonly kind: 'change'; readonly operations: readonly JsonOperation[]; readonly words: string }
  | { readonly kind: 'refused'; readonly message: string }

/** `claim`: the one that it is for, as it is now. */
export function compareVolume(
  live: KubeObject,
  wanted: KubeObject,
  claim: Pick<KubeObject, 'metadata'> | null,
): Compared {
  const name = nameOf(wanted)
  const [spec, to] = [fieldsOf(live.spec), fieldsOf(wanted.spec)]
  const status = fieldsOf(live.status)
  const refused = (message: string): Compared => ({ kind: 'refused', message: `${name} ${message}` })
  const labels = wanted.metadata.labels ?? {}
  if (Object.entries(labels).some(([key, value]) => live.metadata.labels?.[key] !== value))
    return refused(
      'is there and is not the one that gkube made for this storage. It is left alone: rename or delete it.',
    )
  if (live.metadata.deletionTimestamp) return refused('is being deleted. Deploy again when it is gone.')
  if (status.phase === 'Failed')
    return refused(
      `has failed (${status.message ?? 'no reason given'}). Look at it: kubectl describe pv ${live.metadata.name}`,
    )
  if (sources.some(key => !isSame(spec[key], to[key])))
    return refused(
      `mounts ${placeText(spec)}, and by gkube.yaml it would mount ${placeText(to)}. gkube never moves a volume: put the pool back as it was, or delete the volume by its name and deploy again.`,
    )
  if (spec.persistentVolumeReclaimPolicy !== 'Retain')
    return refused(
      `would be ${spec.persistentVolumeReclaimPolicy === 'Delete' ? 'deleted' : 'cleared'} with its claim. Put it right: kubectl patch pv ${live.metadata.name} -p '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}'`,
    )
  const [held, meant] = [fieldsOf(spec.claimRef), fieldsOf(to.claimRef)]
  if (held.namespace !== meant.namespace || held.name !== meant.name)
    return refused(
      `is held for claim ${held.namespace ?? '?'}/${held.name ?? '?'}, not for ${meant.namespace}/${meant.name}. It is left alone.`,
    )
  const modes = listOfText(to.accessModes).filter(mode => !listOfText(spec.accessModes).includes(mode))
  if (modes.length > 0)
    return refused(
      `gives ${listOfText(spec.accessModes).join(', ')} and not ${modes.join(', ')}: access does not change.`,
    )
  return changesOf({ live, held, capacity: capacityOf(spec), wanted: capacityOf(to), claim, refused })
}

function changesOf(at: {
  live: KubeObject
  held: Readonly<Record<string, unknown>>
  capacity: string
  wanted: string
  claim: Pick<KubeObject, 'metadata'> | null
  refused: (message: string) => Compared
}): Compared {
  const { live, held, capacity, wanted, claim } = at
  const operations: JsonOperation[] = []
  const words: string[] = []
  const isHeld = typeof held.uid === 'string' && held.uid !== ''
  if (isHeld && claim && claim.metadata.uid === held.uid && claim.metadata.deletionTimestamp)
    return at.refused('is held by a claim that is being deleted. Deploy again when it is gone.')
  // Its claim is gone: without the uid it is bound to the next one of that name, which is this app's.
  if (isHeld && claim?.metadata.uid !== held.uid) {
    operations.push({ op: 'remove', path: '/spec/claimRef/uid' })
    if (held.resourceVersion !== undefined)
      operations.push({ op: 'remove', path: '/spec/claimRef/resourceVersion' })
    words.push('bound again with its data')
  }
  // What is larger already stays so.
  if (amount(wanted) > amount(capacity)) {
    operations.push({ op: 'replace', path: '/spec/capacity/storage', value: wanted })
    words.push(`grown from ${capacity} to ${wanted}`)
  }
  if (operations.length === 0) return { kind: 'same' }
  // Not a test: a server calls that invalid, and this a conflict.
  const fence = {
    op: 'replace' as const,
    path: '/metadata/resourceVersion',
    value: live.metadata.resourceVersion,
  }
  return { kind: 'change', operations: [fence, ...operations], words: words.join(', ') }
}

const capacityOf = (spec: Readonly<Record<string, unknown>>): string =>
  String(fieldsOf(spec.capacity).storage ?? '0')
const listOfText = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

/** Every field that gkube writes is as it writes it; what the server adds (`readOnly: false`) is not compared. */
function isSame(live: unknown, wanted: unknown): boolean {
  if (wanted === undefined) return live === undefined || live === null
  if (typeof wanted !== 'object' || wanted === null) return live === wanted
  const there = fieldsOf(live)
  return Object.entries(wanted).every(([key, value]) => isSame(there[key], value))
}

/** Where a PersistentVolume is, in few words. */
export function placeText(spec: Readonly<Record<string, unknown>>): string {
  const [gluster, csi, host] = [fieldsOf(spec.glusterfs), fieldsOf(spec.csi), fieldsOf(spec.hostPath)]
  if (gluster.path !== undefined) return `glusterfs ${gluster.path}`
  if (csi.driver !== undefined) return `${csi.driver} ${csi.volumeHandle}`
  if (host.path !== undefined) return `hostPath ${host.path}`
  return 'something else'
}
