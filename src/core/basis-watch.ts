// Notices that what a request for approval was made from has changed — the app's spec, or what runs — so that nobody
// approves what would not run. The feed says where to look; the records decide. runner.ts plans such a deploy again.
import type { Deploy } from './deploy.ts'
import type { Keys } from './keys.ts'
import type { Kv, Revision } from './kv.ts'
import type { Stored } from './records.ts'
import type { View } from './view.ts'

export type BasisWatch = {
  /** Hears of every change of a key, and of the root when anything may have changed. */
  changed(key: string): void
  /** Deploys that wait for approval and were not compared since something of theirs changed. */
  doubtful(): Stored<Deploy>[]
  /** Whether it must be planned again; what is as it was is left alone until the next change. */
  isStale(stored: Stored<Deploy>): Promise<boolean>
}

export function basisWatch(deps: {
  kv: Pick<Kv, 'getMany'>
  keys: Keys
  view: Pick<View, 'live'>
}): BasisWatch {
  const { kv, keys, view } = deps
  /** By id: the basis that was compared and held. */
  const held = new Map<string, string>()

  const waiting = () =>
    [...view.live.deploys.values()].filter(stored => stored.value.phase === 'awaiting_approval')
  const basisOf = ({ prepared }: Deploy) => `${prepared?.basis.app}/${prepared?.basis.workload}`
  const concerns = (key: string, { app, environment }: Deploy) =>
    key === keys.app(app) ||
    key === keys.workload(environment, app) ||
    // A deploy of the same app ended: what it left is what would be changed now.
    key === keys.active(environment, app)

  return {
    changed(key) {
      if (key === keys.root) return held.clear()
      if (![keys.apps, keys.workloads, keys.actives].some(prefix => key.startsWith(prefix))) return
      for (const { value } of waiting()) if (concerns(key, value)) held.delete(value.id)
    },
    doubtful() {
      for (const id of held.keys()) if (!view.live.deploys.has(id)) held.delete(id)
      return waiting().filter(({ value }) => held.get(value.id) !== basisOf(value))
    },
    async isStale(stored) {
      const { app, environment, id, prepared } = stored.value
      if (!prepared) return true
      // Noted first: a change that comes while it is read is looked at again.
      held.set(id, basisOf(stored.value))
      const [appKey, workloadKey] = [keys.app(app), keys.workload(environment, app)]
      const found = await kv.getMany([appKey, workloadKey]).catch(error => {
        held.delete(id)
        throw error
      })
      const revisionOf = (key: string): Revision => found.get(key)?.modRevision ?? '0'
      const { basis } = prepared
      const appChanged = basis.app !== '' && basis.app !== revisionOf(appKey)
      // A deploy that runs writes the workload again and again: it is compared once that has ended.
      const runs = view.live.active.get(keys.active(environment, app))?.value.deploy
      const stale = appChanged || (!runs && basis.workload !== revisionOf(workloadKey))
      if (stale) held.delete(id)
      return stale
    },
  }
}
