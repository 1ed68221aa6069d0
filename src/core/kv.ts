// What the core needs of etcd: reads, compare-and-swap commits, one feed of changes, leases.
// Values are strings here; records.ts pairs a key with its schema. The other half is adapters/etcd/.

/** An etcd revision (int64 as a decimal string). Compare with `newer`, never with `<`. */
export type Revision = string

export type Entry = {
  readonly key: string
  readonly value: string
  readonly createRevision: Revision
  readonly modRevision: Revision
}

/** A condition of a commit. `unchanged` is the compare of compare-and-swap. */
export type Compare =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'present'; readonly key: string }
  | { readonly kind: 'unchanged'; readonly key: string; readonly modRevision: Revision }
  | { readonly kind: 'created'; readonly key: string; readonly createRevision: Revision }

export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string }

/**
 * One transaction. At least one compare must be about a key that the commit also writes, so that a repeated
 * attempt cannot commit twice; at least one put value must be unique to this attempt (records.ts adds a
 * `writeId`), so that an unknown outcome can be resolved by reading.
 */
export type Commit = {
  readonly compares: readonly Compare[]
  readonly writes: readonly Write[]
  /** Committing it twice does no harm (progress, pruning), so no compare needs to guard a written key. */
  readonly repeatable?: boolean
}

export type CommitResult =
  | { readonly committed: true; readonly revision: Revision }
  /** Nothing was written; `seen` holds the compared keys as they were in the same transaction. */
  | { readonly committed: false; readonly revision: Revision; readonly seen: ReadonlyMap<string, Entry> }

export type Change =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision }

export type FeedListener = {
  /** Changes below the prefix in revision order, each exactly once. */
  readonly change: (change: Change) => void
  /** Changes may have been missed (compaction): read again. Called with the revision to read from. */
  readonly reset?: (revision: Revision) => void
}

export type Lease = {
  readonly id: string
  /** Milliseconds left, on the caller's monotonic clock, counted from when the last keepalive was SENT; <= 0 means fenced. */
  remaining(): number
  /** Aborts when the lease is lost or its time ran out locally. */
  readonly lost: AbortSignal
  revoke(): Promise<void>
}

/** The store. Every call has a deadline; failures are UserError `unavailable`, an unresolved commit is OutcomeUnknown. */
export type Kv = {
  get(key: string): Promise<Entry | null>
  /** Several keys in one linearizable transaction; missing keys are absent from the map. */
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>>
  /** Every key below a prefix (which must end in `/`), by key order; `limit` and `after` (exclusive key) page through. */
  list(
    prefix: string,
    options?: { limit?: number; after?: string; reverse?: boolean; keysOnly?: boolean },
  ): Promise<{
    entries: Entry[]
    revision: Revision
  }>
  commit(commit: Commit): Promise<CommitResult>
  /** Subscribes to changes below a prefix from `from` (exclusive) or now; returns the unsubscribe. One etcd watch serves all. */
  subscribe(prefix: string, listener: FeedListener, options?: { from?: Revision }): () => void
  lease(ttlSeconds: number): Promise<Lease>
  /** The id of a lease that lives at least `ttlSeconds` more and at most twice that; shared, never kept alive. */
  sharedLease(ttlSeconds: number): Promise<string>
}

/**
 * The commit may or may not have happened and etcd does not answer: say "not confirmed, checking". Giving the
 * same Commit object to `commit` again tells: committed (then or now, once), or not.
 */
export class OutcomeUnknown extends Error {
  readonly keys: readonly string[]
  constructor(keys: readonly string[], cause: unknown) {
    super(`etcd did not confirm the write of ${keys[0] ?? 'nothing'}`, { cause })
    this.name = 'OutcomeUnknown'
    this.keys = keys
  }
}

/** True when revision `a` is later than `b`. */
export const newer = (a: Revision, b: Revision): boolean => BigInt(a) > BigInt(b)
