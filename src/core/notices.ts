// A message that is no deploy's and no build's: what one person should hear (their lock ends, somebody took it over), or
// what an environment's channel should (a volume fills up). It joins the transaction of what it tells, so it is told
// once; the notifier posts it (notifier/notice-subject.ts) and deletes it then. Without a notifier it is swept away.
import { z } from 'zod'
import type { Keys } from './keys.ts'
import type { Write } from './kv.ts'
import type { Messages } from './messages.ts'
import { newId, put } from './records.ts'

export const noticeKinds = ['lock_ends', 'lock_lost', 'volume_full'] as const

/** `notices/<id>` */
export const noticeSchema = z.object({
  schema: z.literal(1),
  kind: z.enum(noticeKinds),
  /** Told by direct message where the workspace knows them, else in the environment's channel; null: there at once. */
  to: z.object({ id: z.string(), name: z.string(), person: z.string().optional() }).nullable(),
  environment: z.string().nullable(),
  /** In the words of the core, whole sentences. */
  text: z.string().max(1000),
  /** `environment/app`, `environment/` or `/`: the lock that it is about, where it can be unlocked. */
  lock: z.string().max(100).optional(),
  at: z.int(),
})
export type Notice = z.output<typeof noticeSchema>

const prefix = 'notice-'

/** The id of the messages of a notice. */
export const isNotice = (id: string): boolean => id.startsWith(prefix)

/** Puts it into the outbox. Where nobody would hear of it there is nothing to write. */
export function noticeWrites(keys: Keys, notice: Omit<Notice, 'schema'>): Write[] {
  if (!notice.to && !notice.environment) return []
  const id = `${prefix}${newId(notice.at)}`
  const messages: Messages = {
    schema: 1,
    deploy: id,
    of: 'notice',
    channels: [],
    main: null,
    thread: {},
    direct: {},
  }
  const value: Notice = { ...notice, schema: 1, text: notice.text.slice(0, 1000) }
  return [
    put(keys.notice(id), value),
    put(keys.message(id), messages),
    put(keys.outboxEntry(id), { schema: 1 }),
  ]
}
