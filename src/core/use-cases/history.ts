// What was deployed: the history of an app, newest first, and the snapshot that a rollback goes to.
import { UserError } from '../../errors.ts'
import type { Core } from '../core.ts'
import { type Deploy, deploySchema } from '../deploy.ts'
import { newer } from '../kv.ts'
import { decodeAll } from '../records.ts'
import type { Workload } from '../workload.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { demandLook, mayLook } from './sight.ts'

export function history(deps: Deps): Core['history'] {
  return async (caller, { app, environment, limit }) => {
    const places = environment ? [environmentNamed(deps, environment)] : [...deps.environments.values()]
    demandLook(deps, caller, { app, environment: environment ?? null })
    const seen = places.filter(place => mayLook(deps, caller, { app, environment: place.name }))
    const lists = await Promise.all(seen.map(place => deploysOf(deps, place.name, app, limit)))
    return lists
      .flat()
      .toSorted((a, b) => b.requestedAt - a.requestedAt)
      .slice(0, limit)
  }
}

/** The newest deploys of an app in an environment, by etcd's order. */
export async function deploysOf(
  deps: Pick<Deps, 'kv' | 'keys' | 'log'>,
  env: string,
  app: string,
  limit: number,
): Promise<Deploy[]> {
  const { kv, keys } = deps
  const prefix = keys.history(env, app)
  const { entries } = await kv.list(prefix, { keysOnly: true })
  const newest = entries
    .toSorted((a, b) => (newer(a.createRevision, b.createRevision) ? -1 : 1))
    .slice(0, limit)
  const ids = newest.map(entry => entry.key.slice(prefix.length))
  const found: Deploy[] = []
  for (let at = 0; at < ids.length; at += 100) {
    const records = await kv.getMany(ids.slice(at, at + 100).map(keys.deploy))
    const report = (error: Error) => deps.log('a record was left out of the history', error)
    found.push(...decodeAll(deploySchema, records.values(), report).map(stored => stored.value))
  }
  const order = new Map(ids.map((id, at) => [id, at]))
  return found.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0))
}

/**
 * Where a rollback goes: the named revision's last success; else, if what runs now failed, the last good one; else
 * the success before the one that runs.
 */
export async function snapshotOf(
  deps: Pick<Deps, 'kv' | 'keys' | 'log'>,
  workload: Workload,
  revision: string | undefined,
): Promise<{ spec: string; revision: string }> {
  const { good, app, environment } = workload
  if (!revision && good && good.spec !== workload.spec) return { spec: good.spec, revision: good.revision }
  const all = await deploysOf(deps, environment, app, 1000)
  const worked = all.filter(
    past => past.phase === 'succeeded' && past.prepared && shipping.includes(past.kind),
  )
  const found = worked.find(past =>
    revision ? past.revision === revision : past.revision !== workload.revision,
  )
  if (found?.prepared) return { spec: found.prepared.spec, revision: found.revision }
  const there = [...new Set(worked.map(past => past.revision))].filter(name => name !== workload.revision)
  const choice =
    there.length > 0
      ? `It can go back to ${there.slice(0, 10).join(', ')}.`
      : 'Nothing else has ever succeeded there.'
  const what = revision
    ? `${app} ${revision} has not succeeded in ${environment}`
    : `${app} has no earlier good revision in ${environment}`
  throw new UserError('not_found', `${what}, so there is nothing to roll back to. ${choice}`)
}

const shipping: readonly Deploy['kind'][] = ['deploy', 'redeploy', 'rollback', 'adopt']
