// What doctor says of the messages, from the records: the same on every replica.
import { leaderSchema } from '../coordination.ts'
import type { Check } from '../core.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import { messagesSchema } from '../messages.ts'
import { decodeAll, read } from '../records.ts'

/** Looked at, at most. */
const most = 500
const batch = 100
const named = 5

export async function notifierChecks(deps: {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list'>
  readonly keys: Keys
}): Promise<readonly Check[]> {
  const { kv, keys } = deps
  const leader = await read(kv, leaderSchema, keys.leader('notifier'))
  const { entries } = await kv.list(keys.outbox, { keysOnly: true, limit: most })
  const ids = entries.map(entry => entry.key.slice(keys.outbox.length))
  const refused: string[] = []
  const channels = new Set<string>()
  let unreadable = 0
  for (let at = 0; at < ids.length; at += batch) {
    const found = await kv.getMany(ids.slice(at, at + batch).map(keys.message))
    for (const { value } of decodeAll(messagesSchema, found.values(), () => void unreadable++)) {
      if (value.main?.state !== 'refused') continue
      refused.push(value.deploy)
      for (const channel of value.channels) channels.add(channel)
    }
  }
  return [
    leader
      ? check(
          'slack notifier',
          'ok',
          `${leader.value.replica} sends the messages; ${ids.length} deploys and builds are not all told`,
        )
      : check(
          'slack notifier',
          'warning',
          'no replica sends the messages now',
          'Look again in ten seconds; then at the logs of the replicas.',
        ),
    ...(refused.length > 0
      ? [
          check(
            'slack messages',
            'failed',
            `${[...channels].join(', ')} did not take the messages of ${refused.length} deploys and builds (${refused.slice(0, named).join(', ')}${refused.length > named ? ', …' : ''})`,
            'Invite gkube to the channel (/invite @gkube), or name another one as `channel` of the environment; it is tried again within the hour.',
          ),
        ]
      : []),
    ...(unreadable > 0
      ? [
          check(
            'slack records',
            'warning',
            `${unreadable} records of messages cannot be read by this version`,
            'Run the newest gkube on all replicas.',
          ),
        ]
      : []),
  ]
}

const check = (name: string, state: Check['state'], message: string, mend = ''): Check => ({
  name,
  state,
  message,
  mend,
})
