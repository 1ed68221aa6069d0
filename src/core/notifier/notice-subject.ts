// A notice as its one message tells it: over from the start, it never changes. notices.ts has the record, subject.ts the
// face, rooms.ts the way to a person.
import type { Keys } from '../keys.ts'
import { noticeSchema } from '../notices.ts'
import { drawnOf, held, type Making, type Subject } from './subject.ts'

export const noticeKeys = (keys: Keys, id: string): readonly string[] => [keys.notice(id)]

/** Null: there is no such notice any more. */
export function noticeSubject({ drawing, keys, messages, found }: Making): Subject | null {
  const id = messages.deploy
  const record = held(noticeSchema, keys.notice(id), found)
  const notice = record.stored?.value
  if (!notice) return null
  const drawn = () => drawnOf(drawing.renderer.notice(notice))
  return {
    what: `notice ${id}`,
    learn: entry => record.learn(entry),
    standing: () => ({
      phase: notice.kind,
      urgency: 'waiting',
      ended: true,
      over: true,
      endedAt: notice.at,
      hurry: false,
      waits: false,
    }),
    tells: () => true,
    channels() {
      const channel = notice.environment === null ? null : drawing.environment(notice.environment)?.channel
      return channel ? [channel] : []
    },
    person: () => notice.to,
    main: drawn,
    shown: () => drawn().shown,
    entries: () => [],
    unchanged: () => [],
    leaves: () => [keys.notice(id)],
    deploy: () => null,
    direct: () => null,
    continues: () => null,
  }
}
