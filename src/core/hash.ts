// Hashes of what is written and of what is approved: canonical JSON (keys sorted), then sha256.
// gkube's own annotations are left out, so that the deploy that wrote an object never makes it look changed.
import { createHash } from 'node:crypto'
import { configure } from 'safe-stable-stringify'
import type { KubeObject } from './cluster.ts'
import type { Artifact, Frozen } from './workload.ts'

/** Annotations below this prefix say which deploy wrote an object; they are never part of what it is. */
export const ownAnnotations = 'gkube.dev/'

// A cycle or a bigint would be a mistake of ours: fail instead of hashing a placeholder.
const stringify = configure({ circularValue: Error, strict: true })

/** JSON with sorted keys, without keys that are undefined: the same value always gives the same text. */
export function canonical(value: unknown): string {
  const text = stringify(value)
  if (text === undefined) throw new TypeError('only JSON values have a canonical text')
  return text
}

/** sha256 in hex of a text, or of the canonical JSON of anything else. */
export const sha256 = (value: unknown): string =>
  createHash('sha256')
    .update(typeof value === 'string' ? value : canonical(value))
    .digest('hex')

/** The object without what changes at every write: gkube's own annotations and the resourceVersion. */
export function withoutOwnMarks(object: KubeObject): KubeObject {
  const { resourceVersion: _, annotations, ...metadata } = object.metadata
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !key.startsWith(ownAnnotations))
  return {
    ...object,
    metadata: kept.length > 0 ? { ...metadata, annotations: Object.fromEntries(kept) } : metadata,
  }
}

/** Hash of a rendered object: equal to the inventory's means that nothing has to be written. */
export const objectHash = (object: KubeObject): string => sha256(withoutOwnMarks(object))

/** The name of a frozen spec in etcd (`specs/<hash>`). */
export const specHash = (frozen: Frozen): string => sha256(frozen)

/** What a vote binds (DESIGN "Approve"): change any of it and the votes are void. */
export type Approved = {
  readonly deploy: string
  /** specHash of what will run. */
  readonly spec: string
  readonly revision: string
  readonly image: string
  readonly digest: string | null
  /** The code; `url` null: uploaded. */
  readonly artifact: Artifact | null
  readonly environment: string
  readonly cluster: string
  readonly namespace: string
  /** Stable id of who asked. */
  readonly requester: string
  /** The revision that runs now; empty on a create. */
  readonly base: string
  readonly objects: readonly KubeObject[]
}

/** sha256 over everything that is approved; an unresolved tag counts as `unpinned:<image>`. */
export function approvalHash(input: Approved): string {
  const { image, digest, objects, ...rest } = input
  return sha256({ ...rest, digest: digest ?? `unpinned:${image}`, objects: objects.map(withoutOwnMarks) })
}
