// The objects, kept in etcd under one prefix and mirrored in memory by one etcd watch.
// resourceVersion = mod revision, a write = compare-and-swap, and a write answers once the watch has shown it:
// so what is read here is never older than one's own write. Rules about objects live in registry.ts.
import type { Etcd3, IWatchResponse, Watcher } from 'etcd3'
import type { Kind } from './kinds.ts'
import { kinds } from './kinds.ts'
import type { KubeObject } from './object.ts'

export type Change = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly kind: Kind
  /** After the change; for DELETED the last state, at the revision of the deletion. */
  readonly object: KubeObject
  readonly previous?: KubeObject
  readonly revision: number
}

type Log = { warn(facts: object, text: string): void }

export type Store = Awaited<ReturnType<typeof openStore>>

const historyLimit = 5_000

/** Loads everything below `prefix` and follows it; `close` ends the watch, not the client. */
export async function openStore(client: Etcd3, options: { prefix: string; log: Log }) {
  const root = `${options.prefix.replace(/\/+$/, '')}/`
  const folders = new Map(kinds.map(kind => [`${kind.group || 'core'}/${kind.plural}`, kind]))
  const objects = new Map<Kind, Map<string, KubeObject>>(kinds.map(kind => [kind, new Map()]))
  const dependents = new Map<string, Map<string, { kind: Kind; object: KubeObject }>>()
  const listeners = new Set<(change: Change) => void>()
  const waiting = new Set<{ revision: number; done: () => void; fail: (error: Error) => void }>()
  let history: Change[] = []
  let revision = 0
  let oldest = 0
  let watcher: Watcher | undefined
  let closed = false

  const short = (namespace: string | undefined, name: string) => `${namespace || '_'}/${name}`
  const etcdKey = (kind: Kind, namespace: string | undefined, name: string) =>
    `${root}${kind.group || 'core'}/${kind.plural}/${short(namespace, name)}`

  function parseKey(key: string): { kind: Kind; id: string } | undefined {
    const parts = key.slice(root.length).split('/')
    const kind = folders.get(`${parts[0]}/${parts[1]}`)
    return kind && parts.length === 4 ? { kind, id: `${parts[2]}/${parts[3]}` } : undefined
  }

  function decode(value: Buffer | string, modRevision: number | string): KubeObject {
    const object = JSON.parse(value.toString()) as KubeObject
    object.metadata.resourceVersion = String(modRevision)
    return object
  }

  function index(kind: Kind, object: KubeObject, add: boolean) {
    for (const owner of object.metadata.ownerReferences ?? []) {
      const of = dependents.get(owner.uid) ?? new Map()
      if (add) of.set(object.metadata.uid, { kind, object })
      else of.delete(object.metadata.uid)
      if (of.size > 0) dependents.set(owner.uid, of)
      else dependents.delete(owner.uid)
    }
  }

  function record(kind: Kind, id: string, object: KubeObject | undefined, at: number) {
    const of = objects.get(kind)
    const previous = of?.get(id)
    if (!of || (!object && !previous)) return
    if (previous) index(kind, previous, false)
    let change: Change
    if (object) {
      of.set(id, object)
      index(kind, object, true)
      change = { type: previous ? 'MODIFIED' : 'ADDED', kind, object, previous, revision: at }
    } else {
      of.delete(id)
      const last = previous as KubeObject
      const gone = { ...last, metadata: { ...last.metadata, resourceVersion: String(at) } }
      change = { type: 'DELETED', kind, object: gone, previous, revision: at }
    }
    history.push(change)
    revision = Math.max(revision, at)
    for (const listener of listeners) listener(change)
  }

  function reached(at: number) {
    revision = Math.max(revision, at)
    if (history.length > historyLimit * 1.2) {
      history = history.slice(-historyLimit)
      oldest = (history[0]?.revision ?? revision) - 1
    }
    for (const wait of waiting) {
      if (wait.revision <= revision) wait.done()
    }
  }

  function onData(response: IWatchResponse) {
    for (const event of response.events) {
      const found = parseKey(event.kv.key.toString())
      if (!found) continue
      const at = Number(event.kv.mod_revision)
      const object = event.type === 'Put' ? decode(event.kv.value, at) : undefined
      record(found.kind, found.id, object, at)
    }
    // With events, the header may be ahead of what was sent so far; only a progress message is a promise.
    const last = response.events.at(-1)
    reached(Number(last ? last.kv.mod_revision : response.header.revision))
  }

  /** Reads everything again and follows from there: at the start, and when etcd ended the watch. */
  async function load() {
    const response = await client.getAll().prefix(root).exec()
    const at = Number(response.header.revision)
    const seen = new Set<string>()
    for (const kv of response.kvs) {
      const found = parseKey(kv.key.toString())
      if (!found) continue
      seen.add(`${found.kind.plural}.${found.kind.group}/${found.id}`)
      const known = objects.get(found.kind)?.get(found.id)
      if (known?.metadata.resourceVersion === String(kv.mod_revision)) continue
      record(found.kind, found.id, decode(kv.value, kv.mod_revision), Number(kv.mod_revision))
    }
    for (const [kind, of] of objects) {
      for (const id of of.keys())
        if (!seen.has(`${kind.plural}.${kind.group}/${id}`)) record(kind, id, undefined, at)
    }
    // The order of what was missed is unknown: whoever resumes from before must read again.
    history = []
    oldest = at
    reached(at)
    watcher = await client
      .watch()
      .prefix(root)
      .startRevision(String(at + 1))
      .create()
    watcher.on('data', onData)
    watcher.on('error', error => {
      if (closed) return
      options.log.warn({ err: error }, 'the watch of the stand-in cluster ended; reading again')
      void reload()
    })
  }

  async function reload() {
    for (let wait = 100; !closed; wait = Math.min(wait * 2, 5000)) {
      try {
        return await load()
      } catch (error) {
        options.log.warn({ err: error }, 'etcd does not answer the stand-in cluster')
        await new Promise(done => setTimeout(done, wait))
      }
    }
  }

  /** Once the watch has shown this revision. */
  function settled(at: number): Promise<void> {
    if (at <= revision) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = (finish: () => void) => {
        clearTimeout(timer)
        waiting.delete(wait)
        finish()
      }
      const wait = {
        revision: at,
        done: () => end(resolve),
        fail: (error: Error) => end(() => reject(error)),
      }
      const timer = setTimeout(() => wait.fail(new Error('etcd: the watch is late')), 10_000)
      waiting.add(wait)
    })
  }

  await load()

  return {
    revision: () => revision,
    get: (kind: Kind, namespace: string | undefined, name: string): KubeObject | undefined =>
      objects.get(kind)?.get(short(namespace, name)),
    /** All of a kind, or those of one namespace, in no order. */
    list(kind: Kind, namespace?: string): KubeObject[] {
      const all = [...(objects.get(kind)?.values() ?? [])]
      return namespace ? all.filter(object => object.metadata.namespace === namespace) : all
    },
    /** All of a kind as they were at a revision, read from etcd. Throws when etcd has compacted it. */
    async listAt(kind: Kind, at: number): Promise<KubeObject[]> {
      const folder = `${root}${kind.group || 'core'}/${kind.plural}/`
      const response = await client.getAll().prefix(folder).revision(at).exec()
      return response.kvs.map(kv => decode(kv.value, kv.mod_revision))
    },
    /** What names this uid as an owner. */
    dependents: (uid: string) => [...(dependents.get(uid)?.values() ?? [])],
    /**
     * Writes if the key is still at `expected` (a resourceVersion; '0' for a new one).
     * Answers what is stored, or undefined when someone else was first.
     */
    async put(kind: Kind, object: KubeObject, expected: string): Promise<KubeObject | undefined> {
      const key = etcdKey(kind, object.metadata.namespace, object.metadata.name)
      const { resourceVersion: _, ...metadata } = object.metadata
      const value = JSON.stringify({ ...object, metadata })
      const response = await client.if(key, 'Mod', '==', expected).then(client.put(key).value(value)).commit()
      let at = Number(response.header.revision)
      if (!response.succeeded) {
        // A transaction that etcd3 repeated after a time-out may have been ours all the same.
        const kv = (await client.get(key).exec()).kvs[0]
        if (kv) await settled(Number(kv.mod_revision))
        else await new Promise(done => setTimeout(done, 5))
        if (kv?.value.toString() !== value) return undefined
        at = Number(kv.mod_revision)
      }
      await settled(at)
      return decode(value, at)
    },
    /** Removes if still at its resourceVersion; false when someone else was first. */
    async remove(kind: Kind, object: KubeObject): Promise<boolean> {
      const key = etcdKey(kind, object.metadata.namespace, object.metadata.name)
      const response = await client
        .if(key, 'Mod', '==', object.metadata.resourceVersion)
        .then(client.delete().key(key))
        .commit()
      if (response.succeeded) await settled(Number(response.header.revision))
      else await new Promise(done => setTimeout(done, 5))
      return response.succeeded
    },
    /** Called with every change, in order. Returns the end of it. */
    subscribe(listener: (change: Change) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    /** The changes after a revision, or undefined when that is too long ago. */
    since(at: number): Change[] | undefined {
      if (at < oldest) return undefined
      return history.filter(change => change.revision > at)
    },
    oldest: () => oldest,
    /** Forgets the history, as a compaction does: resuming from before now is refused with 410. */
    forget() {
      history = []
      oldest = revision
    },
    async close() {
      closed = true
      for (const wait of waiting) wait.fail(new Error('the cluster is stopping'))
      await watcher?.cancel().catch(() => undefined)
    },
  }
}
