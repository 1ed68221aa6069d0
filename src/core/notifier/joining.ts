// Messages that belong into the thread of others: which others those are, and that they come. place.ts decides where a
// message goes in the end; this file reads and writes for it.
import { buildRefSchema } from '../builds/build.ts'
import type { Term } from '../leader.ts'
import { messagesSchema } from '../messages.ts'
import type { NotifierDeps } from '../notifier.ts'
import { put, read } from '../records.ts'
import type { Item } from './item.ts'
import type { Desk } from './posting.ts'
import type { Watched } from './watched.ts'

export function joining(options: {
  readonly deps: Pick<NotifierDeps, 'kv' | 'keys'>
  readonly term: Term
  readonly items: ReadonlyMap<string, Item>
  readonly watched: Watched
  readonly kick: (item: Item) => void
}): Pick<Desk, 'join' | 'want' | 'wanted'> & { forget(id: string): void } {
  const { deps, term, items, watched, kick } = options
  const { kv, keys } = deps
  const wanted = new Set<string>()

  /** The messages in the same channel that it goes on from. */
  async function continued(item: Item): Promise<string | null> {
    const key = item.subject.continues()
    const [channel] = item.messages.value.channels
    const ref = key && channel ? await read(kv, buildRefSchema, key) : null
    return ref ? `${ref.value.id}.${channel}` : null
  }

  return {
    async join(item) {
      const named = item.messages.value.under ?? null
      const id = named ?? (await continued(item))
      if (id === null || id === item.id) {
        item.alone = true
        return
      }
      // Heard of before it is read: nothing lies between.
      item.other = { id, wanted: named !== null, messages: null }
      watched.add(item.id, [keys.message(id)])
      const messages = await read(kv, messagesSchema, keys.message(id))
      item.other.messages ??= messages
    },
    async want(id) {
      const known = items.get(id)
      if (wanted.has(id) && known) return
      wanted.add(id)
      if (known) kick(known)
      // All of it was told, and it was nothing: it comes back onto the desk.
      else
        await kv.commit({
          compares: [term.fence],
          writes: [put(keys.outboxEntry(id), { schema: 1 })],
          repeatable: true,
        })
    },
    wanted: id => wanted.has(id),
    forget: id => void wanted.delete(id),
  }
}
