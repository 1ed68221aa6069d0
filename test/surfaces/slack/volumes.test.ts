// Storage in Slack, from the signed request on: the table, the dialog that asks for a whole name, and what is typed in it.
import { describe, expect, it } from 'vitest'
import type { Core } from '../../../src/core/core.ts'
import { problemsOf } from '../../../src/sandbox/slack/validate.ts'
import { memoryCore, storage } from '../support.ts'
import { textsOf } from './messages/sample.ts'
import { surfaceWith } from './surface.ts'

type View = { readonly callback_id: string; readonly private_metadata: string }

const admin = [{ role: 'admin' as const, apps: ['*'], environments: ['*'] }]

async function world(core: Partial<Core> = {}) {
  const views: View[] = []
  const memory = memoryCore()
  const shown = (view: object) => {
    expect(problemsOf('modal', view)).toEqual([])
    views.push(view as View)
    return { id: 'V1', hash: String(views.length) }
  }
  const slack = await surfaceWith({
    core: { ...memory, ...core },
    caller: { grants: admin },
    workspace: { openView: async (_, view) => shown(view), updateView: async (_, view) => shown(view) },
    over: {
      names: { seenBy: async () => ['web', 'old', 'db'] },
      environments: new Map(['staging', 'production'].map(name => [name, {} as never])),
    },
  })
  const user = { id: 'U1', team_id: 'T1' }
  return {
    ...slack,
    memory,
    views,
    click: (value: string) =>
      slack.send({
        payload: JSON.stringify({
          type: 'block_actions',
          team: { id: 'T1' },
          user,
          trigger_id: `${value}.1`,
          response_url: 'https://hooks.example.com/1',
          channel: { id: 'C1' },
          container: { type: 'message', message_ts: '1.1', channel_id: 'C1', is_ephemeral: true },
          actions: [
            { type: 'button', action_id: 'gkube:delete_volume', block_id: 'b', action_ts: '1.1', value },
          ],
        }),
      }),
    submit: (typed: string, of = views.at(-1)) =>
      slack.send({
        payload: JSON.stringify({
          type: 'view_submission',
          team: { id: 'T1' },
          user,
          view: {
            id: 'V1',
            type: 'modal',
            hash: 'h',
            callback_id: of?.callback_id,
            private_metadata: of?.private_metadata,
            state: { values: { title: { title: { type: 'plain_text_input', value: typed } } } },
          },
        }),
      }),
  }
}

describe('storage', () => {
  it('is a table', async () => {
    const { command } = await world()
    const { text } = await command('volumes in production')
    expect(text).toContain('9.1 GiB (91 %)')
    expect(text).not.toContain('staging')
  })

  it.each([
    [
      'a command',
      (at: Awaited<ReturnType<typeof world>>) => at.command('delete volume files of old in staging'),
    ],
    ['the button', (at: Awaited<ReturnType<typeof world>>) => at.click('staging/old/files')],
  ])('asks for the whole name, opened by %s', async (_name, open) => {
    const at = await world()
    expect((await open(at)).status).toBe(200)
    expect(textsOf(at.views.at(-1) as object).join('\n')).toMatch(/Type staging\/old\/files to delete it/)
    const wrong = await at.submit('files')
    expect(JSON.parse(wrong.text)).toMatchObject({
      response_action: 'errors',
      errors: { title: 'Nothing was deleted. Type its name: staging/old/files' },
    })
    const empty = await at.submit('')
    expect(JSON.parse(empty.text)).toMatchObject({ errors: { title: 'Type its name to delete it.' } })
    const right = await at.submit('staging/old/files')
    expect(right.text + JSON.stringify(at.said)).toMatch(
      /staging\/old\/files is deleted with all that it held/,
    )
    expect(right.text + JSON.stringify(at.said)).toMatch(/gluster-1:\/bricks\/old/)
  })

  it('that is used is refused in the place of the dialog', async () => {
    const at = await world()
    await at.command('delete volume data of web in staging')
    const { text } = await at.submit('staging/web/data')
    expect(text).toContain('web runs in staging')
  })

  it.each([
    ['of a StorageClass', 'staging/db/data', /not storage on a pool/],
    ['that is not there', 'staging/web/none', /not storage on a pool/],
    ['of a value that is none', 'staging', /another version of gkube/],
  ])('%s opens nothing', async (_name, value, words) => {
    const at = await world()
    await at.click(value)
    expect(at.views.filter(view => view.callback_id === 'gkube:delete_volume')).toEqual([])
    expect(JSON.stringify([at.views, at.said])).toMatch(words)
  })

  it('is looked at again when the dialog is sent', async () => {
    const [first] = storage
    expect(first?.state).toBe('ok')
    const at = await world({
      deleteVolume: async (_caller, input) => ({ deleted: JSON.stringify(input), left: [] }),
    })
    await at.command('delete volume data of web in staging')
    const { text } = await at.submit('staging/web/data')
    const said = text + JSON.stringify(at.said)
    for (const word of ['web', 'staging', 'data', 'staging/web/data']) expect(said).toContain(word)
  })
})
