// What the core and its surfaces need of a store of uploaded artifacts: bytes by their SHA-256. The other half is
// adapters/artifacts/; who may read one without a token of the API is tickets.ts.

/** A SHA-256 in hexadecimal, as it stands in addresses. */
export const sha256Shape = /^[0-9a-f]{64}$/

export type ArtifactStore = {
  /** Its size in bytes; null: it is not there. */
  size(sha256: string): Promise<number | null>
  /**
   * Keeps what comes if it has that hash. What is there already is not written again, but counts as uploaded now.
   * UserError `bad_input` (another hash), `too_large`, `unavailable` (the disk).
   */
  put(sha256: string, content: AsyncIterable<Uint8Array>): Promise<{ readonly size: number }>
  /** Counts as uploaded now; its size, or null where it is not there. */
  touch(sha256: string): Promise<number | null>
  /** Null: it is not there. */
  read(sha256: string): Promise<{ readonly size: number; readonly content: AsyncIterable<Uint8Array> } | null>
  /** Removes what is not in `referenced` and was uploaded before `keepMs`; the hashes that went. */
  prune(input: { readonly referenced: ReadonlySet<string>; readonly now: number }): Promise<readonly string[]>
}
