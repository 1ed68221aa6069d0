// Pure: what a seal is made of. Each entry becomes a leaf (hash of its key, create revision and bytes), a range of
// leaves becomes a root, and a seal hashes that with its place and the seal before: who changes one must change all
// after it. sealer.ts writes them, verify.ts checks them; docs/audit.md says what that proves and what it does not.
import { createHash } from 'node:crypto'
import type { Seal } from '../coordination.ts'
import { sha256 } from '../hash.ts'
import type { Entry, Revision } from '../kv.ts'

/** Entries in a seal: one transaction can delete as many (retention.ts). */
export const mostSealed = 100

export type Leaf = Seal['entries'] extends readonly (infer L)[] | null ? L : never

/** The bytes as they lie in etcd, not what they mean: also an entry that nobody can read any more is sealed. */
export const leafHash = ({ key, createRevision, value }: Omit<Entry, 'modRevision'>): string =>
  createHash('sha256')
    .update(JSON.stringify([key, createRevision, value]))
    .digest('base64url')

const rootOf = (leaves: readonly Leaf[]): string => sha256(JSON.stringify(leaves))

/** The hash that the seal must have by its other fields. */
export const sealHash = ({ hash: _, entries: __, ...rest }: Seal): string => sha256(rest)

/** Whether what the seal says of its leaves is true; what was removed by retention has none to compare. */
export const leavesHold = ({ entries, root, count, from, to }: Seal): boolean =>
  entries === null ||
  (entries.length === count &&
    rootOf(entries) === root &&
    entries[0]?.[1] === from &&
    entries.at(-1)?.[1] === to)

/** Entries of one transaction have one create revision: then by key. */
export const inOrder = (
  a: { readonly id: string; readonly createRevision: Revision },
  b: { readonly id: string; readonly createRevision: Revision },
): number => {
  // Decimal numbers without leading zeros: the longer one is larger. BigInt would cost seconds in long lists.
  const [one, other] = [a.createRevision, b.createRevision]
  if (one.length !== other.length) return one.length - other.length
  if (one !== other) return one < other ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/** The seal after `head` (null: the first) over leaves in their order, at least one. */
export function nextSeal(
  environment: string,
  head: Pick<Seal, 'n' | 'hash'> | null,
  { leaves, now }: { leaves: readonly Leaf[]; now: number },
): Seal {
  const first = leaves[0]
  const last = leaves.at(-1)
  if (!first || !last) throw new Error('a seal of nothing')
  const seal: Seal = {
    schema: 1,
    environment,
    n: (head?.n ?? 0) + 1,
    previous: head?.hash ?? '',
    from: first[1],
    to: last[1],
    count: leaves.length,
    root: rootOf(leaves),
    at: now,
    hash: '',
    entries: [...leaves],
  }
  return { ...seal, hash: sealHash(seal) }
}
