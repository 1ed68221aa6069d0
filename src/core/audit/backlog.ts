// Entries of one environment that no seal holds yet, of which the sealer needs the oldest first. Bounded: beyond
// `most` only the oldest are kept and `cut` says so; what was let go is read from etcd again once these are sealed.
import { newer, type Revision } from '../kv.ts'
import { inOrder, mostSealed } from './seal.ts'

export type Waiting = {
  readonly id: string
  readonly createRevision: Revision
  /** Null: it was found in etcd, and its bytes are read when it is sealed. */
  readonly leaf: string | null
}

export type Backlog = ReturnType<typeof createBacklog>

/** One that was deleted and written anew is another one under the same id: both are sealed, so that it is found. */
const nameOf = ({ id, createRevision }: Pick<Waiting, 'id' | 'createRevision'>): string =>
  `${id} ${createRevision}`

export function createBacklog(most = 20_000) {
  const waiting = new Map<string, Waiting>()
  /** Nothing later than this is kept, since something was let go. */
  let bound: Revision | null = null

  function trim(): void {
    const kept = [...waiting.values()].toSorted(inOrder).slice(0, most)
    const last = kept.at(-1)
    if (!last) return
    bound = last.createRevision
    waiting.clear()
    // Those of the last transaction may not all be here.
    for (const one of kept) if (one.createRevision !== bound) waiting.set(nameOf(one), one)
  }

  return {
    get size() {
      return waiting.size
    },
    /** Something was let go: read etcd again when these are sealed. */
    get cut() {
      return bound !== null
    },
    add(one: Waiting): void {
      if (bound !== null && !newer(bound, one.createRevision)) return
      // What the feed told has its leaf, whatever became of the entry since.
      if (one.leaf === null && waiting.has(nameOf(one))) return
      waiting.set(nameOf(one), one)
      if (waiting.size >= 2 * most) trim()
    },
    remove(all: readonly Pick<Waiting, 'id' | 'createRevision'>[]): void {
      for (const one of all) waiting.delete(nameOf(one))
    },
    /** Drops what a seal up to this revision holds. */
    sealedTo(revision: Revision): void {
      for (const one of waiting.values())
        if (!newer(one.createRevision, revision)) waiting.delete(nameOf(one))
    },
    clear(): void {
      waiting.clear()
      bound = null
    },
    /** All of now in order, in pages of a seal; one transaction's entries are never split. */
    pages(): Waiting[][] {
      const all = [...waiting.values()].toSorted(inOrder)
      const pages: Waiting[][] = []
      for (let at = 0; at < all.length; ) {
        const end = pageEnd(all, at)
        pages.push(all.slice(at, end))
        at = end
      }
      return pages
    },
  }
}

/** A later sealer knows by the last create revision what is sealed: half of a transaction would be lost to it. */
function pageEnd(all: readonly Waiting[], at: number): number {
  const revision = (index: number) => all[index]?.createRevision
  let end = Math.min(all.length, at + mostSealed)
  if (end === all.length) return end
  while (end > at && revision(end - 1) === revision(end)) end--
  if (end > at) return end
  for (end = at + 1; end < all.length && revision(end) === revision(at); ) end++
  return end
}
