// What is written beside a request for approval: what would change, as the server answers a dry run, and what changed
// since it asked before, with the names of those whose decision is void by that.
import { auditPut } from './audit.ts'
import { commitsSince } from './builds/commits.ts'
import type { Deploy } from './deploy.ts'
import { Refusal } from './freezing.ts'
import type { Write } from './kv.ts'
import { plannedSchema } from './messages.ts'
import { type Earlier, nothingEarlier, plannedOf, sinceWords, voidedBy } from './planned.ts'
import type { PrepareDeps, Prepared } from './prepare.ts'
import { preview } from './preview.ts'
import { decode, put } from './records.ts'
import { storageOn } from './volumes/bound.ts'

type Settled = NonNullable<Deploy['prepared']>

/** Admission decides before people do; then what they decide about is kept for them, with what changed since. */
export async function shown(
  deps: PrepareDeps,
  deploy: Deploy,
  worked: Prepared,
  prepared: Settled,
): Promise<Write[]> {
  const asked = await preview(deps, worked)
  for (const { object, error } of asked.refused) {
    if (error.kind === 'invalid' || error.kind === 'forbidden')
      throw new Refusal('admission_refused', `${object}: ${error.message}`)
    // Someone made or removed it at the same moment; a conflict is told in the notes.
    if (!['not_found', 'already_exists', 'field_conflict'].includes(error.kind)) throw error
  }
  const now = deps.clock.now()
  const { earlier, voided } = await sinceEarlier(deps, deploy, { worked, prepared })
  const audit = auditPut(deps.keys, now, {
    by: { id: 'gkube', name: 'gkube', via: 'gkube' },
    action: 'void_votes',
    app: deploy.app,
    environment: deploy.environment,
    deploy: deploy.id,
    outcome: 'void',
    detail: `${voided.join(', ')}: ${earlier.since.join('; ')}`,
  })
  const commits = await commitsSince(deps, deploy, prepared.base.revision)
  const planned = plannedOf(asked, {
    deploy,
    onPools: storageOn(worked.frozen).map(({ claim }) => claim),
    earlier,
    commits,
    now,
  })
  return [put(deps.keys.planned(deploy.id), planned), ...(voided.length > 0 ? [audit] : [])]
}

/** What changed since it last asked for approval, and whose decision is void by that; both add up. */
async function sinceEarlier(
  deps: PrepareDeps,
  deploy: Deploy,
  { worked, prepared }: { worked: Prepared; prepared: Settled },
): Promise<{ earlier: Earlier; voided: readonly string[] }> {
  const before = deploy.prepared
  if (!before) return { earlier: nothingEarlier, voided: [] }
  const key = deps.keys.planned(deploy.id)
  const entry = (await deps.kv.getMany([key])).get(key)
  const kept = entry ? decode(plannedSchema, entry).value : nothingEarlier
  if (before.hash === prepared.hash) return { earlier: kept, voided: [] }
  const frozen = await deps.specs.get(before.spec)
  const was = frozen ? worked.draw(frozen, before.overrides) : null
  const words = sinceWords(
    deploy,
    { settled: before, objects: was },
    { settled: prepared, objects: worked.objects },
  )
  const voided = voidedBy(deploy, prepared.hash)
  const earlier = { since: [...kept.since, ...words], voided: [...kept.voided, ...voided] }
  return { earlier, voided }
}
