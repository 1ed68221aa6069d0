// trigger_ids: what lets the app open a modal in answer to something a person did. Good once, for three seconds.
import { randomBytes } from 'node:crypto'
import { SlackError } from './slack-error.ts'

export type Triggers = ReturnType<typeof triggerBox>

export function triggerBox(goodForMs: number) {
  const known = new Map<string, { user: string; until: number; used: boolean }>()
  return {
    issue(user: string): string {
      const id = `${Date.now()}.${randomBytes(4).readUInt32BE()}.${randomBytes(16).toString('hex')}`
      known.set(id, { user, until: Date.now() + goodForMs, used: false })
      if (known.size > 1000) known.delete(known.keys().next().value ?? '')
      return id
    },
    /** Whose trigger it is; throws Slack's errors for one that is unknown, used or too old. */
    take(id: unknown): string {
      const trigger = typeof id === 'string' ? known.get(id) : undefined
      if (!trigger) throw new SlackError('invalid_trigger_id')
      if (trigger.used) throw new SlackError('exchanged_trigger_id')
      if (Date.now() > trigger.until) throw new SlackError('expired_trigger_id')
      trigger.used = true
      return trigger.user
    },
  }
}
