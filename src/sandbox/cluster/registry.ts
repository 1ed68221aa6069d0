// The verbs on objects, without HTTP: get, list, create, update, patch, apply, delete. Requests (http.ts) and
// controllers go the same way: defaults, admission, validation, managedFields, then one compare-and-swap.
// Dry runs do everything but that. Watches are in watch.ts.
import { randomUUID } from 'node:crypto'
import { admissionOver } from './admission.ts'
import { applyConfig, trackUpdate } from './apply.ts'
import { setDefaults } from './defaults.ts'
import { apiVersion, type Kind } from './kinds.ts'
import {
  clone,
  type Draft,
  type Json,
  type KubeObject,
  randomSuffix,
  same,
  timestamp,
  withoutNulls,
} from './object.ts'
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts'
import { alreadyExists, badRequest, conflict, forbidden, notFound } from './status-error.ts'
import type { Store } from './store.ts'
import { checkKind, templateOf, validate } from './validation.ts'

export type Registry = ReturnType<typeof registryOver>

export type WriteOptions = {
  /** Who is recorded in managedFields. */
  readonly manager: string
  readonly dryRun?: boolean
  readonly subresource?: string
  /** Of an apply: take what others own. */
  readonly force?: boolean
  /** Warnings for the person who asks are added here. */
  readonly warnings?: string[]
  /** A controller's own write, such as binding a pod: what users may not change is not checked. */
  readonly trusted?: boolean
}

