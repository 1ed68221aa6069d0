// gkube is invited to a channel: what that refused is tried again, and only then.
import { expect, test } from 'vitest'
import { surfaceWith } from './surface.ts'

test.each([
  ['gkube itself', 'U0GKUBE', ['C0SHOP']],
  ['somebody else', 'U0ANA', []],
])('%s joins a channel', async (_, user, expected) => {
  const invited: string[] = []
  const { event, surface } = await surfaceWith({
    core: {},
    workspace: { self: async () => ({ userId: 'U0GKUBE', botId: 'B0GKUBE', teamId: 'T1' }) },
    over: { invited: async channel => void invited.push(channel) },
  })
  const said = await event({
    type: 'member_joined_channel',
    user,
    channel: 'C0SHOP',
    channel_type: 'C',
    team: 'T1',
    inviter: 'U0ANA',
    event_ts: '1.1',
  })
  expect(said.status).toBe(200)
  await surface.stop()
  expect(invited).toEqual(expected)
})
