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
    // 0 is the byte after /, so this ends exactly the keys below the prefix.
    let start = !reverse && after !== undefined ? `${after}\0` : prefix
    let end = reverse && after !== undefined ? after : `${prefix.slice(0, -1)}0`
    const entries: Entry[] = []
    let revision: string | undefined
    while (entries.length < limit) {
      const answer = await range({
        key: Buffer.from(start),
        range_end: Buffer.from(end),
        limit: Math.min(pageSize, limit - entries.length),
        sort_target: 'Key',
        sort_order: reverse ? 'Descend' : 'Ascend',
        keys_only: keysOnly,
        ...(revision !== undefined && { revision }), // every page as of the first
      })
      revision ??= answer.header.revision
      entries.push(...answer.kvs.map(toEntry))
      const last = entries.at(-1)
      if (!answer.more || !last) break
      if (reverse) end = last.key
      else start = `${last.key}\0`
    }
    return { entries, revision: revision ?? (await range({ key: Buffer.from(prefix) })).header.revision }
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

/** The keys that the ranges of a transaction found. */
export function rangesOf(
  responses: readonly { response_range?: { kvs: IKeyValue[] } }[],
): ReadonlyMap<string, Entry> {
  const found = responses.flatMap(response => response.response_range?.kvs ?? []).map(toEntry)
  return new Map(found.map(entry => [entry.key, entry]))
}
