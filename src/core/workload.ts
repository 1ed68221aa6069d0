// Workload: what runs for an app in an environment. This is the record that the etcd lookup finds: if it is
// there, a deploy updates; if not, it creates. Written by the owner of `active/<env>/<app>` only.
import { z } from 'zod'
import { appSpecSchema } from './app.ts'
import { label, objectName, quantity } from './units.ts'

/** One object that gkube wrote; what is no longer rendered is deleted by UID. */
export const inventoryItemSchema = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.string().optional(),
  name: z.string(),
  uid: z.string(),
  /** Hash of what was rendered, without gkube's own annotations. */
  hash: z.string(),
  /** generation (or resourceVersion where the kind has none) right after the write: equal means nobody changed it. */
  seen: z.string(),
})
export type InventoryItem = z.output<typeof inventoryItemSchema>

/** What people set by hand: objects are rendered from it, so that there is never a second manager on a field. */
export const overridesSchema = z.object({
  replicas: z.int().min(0).nullable(),
  min: z.int().min(1).nullable(),
  max: z.int().min(1).nullable(),
  restartedAt: z.string().nullable(),
})
export type Overrides = z.output<typeof overridesSchema>
export const noOverrides: Overrides = { replicas: null, min: null, max: null, restartedAt: null }

/** What `code.keep` allows, with what runs and what was good. */
export const mostReleases = 60

export const workloadSchema = z.object({
  schema: z.literal(1),
  app: label(40),
  environment: label(30),
  state: z.enum(['creating', 'ready']),
  cluster: z.string(),
  namespace: z.string(),
  revision: z.string(),
  image: z.string(),
  digest: z.string().nullable(),
  /** The frozen spec that was last applied. */
  spec: z.string(),
  /** The frozen spec that last succeeded: where a rollback goes. */
  good: z.object({ spec: z.string(), revision: z.string(), deploy: z.string(), at: z.int() }).nullable(),
  inventory: z.array(inventoryItemSchema).max(200),
  overrides: overridesSchema,
  initialisedAt: z.int().nullable(),
  /** Releases of code that are surely on the volume, the newest last (code/releases.ts). Left out: an app without code. */
  releases: z.array(z.string().max(148)).max(mostReleases).optional(),
  /** The storage whose volume they are on: an app may name another one first. Left out: the one it has now. */
  releasesOn: label().optional(),
  deploy: z.string(),
  deployedBy: z.string(),
  createdAt: z.int(),
  updatedAt: z.int(),
})
export type Workload = z.output<typeof workloadSchema>

export const adoptableKinds = ['Deployment', 'StatefulSet', 'ReplicationController'] as const
const labels = z.record(z.string(), z.string())

/**
 * A workload that was there before gkube: it keeps its name, its selector and whatever else can never change. The
 * app is rendered into it. A ReplicationController is only scaled and restarted, its template stays as it is.
 */
export const adoptedSchema = z.object({
  kind: z.enum(adoptableKinds),
  name: objectName,
  /** `spec.selector` as it is. */
  selector: z.record(z.string(), z.json()),
  /** What its pods keep: the labels that the selector, and the Services and budgets that select them, ask for. */
  labels,
  /** Fields of a StatefulSet's spec that cannot change, as they are. */
  fixed: z.record(z.string(), z.json()).default({}),
  /** The Service of the app's name, where there was one: what it selects by. */
  service: z.object({ selector: labels, headless: z.boolean() }).nullable().default(null),
})
export type Adopted = z.output<typeof adoptedSchema>

/** Storage that lies on a pool: settled when it is first made, and never switched to another. */
export const boundSchema = z.object({
  /** A key of `pools`. */
  pool: z.string(),
  /** directory: with a quota, on the pool's own volume; own: a volume of its own. */
  kind: z.enum(['directory', 'own']),
  /** The PersistentVolume that the claim is bound to. */
  volume: objectName,
  /** What the claim asked for when it was made: growing raises the quota and the PersistentVolume, never the claim. */
  request: quantity,
})
export type Bound = z.output<typeof boundSchema>

/** The code of an app that is shipped as code: what is fetched, and where from. */
export const artifactSchema = z.object({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Null: it was uploaded, and is read with a one-time token. */
  url: z.string().max(2000).nullable(),
})
export type Artifact = z.output<typeof artifactSchema>

/** A frozen spec: everything that decides what objects are rendered, immutable, stored under its hash. */
export const frozenSchema = z.object({
  schema: z.literal(1),
  app: label(40),
  environment: label(30),
  revision: z.string(),
  /** The reference that pods run: with `@sha256:` where the digest is known. */
  image: z.string(),
  digest: z.string().nullable(),
  spec: appSpecSchema,
  /** Left out where gkube made the workload itself. */
  adopted: adoptedSchema.optional(),
  /** By the names of its storage; what is left out is any CSI's. */
  bound: z.record(label(), boundSchema).optional(),
  /** Left out: an app without code. */
  artifact: artifactSchema.optional(),
})
export type Frozen = z.output<typeof frozenSchema>
