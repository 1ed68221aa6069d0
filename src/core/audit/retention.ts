// Removes whole sealed ranges that are older than they are kept, the oldest first. The seals stay, without their leaves,
// so that the chain holds; each removal leaves an entry of its own, which verify.ts asks for: what is gone otherwise
// was taken away by somebody else.
import { auditPut, noEnvironment } from '../audit.ts'
import type { Clock } from '../clock.ts'
import { type Seal, sealSchema } from '../coordination.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import type { Term } from '../leader.ts'
import { decode, put, read, remove, type Stored, unchanged } from '../records.ts'

export const retentionAction = 'retention'

/** Operations in one transaction, of the 128 that etcd takes. */
const mostWrites = 120
/** Seals that are read at once. */
const pageSeals = 20
const pauseMs = 25

type RetentionDeps = {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list' | 'commit'>
  readonly keys: Keys
  readonly clock: Clock
  readonly keepMs: number
}

/** What the entry of a removal says; `throughSeal` reads it. */
const detailOf = (last: Seal, entries: number, keepMs: number): string =>
  `through seal ${last.n}: ${entries} entries until ${new Date(last.at).toISOString().slice(0, 10)}, kept for ${Math.round(keepMs / 86_400_000)} days`

/** The last seal whose range the removal of this detail took; null: it is none. */
export function throughSeal(detail: string): number | null {
  const [, n] = /^through seal (\d{1,10}):/.exec(detail) ?? []
  return n === undefined ? null : Number(n)
}

/** Removes what is beyond its time in one environment. A hundredth of the time more is waited, so that it comes at once. */
export async function retain(deps: RetentionDeps, environment: string, term: Term): Promise<void> {
  const { kv, keys, clock, keepMs } = deps
  const { entries } = await kv.list(keys.sealsIn(environment), { limit: 1, reverse: true })
  if (!entries[0]) return
  const last = decode(sealSchema, entries[0]).value.n
  const first = await firstKept(deps, environment, last)
  const oldest = first && (await read(kv, sealSchema, keys.seal(environment, first)))
  if (!oldest || oldest.value.at > clock.now() - keepMs * 1.01) return
  for (let n = oldest.value.n; n <= last; ) {
    const wanted = Array.from({ length: Math.min(pageSeals, last - n + 1) }, (_, at) =>
      keys.seal(environment, n + at),
    )
    const found = await kv.getMany(wanted)
    const batch = batchOf(
      wanted.flatMap(key => {
        const entry = found.get(key)
        return entry ? [decode(sealSchema, entry)] : []
      }),
      clock.now() - keepMs,
    )
    if (batch.length === 0 || term.ended.aborted || !term.held()) return
    if (!(await removeRanges(deps, environment, { batch, term }))) return
    n += batch.length
    await clock.sleep(pauseMs, term.ended)
  }
}

/** As many as one transaction takes. */
function batchOf(seals: readonly Stored<Seal>[], before: number): Stored<Seal>[] {
  const batch: Stored<Seal>[] = []
  let writes = 1
  for (const seal of seals) {
    writes += 1 + (seal.value.entries?.length ?? 0)
    if (seal.value.at >= before || (batch.length > 0 && writes > mostWrites)) break
    batch.push(seal)
  }
  return batch
}

/** False: something moved at the same moment. */
async function removeRanges(
  { kv, keys, clock, keepMs }: RetentionDeps,
  environment: string,
  { batch, term }: { batch: readonly Stored<Seal>[]; term: Term },
): Promise<boolean> {
  const last = batch.at(-1)
  if (!last) return true
  const ids = [...new Set(batch.flatMap(({ value }) => (value.entries ?? []).map(([id]) => id)))]
  const audit = auditPut(keys, clock.now(), {
    by: { id: 'gkube', name: 'gkube', via: 'gkube' },
    action: retentionAction,
    outcome: 'deleted',
    ...(environment === noEnvironment ? {} : { environment }),
    detail: detailOf(last.value, ids.length, keepMs),
  })
  const { committed } = await kv.commit({
    compares: [...batch.map(seal => unchanged(seal.key, seal)), term.fence],
    writes: [
      ...ids.map(id => remove(keys.audit(environment, id))),
      ...batch.map(seal => put(seal.key, { ...seal.value, entries: null })),
      audit,
    ],
  })
  return committed
}

/** Ranges go from the oldest on, so the first that is kept is found by halves; null: none is. */
async function firstKept(
  { kv, keys }: Pick<RetentionDeps, 'kv' | 'keys'>,
  environment: string,
  last: number,
): Promise<number | null> {
  let [low, high] = [1, last + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const seal = await read(kv, sealSchema, keys.seal(environment, middle))
    if (seal?.value.entries === null) low = middle + 1
    else high = middle
  }
  return low <= last ? low : null
}
