// What one pool is made of; config.ts has the same shape. All of it was checked there, and names again in core/volumes.

export type PoolOptions = {
  /** A key of `pools`; words name it. */
  readonly name: string
  readonly volume: string
  readonly servers: readonly string[]
  readonly reach: Reach
  /** Where the volume is mounted on the machine that the CLI runs on. */
  readonly mount: string | null
  readonly snapshots: boolean
  readonly own: {
    /** `host:/folder` */
    readonly bricks: readonly string[]
    readonly replica: number
    readonly force: boolean
  } | null
  /** Milliseconds a command may take; default 20 000. */
  readonly commandMs?: number
  /** Where programs are looked for on this machine; default: the usual folders. */
  readonly path?: string
}

export type Reach =
  | { readonly kind: 'local' }
  | { readonly kind: 'remote'; readonly host: string }
  | {
      readonly kind: 'ssh'
      readonly host: string
      readonly port: number
      readonly user: string
      readonly sudo: boolean
      /** The private key itself. */
      readonly key: string
      /** `ssh-ed25519 AAAA…`: no other server is talked to. */
      readonly hostKey: string
    }
