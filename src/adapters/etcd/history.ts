// Was this transaction applied? Asked when an attempt's answer was lost and its repeat was refused.
// The newest value does not tell: another writer may have written over ours since. etcd keeps every
// revision until it is compacted, so one of the written keys is followed back to where we began.
import type { IRangeRequest } from 'etcd3'
import { type Commit, type Entry, newer, type Revision, type Write } from '../../core/kv.ts'
import type { Client } from './client.ts'
import { isCompacted } from './errors.ts'
import { rangesOf, toEntry } from './reads.ts'

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

/** While a key was absent, each revision must be looked at; more than this is not worth the load. */
const mostAbsent = 1000
const batch = 100

/** The revision at which the commit was applied, or null when it certainly was not. */
export async function findApplied(client: Client, question: Question): Promise<Revision | null> {
  try {
    return await follow(client, question)
  } catch (error) {
    if (isCompacted(error)) throw new Untold('its history was compacted', { cause: error })
    throw error
  }
}

async function follow(client: Client, { commit, floor, seen, revision, options }: Question) {
  const { etcd, counts } = client
  const puts = commit.writes.filter(write => write.kind === 'put')
  const put = easiest(commit, puts)
  if (!put) throw new Untold('it only deletes keys')
  /** The entries that the requested ranges find. */
  const read = async (requests: IRangeRequest[]) => {
    counts.transactions++
    const success = requests.map(request_range => ({ request_range }))
    return etcd.kv.txn({ compare: [], success, failure: [] }, options)
  }
  const key = Buffer.from(put.key)
  const at = async (when: bigint) => (await read([{ key, revision: String(when) }])).responses.map(firstOf)[0]

  const compared = commit.compares.some(compare => compare.key === put.key)
  let when = BigInt(revision)
  let entry = compared ? seen.get(put.key) : await at(when)
  let absent = 0
  while (when > BigInt(floor)) {
    if (entry) {
      if (!newer(entry.modRevision, floor)) return null
      if (entry.value === put.value && (await allAt(entry.modRevision))) return entry.modRevision
      when = BigInt(entry.modRevision) - 1n
      if (when > BigInt(floor)) entry = await at(when)
      continue
    }
    if (absent >= mostAbsent) throw new Untold('its key was absent for too many revisions')
    const whens = Array.from({ length: batch }, (_, n) => when - 1n - BigInt(n)).filter(
      w => w > BigInt(floor),
    )
    if (whens.length === 0) return null
    absent += whens.length
    const entries = (await read(whens.map(w => ({ key, revision: String(w) })))).responses.map(firstOf)
    const found = entries.findIndex(Boolean)
    entry = entries[found]
    when = whens[found === -1 ? whens.length - 1 : found] ?? 0n
  }
  return null

  /** A value may be no more than equal: ours stand together at one revision, one of them unlike any other. */
  async function allAt(modRevision: Revision): Promise<boolean> {
    const requests = puts.map(({ key }) => ({ key: Buffer.from(key), revision: modRevision }))
    const entries = rangesOf((await read(requests)).responses)
    return puts.every(({ key, value }) => {
      const found = entries.get(key)
      return found?.modRevision === modRevision && found.value === value
    })
  }
}

/** The put with the shortest way back: one whose last revision we knew, else one that we knew to be absent. */
function easiest(commit: Commit, puts: readonly Put[]): Put | undefined {
  const compared = (kind: 'unchanged' | 'absent') =>
    puts.find(put => commit.compares.some(compare => compare.kind === kind && compare.key === put.key))
  return compared('unchanged') ?? compared('absent') ?? puts[0]
}

const firstOf = (response: { response_range?: { kvs: Parameters<typeof toEntry>[0][] } }) => {
  const kv = response.response_range?.kvs[0]
  return kv && toEntry(kv)
}
