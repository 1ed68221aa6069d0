// How the owner of a running deploy ends it because somebody asked for that (use-cases/decide.ts leaves the intent): as
// the intent says at the very moment of the write, so that nobody is told one thing and gets the other.
import { intentSchema } from './coordination.ts'
import type { Deploy } from './deploy.ts'
import type { Keys } from './keys.ts'
import type { Kv } from './kv.ts'
import { type Ledger, LostRace, type More } from './ledger.ts'
import { read, type Stored, unchanged } from './records.ts'

const mostIntents = 5
const gkubeItself = { id: 'gkube', name: 'gkube', via: 'gkube' } as const

/** Whoever cancels may change their mind about what becomes of it until it is written: that counts, as they were told. */
export async function asAsked(
  deps: { readonly kv: Pick<Kv, 'get'>; readonly keys: Keys; readonly ledger: Ledger },
  stored: Stored<Deploy>,
  {
    clean,
    good,
    more,
  }: { clean: boolean; good: { readonly spec: string; readonly revision: string } | null; more: More },
): Promise<Stored<Deploy>> {
  const key = deps.keys.intent(stored.value.id, 'cancel')
  for (let races = 0; ; races++) {
    const intent = await read(deps.kv, intentSchema, key)
    const { by = gkubeItself, onCancel, reason: detail } = intent?.value ?? {}
    const compares = [...(more.compares ?? []), unchanged(key, intent)]
    const event = { kind: 'cancel' as const, by, onCancel, clean, good }
    try {
      return await deps.ledger.advance(stored, event, { ...more, compares, by, detail })
    } catch (error) {
      const onlyIntent = error instanceof LostRace && error.keys.join() === key
      if (!onlyIntent || races >= mostIntents) throw error
    }
  }
}
