// What doctor says of the audit, on every replica: whether what was written is sealed in time.

import { noEnvironment } from '../audit.ts'
import type { Clock } from '../clock.ts'
import { leaderSchema, sealSchema } from '../coordination.ts'
import type { Check } from '../core.ts'
import type { Keys } from '../keys.ts'
import { type Kv, newer } from '../kv.ts'
import { decode, read } from '../records.ts'
import { lineOf } from './reading.ts'

/** After this long an entry should have its seal, whatever the sealer was busy with. */
const lateMs = 120_000
const name = 'audit'

export async function sealerChecks({
  kv,
  keys,
  clock,
  environments,
}: {
  readonly kv: Pick<Kv, 'get' | 'list'>
  readonly keys: Keys
  readonly clock: Pick<Clock, 'now'>
  readonly environments: readonly string[]
}): Promise<readonly Check[]> {
  const places = await Promise.all(
    [...environments, noEnvironment].map(async environment => {
      const [seals, newest] = await Promise.all([
        kv.list(keys.sealsIn(environment), { limit: 1, reverse: true }),
        kv.list(keys.auditIn(environment), { limit: 1, reverse: true }),
      ])
      const head = seals.entries[0] ? decode(sealSchema, seals.entries[0]).value : null
      const entry = newest.entries[0]
      const line = entry && lineOf({ keys }, entry)
      const unsealed = entry && (!head || newer(entry.createRevision, head.to))
      const at = line && 'at' in line ? line.at : 0
      const strange = head !== null && newer(head.to, seals.revision)
      return {
        environment,
        late: Boolean(unsealed) && clock.now() - at > lateMs,
        strange,
        seals: head?.n ?? 0,
      }
    }),
  )
  const strange = places.filter(place => place.strange).map(place => place.environment)
  if (strange.length > 0)
    return [
      {
        name,
        state: 'failed',
        message: `the seals of ${strange.join(', ')} are of another etcd: their revisions have not happened in this one`,
        mend: 'The records were copied without their revisions. Export the audit, then see "Moving to another etcd" in docs/audit.md.',
      },
    ]
  const late = places.filter(place => place.late).map(place => place.environment)
  if (late.length > 0) {
    const leading = await read(kv, leaderSchema, keys.leader('sealer'))
    return [
      {
        name,
        state: 'warning',
        message: `entries of ${late.join(', ')} are not sealed after ${lateMs / 60_000} minutes`,
        mend: leading
          ? `Look into the log of replica ${leading.value.replica}, which is the sealer.`
          : 'No replica is the sealer: look into the logs for the election of it.',
      },
    ]
  }
  const count = places.reduce((sum, { seals }) => sum + seals, 0)
  return [{ name, state: 'ok', message: `entries are sealed in time; ${count} seals`, mend: '' }]
}
