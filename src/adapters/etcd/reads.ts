// Linearizable reads: one key, several at one revision, a prefix page by page at one revision.
// Values are strings; what they mean is records.ts's business in the core.
import type { IKeyValue, IRangeRequest } from 'etcd3'
import type { Entry, Kv } from '../../core/kv.ts'
import type { Client } from './client.ts'

/** etcd's default --max-txn-ops. */
export const maxOperations = 128
const pageSize = 500

export const toEntry = (kv: IKeyValue): Entry => ({
  key: kv.key.toString(),
  value: kv.value.toString(),
  createRevision: kv.create_revision,
  modRevision: kv.mod_revision,
})

export function etcdReads({ etcd, call, heard }: Client): Pick<Kv, 'get' | 'getMany' | 'list'> {
  const range = async (request: IRangeRequest) => {
    const answer = await call('ranges', ({ options }) => etcd.kv.range(request, options))
    heard(answer.header)
    return answer
  }

  async function getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
    const distinct = [...new Set(keys)]
    if (distinct.length === 0) return new Map()
    if (distinct.length > maxOperations)
      throw new Error(`getMany of ${distinct.length} keys: etcd allows ${maxOperations} in a transaction`)
    const success = distinct.map(key => ({ request_range: { key: Buffer.from(key) } }))
    const answer = await call('transactions', ({ options }) =>
      etcd.kv.txn({ compare: [], success, failure: [] }, options),
    )
    heard(answer.header)
    return rangesOf(answer.responses)
  }

  const list: Kv['list'] = async (prefix, options = {}) => {
    const { limit = Number.POSITIVE_INFINITY, after, reverse = false, keysOnly = false } = options
    if (!prefix.endsWith('/')) throw new Error(`list of ${prefix}: a prefix ends in /`)
    if (after !== undefined && !after.startsWith(prefix))
      throw new Error(`list of ${prefix}: the page starts after ${after}, which is not below it`)
    const entries: Entry[] = []
    let revision: string | undefined
    for (let last = after; ; last = entries.at(-1)?.key) {
      const answer = await range({
        ...keysBetween(prefix, last, reverse),
        // 0 would mean no limit; a limit of 0 still wants to know the revision.
        limit: Math.max(1, Math.min(pageSize, limit - entries.length)),
        sort_target: 'Key',
        sort_order: reverse ? 'Descend' : 'Ascend',
        keys_only: keysOnly,
        ...(revision !== undefined && { revision }), // every page as of the first
      })
      revision ??= answer.header.revision
      entries.push(...answer.kvs.map(toEntry))
      if (!answer.more || entries.length >= limit) return { entries: entries.slice(0, limit), revision }
    }
  }

  return {
    async get(key) {
      const answer = await range({ key: Buffer.from(key) })
      return answer.kvs[0] ? toEntry(answer.kvs[0]) : null
    },
    getMany,
    list,
  }
}

/** The range of the keys below a prefix that come after (in reverse: before) `last`. */
function keysBetween(prefix: string, last: string | undefined, reverse: boolean) {
  // 0 is the byte after /, so this ends exactly the keys below the prefix.
  const end = reverse && last !== undefined ? last : `${prefix.slice(0, -1)}0`
  const start = reverse || last === undefined ? prefix : `${last}\0`
  return { key: Buffer.from(start), range_end: Buffer.from(end) }
}

/** The keys that the ranges of a transaction found. */
export function rangesOf(
  responses: readonly { response_range?: { kvs: IKeyValue[] } }[],
): ReadonlyMap<string, Entry> {
  const found = responses.flatMap(response => response.response_range?.kvs ?? []).map(toEntry)
  return new Map(found.map(entry => [entry.key, entry]))
}
