// What gkube asks of a pool of shared storage: adapters/glusterfs/ drives a real one. Every call has a time-out, may be
// repeated (a crash comes between any two) and throws PoolError. Binding into a cluster is not the pool's.
import type { Check } from '../core.ts'
import type { Place } from './place.ts'

/**
 * `code`: unavailable: try again later; refused: the pool or its configuration says no; not_found: there is no such
 * volume; exists_differently: it is there, but not as asked, and is left alone; unsupported: this pool cannot do that.
 * The message says what to do, and may be shown.
 */
export class PoolError extends Error {
  override readonly name = 'PoolError'
  readonly code: 'unavailable' | 'refused' | 'not_found' | 'exists_differently' | 'unsupported'
  constructor(code: PoolError['code'], message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
  }
}

/** directory: a quota on the pool's own volume; own: a volume of its own, with bricks of its own. */
export type PoolVolume = { readonly kind: 'directory' | 'own'; readonly place: Place }

export type VolumeWish = {
  /** Who owns it: files that the app makes in it belong to this group. */
  readonly uid: number
  readonly gid: number
  readonly bytes: number
}

export type PoolHealth = {
  /** As the pool names them; online: its process answers. */
  readonly bricks: readonly { readonly name: string; readonly online: boolean }[]
  /** Entries that wait for a copy to be mended; null: not known. */
  readonly pending: number | null
  /** Entries whose copies differ and of which none can be chosen without a person; null: not known. */
  readonly splitBrain: number | null
  readonly state: 'ok' | 'degraded' | 'down'
  /** One sentence with the numbers, such as `2 of 3 bricks online, 4 entries to heal`. */
  readonly words: string
}

export type Pool = {
  /** A key of `pools`. */
  readonly name: string
  /** Makes it, or finishes what a crash left. One that is larger already stays so; `bytes` is what it holds now. */
  ensure(volume: PoolVolume, wish: VolumeWish): Promise<{ readonly made: boolean; readonly bytes: number }>
  /** Raises the quota; never lowers it. Resolves with what it is then. */
  grow(volume: PoolVolume, bytes: number): Promise<{ readonly bytes: number }>
  /** In bytes, as the pool counts (it may be some seconds behind); quota null: none is set. */
  usage(volume: PoolVolume): Promise<{ readonly used: number; readonly quota: number | null }>
  /** Of the pool's own volume, or of a volume of its own. */
  health(volume?: PoolVolume): Promise<PoolHealth>
  /** Of the whole volume that it lies on. The snapshot's name. */
  snapshot(volume: PoolVolume, name: string): Promise<{ readonly name: string }>
  /**
   * Deletes it with all it holds. `typed` is what a person typed: the path or name that `titleOf` says. Done again, it
   * does nothing. `left`: what remains on the servers and is deleted there by hand, such as brick directories.
   */
  remove(volume: PoolVolume, typed: string): Promise<{ readonly left: readonly string[] }>
  /** For doctor. Never throws. */
  checks(): Promise<readonly Check[]>
}
