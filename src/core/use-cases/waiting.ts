// What waits for a person and what moves: requests that the caller may decide, what the caller asked for, and every
// deploy that has not ended. For App Home and for `approvals`.
import type { ApprovalRequest, Caller, Core } from '../core.ts'
import { type Deploy, deploySchema } from '../deploy.ts'
import { newer } from '../kv.ts'
import { type Planned, plannedSchema } from '../messages.ts'
import { demand } from '../policy.ts'
import { decodeAll, type Stored } from '../records.ts'
import { voteRefusalFor } from './decide.ts'
import type { Deps } from './deps.ts'
import { mayLook } from './sight.ts'

export function waiting(deps: Deps): Pick<Core, 'approvals' | 'asked' | 'openDeploys'> {
  const { kv, keys } = deps
  return {
    async approvals(caller) {
      demand(caller, 'view', {}, deps.people)
      const open = openOf(deps, caller).filter(deploy => deploy.phase === 'awaiting_approval')
      const planned = await plansOf(deps, open)
      return open.map(
        (deploy): ApprovalRequest => ({
          deploy,
          planned: planned.get(keys.planned(deploy.id)) ?? null,
          refusal: voteRefusalFor(deps, caller, deploy, { decision: 'approve' })?.message ?? null,
        }),
      )
    },
    async asked(caller, { limit }) {
      const prefix = keys.asked(caller.actor.id)
      const { entries } = await kv.list(prefix, { keysOnly: true, reverse: true, limit })
      const ids = entries.map(entry => entry.key.slice(prefix.length))
      const found = new Map<string, Deploy>()
      for (let at = 0; at < ids.length; at += 100) {
        const records = await kv.getMany(ids.slice(at, at + 100).map(keys.deploy))
        const report = (error: Error) => deps.log('a record was left out of what was asked for', error)
        for (const { value } of decodeAll(deploySchema, records.values(), report)) found.set(value.id, value)
      }
      return ids.flatMap(id => found.get(id) ?? []).filter(deploy => mayLook(deps, caller, deploy))
    },
    async openDeploys(caller) {
      demand(caller, 'view', {}, deps.people)
      return openOf(deps, caller)
    },
  }
}

/** What has not ended and the caller may see, the oldest first. */
function openOf(deps: Deps, caller: Caller): Deploy[] {
  const inOrder = (a: Stored<Deploy>, b: Stored<Deploy>) =>
    newer(a.createRevision, b.createRevision) ? 1 : -1
  return [...deps.view.live.deploys.values()]
    .filter(({ value }) => mayLook(deps, caller, value))
    .toSorted(inOrder)
    .map(stored => stored.value)
}

async function plansOf(
  { kv, keys, log }: Deps,
  deploys: readonly Deploy[],
): Promise<ReadonlyMap<string, Planned>> {
  const found = new Map<string, Planned>()
  // 32 KiB at most each: a few at a time keep the answers of etcd small.
  for (let at = 0; at < deploys.length; at += 30) {
    const entries = await kv.getMany(deploys.slice(at, at + 30).map(({ id }) => keys.planned(id)))
    const report = (error: Error) => log('a plan was left out of the approvals', error)
    for (const { key, value } of decodeAll(plannedSchema, entries.values(), report)) found.set(key, value)
  }
  return found
}
