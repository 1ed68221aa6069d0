// Build numbers and queue ids that gkube's records hold already: a stand-in Jenkins whose file was lost, beside an etcd
// that was not, must not give them again. Its builds would be taken for old ones, and refused.
import type { Keys } from '../../core/keys.ts'
import type { Kv } from '../../core/kv.ts'

const page = 1000

/** The highest of each job, and of all queue items. */
export async function takenNumbers(
  kv: Pick<Kv, 'list'>,
  keys: Keys,
): Promise<{ builds: Record<string, number>; queueId: number }> {
  const builds: Record<string, number> = {}
  const take = (job: string, number: number) => {
    if (Number.isSafeInteger(number)) builds[job] = Math.max(builds[job] ?? 0, number)
  }
  for await (const { rest } of below(kv, keys.jenkinsJobNumbers)) {
    const [job = '', number] = rest.split('/')
    take(decodeURIComponent(job), Number(number))
  }
  for await (const { rest, value } of below(kv, keys.newestBuilds)) {
    const [, , job = ''] = rest.split('/')
    take(decodeURIComponent(job), numberIn(value))
  }
  let queueId = 0
  for await (const { rest } of below(kv, keys.jenkinsQueues)) queueId = Math.max(queueId, Number(rest) || 0)
  return { builds, queueId }
}

async function* below(kv: Pick<Kv, 'list'>, prefix: string) {
  let after: string | undefined
  for (;;) {
    const { entries } = await kv.list(prefix, { limit: page, after })
    for (const { key, value } of entries) yield { rest: key.slice(prefix.length), value }
    if (entries.length < page) return
    after = entries.at(-1)?.key
  }
}

/** Of a `newest/…` record; whatever does not parse holds nothing back. */
function numberIn(value: string): number {
  try {
    return Number((JSON.parse(value) as { number?: unknown }).number ?? Number.NaN)
  } catch {
    return Number.NaN
  }
}
