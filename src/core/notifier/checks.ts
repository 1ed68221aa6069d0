// What doctor says of the messages, from the records: the same on every replica.
import { leaderSchema } from '../coordination.ts'
import type { Check } from '../core.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import { read } from '../records.ts'
import { refusedMessages } from './refused.ts'

const named = 5

export async function notifierChecks(deps: {
  readonly kv: Pick<Kv, 'get' | 'getMany' | 'list'>
  readonly keys: Keys
}): Promise<readonly Check[]> {
  const { kv, keys } = deps
  const leader = await read(kv, leaderSchema, keys.leader('notifier'))
  const { refused, open, unreadable } = await refusedMessages({ kv, keys })
  const ids = refused.map(({ messages }) => messages.deploy)
  const channels = new Set(refused.flatMap(({ messages }) => messages.channels))
  return [
    leader
      ? check(
          'slack notifier',
          'ok',
          `${leader.value.replica} sends the messages; ${open} deploys and builds are not all told`,
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
            `${[...channels].join(', ')} did not take the messages of ${refused.length} deploys and builds (${ids.slice(0, named).join(', ')}${refused.length > named ? ', …' : ''})`,
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
