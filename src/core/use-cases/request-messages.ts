// Where the message of a deploy goes, written with its request: the channel it was asked in, the environment's, and the
// thread of the build that it deploys. What it says and when it is posted is the notifier's.
import type { Build } from '../builds/build.ts'
import type { Environment } from '../environment.ts'
import type { Keys } from '../keys.ts'
import type { Write } from '../kv.ts'
import type { Messages } from '../messages.ts'
import { put } from '../records.ts'

/** Where it was asked for. */
export type Origin = { readonly channel: string | null }

/**
 * Where the message of a deploy goes and that there is one: written with the request, so that none is forgotten. In the
 * thread of its build, where that is told: in the channel it was asked in, else in the environment's, else anywhere.
 */
export function messageWrites(
  keys: Keys,
  id: string,
  environment: Environment,
  { origin, build }: { readonly origin: Origin; readonly build: Build | null },
): Write[] {
  const told = build?.told.map(({ channel }) => channel) ?? []
  const wanted = [origin.channel, environment.channel]
  const thread = wanted.find(channel => channel && told.includes(channel)) ?? told[0]
  const channels = [...new Set([thread, ...wanted].filter((one): one is string => Boolean(one)))]
  // Those who approve are told by direct message, also where no channel is.
  if (channels.length === 0 && !environment.approvals.tell) return []
  const messages: Messages = {
    schema: 1,
    deploy: id,
    ...(build && thread ? { under: `${build.id}.${thread}` } : {}),
    channels,
    main: null,
    thread: {},
    direct: {},
  }
  return [put(keys.message(id), messages), put(keys.outboxEntry(id), { schema: 1 })]
}
