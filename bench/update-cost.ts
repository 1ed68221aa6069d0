// What one image update costs: requests to the API server (counted there), and etcd transactions (counted by the
// adapter, and again as etcd's own revisions). Beside the requests, kubectl's for the same change.
import type { Etcd3 } from 'etcd3'
import type { Figure } from './figures.ts'
import type { Kubectl } from './kubectl.ts'
import type { Rig } from './rig.ts'

/** Families of keys that the aim leaves out: told apart from the deploy's state. */
const apart = new Set(['progress', 'messages', 'seen'])

export async function updateCost(rig: Rig, kubectl: Kubectl | null, updates: number): Promise<Figure[]> {
  const requests: number[] = []
  const byKubectl: number[] = []
  const state: number[] = []
  const revisions: number[] = []
  const totals = { gkube: tally(), kubectl: tally(), transactions: tally() }
  for (let i = 0; i < updates; i++) {
    await settle(rig)
    await rig.cluster.take()
    const before = { ...rig.server.kv.counts().committed }
    const revision = await revisionOf(rig.raw)
    await rig.ship(`2.${i}.0`)
    await settle(rig)
    const seen = (await rig.cluster.take()).requests.filter(one => one.agent === 'gkube')
    requests.push(totals.gkube.add(seen.map(one => one.what)))
    const committed = grown(before, rig.server.kv.counts().committed)
    totals.transactions.add(committed)
    state.push(committed.filter(family => !apart.has(family)).length)
    revisions.push((await revisionOf(rig.raw)) - revision)
    if (!kubectl) continue
    await kubectl.update(`2.${i}.0`)
    const theirs = (await rig.cluster.take()).requests.filter(one => one.agent === 'kubectl')
    byKubectl.push(totals.kubectl.add(theirs.map(one => one.what)))
  }
  const named = (counts: Record<string, number>, of: string) =>
    Object.fromEntries(Object.entries(counts).map(([what, count]) => [`${what} (${of})`, count / updates]))
  return [
    {
      what: 'API requests per update',
      unit: 'requests',
      values: requests,
      baseline: kubectl && { what: 'kubectl apply + rollout status', values: byKubectl },
      aim: { kind: 'most', limit: 4 },
      detail: { ...named(totals.gkube.counts, 'gkube'), ...named(totals.kubectl.counts, 'kubectl') },
    },
    {
      what: 'etcd state transactions per update',
      unit: 'transactions',
      values: state,
      baseline: { what: 'etcd revisions, all of gkube', values: revisions },
      aim: { kind: 'most', limit: 10 },
      detail: named(totals.transactions.counts, 'first key written'),
    },
  ]
}

/** What follows a deploy (its watches, housekeeping) is its cost too: waits until nothing moves any more. */
async function settle(rig: Rig): Promise<void> {
  const state = async () =>
    JSON.stringify([
      rig.server.kv.counts().committed,
      rig.server.clusters.get('default')?.counts(),
      await revisionOf(rig.raw),
    ])
  for (let last = ''; ; ) {
    const now = await state()
    if (now === last) return
    last = now
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

const revisionOf = async (etcd: Etcd3): Promise<number> =>
  Number((await etcd.get('/bench/revision').exec()).header.revision)

/** One entry for each new transaction: its family. */
const grown = (before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): string[] =>
  Object.entries(after).flatMap(([family, count]) => Array(count - (before[family] ?? 0)).fill(family))

function tally() {
  const counts: Record<string, number> = {}
  return {
    counts,
    add(names: readonly string[]): number {
      for (const name of names) counts[name] = (counts[name] ?? 0) + 1
      return names.length
    },
  }
}
