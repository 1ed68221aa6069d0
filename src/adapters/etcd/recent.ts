// The last changes, kept so that a listener that was away for a moment (a browser that reloads, a CLI whose
// connection broke) needs no new look into etcd. Older history comes from etcd: feed.ts begins further back.
import type { Change } from '../../core/kv.ts'

/** Keeps about `most` changes. */
export function recentChanges(most = 500) {
  let kept: { readonly revision: bigint; readonly changes: readonly Change[] }[] = []
  let size = 0
  /** Every change later than this is held; null before the first stream. */
  let after: bigint | null = null

  return {
    /** A stream begins after this revision; further back, or after a gap (`fresh`), what is held is void. */
    beginAfter(revision: bigint, fresh = false): void {
      if (!fresh && after !== null && revision >= after) return
      kept = []
      size = 0
      after = revision
    },
    /** The changes of one transaction, in revision order; ones that are held already do nothing. */
    add(revision: bigint, changes: readonly Change[]): void {
      if (revision <= (kept.at(-1)?.revision ?? after ?? 0n)) return
      kept.push({ revision, changes })
      size += changes.length
      while (size > most && kept.length > 1) {
        const oldest = kept.shift()
        size -= oldest?.changes.length ?? 0
        after = oldest?.revision ?? after
      }
    },
    /** Every change later than `revision`, or null when some of them are not held. */
    since(revision: bigint): Change[] | null {
      if (after === null || revision < after) return null
      return kept.filter(entry => entry.revision > revision).flatMap(entry => entry.changes)
    },
  }
}
