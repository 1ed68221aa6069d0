// Which replica handles an envelope that was delivered to several: `seen/slack/<id>` in etcd, gone after a day. For
// effects without an idempotency key of their own; the same replica may claim again (deliver.ts runs repeats once).
import { z } from 'zod'
import type { Keys } from '../../core/keys.ts'
import type { Kv } from '../../core/kv.ts'
import { decode, put } from '../../core/records.ts'

const seenSchema = z.object({ schema: z.literal(1), by: z.string() })
const keepSeconds = 24 * 3600

/** True: this replica has it. Throws as the store does. */
export function slackClaims({
  kv,
  keys,
  replica,
}: {
  readonly kv: Pick<Kv, 'commit' | 'sharedLease'>
  readonly keys: Pick<Keys, 'seen'>
  readonly replica: string
}): (id: string) => Promise<boolean> {
  return async id => {
    const key = keys.seen('slack', id)
    const lease = await kv.sharedLease(keepSeconds)
    const result = await kv.commit({
      compares: [{ kind: 'absent', key }],
      writes: [put(key, { schema: 1, by: replica }, lease)],
    })
    if (result.committed) return true
    const first = result.seen.get(key)
    return first !== undefined && decode(seenSchema, first).value.by === replica
  }
}
