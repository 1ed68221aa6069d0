// What shipping code needs from outside: the image and address that publish Jobs use, where artifacts may come from, and
// what an artifact's SHA-256 is. server.ts puts it together; the steps are steps/publish.ts and what prepare.ts settles.

export type CodeSide = {
  /** gkube's own image, which publish Jobs run; null: none is named, so no code can be published. */
  readonly image: string | null
  /** gkube as pods reach it, for uploaded artifacts; null: none can be fetched. */
  readonly url: string | null
  /** Hosts of https that may be asked, and the Secret that holds their credential. */
  readonly hosts: Readonly<Record<string, { readonly credential: string | null }>>
  readonly maxBytes: number
  /** The SHA-256 that the host itself publishes beside an artifact (`<url>.sha256`), asked without a credential. */
  checksum(
    url: string,
  ): Promise<
    | { readonly kind: 'known'; readonly sha256: string }
    | { readonly kind: 'unknown'; readonly message: string }
  >
  /** Whether this was uploaded and is there: its size in bytes. It counts as used now, so it is not removed soon. */
  uploaded(sha256: string): Promise<number | null>
  /** A one-time token that gives this artifact to a Job of this deploy. */
  ticket(input: {
    readonly sha256: string
    readonly deploy: string
    readonly ttlSeconds: number
  }): Promise<string>
}
