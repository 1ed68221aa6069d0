// Messages that no channel takes, from the records: the same on every replica. Doctor names them, and where gkube was
// invited to their channel they are tried again at once, by whichever replica is elected.
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import { type Messages, messagesSchema } from '../messages.ts'
import { decode, put, UnreadableRecord } from '../records.ts'

/** Looked at, at most. */
const most = 500
const batch = 100

type Deps = { readonly kv: Pick<Kv, 'getMany' | 'list'>; readonly keys: Keys }
type Refused = { readonly id: string; readonly messages: Messages }

/** `open`: what is not all told; `unreadable`: records of it that this version cannot read. */
export async function refusedMessages({ kv, keys }: Deps): Promise<{
  readonly refused: readonly Refused[]
  readonly open: number
  readonly unreadable: number
}> {
  const { entries } = await kv.list(keys.outbox, { keysOnly: true, limit: most })
  const ids = entries.map(entry => entry.key.slice(keys.outbox.length))
  const refused: Refused[] = []
  let unreadable = 0
  for (let at = 0; at < ids.length; at += batch) {
    const some = ids.slice(at, at + batch)
    const found = await kv.getMany(some.map(keys.message))
    for (const id of some) {
      const entry = found.get(keys.message(id))
      try {
        const messages = entry && decode(messagesSchema, entry).value
        if (messages?.main?.state === 'refused') refused.push({ id, messages })
      } catch (error) {
        if (!(error instanceof UnreadableRecord)) throw error
        unreadable++
      }
    }
  }
  return { refused, open: ids.length, unreadable }
}

/** A channel may take them now. Listed again is seen by the elected one (intake.ts). */
export async function retryRefused(
  deps: Deps & { readonly kv: Pick<Kv, 'commit'> },
  channel: string,
): Promise<void> {
  const { kv, keys } = deps
  const { refused } = await refusedMessages(deps)
  for (const { id, messages } of refused) {
    if (messages.main?.channel !== channel && !messages.channels.includes(channel)) continue
    const key = keys.outboxEntry(id)
    // Told meanwhile: then there is nothing to try again.
    await kv.commit({
      compares: [{ kind: 'present', key }],
      writes: [put(key, { schema: 1 })],
      repeatable: true,
    })
  }
}
