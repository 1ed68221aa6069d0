// Claims and volumes: bound to a volume that fits (or was meant for them), or provisioned by their class;
// kept while a pod uses them; volumes released or removed with their claim. Nothing is stored anywhere.
// A class named `none`, and one that does not exist, leave a claim Pending.
import { kindNamed } from '../kinds.ts'
import type { Json, KubeObject } from '../object.ts'
import { quantity } from '../quantity.ts'
import { selects } from '../selectors.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { isOver, podKind } from './pods.ts'

const claimKind = kindNamed('PersistentVolumeClaim')
const volumeKind = kindNamed('PersistentVolume')
const classKind = kindNamed('StorageClass')
const manager = 'kube-controller-manager'
const from = 'persistentvolume-controller'

const sizeOf = (claim: KubeObject) => quantity(claim.spec.resources.requests.storage)
const claimsOf = (pod: KubeObject): string[] =>
  (pod.spec.volumes ?? []).flatMap((one: Json) =>
    one.persistentVolumeClaim ? [one.persistentVolumeClaim.claimName] : [],
  )

const dropFinalizer = (name: string) => (draft: KubeObject) => {
  draft.metadata.finalizers = draft.metadata.finalizers?.filter(one => one !== name)
}

export function claims({ store, registry, record }: Context): Controller {
  const users = (claim: KubeObject) =>
    store
      .list(podKind, claim.metadata.namespace)
      .filter(pod => !isOver(pod) && claimsOf(pod).includes(claim.metadata.name))

  const meantFor = (claim: KubeObject, { claimRef }: Json) =>
    claimRef?.name === claim.metadata.name &&
    claimRef.namespace === claim.metadata.namespace &&
    (!claimRef.uid || claimRef.uid === claim.metadata.uid)

  function fits(claim: KubeObject, volume: KubeObject): boolean {
    const { spec } = volume
    const offered: string[] = spec.accessModes ?? []
    return (
      !volume.metadata.deletionTimestamp &&
      (meantFor(claim, spec) || (!spec.claimRef && volume.status?.phase !== 'Released')) &&
      (spec.storageClassName ?? '') === (claim.spec.storageClassName ?? '') &&
      quantity(spec.capacity?.storage) >= sizeOf(claim) &&
      claim.spec.accessModes.every((mode: string) => offered.includes(mode)) &&
      (!claim.spec.selector || selects(claim.spec.selector, volume.metadata.labels))
    )
  }

  function findVolume(claim: KubeObject): KubeObject | undefined {
    const all = store
      .list(volumeKind)
      .filter(volume => (claim.spec.volumeName ? volume.metadata.name === claim.spec.volumeName : true))
    const order = (volume: KubeObject) =>
      meantFor(claim, volume.spec) ? -1 : quantity(volume.spec.capacity?.storage)
    return all.filter(volume => fits(claim, volume)).sort((a, b) => order(a) - order(b))[0]
  }

  async function bind(claim: KubeObject, volume: KubeObject) {
    const { namespace, name, uid } = claim.metadata
    const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid }
    const volumeTarget = { kind: volumeKind, name: volume.metadata.name }
    await registry.mutate(
      volumeTarget,
      draft => {
        draft.spec.claimRef = { ...draft.spec.claimRef, ...claimRef }
        draft.metadata.annotations = {
          ...draft.metadata.annotations,
          'pv.kubernetes.io/bound-by-controller': 'yes',
        }
      },
      { manager },
    )
    await registry.mutate(
      volumeTarget,
      draft => {
        draft.status = { ...draft.status, phase: 'Bound' }
      },
      { manager, subresource: 'status' },
    )
    const target = { kind: claimKind, namespace, name }
    await registry.mutate(
      target,
      draft => {
        draft.spec.volumeName = volume.metadata.name
        draft.metadata.annotations = {
          ...draft.metadata.annotations,
          'pv.kubernetes.io/bind-completed': 'yes',
        }
      },
      { manager },
    )
    await registry.mutate(
      target,
      draft => {
        draft.status = {
          phase: 'Bound',
          accessModes: volume.spec.accessModes,
          capacity: volume.spec.capacity,
        }
      },
      { manager, subresource: 'status' },
    )
  }

  async function provision(claim: KubeObject): Promise<undefined> {
    const wanted: string | undefined = claim.spec.storageClassName
    const tell = (reason: string, message: string, warning = false) =>
      record(claim, { reason, message, warning, from })
    if (!wanted || claim.spec.volumeName) {
      const problem = claim.spec.volumeName && mismatch(claim)
      if (problem) tell(problem.reason, problem.message, true)
      if (!claim.spec.volumeName)
        tell('FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
      return undefined
    }
    const storage = store.get(classKind, undefined, wanted)
    if (!storage || wanted === 'none') {
      tell('ProvisioningFailed', `storageclass.storage.k8s.io "${wanted}" not found`, true)
      return undefined
    }
    if (storage.provisioner === 'kubernetes.io/no-provisioner') return undefined
    if (storage.volumeBindingMode === 'WaitForFirstConsumer' && users(claim).length === 0) {
      tell('WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
      return undefined
    }
    const name = `pvc-${claim.metadata.uid}`
    const spec = {
      capacity: { storage: claim.spec.resources.requests.storage },
      accessModes: claim.spec.accessModes,
      persistentVolumeReclaimPolicy: storage.reclaimPolicy,
      storageClassName: wanted,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        namespace: claim.metadata.namespace,
        name: claim.metadata.name,
        uid: claim.metadata.uid,
      },
      hostPath: { path: `/var/lib/sandbox/${name}` },
    }
    const annotations = { 'pv.kubernetes.io/provisioned-by': storage.provisioner }
    const volume =
      store.get(volumeKind, undefined, name) ??
      (await registry.create(volumeKind, { metadata: { name, annotations }, spec }, { manager }))
    tell('ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
    await bind(claim, volume)
    return undefined
  }

  /** Its volume was removed under it: such a claim never comes back. */
  async function lose(claim: KubeObject) {
    const { namespace, name } = claim.metadata
    await registry.mutate(
      { kind: claimKind, namespace, name },
      draft => {
        draft.status = { ...draft.status, phase: 'Lost' }
      },
      { manager, subresource: 'status' },
    )
    record(claim, {
      reason: 'ClaimLost',
      message: 'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
      warning: true,
      from,
    })
  }

  /** Why the volume that a claim names is not taken. */
  function mismatch(claim: KubeObject): { reason: string; message: string } | undefined {
    const volume = store.get(volumeKind, undefined, claim.spec.volumeName)
    if (!volume) return undefined
    const cannot = `Cannot bind to requested volume "${volume.metadata.name}"`
    const { spec } = volume
    if (spec.claimRef && !meantFor(claim, spec))
      return {
        reason: 'FailedBinding',
        message: `volume "${volume.metadata.name}" already bound to a different claim.`,
      }
    const why =
      quantity(spec.capacity?.storage) < sizeOf(claim)
        ? 'requested PV is too small'
        : (spec.storageClassName ?? '') !== (claim.spec.storageClassName ?? '')
          ? 'storageClassName does not match'
          : 'incompatible accessMode'
    return { reason: 'VolumeMismatch', message: `${cannot}: ${why}` }
  }

  /** A larger request grows the volume where its class allows that. */
  async function grow(claim: KubeObject) {
    if (sizeOf(claim) <= quantity(claim.status?.capacity?.storage)) return
    const storage = store.get(classKind, undefined, claim.spec.storageClassName ?? '')
    if (!storage?.allowVolumeExpansion) return
    const size = claim.spec.resources.requests.storage
    await registry.mutate(
      { kind: volumeKind, name: claim.spec.volumeName },
      draft => {
        draft.spec.capacity = { ...draft.spec.capacity, storage: size }
      },
      { manager },
    )
    const { namespace, name } = claim.metadata
    await registry.mutate(
      { kind: claimKind, namespace, name },
      draft => {
        draft.status.capacity = { ...draft.status.capacity, storage: size }
      },
      { manager, subresource: 'status' },
    )
    record(claim, {
      reason: 'FileSystemResizeSuccessful',
      message: 'MountVolume.NodeExpandVolume succeeded',
      from: 'kubelet',
    })
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === claimKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (kind === podKind) return claimsOf(object).map(name => `${object.metadata.namespace}/${name}`)
      const pending = () =>
        store
          .list(claimKind)
          .filter(claim => claim.status?.phase === 'Pending')
          .map(keyOf)
      if (kind === volumeKind && type === 'DELETED')
        return object.spec.claimRef ? [`${object.spec.claimRef.namespace}/${object.spec.claimRef.name}`] : []
      return kind === volumeKind || kind === classKind ? pending() : []
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const claim = store.get(claimKind, namespace, name)
      if (!claim) return undefined
      if (claim.metadata.deletionTimestamp) {
        if (users(claim).length === 0)
          await registry.mutate(
            { kind: claimKind, namespace, name },
            dropFinalizer('kubernetes.io/pvc-protection'),
            { manager },
          )
        return undefined
      }
      if (claim.status?.phase === 'Bound') {
        if (store.get(volumeKind, undefined, claim.spec.volumeName)) return void (await grow(claim))
        return void (await lose(claim))
      }
      if (claim.status?.phase === 'Lost') return undefined
      const volume = findVolume(claim)
      if (volume) return void (await bind(claim, volume))
      return provision(claim)
    },
  }
}

