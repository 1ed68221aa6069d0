// What a click on a decision binds: what stood beside the button, not what is prepared by the time it arrives.
import { describe, expect, it } from 'vitest'
import type { Core } from '../../../../src/core/core.ts'
import type { Deploy } from '../../../../src/core/deploy.ts'
import { voteRefusal } from '../../../../src/core/use-cases/why-not.ts'
import { UserError } from '../../../../src/errors.ts'
import { actionIds, viewIds } from '../../../../src/surfaces/slack/action-ids.ts'
import { shownId } from '../../../../src/surfaces/slack/messages/buttons.ts'
import { approval, cho, deploy, production } from '../messages/sample.ts'
import { surfaceWith } from '../surface.ts'

const id = deploy().id
const asks = (hash: string): Deploy =>
  deploy({
    phase: 'awaiting_approval',
    approval: approval({ expiresAt: Date.now() + 60_000 }),
    prepared: { ...(deploy().prepared as NonNullable<Deploy['prepared']>), hash },
  })
const shown = 'aaaaaaaaaaaaaaaa'
const other = 'bbbbbbbbbbbbbbbb'

/** A surface whose core has this deploy, and a click on a button beside which `shown` stood. */
async function clicked(action: string, now: Deploy, mayVote: Core['mayVote'] = async () => undefined) {
  const votes: unknown[] = []
  const overrides: unknown[] = []
  const vote: Core['vote'] = async (caller, _id, input) => {
    votes.push(input)
    const refusal = voteRefusal({ deploy: now, by: caller.actor, ...input, now: Date.now(), others: [] })
    if (refusal) throw refusal
    return { ...now, phase: 'ready' }
  }
  const override: Core['override'] = async (_caller, _id, input) => {
    overrides.push(input)
    return { ...now, phase: 'ready' }
  }
  const views: { private_metadata?: string }[] = []
  const surface = await surfaceWith({
    core: {
      vote,
      override,
      showDeploy: async () => ({
        deploy: now,
        progress: null,
        diagnosis: null,
        waiting: null,
        planned: null,
      }),
      mayVote,
      whoami: async () => ({
        actor: cho,
        environments: [{ environment: 'production', protected: true, may: [], breakGlass: true }],
      }),
    },
    workspace: {
      openView: async (_trigger, view) => {
        views.push(view)
        return { id: 'V1', hash: 'h' }
      },
    },
    over: { environments: new Map([['production', production]]) },
  })
  const payload = {
    type: 'block_actions',
    user: { id: 'U0CHO' },
    trigger_id: 'T.1',
    response_url: 'https://hooks.example.com/1',
    channel: { id: 'C0PRODUCTION' },
    container: { type: 'message', message_ts: '1.1', channel_id: 'C0PRODUCTION' },
    actions: [
      {
        type: 'button',
        action_id: action,
        block_id: shownId(asks(shown)),
        value: id,
        action_ts: '1764000000.1',
      },
    ],
  }
  await surface.send({ payload: JSON.stringify(payload) })
  const told = () => surface.said.map(({ text }) => text).join('\n')
  const submit = (view: string) =>
    surface.send({
      payload: JSON.stringify({
        type: 'view_submission',
        user: { id: 'U0CHO' },
        trigger_id: 'T.2',
        view: {
          id: 'V1',
          hash: 'h',
          callback_id: view,
          private_metadata: views[0]?.private_metadata,
          state: { values: { reason: { reason: { value: 'fire' } } } },
        },
      }),
    })
  return { votes, overrides, views, told, submit }
}

describe('Approve', () => {
  it('approves what was shown', async () => {
    const { votes, told } = await clicked(actionIds.approve, asks(shown))
    await expect.poll(told).toMatch(/You approved/)
    expect(votes).toEqual([{ decision: 'approve', reason: '', hash: shown }])
  })
  it('never what is prepared since', async () => {
    const { told } = await clicked(actionIds.approve, asks(other))
    await expect.poll(told).toMatch(/has changed since it was shown to you, so nothing was decided/)
  })
})

describe.each([
  ['with a comment', actionIds.approveWith],
  ['Override', actionIds.override],
])('a dialog: %s', (_, action) => {
  it('opens for what was shown and binds it', async () => {
    const { views, votes, overrides, submit } = await clicked(action, asks(shown))
    await expect.poll(() => views).toHaveLength(1)
    expect(JSON.parse(views[0]?.private_metadata ?? '')).toMatchObject({ deploy: id, hash: shown })
    await submit(action === actionIds.override ? viewIds.override : viewIds.approve)
    await expect.poll(() => [...votes, ...overrides]).toMatchObject([{ reason: 'fire', hash: shown }])
  })
  it('does not open for what is prepared since', async () => {
    const { views, told } = await clicked(action, asks(other))
    await expect.poll(told).toMatch(/has changed since it was shown to you/)
    expect(views).toEqual([])
  })
})

it.each([
  ['Approve with a comment', actionIds.approveWith, 'approve'],
  ['Deny', actionIds.deny, 'deny'],
])(
  '%s: who may not is refused by the core, so that the audit has it, before a word is typed',
  async (_, action, decision) => {
    const asked: unknown[] = []
    const { views, told } = await clicked(action, asks(shown), async (_caller, which, input) => {
      asked.push([which, input])
      throw new UserError('forbidden', 'cho may not approve web in production.')
    })
    await expect.poll(told).toMatch(/cho may not approve/)
    expect(asked).toEqual([[id, { decision }]])
    expect(views).toEqual([])
  },
)

