// Was this transaction applied? Asked when an attempt's answer was lost and its repeat was refused.
// The newest value does not tell: another writer may have written over ours since. etcd keeps every
// revision until it is compacted, so one of the written keys is followed back to where we began.
import { type Commit, type Entry, newer, type Revision, type Write } from '../../core/kv.ts'
import type { Client } from './client.ts'
import { isCompacted } from './errors.ts'
import { toEntry } from './reads.ts'

type Put = Extract<Write, { kind: 'put' }>
type Question = {
  readonly commit: Commit
  /** It was not applied at or before this revision. */
  readonly floor: Revision
  /** The compared keys as of `revision`, from the answer that refused the repeat. */
  readonly seen: ReadonlyMap<string, Entry>
  readonly revision: Revision
  readonly options: { readonly deadline: number }
}

/** It cannot be told: history was compacted, is too long, or nothing was put. `call` makes OutcomeUnknown of it. */
class Untold extends Error {}

/** Revisions looked at in one request, and how many requests are worth it. */
const batch = 100
const mostBatches = 20

/** The revision at which the commit was applied, or null when it certainly was not. */
export async function findApplied(client: Client, question: Question): Promise<Revision | null> {
  const { commit, floor, seen, revision } = question
  const puts = commit.writes.filter(write => write.kind === 'put')
  const put = easiest(commit, puts)
  if (!put) throw new Untold('it only deletes keys')
  const read = reader(client, question)
  let when = BigInt(revision)
  const newest = seen.get(put.key)
  if (newest) {
    // The usual ends: nobody wrote since (ours is the newest), or it is as it was before.
    if (!newer(newest.modRevision, floor)) return null
    if (newest.value === put.value && (await stands(newest.modRevision))) return newest.modRevision
    when = BigInt(newest.modRevision) - 1n
  }
  for (let batches = 0; when > BigInt(floor); batches++) {
    if (batches === mostBatches) throw new Untold('too much was written since')
    const whens = revisionsDown(when, BigInt(floor))
    const heads = await read(whens.map(at => ({ key: put.key, at, keysOnly: true })))
    const found = heads.flatMap(head => (head && newer(head.modRevision, floor) ? [head.modRevision] : []))
    for (const at of new Set(found)) if (await stands(at)) return at
    const oldest = heads.at(-1)
    when = (oldest ? BigInt(oldest.modRevision) : (whens.at(-1) ?? 0n)) - 1n
  }
  return null

  /** Equal values could be chance: ours stand together at one revision, and one of them is like no other. */
  async function stands(at: Revision): Promise<boolean> {
    const entries = await read(puts.map(({ key }) => ({ key, at: BigInt(at) })))
    return puts.every(({ value }, n) => entries[n]?.modRevision === at && entries[n]?.value === value)
  }
}

/** Reads keys as of past revisions, in one request, in order. */
function reader({ etcd, counts }: Client, { options }: Question) {
  return async (reads: readonly { key: string; at: bigint; keysOnly?: boolean }[]) => {
    counts.transactions++
    const success = reads.map(({ key, at, keysOnly }) => ({
      request_range: { key: Buffer.from(key), revision: String(at), keys_only: keysOnly },
    }))
    const answer = await etcd.kv.txn({ compare: [], success, failure: [] }, options).catch(error => {
      throw isCompacted(error) ? new Untold('its history was compacted', { cause: error }) : error
    })
    return answer.responses.map(({ response_range: { kvs } }) => (kvs[0] ? toEntry(kvs[0]) : undefined))
  }
}

/** From `when` down, at most a batch, all above `floor`. */
function revisionsDown(when: bigint, floor: bigint): bigint[] {
  const size = when - floor < BigInt(batch) ? Number(when - floor) : batch
  return Array.from({ length: size }, (_, n) => when - BigInt(n))
}

/** The put with the shortest way back: one whose last revision we knew, else one that we knew to be absent. */
function easiest(commit: Commit, puts: readonly Put[]): Put | undefined {
  const compared = (kind: 'unchanged' | 'absent') =>
    puts.find(put => commit.compares.some(compare => compare.kind === kind && compare.key === put.key))
  return compared('unchanged') ?? compared('absent') ?? puts[0]
}
