// One compare-and-swap transaction, exactly once: an attempt whose answer was lost is sent again, and when the
// repeat is refused, history.ts finds out whether the first one had been applied.
// Out of time and still not known: OutcomeUnknown, and the same Commit object may be given again to learn it.
// What a Commit must hold for this is said in core/kv.ts.
import type { ICompare, IRequestOp, ITxnRequest } from 'etcd3'
import {
  type Commit,
  type CommitResult,
  type Compare,
  newer,
  OutcomeUnknown,
  type Revision,
  type Write,
} from '../../core/kv.ts'
import { UserError } from '../../errors.ts'
import type { Client } from './client.ts'
import { isNoSpace } from './errors.ts'
import { findApplied } from './history.ts'
import { maxOperations, rangesOf } from './reads.ts'

/** etcd's default --max-request-bytes is 1.5 MiB; the rest is for its framing. */
const maxBytes = 1_500_000

export function etcdCommit(client: Client): (commit: Commit) => Promise<CommitResult> {
  const { etcd, call, heard, newest } = client
  /** Commits that ended unknown, and the revision after which they may have been applied. */
  const unknown = new WeakMap<Commit, Revision>()

  return async commit => {
    const request = toRequest(commit)
    const before = unknown.get(commit)
    const floor = before ?? latestKnown(commit, String(newest()))
    let refused: Extract<CommitResult, { committed: false }> | undefined
    /** Of writes that reach the quota together some are applied, and refused all the same: only the keys tell. */
    const ifFull = async (error: Error, options: { readonly deadline: number }): Promise<CommitResult> => {
      if (!isNoSpace(error)) throw error
      const looked = await etcd.kv.txn({ compare: [], success: request.failure, failure: [] }, options)
      const revision = heard(looked.header)
      const at = { commit, floor, seen: rangesOf(looked.responses), revision, options }
      const applied = await findApplied(client, at)
      if (applied === null) throw error
      return { committed: true, revision: applied }
    }
    const result = await call<CommitResult>(
      'transactions',
      async ({ options, uncertain }) => {
        if (!refused) {
          const answer = await etcd.kv.txn(request, options).catch(error => ifFull(error, options))
          if ('committed' in answer) return answer
          const revision = heard(answer.header)
          if (answer.succeeded) return { committed: true, revision }
          refused = { committed: false, revision, seen: rangesOf(answer.responses) }
        }
        // A refused repeat stays refused; when the look into the past is cut off, only that is done again.
        const applied = uncertain && (await findApplied(client, { ...refused, commit, floor, options }))
        return applied ? { committed: true, revision: applied } : refused
      },
      {
        uncertain: before !== undefined,
        unknown: cause => {
          unknown.set(commit, floor)
          return new OutcomeUnknown(
            commit.writes.map(write => write.key),
            cause,
          )
        },
      },
    )
    unknown.delete(commit)
    return result
  }
}

/** A commit that is applied from here on has a later revision than this. */
function latestKnown({ compares }: Commit, newest: Revision): Revision {
  const known = compares.flatMap(compare => (compare.kind === 'unchanged' ? [compare.modRevision] : []))
  return known.reduce((latest, revision) => (newer(revision, latest) ? revision : latest), newest)
}

function toRequest({ compares, writes, repeatable }: Commit): ITxnRequest {
  const compared = [...new Set(compares.map(compare => compare.key))]
  const most = Math.max(compares.length, writes.length)
  if (most > maxOperations)
    throw new UserError(
      'too_large',
      `This change needs ${most} operations in one etcd transaction; at most ${maxOperations} are allowed. Split it.`,
    )
  const bytes = [...compares, ...writes].reduce((sum, item) => sum + sizeOf(item), 0)
  if (bytes > maxBytes)
    throw new UserError(
      'too_large',
      `This change has ${bytes} bytes; at most ${maxBytes} fit in one etcd transaction. Make its values smaller.`,
    )
  if (!repeatable && !compares.some(compare => writes.some(write => guards(compare, write))))
    throw new Error(
      `commit of ${writes[0]?.key ?? 'nothing'}: no compare guards a written key (see core/kv.ts)`,
    )
  return {
    compare: compares.map(toCompare),
    success: writes.map(toWrite),
    failure: compared.map(key => ({ request_range: { key: Buffer.from(key) } })),
  }
}

/** True when the compare fails once the write has been applied, so that a repeat cannot apply it again. */
function guards(compare: Compare, write: Write): boolean {
  if (compare.key !== write.key) return false
  if (compare.kind === 'unchanged') return true
  return write.kind === 'put' ? compare.kind === 'absent' : compare.kind !== 'absent'
}

/** Bytes on the wire, about: the key of a compare is sent twice (again in the else-branch). */
function sizeOf(item: Compare | Write): number {
  const key = Buffer.byteLength(item.key)
  if (item.kind === 'put') return key + Buffer.byteLength(item.value) + 32
  return item.kind === 'delete' ? key + 16 : 2 * key + 48
}

function toCompare(compare: Compare): ICompare {
  const on = { result: 'Equal', key: Buffer.from(compare.key) } as const
  switch (compare.kind) {
    case 'absent':
      return { ...on, target: 'Create', create_revision: '0' }
    case 'present':
      return { ...on, result: 'Greater', target: 'Create', create_revision: '0' }
    case 'unchanged':
      return { ...on, target: 'Mod', mod_revision: compare.modRevision }
    case 'created':
      return { ...on, target: 'Create', create_revision: compare.createRevision }
  }
}

function toWrite(write: Write): IRequestOp {
  const key = Buffer.from(write.key)
  return write.kind === 'delete'
    ? { request_delete_range: { key } }
    : { request_put: { key, value: Buffer.from(write.value), ...(write.lease && { lease: write.lease }) } }
}
