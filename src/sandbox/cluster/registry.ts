// The verbs on objects, without HTTP: get, list, create, update, patch, apply, delete. Requests (http.ts) and
// controllers go the same way: defaults, admission, validation, managedFields, then one compare-and-swap.
// Dry runs do everything but that. Watches are in watch.ts.
import { randomUUID } from 'node:crypto'
import { admissionOver } from './admission.ts'
import { applyConfig, checkTyped, trackUpdate } from './apply.ts'
import { setDefaults, setFirstStatus } from './defaults.ts'
import { checkDeletion, type DeleteOptions, type Deletion, deletionOf, isDue } from './deletion.ts'
import { apiVersion, type Kind } from './kinds.ts'
import {
  clone,
  type Draft,
  type Json,
  type KubeObject,
  type Meta,
  randomSuffix,
  same,
  timestamp,
  withoutNulls,
} from './object.ts'
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts'
import { alreadyExists, badRequest, conflict, invalid, notFound, StatusError } from './status-error.ts'
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

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

type Target = { readonly kind: Kind; readonly namespace?: string; readonly name: string }

const attempts = 20

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
    const metadata: Partial<Meta> = { ...draft.metadata }
    if (kind.namespaced && namespace && metadata.namespace && metadata.namespace !== namespace) {
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      )
    }
    if (metadata.resourceVersion)
      throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created')
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
    setFirstStatus(kind, object)
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
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const live = get(target)
      const next = settle(kind, live, change(live), options)
      if (next === live || options.dryRun) return next
      // The last finalizer of an object that is being deleted: it goes.
      const due = isDue(kind, next)
      const stored = due
        ? await store.remove(kind, live)
        : await store.put(kind, next, live.metadata.resourceVersion)
      if (stored) return stored === true ? next : stored
      // Someone was faster. A wanted resourceVersion is compared again on the next turn, and refused there.
    }
    throw conflict(kind, name)
  }

  /** What is stored for a wanted object; the live one itself when nothing changes. */
  function settle(kind: Kind, live: KubeObject, wanted: KubeObject, options: WriteOptions): KubeObject {
    checkKind(kind, wanted)
    checkIdentity(kind, live, wanted.metadata ?? {})
    const next = withoutNulls(narrow(kind, live, wanted, options.subresource))
    for (const field of kept) {
      if (live.metadata[field] === undefined) delete next.metadata[field]
      else Object.assign(next.metadata, { [field]: live.metadata[field] })
    }
    if (options.subresource !== 'status') {
      setDefaults(kind, next)
      if (!options.trusted) {
        admission.update(kind, next, live)
        validate(kind, next, live)
      }
      if (kind.generation && !same(withoutMeta(kind, next), withoutMeta(kind, live))) {
        next.metadata.generation = (live.metadata.generation ?? 0) + 1
        if (!same(templateOf(next), templateOf(live))) options.warnings?.push(...admission.warnings(next))
      }
    }
    // A later time alone is no change.
    return same(withoutTimes(next), withoutTimes(live)) ? live : next
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
    checkTyped(kind, { ...config, metadata: meta })
    // A version named for what does not exist yet is not looked at, as by the real server.
    const { resourceVersion: _, ...rest } = meta
    const draft: Draft = { ...config, metadata: { ...rest, name, namespace } }
    const merge = (live?: KubeObject) =>
      applyConfig(kind, live, draft, { ...options, force: options.force ?? false })
    if (!options.subresource && !store.get(kind, namespace, name)) {
      if (meta.uid) {
        const why = `uid mismatch: the provided object specified uid ${meta.uid}, and no existing object was found`
        throw conflict(kind, name, why)
      }
      try {
        return { object: await insert(kind, prepare(kind, merge(), namespace), options), created: true }
      } catch (error) {
        // Someone else made it in the meantime: apply onto that.
        if (!store.get(kind, namespace, name) || options.dryRun) throw error
      }
    }
    const object = await update(
      target,
      live => {
        // Checked before conflicts of fields: a stale version is not worth comparing.
        checkIdentity(kind, live, meta)
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
      const next = patched(kind, type, base, body)
      if (type !== 'json' || next.metadata?.resourceVersion !== resourceVersion) return next
      return { ...next, metadata: { ...next.metadata, resourceVersion: '' } }
    }
    return { object: await replace(target, change, options), created: false }
  }

  /** Deletes, or marks as being deleted while finalizers or a pod's grace remain. */
  async function remove(target: Target, options: DeleteOptions = {}): Promise<Deletion> {
    const { kind, name } = target
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const live = get(target)
      checkDeletion(kind, live, options)
      const deletion = deletionOf(kind, live, options)
      const { object, gone } = deletion
      if (options.dryRun || (!gone && same(object, live))) return deletion
      const written = gone ? store.remove(kind, live) : store.put(kind, object, live.metadata.resourceVersion)
      if (await written) return deletion
    }
    throw conflict(kind, name)
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

// Set by the server, whatever a client sends.
const kept = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'generation',
  'generateName',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'resourceVersion',
] as const

/** Refuses what is meant for another object, or for another version of it. */
function checkIdentity(kind: Kind, { metadata: live }: KubeObject, wanted: Partial<Meta>) {
  if (wanted.name !== undefined && wanted.name !== live.name) {
    throw badRequest(
      `the name of the object (${wanted.name}) does not match the name on the URL (${live.name})`,
    )
  }
  if (wanted.resourceVersion && wanted.resourceVersion !== live.resourceVersion)
    throw conflict(kind, live.name)
  if (wanted.uid && wanted.uid !== live.uid) {
    const message = `Invalid value: "${wanted.uid}": field is immutable`
    throw invalid(kind, live.name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }])
  }
}

function patched(kind: Kind, type: Exclude<PatchType, 'apply'>, live: KubeObject, body: Json): KubeObject {
  if (type === 'json') return jsonPatch(live, body)
  return type === 'merge' ? mergePatch(live, body) : strategicMergePatch(kind, live, body)
}

const withoutTimes = (object: KubeObject) => ({
  ...object,
  metadata: {
    ...object.metadata,
    managedFields: (object.metadata.managedFields ?? []).map(({ time: _time, ...entry }) => entry),
  },
})
