// gkube was invited to a channel: messages that it refused are posted now, not within the hour. Slack tells of everybody
// who joins; only gkube itself matters.
import type { App, SlackEventMiddlewareArgs } from '@slack/bolt'
import type { SlackDeps } from './deps.ts'

export function registerInvited(bolt: App, deps: SlackDeps): void {
  bolt.event(
    'member_joined_channel',
    deps.guarded<SlackEventMiddlewareArgs<'member_joined_channel'>>('invited', async ({ event }) => {
      const { userId } = await deps.workspace.self()
      if (event.user === userId) await deps.invited(event.channel)
    }),
  )
}
