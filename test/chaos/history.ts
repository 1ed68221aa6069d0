// All that ever stood below a prefix of an etcd, change by change: read from etcd itself when a run is over, by nothing
// of gkube's. It works because nobody compacts the etcds of these tests.
import { Etcd3, type IWatchResponse } from 'etcd3'

export type Revised = {
  readonly key: string
  /** Null: deleted. */
  readonly value: string | null
  readonly revision: number
  readonly created: number
}

export async function historyOf(endpoints: readonly string[], prefix: string): Promise<readonly Revised[]> {
  const client = new Etcd3({ hosts: [...endpoints] })
  try {
    const changes: Revised[] = []
    const marker = `${prefix}zz-history-ends-here`
    const watcher = await client.watch().prefix(prefix).startRevision('1').create()
    const whole = new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`the history of ${prefix} did not end`)), 60_000)
      watcher.on('error', reject)
      watcher.on('data', (response: IWatchResponse) => {
        for (const { type, kv } of response.events) {
          const key = kv.key.toString()
          if (key === marker) {
            clearTimeout(limit)
            resolve()
            return
          }
          changes.push({
            key,
            value: type.toUpperCase() === 'DELETE' ? null : kv.value.toString(),
            revision: Number(kv.mod_revision),
            created: Number(kv.create_revision),
          })
        }
      })
    })
    await client.put(marker).value('')
    await whole
    await watcher.cancel()
    await client.delete().key(marker)
    return changes
  } finally {
    client.close()
  }
}

/** What stands there at last, by key. */
export function standing(changes: readonly Revised[]): ReadonlyMap<string, string> {
  const now = new Map<string, string>()
  for (const { key, value } of changes) {
    if (value === null) now.delete(key)
    else now.set(key, value)
  }
  return now
}