export type DeleteOptions = {
  readonly dryRun?: boolean
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground'
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

type Target = { readonly kind: Kind; readonly namespace?: string; readonly name: string }

const attempts = 20
const permanent = ['default', 'kube-system', 'kube-public']

/** Kinds whose DELETE answers the object instead of a Status. */
const answersObject = [
  'Pod',
  'Service',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ServiceAccount',
  'ResourceQuota',
  'Namespace',
]

export function registryOver(store: Store) {
  const admission = admissionOver(store)

  function get({ kind, namespace, name }: Target): KubeObject {
    const found = store.get(kind, namespace, name)
    if (!found) throw notFound(kind, name)
    return found
  }

  async function create(
    kind: Kind,
    draft: Draft,
    options: WriteOptions & { namespace?: string },
  ): Promise<KubeObject> {
    const object = prepare(kind, draft, options.namespace)
    setDefaults(kind, object)
    object.metadata.managedFields = trackUpdate(kind, undefined, object, options)
    return insert(kind, object, options)
  }

  function prepare(kind: Kind, draft: Draft, namespace?: string): KubeObject {
    checkKind(kind, draft)
    const { metadata = {} } = draft
    if (kind.namespaced && namespace && metadata.namespace && metadata.namespace !== namespace) {
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      )
    }
    if (metadata.resourceVersion)
      throw badRequest('resourceVersion should not be set on objects to be created')
    const name =
      metadata.name || (metadata.generateName ? metadata.generateName.slice(0, 58) + randomSuffix() : '')
    const object = withoutNulls({
      ...draft,
      apiVersion: apiVersion(kind),
      kind: kind.kind,
      metadata: { ...metadata, name },
    }) as KubeObject
    if (kind.namespaced) object.metadata.namespace = namespace ?? metadata.namespace ?? 'default'
    else delete object.metadata.namespace
    return object
  }

  async function insert(kind: Kind, object: KubeObject, options: WriteOptions): Promise<KubeObject> {
    const meta = object.metadata
    meta.uid = randomUUID()
    meta.creationTimestamp = timestamp()
    delete meta.deletionTimestamp
    if (kind.generation) meta.generation = 1
    if (kind.subresources.includes('status') && !(options.trusted && object.status)) delete object.status
    setDefaults(kind, object)
    admission.create(kind, object)
    validate(kind, object)
    options.warnings?.push(...admission.warnings(object))
    if (store.get(kind, meta.namespace, meta.name)) throw alreadyExists(kind, meta.name)
    if (options.dryRun) return object
    const stored = await store.put(kind, object, '0')
    if (!stored) throw alreadyExists(kind, meta.name)
    return stored
  }

  /**
   * Replaces an object by what `change` makes of the live one; 409 Conflict when the outcome names a
   * resourceVersion that is no longer the live one. Without one, it is tried again on what others wrote.
   */
  async function update(
    target: Target,
    change: (live: KubeObject) => KubeObject,
    options: WriteOptions,
  ): Promise<KubeObject> {
    const { kind, name } = target
    for (let attempt = 1; ; attempt++) {
      const live = get(target)
      const wanted = change(live)
      const next = settle(kind, live, wanted, options)
      if (next === live) return live
      if (options.dryRun) return next
      const gone = next.metadata.deletionTimestamp && !next.metadata.finalizers?.length && isDue(next)
      if (gone ? await store.remove(kind, live) : undefined) return next
      const stored = gone ? undefined : await store.put(kind, next, live.metadata.resourceVersion)
      if (stored) return stored
      // Someone was faster. A wanted resourceVersion is compared again on the next turn, and refused there.
      if (attempt >= attempts) throw conflict(kind, name)
    }
  }

  // A pod that has been asked to end goes when its kubelet says so, by a delete without grace.
  const isDue = (object: KubeObject) => !object.metadata.deletionGracePeriodSeconds

  /** What is stored for a wanted object; the live one itself when nothing changes. */
  function settle(kind: Kind, live: KubeObject, wanted: KubeObject, options: WriteOptions): KubeObject {
    checkKind(kind, wanted)
    const { name } = live.metadata
    const meta = wanted.metadata ?? {}
    if (meta.name !== undefined && meta.name !== name) {
      throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`)
    }
    if (meta.resourceVersion && meta.resourceVersion !== live.metadata.resourceVersion)
      throw conflict(kind, name)
    if (meta.uid && meta.uid !== live.metadata.uid) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${live.metadata.uid}`,
      )
    }
    const next = withoutNulls(narrow(kind, live, wanted, options.subresource))
    const {
      uid,
      creationTimestamp,
      namespace,
      generation,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      generateName,
    } = live.metadata
    Object.assign(next.metadata, {
      name,
      namespace,
      uid,
      creationTimestamp,
      generation,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      generateName,
    })
    if (options.subresource !== 'status') {
      setDefaults(kind, next)
      if (!options.trusted) {
        admission.update(kind, next, live)
        validate(kind, next, live)
      }
      if (kind.generation && !same(withoutMeta(kind, next), withoutMeta(kind, live))) {
        next.metadata.generation = (live.metadata.generation ?? 0) + 1
        options.warnings?.push(...(same(templateOf(next), templateOf(live)) ? [] : admission.warnings(next)))
      }
    }
    next.metadata.resourceVersion = live.metadata.resourceVersion
    const unmanaged = (object: KubeObject) => ({
      ...object,
      metadata: { ...object.metadata, managedFields: undefined },
    })
    const sameManagers = same(withoutTimes(next), withoutTimes(live))
    if (same(unmanaged(next), unmanaged(live)) && sameManagers) return live
    return next
  }

  /** Of what is wanted, only what this subresource may change; managedFields kept up. */
  function narrow(
    kind: Kind,
    live: KubeObject,
    wanted: KubeObject,
    subresource: string | undefined,
  ): KubeObject {
    const managed = wanted.metadata?.managedFields ?? live.metadata.managedFields
    if (subresource === 'status') {
      return { ...live, metadata: { ...live.metadata, managedFields: managed }, status: wanted.status }
    }
    const object = {
      ...wanted,
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: { ...wanted.metadata, managedFields: managed },
    }
    return kind.subresources.includes('status') ? { ...object, status: live.status } : object
  }

  const withoutTimes = (object: KubeObject) =>
    (object.metadata.managedFields ?? []).map(({ time: _time, ...entry }) => entry)

  const withoutMeta = (kind: Kind, { metadata: _m, status, ...rest }: KubeObject) =>
    kind.subresources.includes('status') ? rest : { ...rest, status }

  /** An update whose changes are recorded for its manager. */
  function replace(target: Target, change: (live: KubeObject) => KubeObject, options: WriteOptions) {
    const { kind } = target
    return update(
      target,
      live => {
        const wanted = change(live)
        const next = withoutNulls(narrow(kind, live, wanted, options.subresource))
        if (options.subresource !== 'status') setDefaults(kind, next)
        return {
          ...next,
          metadata: {
            ...next.metadata,
            ...pinned(wanted),
            managedFields: trackUpdate(kind, live, next, options),
          },
        }
      },
      options,
    )
  }

  const pinned = (wanted: KubeObject) => ({
    name: wanted.metadata?.name,
    uid: wanted.metadata?.uid,
    resourceVersion: wanted.metadata?.resourceVersion,
  })

  async function apply(
    target: Target,
    config: Json,
    options: WriteOptions,
  ): Promise<{ object: KubeObject; created: boolean }> {
    const { kind, namespace, name } = target
    checkKind(kind, config)
    const meta = config.metadata ?? {}
    if (meta.managedFields?.length) throw badRequest('metadata.managedFields must be nil')
    if (meta.name !== undefined && meta.name !== name) {
      throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`)
    }
    const draft: Draft = { ...config, metadata: { ...meta, name, namespace } }
    const merge = (live?: KubeObject) =>
      applyConfig(kind, live, draft, { ...options, force: options.force ?? false })
    if (!options.subresource && !store.get(kind, namespace, name)) {
      if (meta.uid)
        throw conflict(
          kind,
          name,
          `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: `,
        )
      const { resourceVersion: _, ...metadata } = merge().metadata
      try {
        const object = prepare(kind, { ...merge(), metadata } as Draft, namespace)
        return { object: await insert(kind, object, options), created: true }
      } catch (error) {
        // Someone else made it in the meantime: apply onto that.
        if (!store.get(kind, namespace, name) || options.dryRun) throw error
      }
    }
    const object = await update(
      target,
      live => {
        // Checked before conflicts of fields: a stale version is not worth comparing.
        if (meta.resourceVersion && meta.resourceVersion !== live.metadata.resourceVersion)
          throw conflict(kind, name)
        const next = merge(live)
        return {
          ...next,
          metadata: {
            ...next.metadata,
            uid: meta.uid ?? live.metadata.uid,
            resourceVersion: meta.resourceVersion ?? '',
          },
        }
      },
      options,
    )
    return { object, created: false }
  }

  async function patch(
    target: Target,
    type: PatchType,
    body: Json,
    options: WriteOptions,
  ): Promise<{ object: KubeObject; created: boolean }> {
    if (type === 'apply') return apply(target, body, options)
    const { kind } = target
    const change = (live: KubeObject): KubeObject => {
      // A patch that names no version is tried again on whatever is live.
      const { resourceVersion, ...metadata } = live.metadata
      const base = {
        ...live,
        metadata: { ...metadata, ...(type === 'json' ? { resourceVersion } : {}) },
      } as KubeObject
      const next =
        type === 'json'
          ? jsonPatch(base, body)
          : type === 'merge'
            ? mergePatch(base, body)
            : strategicMergePatch(kind, base, body)
      if (type === 'json' && next.metadata?.resourceVersion === resourceVersion) {
        return { ...next, metadata: { ...next.metadata, resourceVersion: '' } }
      }
      return next
    }
    return { object: await replace(target, change, options), created: false }
  }

  /** Deletes, or marks as being deleted while finalizers or a pod's grace remain. `gone` tells which. */
  async function remove(
    target: Target,
    options: DeleteOptions = {},
  ): Promise<{ object: KubeObject; gone: boolean; asObject: boolean }> {
    const { kind, name } = target
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const live = get(target)
      if (kind.kind === 'Namespace' && permanent.includes(name)) {
        throw forbidden(kind, name, 'this namespace may not be deleted')
      }
      const { uid, resourceVersion } = options.preconditions ?? {}
      if (uid && uid !== live.metadata.uid) {
        throw conflict(
          kind,
          name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
        )
      }
      if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
        throw conflict(
          kind,
          name,
          `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${live.metadata.resourceVersion}`,
        )
      }
      const next = marked(kind, live, options)
      const { deletionGracePeriodSeconds: grace = 0, finalizers = [] } = next.metadata
      const gone = grace === 0 && finalizers.length === 0 && kind.kind !== 'Namespace'
      const asObject = !gone || answersObject.includes(kind.kind)
      if (options.dryRun || (!gone && same(next, live))) return { object: next, gone, asObject }
      if (
        gone ? await store.remove(kind, live) : await store.put(kind, next, live.metadata.resourceVersion)
      ) {
        return { object: next, gone, asObject }
      }
    }
    throw conflict(kind, name)
  }

  /** The object as being deleted: its time, its grace and the collector's finalizers. */
  function marked(kind: Kind, live: KubeObject, options: DeleteOptions): KubeObject {
    const next = clone(live)
    const meta = next.metadata
    const policy =
      options.propagationPolicy ?? (kind.orphans && !meta.deletionTimestamp ? 'Orphan' : undefined)
    const collector = ['orphan', 'foregroundDeletion']
    if (policy) {
      meta.finalizers = (meta.finalizers ?? []).filter(one => !collector.includes(one))
      if (policy === 'Orphan' && store.dependents(meta.uid).length > 0) meta.finalizers.push('orphan')
      if (policy === 'Foreground') meta.finalizers.push('foregroundDeletion')
      if (meta.finalizers.length === 0) delete meta.finalizers
    }
    const grace = graceOf(kind, live, options)
    const first = !meta.deletionTimestamp
    if (first || grace < (meta.deletionGracePeriodSeconds ?? 0)) {
      meta.deletionTimestamp = timestamp(Date.now() + grace * 1000)
      meta.deletionGracePeriodSeconds = grace
    }
    if (first && kind.generation) meta.generation = (meta.generation ?? 0) + 1
    if (kind.kind === 'Namespace') next.status = { ...next.status, phase: 'Terminating' }
    return next
  }

  /** Seconds a pod may take to end; other kinds take none, and so does a pod that never ran. */
  function graceOf(kind: Kind, live: KubeObject, options: DeleteOptions): number {
    if (kind.kind !== 'Pod') return 0
    if (!live.spec.nodeName || ['Succeeded', 'Failed'].includes(live.status?.phase)) return 0
    return options.gracePeriodSeconds ?? live.spec.terminationGracePeriodSeconds ?? 30
  }

  return {
    get,
    create,
    replace,
    patch,
    remove,
    usage: admission.usage,
    /** Takes an object out whatever its finalizers: the end of a namespace. */
    drop: (kind: Kind, object: KubeObject) => store.remove(kind, object),
    /** Writes only if `change` makes a difference; undefined when the object is gone. For controllers. */
    async mutate(
      target: Target,
      change: (draft: KubeObject) => void,
      options: WriteOptions,
    ): Promise<KubeObject | undefined> {
      if (!store.get(target.kind, target.namespace, target.name)) return undefined
      return replace(
        target,
        live => {
          const draft = clone(live)
          change(draft)
          draft.metadata.resourceVersion = ''
          return draft
        },
        { trusted: true, ...options },
      )
    },
  }
}
