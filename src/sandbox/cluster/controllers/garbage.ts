// The garbage collector: what lost its last owner goes; Foreground waits for dependents, Orphan lets them be.
// Works from the store's index of owners, so an object that nobody owns costs nothing.
import { type Kind, kindOf } from '../kinds.ts'
import type { KubeObject } from '../object.ts'
import { StatusError } from '../status-error.ts'
import type { Change } from '../store.ts'
import { type Context, type Controller, keyOf } from './engine.ts'

export function garbageCollector({ store, registry }: Context): Controller {
  const manager = 'kube-controller-manager'
  // Keys carry kind and uid: names alone come again.
  const idOf = ({ kind, object }: Pick<Change, 'kind' | 'object'>) =>
    [object.apiVersion, kind.kind, keyOf(object), object.metadata.uid].join('|')

  function find(id: string): { object?: KubeObject; uid: string } {
    const [apiVersion = '', kindName = '', key = '', uid = ''] = id.split('|')
    const kind = kindOf({ apiVersion, kind: kindName })
    const [namespace, name = ''] = key.split('/')
    const object = kind && store.get(kind, namespace, name)
    return { uid, object: object?.metadata.uid === uid ? object : undefined }
  }

  const exists =
    (object: KubeObject) => (owner: NonNullable<KubeObject['metadata']['ownerReferences']>[number]) => {
      const kind = kindOf(owner)
      // Kinds that the stand-in does not know are left alone.
      if (!kind) return true
      return (
        store.get(kind, kind.namespaced ? object.metadata.namespace : undefined, owner.name)?.metadata.uid ===
        owner.uid
      )
    }

  const targetOf = (object: KubeObject) => {
    const kind = kindOf(object)
    if (!kind) throw new Error(`no kind ${object.kind}`)
    return { kind, namespace: object.metadata.namespace, name: object.metadata.name }
  }

  const remove = (object: KubeObject, propagationPolicy: 'Background' | 'Foreground') =>
    registry
      .remove(targetOf(object), { propagationPolicy, preconditions: { uid: object.metadata.uid } })
      .catch(error => {
        if (!(error instanceof StatusError && [404, 409].includes(error.code))) throw error
      })

  const dropFinalizer = (object: KubeObject, name: string) =>
    registry.mutate(
      targetOf(object),
      draft => {
        draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter(one => one !== name)
      },
      { manager },
    )

  async function orphan(owner: KubeObject) {
    for (const { object } of store.dependents(owner.metadata.uid)) {
      await registry.mutate(
        targetOf(object),
        draft => {
          draft.metadata.ownerReferences = draft.metadata.ownerReferences?.filter(
            one => one.uid !== owner.metadata.uid,
          )
          if (draft.metadata.ownerReferences?.length === 0) delete draft.metadata.ownerReferences
        },
        { manager },
      )
    }
    await dropFinalizer(owner, 'orphan')
  }

  async function foreground(owner: KubeObject) {
    const blocking = store.dependents(owner.metadata.uid)
    if (blocking.length === 0) return void (await dropFinalizer(owner, 'foregroundDeletion'))
    for (const { object } of blocking)
      if (!object.metadata.deletionTimestamp) await remove(object, 'Foreground')
  }

  /** Owners that are being deleted and may wait for this one to be gone. */
  function waitingOwners({ metadata }: KubeObject): { kind: Kind; object: KubeObject }[] {
    return (metadata.ownerReferences ?? []).flatMap(owner => {
      const kind = kindOf(owner)
      const object = kind && store.get(kind, kind.namespaced ? metadata.namespace : undefined, owner.name)
      return kind && object?.metadata.deletionTimestamp ? [{ kind, object }] : []
    })
  }

  return {
    name: 'garbage-collector',
    keys(change) {
      const { object, type } = change
      const { deletionTimestamp, finalizers, ownerReferences } = object.metadata
      if (type === 'DELETED')
        return [...store.dependents(object.metadata.uid), ...waitingOwners(object)].map(idOf)
      if (deletionTimestamp) return finalizers?.length ? [idOf(change)] : []
      // An owner that is missing already is noticed when its dependent comes.
      return type === 'ADDED' && ownerReferences?.length ? [idOf(change)] : []
    },
    async reconcile(id) {
      const { object } = find(id)
      if (!object) return undefined
      const { deletionTimestamp, finalizers = [], ownerReferences = [] } = object.metadata
      if (deletionTimestamp) {
        if (finalizers.includes('orphan')) await orphan(object)
        if (finalizers.includes('foregroundDeletion')) await foreground(object)
        return undefined
      }
      if (ownerReferences.length === 0 || ownerReferences.some(exists(object))) return undefined
      await remove(object, 'Background')
      return undefined
    },
  }
}
