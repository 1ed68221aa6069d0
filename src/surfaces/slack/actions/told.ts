// Where the message of a deploy appears that was asked for by a click or in a dialog: the notifier posts it there.
import { setTimeout as wait } from 'node:timers/promises'
import type { Deploy } from '../../../core/deploy.ts'
import type { SlackDeps } from '../deps.ts'

/** A direct message is no place for the message of a deploy: the team does not see it. */
export const sharedChannel = (channel: string | null): string | null =>
  channel !== null && /^[CG]/.test(channel) ? channel : null

/** Where the message of a deploy appears that was asked for in `channel`. */
export async function toldIn(
  deps: Pick<SlackDeps, 'environments' | 'workspace'>,
  deploy: Pick<Deploy, 'environment'>,
  channel: string | null,
): Promise<string | null> {
  const own = deps.environments.get(deploy.environment)?.channel ?? null
  const shared = sharedChannel(channel)
  if (shared === null) return own
  return (await isMemberSoon(deps, shared)) ? shared : own
}

/** Whether the bot can speak there, as far as Slack tells at once: an ack does not wait for it. */
export async function isMemberSoon(
  { workspace }: Pick<SlackDeps, 'workspace'>,
  channel: string,
): Promise<boolean> {
  const stop = new AbortController()
  const limit = wait(400, false, { signal: stop.signal }).catch(() => false)
  try {
    return await Promise.race([workspace.isMember(channel).catch(() => false), limit])
  } finally {
    stop.abort()
  }
}
