// The notifier's stories on a workspace that is not ours: emulate 0.12.2, a stateful Web API that knows nothing of gkube.
// What it holds in the end is read with Slack's own client. (It cannot say: tiers, scopes, blocks that are not valid.)
import { WebClient } from '@slack/web-api'
import { createEmulator } from 'emulate'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diagnosis, ended, patient, startWorld, type World } from './world.ts'

let world: World
let client: WebClient
let channel: string
let workspace: { readonly api: string; readonly botToken: string }
let emulator: { readonly url: string; close(): Promise<void> }
beforeAll(async () => {
  const seed = { slack: { channels: [{ name: 'deploys' }], bots: [{ name: 'gkube' }] } }
  emulator = await createEmulator({ service: 'slack', port: 0, seed })
  workspace = { api: `${emulator.url}/api/`, botToken: 'xoxb-test' }
  client = new WebClient(workspace.botToken, { slackApiUrl: workspace.api, retryConfig: { retries: 0 } })
  const { channels } = await client.conversations.list()
  channel = channels?.find(({ name }) => name === 'deploys')?.id ?? ''
  world = await startWorld()
  world.environments.delete('staging')
})
afterAll(() => emulator.close())

const history = async (revision: string) =>
  ((await client.conversations.history({ channel })).messages ?? []).filter(({ text }) =>
    text?.includes(` ${revision}:`),
  )

test('one message to its end, its thread with a file, and a message that was deleted comes again once', async () => {
  await world.replica({ workspace })
  const failing = await world.request({ revision: 'bad' }, [channel])
  const deleted = await world.request({ revision: 'deleted' }, [channel])
  await expect.poll(async () => (await history('deleted')).length, patient).toBe(1)
  const [first] = await history('deleted')
  await client.chat.delete({ channel, ts: first?.ts ?? '' })
  await world.move(failing, { ...ended('failed'), startedAt: 1 }, { diagnosis })
  await world.move(deleted, ended('succeeded'))
  await world.told()
  const [bad, ...more] = await history('bad')
  expect(more).toEqual([])
  expect(bad?.text).toContain('failed')
  const { messages: thread = [] } = await client.conversations.replies({ channel, ts: bad?.ts ?? '' })
  expect(thread.map(({ text }) => text).slice(0, 3)).toEqual([bad?.text, 'started', 'why: exit code 1'])
  expect(thread.at(-1)?.files?.map(({ name }) => name)).toEqual(['log.txt'])
  expect((await history('deleted')).map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
})

test('an answer that was lost: the message is found by its mark and kept up', async () => {
  let lost = 0
  const lossy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (!String(input).endsWith('chat.postMessage') || lost++ > 0) return response
    throw new TypeError('fetch failed', {
      cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
    })
  }
  // The one of the first test holds the office; this one's messages are its own world's.
  const own = await startWorld()
  own.environments.delete('staging')
  await own.replica({ workspace, fetch: lossy })
  const asked = await own.request({ revision: 'lost' }, [channel])
  await own.move(asked, ended('succeeded'))
  await own.told()
  expect(lost).toBe(1)
  expect((await history('lost')).map(({ text }) => text)).toEqual([expect.stringContaining('succeeded')])
})