it('asks for no reason to override what is over', async () => {
  const over = { ...asks(shown), phase: 'denied' as const, endedAt: 1 }
  const { views, told } = await clicked(actionIds.override, over)
  await expect.poll(told).toMatch(/It is over/)
  expect(views).toEqual([])
})

it('a vote that is stored is not said to have failed where its answer is lost', async () => {
  let lost = 0
  const said: string[] = []
  const broken = async (message: object) => {
    if (lost++ < 2) throw new UserError('unavailable', 'Slack did not tell.')
    said.push(JSON.stringify(message))
  }
  const surface = await surfaceWith({
    core: { vote: async () => ({ ...asks(shown), phase: 'ready' }) },
    workspace: {
      respond: (_url, message) => broken(message),
      ephemeral: (_channel, _user, message) => broken(message),
    },
  })
  const payload = {
    type: 'block_actions',
    user: { id: 'U0CHO' },
    trigger_id: 'T.9',
    response_url: 'https://hooks.example.com/1',
    channel: { id: 'C0PRODUCTION' },
    container: { type: 'message', message_ts: '1.1', channel_id: 'C0PRODUCTION', is_ephemeral: true },
    actions: [{ type: 'button', action_id: actionIds.approve, value: id, action_ts: '1764000000.1' }],
  }
  await surface.send({ payload: JSON.stringify(payload) })
  await expect.poll(() => said.join(), { timeout: 3_000 }).toMatch(/You approved/)
  expect(said.join()).not.toMatch(/went wrong/)
})

describe('where no message is to answer at', () => {
  it('the truth stands in the view that said it was not known', async () => {
    const { promise: stored, resolve } = Promise.withResolvers<Deploy>()
    const shownIn: string[] = []
    const surface = await surfaceWith({
      core: { vote: () => stored },
      workspace: {
        // As Slack: a trigger opens one view, once.
        openView: async (_trigger, view) => {
          if (shownIn.length > 0) throw new UserError('unavailable', 'exchanged_trigger_id')
          shownIn.push(JSON.stringify(view))
          return { id: 'V7', hash: 'h' }
        },
        updateView: async ({ id: view }, content) => {
          shownIn.push(`${view} ${JSON.stringify(content)}`)
          return { id: view, hash: 'h' }
        },
      },
    })
    const payload = {
      type: 'block_actions',
      user: { id: 'U0CHO' },
      trigger_id: 'T.1',
      view: { id: 'VHOME', type: 'home' },
      container: { type: 'view', view_id: 'VHOME' },
      actions: [{ type: 'button', action_id: actionIds.approve, value: id, action_ts: '1764000000.1' }],
    }
    await surface.send({ payload: JSON.stringify(payload) })
    await expect.poll(() => shownIn).toMatchObject([expect.stringMatching(/Not confirmed, checking/)])
    resolve({ ...asks(shown), phase: 'ready' })
    await expect.poll(() => shownIn[1]).toMatch(/^V7 .*You approved/)
  })
})

describe('a dialog', () => {
  const submit = async (given: Parameters<typeof surfaceWith>[0]) => {
    const surface = await surfaceWith(given)
    const ack = await surface.send({
      payload: JSON.stringify({
        type: 'view_submission',
        user: { id: 'U0CHO' },
        trigger_id: 'T.2',
        view: {
          id: 'V1',
          hash: 'h',
          callback_id: viewIds.approve,
          private_metadata: JSON.stringify({ deploy: id }),
          state: { values: { reason: { reason: { value: 'fine' } } } },
        },
      }),
    })
    return { ...surface, ack: ack.text }
  }
  const down = new UserError('unavailable', 'etcd does not answer at http://10.0.0.1:2379: no answer.', {
    details: { dependency: 'etcd', why: 'down' },
  })

  it('tells no address of ours, in time or late', async () => {
    const { ack, log } = await submit({ core: { vote: () => Promise.reject(down) } })
    expect(ack).toMatch(/"response_action":"errors".*etcd does not answer, so nothing was started/)
    expect(ack).not.toContain('10.0.0.1')
    expect(log.join()).toContain('10.0.0.1')
    const { promise, reject } = Promise.withResolvers<Deploy>()
    const views: string[] = []
    const updateView = async (_target: object, view: object) => {
      views.push(JSON.stringify(view))
      return { id: 'V1', hash: 'h' }
    }
    const late = await submit({ core: { vote: () => promise }, workspace: { updateView } })
    expect(late.ack).toMatch(/Not confirmed, checking/)
    reject(down)
    await expect.poll(() => views.join()).toMatch(/etcd does not answer, so nothing was started/)
    expect(views.join()).not.toContain('10.0.0.1')
  })

  it('says how it ended by another way where it cannot be changed any more, and never that it failed', async () => {
    const { promise, resolve } = Promise.withResolvers<Deploy>()
    let updates = 0
    const views: string[] = []
    const { said, ack } = await submit({
      core: { vote: () => promise },
      workspace: {
        updateView: async (_target, view) => {
          if (updates++ === 0) throw new UserError('unavailable', 'Slack did not tell (views.update: 500).')
          views.push(JSON.stringify(view))
          return { id: 'V1', hash: 'h' }
        },
      },
    })
    expect(ack).toMatch(/Not confirmed, checking/)
    resolve({ ...asks(shown), phase: 'ready' })
    await expect.poll(() => said.map(({ text }) => text).join()).toMatch(/You approved/)
    expect(views.join()).not.toMatch(/Slack did not tell/)
  })
})