export function volumes({ store, registry }: Context): Controller {
  return {
    name: 'volume-controller',
    keys({ kind, object, type }) {
      if (kind === volumeKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (kind !== claimKind || type !== 'DELETED') return []
      return store
        .list(volumeKind)
        .filter(volume => volume.spec.claimRef?.uid === object.metadata.uid)
        .map(keyOf)
    },
    async reconcile(key) {
      const { name } = splitKey(key)
      const volume = store.get(volumeKind, undefined, name)
      if (!volume) return undefined
      const target = { kind: volumeKind, name }
      const { claimRef, persistentVolumeReclaimPolicy } = volume.spec
      const claim = claimRef && store.get(claimKind, claimRef.namespace, claimRef.name)
      const lost = Boolean(claimRef?.uid) && claim?.metadata.uid !== claimRef.uid
      if (volume.metadata.deletionTimestamp) {
        if (!claim || lost)
          await registry.mutate(target, dropFinalizer('kubernetes.io/pv-protection'), { manager })
        return undefined
      }
      const phase = lost ? 'Released' : claimRef?.uid ? 'Bound' : 'Available'
      await registry.mutate(
        target,
        draft => {
          draft.status = { ...draft.status, phase }
        },
        { manager, subresource: 'status' },
      )
      if (lost && persistentVolumeReclaimPolicy === 'Delete') await registry.remove(target)
      return undefined
    },
  }
}
